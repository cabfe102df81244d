//! What every log takes as a record. It looks at what a frame and a line need, and no further: that what stands between
//! the braces is JSON is the promise of whoever encoded it. To parse it here would take longer than to append it.

use crate::{AppendError, Unfit};

/// The most bytes that a record may take with the frame that the file log puts around it.
///
/// The limit is the same for every log, so that a team can move from one to another.
pub const MAX_FRAMED_BYTES: usize = 64 * 1024;

/// The most that a frame adds: two line breaks, and `"len":65536,"crc":"01234567",` less the brace it replaces.
pub(crate) const MAX_FRAME_OVERHEAD_BYTES: usize = 31;

/// Checks all records of one append, so that none is written if one is unfit.
pub(crate) fn check_all(records: &[&[u8]]) -> Result<(), AppendError> {
    records
        .iter()
        .enumerate()
        .try_for_each(|(index, record)| check(record).map_err(|fault| AppendError::Unfit { index, fault }))
}

fn check(record: &[u8]) -> Result<(), Unfit> {
    let framed_bytes = record.len() + MAX_FRAME_OVERHEAD_BYTES;
    if framed_bytes > MAX_FRAMED_BYTES {
        return Err(Unfit::TooLarge { framed_bytes, limit_bytes: MAX_FRAMED_BYTES });
    }
    // Without a way out in the middle the processor looks at many bytes at once.
    if record.iter().fold(false, |found, &byte| found | (byte < b' ')) {
        let offset = record.iter().position(|&byte| byte < b' ').unwrap_or_default();
        return Err(Unfit::ControlCharacter { offset });
    }
    let not_an_object = |reason: &str| Unfit::NotAnObject { reason: reason.to_owned() };
    // A frame is put before the first member, so that member must come directly after the brace.
    if record != b"{}" && !record.starts_with(b"{\"") {
        return Err(not_an_object("it must begin with `{\"`, or be `{}`"));
    }
    if !record.ends_with(b"}") {
        return Err(not_an_object("it must end with `}`"));
    }
    std::str::from_utf8(record).map_err(|error| not_an_object(&error.to_string()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_on_one_line_are_fit() {
        for record in [&b"{}"[..], br#"{"a":1}"#, r#"{"text":"line\nbreak, ü"}"#.as_bytes()] {
            assert_eq!(check(record), Ok(()));
        }
    }

    #[test]
    fn what_is_no_object_or_no_single_line_is_refused() {
        for record in [&b""[..], b"[]", b"{", b"7", b"{ }", br#"{"a":1"#, br#"{"a":1}]"#, b"{\"\xff\":1}"] {
            assert!(matches!(check(record), Err(Unfit::NotAnObject { .. })), "{record:?}");
        }
        assert_eq!(check(b"{\"a\":\n1}"), Err(Unfit::ControlCharacter { offset: 5 }));
        assert_eq!(check(b"{\"a\":\"\0\"}"), Err(Unfit::ControlCharacter { offset: 6 }));
    }

    #[test]
    fn the_largest_record_fits_and_one_byte_more_does_not() {
        let of_length = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 8));
        let largest = MAX_FRAMED_BYTES - MAX_FRAME_OVERHEAD_BYTES;
        assert_eq!(check(of_length(largest).as_bytes()), Ok(()));
        let limit = Unfit::TooLarge { framed_bytes: MAX_FRAMED_BYTES + 1, limit_bytes: MAX_FRAMED_BYTES };
        assert_eq!(check(of_length(largest + 1).as_bytes()), Err(limit));
    }
}
