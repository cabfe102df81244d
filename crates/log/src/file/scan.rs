//! Finds the records in a stretch of a log file, and tells torn from corrupt.
//!
//! The rules, of which each follows from how appends were seen to fail:
//! - A record exists once a line break follows it. An unterminated tail is still being written: it is left alone.
//! - A terminated line that is shorter than its header says, or a part of a header, is **torn**: its writer died.
//! - A run of NUL bytes is what a power cut leaves of pages that never reached the disk.
//! - All else is **corrupt**: it is no prefix of anything that was ever written, so nothing after it is believed.
//!
//! Nothing here does IO; positions come in as `base`.

use super::frame::{Frame, HeaderFault};
use crate::safeguard::{Safeguard, Safeguards};
use crate::{Batch, Damage, DamageKind, MAX_FRAMED_BYTES, Position, ReadError};

/// No line is longer than this, so a window of this size holds at least one whole line.
pub(super) const WINDOW_BYTES_MIN: usize = 2 * MAX_FRAMED_BYTES;

/// What to do at corruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCorruption {
    /// Stop before it; if no record comes before it, fail.
    Stop,
    /// List it among the damage and go on at the next line.
    Continue,
}

/// Finds the records in `bytes`, which lie at position `base` of the log and begin where a line begins.
///
/// `reaches_end` says that the log had no more bytes when these were read.
///
/// # Errors
///
/// [`ReadError::Corrupt`] when no record comes before the corruption, and it is to be stopped at.
pub fn scan(
    safeguards: Safeguards,
    bytes: Vec<u8>,
    base: u64,
    reaches_end: bool,
    at_corruption: AtCorruption,
) -> Result<Batch, ReadError> {
    let mut batch = Batch::over(bytes, Position::new(base));
    let mut at = 0;
    loop {
        at += count_leading(batch.bytes_mut().get(at..), b'\n');
        batch.skip_to(base + at as u64);
        let Some(rest) = batch.bytes_mut().get_mut(at..).filter(|rest| !rest.is_empty()) else {
            return Ok(batch);
        };
        let position = Position::new(base + at as u64);
        match next_line(safeguards, rest, reaches_end) {
            Line::Record(frame) => {
                frame.unwrap_in(rest);
                let next = at + frame.record.end + 1;
                let record = at + frame.record.start..at + frame.record.end;
                batch.push(position, Position::new(base + next as u64), record);
                at = next;
            }
            Line::Unfinished => return Ok(batch),
            Line::Damaged(DamageKind::Corrupt(reason), _) if at_corruption == AtCorruption::Stop => {
                return if batch.is_empty() {
                    Err(ReadError::Corrupt { position, reason })
                } else {
                    Ok(batch)
                };
            }
            Line::Damaged(kind, length) => {
                batch.push_damage(Damage { position, length_bytes: length as u64, kind });
                at += length;
            }
        }
    }
}

/// Whether a reader that has come to the beginning of `bytes` would find anything in them.
pub(super) fn has_line(bytes: &[u8]) -> bool {
    bytes.iter().skip_while(|&&byte| byte == b'\n').any(|&byte| byte == b'\n')
}

enum Line {
    /// A whole record, with the line break after it.
    Record(Frame),
    /// The end is not there yet, or not in this window.
    Unfinished,
    /// So many bytes that are no record; the line break after them is not counted.
    Damaged(DamageKind, usize),
}

/// Judges what begins `rest`, which is neither empty nor begins with a line break.
fn next_line(safeguards: Safeguards, rest: &[u8], reaches_end: bool) -> Line {
    let matches = |frame: &Frame| frame.matches(rest) || !safeguards.on(Safeguard::Checksum);
    let frame = match Frame::parse(rest) {
        Ok(frame) if rest.get(frame.record.end) == Some(&b'\n') && matches(&frame) => {
            return Line::Record(frame);
        }
        frame => frame,
    };
    match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) => damaged_line(safeguards, rest.get(..end).unwrap_or_default()),
        None if reaches_end && !safeguards.on(Safeguard::UnfinishedTail) => {
            Line::Damaged(DamageKind::Torn, rest.len())
        }
        None if reaches_end => tail(rest, frame),
        None => long_line(rest),
    }
}

