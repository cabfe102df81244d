//! Reads lines the short way, if they look as this program writes them: fields in their order, nothing between them, no
//! escapes. Opening a long log, and following one that many write, is mostly this.
//!
//! Only the envelope and the bodies of which a log has most are read here. Whatever looks otherwise is left to the JSON
//! library. What is read here means the same there: tests and a fuzzer compare the two.

use std::str::FromStr;
use std::sync::Arc;

use crate::id::{AgentId, RecordId};
use crate::record::{
    Body, ClaimRenewed, Holder, Record, Stage, TaskAdded, TaskClaimed, TaskSpec, TaskSubmitted,
};
use crate::text::Text;

/// What comes again and again, so that it is read and kept once.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The one that was named last: a record often names its agent twice.
    agent: Option<AgentId>,
    /// By their JSON.
    holders: Recent<Arc<Holder>>,
}

/// Texts that came lately, and what each was read as. One that came between and has the same place only means that a text
/// is read anew.
#[derive(Debug, Clone)]
struct Recent<T>(Vec<Option<(Box<str>, T)>>);

/// How many places there are, as a power of two.
const PLACES_LOG: u32 = 10;

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Recent<T> {
    fn read(&mut self, text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if self.0.is_empty() {
            self.0.resize(1 << PLACES_LOG, None);
        }
        let place = self.0.get_mut(place(text))?;
        if let Some((_, value)) = place.as_ref().filter(|(known, _)| **known == *text) {
            return Some(value.clone());
        }
        let value = read(text)?;
        *place = Some((text.into(), value.clone()));
        Some(value)
    }
}

/// Where a text is kept: its end says most, as it names the presence of a process (Knuth, The Art of Computer
/// Programming 3, 6.4: Fibonacci hashing).
fn place(text: &str) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let end = match text.as_bytes().last_chunk() {
        Some(end) => u64::from_le_bytes(*end),
        None => text.bytes().fold(0, |end, byte| end << 8 | u64::from(byte)),
    };
    (end.wrapping_mul(FACTOR) >> (u64::BITS - PLACES_LOG)) as usize
}

impl Known {
    fn agent(&mut self, name: &str) -> Option<AgentId> {
        if self.agent.as_ref().is_none_or(|known| known.as_bytes() != name.as_bytes()) {
            self.agent = Some(name.parse().ok()?);
        }
        self.agent.clone()
    }

    fn holder(&mut self, json: &str) -> Option<Arc<Holder>> {
        self.holders.read(json, |json| serde_json::from_str(json).ok())
    }
}

