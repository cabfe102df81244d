//! A look at a whole log file that does not stop at corruption, for `doctor`.
//!
//! It reads and never mends. It needs no lock and no sound header, so that it works where opening fails.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::header::{Header, OpenError};
use super::read_window;
use super::scan::{self, AtCorruption};
use crate::safeguard::Safeguards;
use crate::{Damage, DamageKind, Position, Record};

const WINDOW_BYTES: usize = 1 << 20;

/// What was found in a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The log's id, if its header is sound.
    pub id: Option<String>,
    /// How long the file was.
    pub size_bytes: u64,
    /// How many sound records it holds, wherever they lie.
    pub records: u64,
    /// Everything that is no record, corruption included, in order.
    pub damage: Vec<Damage>,
    /// How many bytes at the end are not, or not yet, ended by a line break: a writer is at work, or died.
    pub unfinished_bytes: u64,
}

/// Why a log file could not be examined.
#[derive(Debug, thiserror::Error)]
#[error("the log {path} cannot be read: {source}")]
pub struct ExamineError {
    path: PathBuf,
    source: io::Error,
}

/// Examines the log file at `path` and gives every sound record to `on_record`, in order.
///
/// # Errors
///
/// Only when the file cannot be opened or read; whatever its bytes are is a finding and no error.
pub fn examine(path: &Path, mut on_record: impl FnMut(Record<'_>)) -> Result<Examination, ExamineError> {
    let failed = |source| ExamineError { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size_bytes = file.metadata().map_err(failed)?.len();
    let mut damage = Vec::new();
    let (id, start, mut offset) = match Header::read(&file, path) {
        Ok(header) => (Some(header.id), header.start, header.length_bytes),
        Err(OpenError::Io { source, .. }) => return Err(failed(source)),
        Err(error) => {
            let reason = match error {
                OpenError::Version { .. } => "the log is of a newer version than this program knows",
                _ => "the first line is no log's header",
            };
            damage.push(first_line(&file, size_bytes, reason).map_err(failed)?);
            (None, 0, damage.iter().map(|header| header.length_bytes).sum())
        }
    };
    let mut records = 0;
    loop {
        let (bytes, reaches_end) = read_window(&file, offset, size_bytes, WINDOW_BYTES).map_err(failed)?;
        // Corruption is listed and no error here, so nothing is left that could fail.
        let Ok(batch) =
            scan::scan(Safeguards::ALL, bytes, start + offset, reaches_end, AtCorruption::Continue)
        else {
            break;
        };
        batch.records().for_each(&mut on_record);
        records += batch.len() as u64;
        batch.damage().iter().cloned().for_each(|found| found.push_onto(&mut damage));
        offset = batch.next().value() - start;
        if reaches_end {
            break;
        }
    }
    Ok(Examination { id, size_bytes, records, damage, unfinished_bytes: size_bytes - offset })
}

/// The first line, which is no header that this program knows. Records may follow it all the same.
fn first_line(file: &File, size_bytes: u64, reason: &'static str) -> io::Result<Damage> {
    let (bytes, _) = read_window(file, 0, size_bytes, 0)?;
    let length_bytes = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len()) as u64;
    Ok(Damage { position: Position::START, length_bytes, kind: DamageKind::Corrupt(reason) })
}
