//! The running digest of a log file: each byte is hashed once per handle, not once per snapshot.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use crate::{Digest, ReadError};

const CHUNK_BYTES: usize = 1 << 20;

/// A hasher that has been given the file's first bytes, and how many.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<(u64, blake3::Hasher)>);

impl Running {
    /// The digest of the file's first `offset` bytes, which must be there.
    ///
    /// An offset before the last one that was asked for is hashed from the beginning, and not kept.
    pub(super) fn up_to(&self, file: &File, offset: u64) -> Result<Digest, ReadError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (hashed, mut hasher) = if kept.0 <= offset { kept.clone() } else { (0, blake3::Hasher::new()) };
        hash(file, hashed, offset, &mut hasher)?;
        let digest = Digest::new(*hasher.finalize().as_bytes());
        if kept.0 <= offset {
            *kept = (offset, hasher);
        }
        Ok(digest)
    }
}

fn hash(file: &File, mut from: u64, to: u64, hasher: &mut blake3::Hasher) -> io::Result<()> {
    let mut chunk = Vec::new();
    while from < to {
        let length = usize::try_from(to - from).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        chunk.resize(length, 0);
        file.read_exact_at(&mut chunk, from)?;
        hasher.update(&chunk);
        from += length as u64;
    }
    Ok(())
}