/// The record of a line, if the line is plain.
pub(super) fn record(line: &[u8], known: &mut Known) -> Option<Record> {
    // All at once, which takes less time than piece by piece.
    let mut rest = Rest(std::str::from_utf8(line).ok()?);
    rest.skip(r#"{"v":"#)?;
    let format = u32::try_from(rest.number()?).ok()?;
    rest.skip(r#","id":"#)?;
    let id = rest.id()?;
    rest.skip(r#","at_ms":"#)?;
    let at_ms = rest.number()?;
    rest.skip(r#","by":"#)?;
    let by = known.agent(rest.text()?)?;
    let unconfined = rest.skip(r#","unconfined":true"#).is_some();
    rest.skip(r#","kind":"#)?;
    let kind = rest.text()?;
    rest.skip(r#","body":"#)?;
    let content = rest.0.strip_suffix('}')?;
    let body = match body(kind, Rest(content), known) {
        Some(body) => body,
        None => match Body::from_content(kind, content) {
            // Whether the rest of the line is what it seems is only known if the body fits.
            Body::Unknown { .. } | Body::Malformed { .. } => return None,
            body => body,
        },
    };
    Some(Record { id, format, at_ms, by, unconfined, body })
}

/// The body of a frequent kind, if it is plain and nothing follows it.
fn body(kind: &str, mut rest: Rest<'_>, known: &mut Known) -> Option<Body> {
    match kind {
        "task_added" => {
            rest.skip(r#"{"task":{"id":"#)?;
            let id = rest.parsed()?;
            rest.skip(r#","title":"#)?;
            let title = rest.text()?;
            let task = Box::new(TaskSpec::new(id, title));
            rest.end("}}")?;
            Some(TaskAdded { task, batch: None }.into())
        }
        "task_claimed" => {
            rest.skip(r#"{"task":"#)?;
            let task = rest.parsed()?;
            rest.skip(r#","on":"#)?;
            let on = Some(rest.id()?);
            rest.skip(r#","stage":"#)?;
            let stage = rest.text()?;
            let stage = Stage::ALL.into_iter().find(|known| known.as_str() == stage)?;
            rest.skip(r#","agent":"#)?;
            let agent = known.agent(rest.text()?)?;
            rest.skip(r#","holder":"#)?;
            let holder = known.holder(rest.0.strip_suffix('}')?)?;
            Some(TaskClaimed { task, on, stage, agent, holder }.into())
        }
        "claim_renewed" => {
            rest.skip(r#"{"claim":"#)?;
            let claim = rest.id()?;
            rest.end("}")?;
            Some(ClaimRenewed { claim }.into())
        }
        "task_submitted" => {
            rest.skip(r#"{"claim":"#)?;
            let claim = rest.id()?;
            rest.skip(r#","result":"#)?;
            let result = Text::Inline(rest.text()?.to_owned());
            rest.end("}")?;
            Some(TaskSubmitted { claim, result, commit: None, protected: Vec::new() }.into())
        }
        _ => None,
    }
}

/// Numbers of so many digits fit into 64 bits.
const DIGITS_MAX: usize = 19;

/// Where the first byte is that a text cannot hold as it is: a quote, a backslash, a control character.
///
/// Eight bytes at a time: in `word - ONES` the highest bit of a byte is set if that was 0, or above 0x80, or if a lower byte
/// borrowed. Bytes above 0x80 are taken out; a borrow comes from a match further down, so the lowest match is right
/// (Hacker's Delight, 6-1: Find first 0-byte).
fn end_of_text(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (words, tail) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let equals = quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash;
        let control = word.wrapping_sub(ONES * b' ' as u64) & !word;
        let found = (equals | control) & HIGHS;
        if found != 0 {
            return Some(place * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let in_tail = tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
    Some(words.len() * 8 + in_tail)
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn end(&self, expected: &str) -> Option<()> {
        (self.0 == expected).then_some(())
    }

    /// A number without sign, fraction or exponent.
    fn number(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        let mut digits = 0;
        for byte in self.0.bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            digits += 1;
        }
        // JSON knows no leading zeros.
        let zero_leads = digits > 1 && self.0.starts_with('0');
        let rest = self.0.get(digits..)?;
        if digits == 0 || digits > DIGITS_MAX || zero_leads || rest.starts_with(['.', 'e', 'E']) {
            return None;
        }
        self.0 = rest;
        Some(number)
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let rest = self.0.strip_prefix('"')?;
        let (text, rest) = rest.split_at_checked(end_of_text(rest.as_bytes())?)?;
        self.0 = rest.strip_prefix('"')?;
        Some(text)
    }

    fn id(&mut self) -> Option<RecordId> {
        let (id, rest) = self.0.strip_prefix('"')?.split_at_checked(32)?;
        self.0 = rest.strip_prefix('"')?;
        id.parse().ok()
    }

    fn parsed<T: FromStr>(&mut self) -> Option<T> {
        self.text()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_the_first_byte_that_must_be_escaped_wherever_that_stands() {
        let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | ..b' ');
        for length in 0..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    // A second one behind it, and bytes around it at both ends of what is allowed.
                    for filler in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xff] {
                        let mut bytes = vec![filler; length];
                        bytes[at] = byte;
                        assert_eq!(end_of_text(&bytes), bytes.iter().position(|b| !plain(b)), "{bytes:?}");
                        bytes.push(b'"');
                        assert_eq!(end_of_text(&bytes), bytes.iter().position(|b| !plain(b)), "{bytes:?}");
                    }
                }
            }
        }
    }
}