/// Judges a terminated line that is no record.
fn damaged_line(safeguards: Safeguards, line: &[u8]) -> Line {
    if safeguards.on(Safeguard::NulRuns)
        && let Some(damaged) = with_zeros(line)
    {
        return damaged;
    }
    // Parsed anew, without what follows the line break, so that a part of a header is seen as such.
    let kind = match Frame::parse(line) {
        Err(HeaderFault::Broken) => DamageKind::Corrupt("a line does not begin as a record"),
        Ok(frame) if line.len() >= frame.record.end => {
            DamageKind::Corrupt("a record does not match its checksum")
        }
        Ok(frame) if frame.matches_to_end(line) => DamageKind::Corrupt("a record does not match its length"),
        Err(HeaderFault::Incomplete) | Ok(_) if safeguards.on(Safeguard::TornRecords) => DamageKind::Torn,
        Err(HeaderFault::Incomplete) | Ok(_) => DamageKind::Corrupt("a record is torn"),
    };
    Line::Damaged(kind, line.len())
}

/// Judges a terminated line with NUL bytes that a lost page left: at its beginning, within it, or at its end.
fn with_zeros(line: &[u8]) -> Option<Line> {
    let zeros = count_leading(Some(line), 0);
    if zeros > 0 {
        return Some(zero_run(line, zeros));
    }
    // A single NUL may be a flipped bit of a text; two in a row are what a file system left of a lost page.
    if let Some(cut) = line.windows(2).position(|pair| pair == [0, 0]) {
        return Some(Line::Damaged(DamageKind::Torn, cut));
    }
    line.ends_with(&[0]).then(|| Line::Damaged(DamageKind::Torn, line.len() - 1))
}

/// Judges a line that begins with NUL bytes: what follows them is a record, or the rest of a lost one.
fn zero_run(line: &[u8], zeros: usize) -> Line {
    let begins_as_record = line.get(zeros..).is_some_and(|rest| Frame::parse(rest).is_ok());
    Line::Damaged(DamageKind::Zeros, if begins_as_record { zeros } else { line.len() })
}

/// Judges the unterminated end of the log: only what no writer can still be writing is corrupt.
fn tail(tail: &[u8], frame: Result<Frame, HeaderFault>) -> Line {
    let is_zero = |byte: &u8| *byte == 0;
    match frame {
        Err(HeaderFault::Broken) if !tail.iter().any(is_zero) => {
            Line::Damaged(DamageKind::Corrupt("the last line does not begin as a record"), tail.len())
        }
        Ok(frame) if !has_lost_page(tail) && tail.get(frame.record.end).is_some_and(|after| *after != 0) => {
            Line::Damaged(DamageKind::Corrupt("the last record is followed by no line break"), tail.len())
        }
        _ => Line::Unfinished,
    }
}

/// Whether a power cut took a page out of these bytes: what follows it then belongs to another record.
fn has_lost_page(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == [0, 0])
}

/// Judges a line that does not end within a window which does not reach the log's end.
fn long_line(rest: &[u8]) -> Line {
    if rest.len() < MAX_FRAMED_BYTES {
        return Line::Unfinished;
    }
    match rest.windows(2).position(|pair| pair == [0, 0]) {
        // The last NUL stays for the next window, so that what follows it is judged as cut off by it.
        Some(0) => Line::Damaged(DamageKind::Zeros, count_leading(Some(rest), 0) - 1),
        Some(cut) => Line::Damaged(DamageKind::Torn, cut),
        None => Line::Damaged(DamageKind::Corrupt("a line is longer than any record"), rest.len()),
    }
}

fn count_leading(bytes: Option<&[u8]>, wanted: u8) -> usize {
    bytes.unwrap_or_default().iter().take_while(|&&byte| byte == wanted).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::frame::write_framed;

    /// A power cut took a page out of the middle and cut the end off: what is left has no line break yet.
    #[test]
    fn a_tail_with_a_lost_page_is_waited_for_and_stepped_over_once_it_is_ended() {
        let mut log = Vec::new();
        write_framed(Safeguards::ALL, &mut log, br#"{"a":"first"}"#);
        let whole = log.len();
        write_framed(Safeguards::ALL, &mut log, br#"{"a":"its middle is gone"}"#);
        log.truncate(log.len() - 10);
        log.extend([0; 20]);
        log.extend(br#"the end of another record"#);
        let read = |log: &[u8]| scan(Safeguards::ALL, log.to_vec(), 0, true, AtCorruption::Stop).unwrap();
        assert_eq!(read(&log).len(), 1);
        let rest = scan(Safeguards::ALL, log[whole..].to_vec(), 0, true, AtCorruption::Stop).unwrap();
        assert!(rest.is_empty() && rest.damage().is_empty());
        write_framed(Safeguards::ALL, &mut log, br#"{"a":"next"}"#);
        assert_eq!(read(&log).len(), 2);
    }
}
