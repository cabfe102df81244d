//! The frame around a record on disk: `\n{"len":N,"crc":"xxxxxxxx",<the rest of the record's object>}\n`.
//!
//! `N` is the length of the record in bytes and `crc` the CRC-32 (IEEE) of its bytes, both without the frame. The
//! line stays one JSON object, so `grep` and `jq` read a log. The leading line break ends whatever a dead writer
//! left unfinished; the trailing one makes the record exist. Nothing here reads files.

use std::io::Write as _;
use std::ops::Range;

use crate::safeguard::{Safeguard, Safeguards};

const LENGTH_KEY: &[u8] = b"{\"len\":";
const CHECKSUM_KEY: &[u8] = b",\"crc\":\"";
const CHECKSUM_DIGITS: usize = 8;
/// Enough for every length up to `MAX_FRAMED_BYTES`.
const LENGTH_DIGITS_MAX: usize = 5;

/// Appends `record` to `bytes` as it is written into a file: its line, with a line break before and after it.
pub fn write_framed(safeguards: Safeguards, bytes: &mut Vec<u8>, record: &[u8]) {
    if safeguards.on(Safeguard::LeadingNewline) {
        bytes.push(b'\n');
    }
    write_line(bytes, record);
    bytes.push(b'\n');
}

/// Appends the line of `record`, without the line breaks around it, to `line`.
///
/// `record` must have passed the check that every log makes: it is `{}`, or begins with `{"`.
pub(super) fn write_line(line: &mut Vec<u8>, record: &[u8]) {
    let rest = record.get(1..).unwrap_or_default();
    line.extend_from_slice(LENGTH_KEY);
    // Writing into a vector does not fail.
    let _ = write!(line, "{}", record.len());
    line.extend_from_slice(CHECKSUM_KEY);
    let checksum = crc32fast::hash(record);
    // By hand, as formatting would take longer than the checksum.
    line.extend((0..CHECKSUM_DIGITS).rev().map(|place| hexadecimal(checksum >> (4 * place))));
    line.extend_from_slice(if rest == b"}" { b"\"" } else { b"\"," });
    line.extend_from_slice(rest);
}

/// The digit for the lowest four bits.
fn hexadecimal(value: u32) -> u8 {
    b"0123456789abcdef".get((value & 0xf) as usize).copied().unwrap_or_default()
}

/// Where a line says that its record lies. Nothing is verified but the header's form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The record's bytes within the line. The first of them is not yet the record's `{`: see [`Frame::unwrap_in`].
    pub record: Range<usize>,
    checksum: u32,
}

/// Why bytes do not begin with a frame's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// They could be the beginning of one.
    Incomplete,
    /// They cannot.
    Broken,
}

