//! Notices when the log's file was replaced, removed or cut off under an open handle.
//!
//! Any of these loses records silently unless somebody looks: a writer goes on appending to a file that has no
//! name any more. So readers look often; this must stay cheap.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::header::HEADER_BYTES_MAX;
use crate::{Position, ReadError};

/// Which file was opened, and how far it was seen to reach.
#[derive(Debug)]
pub(super) struct Guard {
    device: u64,
    inode: u64,
    seen_bytes: AtomicU64,
    /// When the file was changed last, as far as that was seen: without a change nothing can have taken its place.
    seen_change: AtomicI64,
    /// The first line, which no other log has.
    header: Vec<u8>,
    opened: Instant,
    /// When the name was last looked up, in microseconds since the file was opened.
    checked_us: AtomicU64,
}

/// How long a look at the name holds. That the file lost its name is found out that late.
const HOLDS: Duration = Duration::from_millis(1);

impl Guard {
    /// `header_bytes` is the length of the file's first line.
    pub(super) fn of(file: &File, path: &Path, header_bytes: u64) -> io::Result<Self> {
        let opened = file.metadata()?;
        let mut header = vec![0; usize::try_from(header_bytes).unwrap_or_default()];
        file.read_exact_at(&mut header, 0)?;
        // Looked up by name too, so that a path that cannot be watched fails here and not at the first read.
        fs::metadata(path)?;
        Ok(Self {
            device: opened.dev(),
            inode: opened.ino(),
            seen_bytes: AtomicU64::new(opened.len()),
            seen_change: AtomicI64::new(change(&opened)),
            header,
            opened: Instant::now(),
            checked_us: AtomicU64::new(0),
        })
    }

    /// Makes sure that `path` still names the file and that it did not shrink; returns its size in bytes.
    ///
    /// `start` is the position of the file's first byte, for the error.
    pub(super) fn check(&self, file: &File, path: &Path, start: u64) -> Result<u64, ReadError> {
        // What another thread saw is fetched before the size is read, so the size must reach at least as far.
        let seen_bytes = self.seen_bytes.load(Ordering::Acquire);
        let (size_bytes, change) = match fs::metadata(path) {
            Ok(named) if self.is(&named) => (named.len(), change(&named)),
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
        if self.seen_change.load(Ordering::Acquire) != change {
            if !self.begins_as_before(file)? {
                return Err(ReadError::Replaced { path: path.to_owned() });
            }
            self.seen_change.store(change, Ordering::Release);
        }
        self.saw(size_bytes);
        self.checked_us.store(self.now_us(), Ordering::Relaxed);
        Ok(size_bytes)
    }

    /// Whether the last check still holds.
    pub(super) fn is_fresh(&self) -> bool {
        let checked = Duration::from_micros(self.checked_us.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(checked) < HOLDS
    }

    /// Whether nothing from `offset` on was seen yet.
    pub(super) fn is_new(&self, offset: u64) -> bool {
        offset >= self.seen_bytes.load(Ordering::Acquire)
    }

    /// How far the file was seen to reach.
    pub(super) fn seen(&self) -> u64 {
        self.seen_bytes.load(Ordering::Acquire)
    }

    /// Notes how far the file was seen to reach.
    pub(super) fn saw(&self, size_bytes: u64) {
        self.seen_bytes.fetch_max(size_bytes, Ordering::Release);
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether the file is still this log: another may have been written over it in place.
    fn begins_as_before(&self, file: &File) -> io::Result<bool> {
        let mut header = [0; HEADER_BYTES_MAX];
        let header = header.get_mut(..self.header.len()).unwrap_or_default();
        match file.read_exact_at(header, 0) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| *header == *self.header),
        }
    }

    fn is(&self, file: &Metadata) -> bool {
        (file.dev(), file.ino()) == (self.device, self.inode)
    }
}

/// When a file was changed last, in nanoseconds.
fn change(file: &Metadata) -> i64 {
    file.mtime().wrapping_mul(1_000_000_000).wrapping_add(file.mtime_nsec())
}
