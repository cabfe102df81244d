//! The first line of a log file, which gives the log its id, and how a log file comes to be.
//!
//! The header is framed like a record: `{"len":N,"crc":"xxxxxxxx","log":"<uuid>","version":1,"start":0}`. `start` is
//! the position of this file's first byte in the log as a whole. A file is complete from the moment it has its
//! name, so of several processes that make a log at once one wins and none sees a half-made file.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{file_system, frame};
use crate::durable;

/// The version of the framing that this code reads and writes.
const VERSION: u32 = 1;
/// Longer than any header of this version.
pub(super) const HEADER_BYTES_MAX: usize = 1024;

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no file at this path.
    #[error("there is no log at {path}")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The first line is not a log's header: another file has this name, or the header is damaged.
    #[error("{path} does not begin as a log: {reason}")]
    NotALog {
        /// Which file.
        path: PathBuf,
        /// How this is known.
        reason: String,
    },
    /// A newer version of this program made the log.
    #[error("{path} is a log of version {found}, and this program knows up to version {VERSION}: update it")]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The folder lies on a network file system, where appends of several machines overwrite each other.
    #[error("{path} lies on {file_system}, which does not append atomically: put the log on a local disk")]
    NetworkFileSystem {
        /// Which file.
        path: PathBuf,
        /// The file system's name.
        file_system: &'static str,
    },
    /// The system refused.
    #[error("the log {path} cannot be opened: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn of_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if source.kind() == ErrorKind::NotFound { Self::Missing { path } } else { Self::Io { path, source } }
    }
}

/// What the first line of a log file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub id: String,
    pub start: u64,
    /// The length of the line with its line break: where the first record's frame begins in the file.
    pub length_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Fields {
    log: String,
    version: u32,
    start: u64,
}

impl Header {
    pub(super) fn read(file: &File, path: &Path) -> Result<Self, OpenError> {
        let mut bytes = vec![0; HEADER_BYTES_MAX];
        let mut filled = 0;
        while let Some(free) = bytes.get_mut(filled..).filter(|free| !free.is_empty()) {
            match file.read_at(free, filled as u64).map_err(|source| OpenError::of_io(path, source))? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Self::parse(&mut bytes, path)
    }

    fn parse(bytes: &mut [u8], path: &Path) -> Result<Self, OpenError> {
        let not_a_log =
            |reason: &str| OpenError::NotALog { path: path.to_owned(), reason: reason.to_owned() };
        let line_length =
            bytes.iter().position(|&byte| byte == b'\n').ok_or_else(|| not_a_log("it has no header"))?;
        let line = bytes.get_mut(..line_length).unwrap_or_default();
        let frame = frame::Frame::parse(line).map_err(|_| not_a_log("its first line is no header"))?;
        if frame.record.end != line.len() || !frame.matches(line) {
            return Err(not_a_log("its header does not match its checksum"));
        }
        frame.unwrap_in(line);
        let record = line.get(frame.record).unwrap_or_default();
        let fields: Fields = serde_json::from_slice(record).map_err(|error| not_a_log(&error.to_string()))?;
        if fields.version != VERSION {
            return Err(OpenError::Version { path: path.to_owned(), found: fields.version });
        }
        Ok(Self { id: fields.log, start: fields.start, length_bytes: line_length as u64 + 1 })
    }
}

/// Makes an empty log at `path`, unless another process did so first.
pub(super) fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    let folder = File::open(durable::folder_of(path)).map_err(failed)?;
    file_system::check(&folder, path)?;
    let fields = Fields { log: crate::unique_id().to_string(), version: VERSION, start: 0 };
    let record = serde_json::to_vec(&fields).map_err(|error| failed(error.into()))?;
    let mut line = Vec::new();
    frame::write_line(&mut line, &record);
    line.push(b'\n');
    match durable::create(path, &line) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}
