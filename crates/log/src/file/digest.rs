//! The digest that ties a snapshot to the log file that it was made of.
//!
//! It is taken over the last bytes before a position, so that opening a long log does not read all of it. These bytes
//! hold ids that were never given before, so a log with the same end has the same past: it is this log, or a copy. That
//! none of its bytes was lost since is made sure otherwise: a snapshot is saved only of what is on stable storage.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::Digest;

/// How many bytes before the position are looked at: the longest record, at least.
pub const TAIL_BYTES: u64 = 64 * 1024;

/// The digest of a log of which `tail` are the last bytes before the `position`, as many as [`TAIL_BYTES`] or all.
#[must_use]
pub fn tail_digest(position: u64, tail: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&position.to_le_bytes()).update(tail);
    Digest::new(*hasher.finalize().as_bytes())
}

/// The digest of the file's first `offset` bytes, which must be there.
pub(super) fn of_file(file: &File, offset: u64) -> io::Result<Digest> {
    let begin = offset.saturating_sub(TAIL_BYTES);
    let mut tail = vec![0; usize::try_from(offset - begin).map_err(io::Error::other)?];
    file.read_exact_at(&mut tail, begin)?;
    Ok(tail_digest(offset, &tail))
}