impl Frame {
    /// Reads the header at the beginning of `bytes`, which may go on after the frame or end within it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let after_key = expect(bytes, LENGTH_KEY)?;
        let digits = after_key.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (length_digits, after_length) = after_key.split_at(digits);
        if digits > LENGTH_DIGITS_MAX || length_digits.first() == Some(&b'0') {
            return Err(HeaderFault::Broken);
        }
        if after_length.is_empty() {
            return Err(HeaderFault::Incomplete);
        }
        let length = number(length_digits, 10).ok_or(HeaderFault::Broken)? as usize;
        let after_checksum_key = expect(after_length, CHECKSUM_KEY)?;
        let lowercase_hex = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let digits_found = after_checksum_key.iter().take(CHECKSUM_DIGITS).take_while(lowercase_hex).count();
        let (checksum_digits, end) = after_checksum_key.split_at(digits_found);
        if digits_found < CHECKSUM_DIGITS {
            return Err(if end.is_empty() { HeaderFault::Incomplete } else { HeaderFault::Broken });
        }
        let checksum = number(checksum_digits, 16).ok_or(HeaderFault::Broken)?;
        let quote = LENGTH_KEY.len() + digits + CHECKSUM_KEY.len() + CHECKSUM_DIGITS;
        // The record's own brace is the byte before its first member: the comma, or for `{}` the closing quote.
        let start = match (end.first(), end.get(1)) {
            (None, _) | (Some(b'"'), None) => return Err(HeaderFault::Incomplete),
            (Some(b'"'), Some(b',')) if length > 2 => quote + 1,
            (Some(b'"'), Some(b'}')) if length == 2 => quote,
            _ => return Err(HeaderFault::Broken),
        };
        Ok(Self { record: start..start + length, checksum })
    }

    /// Whether the record in `line` is the one that was framed.
    pub(super) fn matches(&self, line: &[u8]) -> bool {
        line.get(self.record.clone()).is_some_and(|record| self.has_checksum_of(record))
    }

    /// Whether the checksum is that of the line's bytes up to its end, whatever length the header says.
    pub(super) fn matches_to_end(&self, line: &[u8]) -> bool {
        line.get(self.record.start..).is_some_and(|record| self.has_checksum_of(record))
    }

    /// Turns the byte before the first member into the record's opening brace, so that the record lies in the
    /// buffer as it was appended and need not be copied.
    pub(super) fn unwrap_in(&self, line: &mut [u8]) {
        if let Some(first) = line.get_mut(self.record.start) {
            *first = b'{';
        }
    }

    fn has_checksum_of(&self, framed_record: &[u8]) -> bool {
        let Some((_, rest)) = framed_record.split_first() else { return false };
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(b"{");
        hasher.update(rest);
        hasher.finalize() == self.checksum
    }
}

/// What follows `key` at the beginning of `bytes`.
fn expect<'a>(bytes: &'a [u8], key: &[u8]) -> Result<&'a [u8], HeaderFault> {
    match bytes.strip_prefix(key) {
        Some(rest) => Ok(rest),
        None if key.starts_with(bytes) => Err(HeaderFault::Incomplete),
        None => Err(HeaderFault::Broken),
    }
}

/// The value of so many lower-case digits. By hand, as every record has two such numbers.
fn number(digits: &[u8], radix: u64) -> Option<u32> {
    if digits.is_empty() || digits.len() > CHECKSUM_DIGITS {
        return None;
    }
    // So few digits of either radix stay far below 2^64.
    let value = digits.iter().fold(0, |value: u64, byte| {
        let digit = if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'a' - 10) };
        value * radix + u64::from(digit)
    });
    u32::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(record: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        write_line(&mut line, record);
        line
    }

    #[test]
    fn a_framed_record_is_one_json_object_and_comes_back_byte_for_byte() {
        for record in [&b"{}"[..], br#"{"a":1}"#, br#"{"len":3,"text":"  spaces  kept "}"#] {
            let mut line = line(record);
            assert!(serde_json::from_slice::<serde_json::Value>(&line).unwrap().is_object());
            let frame = Frame::parse(&line).unwrap();
            assert!(frame.matches(&line));
            frame.unwrap_in(&mut line);
            assert_eq!(&line[frame.record.clone()], record);
            assert_eq!(frame.record.end, line.len());
        }
    }

    #[test]
    fn the_format_on_disk_is_this() {
        assert_eq!(line(br#"{"a":1}"#), br#"{"len":7,"crc":"561bacaf","a":1}"#);
        assert_eq!(line(b"{}"), br#"{"len":2,"crc":"a3a6bf43"}"#);
    }

    #[test]
    fn every_beginning_of_a_header_is_incomplete_and_anything_else_is_broken() {
        let line = line(br#"{"a":1}"#);
        let header_length = Frame::parse(&line).unwrap().record.start + 1;
        for end in 0..header_length {
            assert_eq!(Frame::parse(&line[..end]), Err(HeaderFault::Incomplete), "{end}");
        }
        for broken in
            ["x", "{\"a\":1}", "{\"len\":07,", "{\"len\":123456", "{\"len\":,", "{\"len\":7,\"crc\":\"D8"]
        {
            assert_eq!(Frame::parse(broken.as_bytes()), Err(HeaderFault::Broken), "{broken}");
        }
    }
}
