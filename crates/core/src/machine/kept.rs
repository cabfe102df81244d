//! A snapshot that lies somewhere else, and is read piece by piece.
//!
//! A short command looks at a few tasks of a hundred thousand, and what it costs is the memory that it fills. So a state
//! that was made from a snapshot leaves there what nobody has asked for yet. The core reads no files: whoever opens the
//! snapshot says how its bytes are had.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// The bytes of a snapshot, in memory or elsewhere.
///
/// They never change, and a state rests on them: an implementation that cannot read any more what was there at first
/// must have another way to the same bytes. It must not answer with others, and not with `None`.
pub trait Kept: fmt::Debug + Send + Sync {
    /// How many bytes there are.
    fn length(&self) -> usize;

    /// So many bytes from `at` on; `None` if there never were as many.
    fn read(&self, at: usize, length: usize) -> Option<Bytes>;

    /// Copies the few bytes from `at` on that `to` takes. Says whether there are as many.
    fn copy(&self, at: usize, to: &mut [u8]) -> bool {
        let bytes = self.read(at, to.len());
        bytes.is_some_and(|bytes| {
            to.copy_from_slice(&bytes);
            true
        })
    }
}

impl Kept for Bytes {
    fn length(&self) -> usize {
        self.len()
    }

    fn read(&self, at: usize, length: usize) -> Option<Bytes> {
        let end = at.checked_add(length)?;
        (end <= self.len()).then(|| self.slice(at..end))
    }
}

/// A stretch of a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    kept: Arc<dyn Kept>,
    at: usize,
    length: usize,
}

impl Default for Part {
    fn default() -> Self {
        Self::all(Arc::new(Bytes::new()))
    }
}

impl Part {
    pub fn all(kept: Arc<dyn Kept>) -> Self {
        Self { at: 0, length: kept.length(), kept }
    }

    pub fn length(&self) -> usize {
        self.length
    }

    /// Cuts off the first bytes, and leaves the rest.
    pub fn take(&mut self, length: usize) -> Option<Self> {
        let rest = self.length.checked_sub(length)?;
        let taken = Self { kept: Arc::clone(&self.kept), at: self.at, length };
        (self.at, self.length) = (self.at + length, rest);
        Some(taken)
    }

    pub fn read(&self, at: usize, length: usize) -> Option<Bytes> {
        if self.has(at, length) { self.kept.read(self.at + at, length) } else { None }
    }

    fn has(&self, at: usize, length: usize) -> bool {
        at.checked_add(length).is_some_and(|end| end <= self.length)
    }

    pub fn read_all(&self) -> Option<Bytes> {
        self.read(0, self.length)
    }

    pub fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut array = [0; N];
        (self.has(at, N) && self.kept.copy(self.at + at, &mut array)).then_some(array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_gives_what_is_in_it_and_no_more() {
        let mut rest = Part::all(Arc::new(Bytes::from_static(b"abcdef")));
        let first = rest.take(2).unwrap();
        assert_eq!(first.read_all().unwrap(), "ab");
        assert_eq!(rest.array(1), Some(*b"de"));
        assert_eq!(first.read(1, 2), None);
        assert_eq!(rest.read(4, usize::MAX), None);
        assert!(rest.take(5).is_none());
        assert_eq!(rest.read_all().unwrap(), "cdef");
    }
}
