//! Bytes in a file, of which each block has a checksum, so that a part can be read and believed without the rest.
//!
//! The file is kept open: whoever replaces it by another does not disturb who reads this one.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};

/// How many bytes have one checksum. A short command looks at some dozens of places.
const BLOCK_BYTES: usize = 16 * 1024;
/// A checksum as bytes.
const SUM_BYTES: usize = 4;

/// The checksums of the blocks of `bytes`: CRC-32, in little-endian order.
pub(crate) fn sums(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(BLOCK_BYTES).flat_map(|block| crc32fast::hash(block).to_le_bytes()).collect()
}

/// How many bytes the checksums of so many bytes take.
pub(crate) fn sums_bytes(length: usize) -> usize {
    length.div_ceil(BLOCK_BYTES) * SUM_BYTES
}

/// Part of a file, read block by block when asked for.
#[derive(Debug)]
pub(crate) struct Blocks {
    file: File,
    begin: u64,
    length: usize,
    sums: Bytes,
    read: Vec<OnceLock<Bytes>>,
}

impl Blocks {
    /// The `length` bytes of a file from `begin` on, which have these checksums.
    pub fn new(file: File, begin: u64, length: usize, sums: Bytes) -> Self {
        let read = vec![OnceLock::new(); length.div_ceil(BLOCK_BYTES)];
        Self { file, begin, length, sums, read }
    }

    pub fn length(&self) -> usize {
        self.length
    }

    /// The checksums of all blocks.
    pub fn sums(&self) -> &[u8] {
        &self.sums
    }

    /// The bytes of a range, which must lie within.
    ///
    /// # Errors
    /// When they cannot be read, or are not what was written.
    pub fn read(&self, range: Range<usize>) -> io::Result<Bytes> {
        if range.is_empty() {
            return if range.end <= self.length { Ok(Bytes::new()) } else { Err(too_short()) };
        }
        let first = range.start / BLOCK_BYTES;
        let begin = first * BLOCK_BYTES;
        if range.end <= begin + BLOCK_BYTES {
            let block = self.block(first)?;
            let within = range.start - begin..range.end - begin;
            return if within.end <= block.len() { Ok(block.slice(within)) } else { Err(too_short()) };
        }
        let mut bytes = BytesMut::with_capacity(range.len());
        for number in first..range.end.div_ceil(BLOCK_BYTES) {
            let begin = number * BLOCK_BYTES;
            let (from, to) = (range.start.max(begin) - begin, range.end.min(begin + BLOCK_BYTES) - begin);
            bytes.extend_from_slice(self.block(number)?.get(from..to).ok_or_else(too_short)?);
        }
        Ok(bytes.freeze())
    }

    /// Copies the bytes from `at` on into `to`: for a few of them, which cost less than a share in their block.
    ///
    /// # Errors
    /// As [`Blocks::read`].
    pub fn copy(&self, at: usize, to: &mut [u8]) -> io::Result<()> {
        let within = at % BLOCK_BYTES;
        if within + to.len() <= BLOCK_BYTES && !to.is_empty() {
            let block = self.block(at / BLOCK_BYTES)?;
            to.copy_from_slice(block.get(within..within + to.len()).ok_or_else(too_short)?);
        } else {
            to.copy_from_slice(&self.read(at..at.checked_add(to.len()).ok_or_else(too_short)?)?);
        }
        Ok(())
    }

    fn block(&self, number: usize) -> io::Result<&Bytes> {
        let place = self.read.get(number).ok_or_else(too_short)?;
        if let Some(block) = place.get() {
            return Ok(block);
        }
        let begin = number * BLOCK_BYTES;
        let mut block = vec![0; BLOCK_BYTES.min(self.length - begin)];
        self.file.read_exact_at(&mut block, self.begin + begin as u64)?;
        let sum = self.sums.get(number * SUM_BYTES..(number + 1) * SUM_BYTES);
        if sum != Some(&crc32fast::hash(&block).to_le_bytes()) {
            return Err(io::Error::new(ErrorKind::InvalidData, "a block does not match its checksum"));
        }
        Ok(place.get_or_init(|| block.into()))
    }
}

fn too_short() -> io::Error {
    ErrorKind::UnexpectedEof.into()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn blocks(content: &[u8], written: &[u8]) -> Blocks {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before").unwrap();
        file.write_all(written).unwrap();
        Blocks::new(file, 6, content.len(), sums(content).into())
    }

    fn content() -> Vec<u8> {
        (0..BLOCK_BYTES * 3 + 100).map(|number| (number * 7 / 5) as u8).collect()
    }

    #[test]
    fn any_range_is_read_within_a_block_and_across() {
        let content = content();
        let blocks = blocks(&content, &content);
        for start in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 100] {
            for end in [start, start + 1, 2 * BLOCK_BYTES, 2 * BLOCK_BYTES + 1, content.len()] {
                if start <= end && end <= content.len() {
                    assert_eq!(blocks.read(start..end).unwrap(), content[start..end], "{start}..{end}");
                    let mut copy = vec![0; end - start];
                    blocks.copy(start, &mut copy).unwrap();
                    assert_eq!(copy, content[start..end], "{start}..{end}");
                }
            }
        }
        assert!(blocks.read(0..content.len() + 1).is_err());
        assert!(blocks.copy(content.len(), &mut [0]).is_err());
        assert!(blocks.read(content.len()..content.len() + 1).is_err());
    }

    #[test]
    fn a_changed_bit_or_a_missing_end_is_an_error_where_it_is_and_nowhere_else() {
        let content = content();
        let mut written = content.clone();
        written[BLOCK_BYTES] ^= 1;
        written.pop();
        let blocks = blocks(&content, &written);
        assert!(blocks.read(0..BLOCK_BYTES).is_ok());
        assert!(blocks.read(BLOCK_BYTES - 1..BLOCK_BYTES + 1).is_err());
        assert!(blocks.read(2 * BLOCK_BYTES..3 * BLOCK_BYTES).is_ok());
        assert!(blocks.read(3 * BLOCK_BYTES..3 * BLOCK_BYTES + 1).is_err());
    }
}
