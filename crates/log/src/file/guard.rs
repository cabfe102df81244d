//! Notices when the log's file was replaced, removed or cut off under an open handle.
//!
//! Any of these loses records silently unless somebody looks: a writer goes on appending to a file that has no
//! name any more. Every read looks; this must stay cheap.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Position, ReadError};

/// Which file was opened, and how far it was seen to reach.
#[derive(Debug)]
pub(super) struct Guard {
    device: u64,
    inode: u64,
    seen_bytes: AtomicU64,
}

impl Guard {
    pub(super) fn of(file: &File, path: &Path) -> io::Result<Self> {
        let opened = file.metadata()?;
        // Looked up by name too, so that a path that cannot be watched fails here and not at the first read.
        fs::metadata(path)?;
        Ok(Self { device: opened.dev(), inode: opened.ino(), seen_bytes: AtomicU64::new(opened.len()) })
    }

    /// Makes sure that `path` still names the file and that it did not shrink; returns its size in bytes.
    ///
    /// `start` is the position of the file's first byte, for the error.
    pub(super) fn check(&self, path: &Path, start: u64) -> Result<u64, ReadError> {
        // What another thread saw is fetched before the size is read, so the size must reach at least as far.
        let seen_bytes = self.seen_bytes.load(Ordering::Acquire);
        let size_bytes = match fs::metadata(path) {
            Ok(named) if self.is(&named) => named.len(),
            Ok(_) => return Err(ReadError::Replaced { path: path.to_owned() }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(ReadError::Deleted { path: path.to_owned() });
            }
            Err(error) => return Err(error.into()),
        };
        if size_bytes < seen_bytes {
            let (end, seen) = (Position::new(start + size_bytes), Position::new(start + seen_bytes));
            return Err(ReadError::Truncated { path: path.to_owned(), end, seen });
        }
        self.seen_bytes.fetch_max(size_bytes, Ordering::Release);
        Ok(size_bytes)
    }

    fn is(&self, file: &Metadata) -> bool {
        (file.dev(), file.ino()) == (self.device, self.inode)
    }
}
