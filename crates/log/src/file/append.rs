//! Writing records at the end of the file.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

use super::frame;
use crate::AppendError;
use crate::safeguard::Safeguards;

/// How often a record is written again after the system took only a part of it.
const SHORT_WRITES_MAX: usize = 3;
/// What most records fit into with their frames.
const FRAMED_BYTES: usize = 512;

/// Appends `records` to `file`, which is in append mode, with one `write(2)` each, and says how many bytes these are.
///
/// A call for several records would be fewer, but a short write would then repeat records that are whole.
pub(super) fn append(mut file: &File, records: &[&[u8]]) -> Result<u64, AppendError> {
    let mut framed = Vec::with_capacity(FRAMED_BYTES);
    let mut framed_bytes = 0;
    for (appended, record) in records.iter().enumerate() {
        framed.clear();
        frame::write_framed(Safeguards::ALL, &mut framed, record);
        write_once(&mut file, &framed).map_err(|source| AppendError::Io { appended, source })?;
        framed_bytes += framed.len() as u64;
    }
    Ok(framed_bytes)
}

/// Writes all of `framed` in one piece, or fails.
///
/// `write_all` would write the rest of a short write behind what others appended meanwhile. The whole is written
/// again instead: readers step over the torn part, and a record that is there twice counts once.
///
/// # Errors
///
/// What the system says, or that the disk is full when it keeps taking a part only. Both are ambiguous.
pub fn write_once(file: &mut impl Write, framed: &[u8]) -> io::Result<()> {
    let mut short_writes = 0;
    loop {
        match file.write(framed) {
            Ok(written) if written == framed.len() => return Ok(()),
            Ok(_) if short_writes < SHORT_WRITES_MAX => short_writes += 1,
            Ok(_) => {
                return Err(io::Error::new(ErrorKind::StorageFull, "only a part of the record was taken"));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that takes so many bytes of each write, in turn, and then refuses.
    struct Reluctant(Vec<usize>, Vec<Vec<u8>>);

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = self.0.pop().ok_or(ErrorKind::StorageFull)?.min(bytes.len());
            self.1.push(bytes[..taken].to_vec());
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_short_write_is_followed_by_the_whole_record() {
        let mut file = Reluctant(vec![usize::MAX, 2], Vec::new());
        write_once(&mut file, b"\nrecord\n").unwrap();
        assert_eq!(file.1, [b"\nr".to_vec(), b"\nrecord\n".to_vec()]);
    }

    #[test]
    fn a_full_disk_is_an_error_and_not_a_loop() {
        let mut file = Reluctant(vec![2; 100], Vec::new());
        assert_eq!(write_once(&mut file, b"\nrecord\n").unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(
            write_once(&mut Reluctant(vec![2], Vec::new()), b"\nr\n").unwrap_err().kind(),
            ErrorKind::StorageFull
        );
    }
}
