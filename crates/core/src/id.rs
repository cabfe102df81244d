//! Ids: of records, and the names that people give to tasks, agents and skills.
//!
//! Names end up in file names, git refs and terminal output, so the alphabet is small and everything that could
//! mislead (`..`, a leading dash, marks that change the direction of writing) is refused when a name is made.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// The id of a record, unique for ever. Written as 32 hexadecimal digits.
///
/// It is 128 bits that come from outside; writers use UUID version 7 (RFC 9562), so that ids sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct RecordId(pub u128);

impl Serialize for RecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.digits()).map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Parsed("32 lower-case hexadecimal digits", PhantomData))
    }
}

impl RecordId {
    /// The id that has these digits.
    pub(crate) fn from_digits(digits: &[u8; 32]) -> Result<Self, NotAnId> {
        let (high, low) = digits.split_at(16);
        Ok(Self(u128::from(half(high)?) << 64 | u128::from(half(low)?)))
    }

    /// The 32 digits. By hand, since every record that is written holds several ids, and formatting takes many times
    /// as long.
    pub(crate) fn digits(self) -> [u8; 32] {
        let mut digits = [0; 32];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.0.to_be_bytes()) {
            *pair = [digit(byte >> 4), digit(byte & 0xf)];
        }
        digits
    }
}

const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// The value of 16 digits.
fn half(digits: &[u8]) -> Result<u64, NotAnId> {
    let (words, rest) = digits.as_chunks::<8>();
    let [high, low] = words else { return Err(NotAnId) };
    if !rest.is_empty() {
        return Err(NotAnId);
    }
    Ok(quarter(*high)? << 32 | quarter(*low)?)
}

/// The value of eight digits, all at once: each byte of a word is one of them.
fn quarter(digits: [u8; 8]) -> Result<u64, NotAnId> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let digits = u64::from_be_bytes(digits);
    let letters = digits >> 6 & ONES;
    let values = (digits & (ONES * 0x0f)) + letters * 9;
    // They are digits if their values are below 16, and written again they look the same.
    let above_nine = (values + ONES * 6) >> 4 & ONES;
    let written = values + ONES * u64::from(b'0') + above_nine * u64::from(b'a' - b'0' - 10);
    if values & (ONES * 0xf0) != 0 || written != digits {
        return Err(NotAnId);
    }
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Ok((fours | fours >> 16) & 0xffff_ffff)
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecordId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Self::from_digits(text.as_bytes().try_into().map_err(|_| NotAnId)?)
    }
}

/// The text is not a record's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record id: it must be 32 lower-case hexadecimal digits")]
pub struct NotAnId;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// A text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no {what}: {why}", text.escape_debug())]
pub struct BadName {
    /// What it should have named.
    pub what: &'static str,
    /// The text, cut to the length that a name may have.
    pub text: String,
    /// What is wrong with it, and what is allowed.
    pub why: &'static str,
}

/// Says what is wrong with a name, if anything is.
fn fault(text: &str) -> Option<&'static str> {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric();
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Some("it is empty");
    }
    if bytes.len() > NAME_BYTES_MAX {
        return Some("it is longer than 64 characters");
    }
    if !bytes.iter().all(|b| letter(b) || matches!(b, b'-' | b'_' | b'.')) {
        return Some("only the letters a-z and A-Z, digits, `-`, `_` and `.` are allowed");
    }
    if !bytes.first().is_some_and(letter) || !bytes.last().is_some_and(letter) {
        return Some("it must begin and end with a letter or a digit");
    }
    if bytes.windows(2).any(|pair| pair == b"..") {
        return Some("it must not contain `..`");
    }
    if text.ends_with(".lock") {
        return Some("git reserves the ending `.lock`");
    }
    None
}

/// The text of a name. Most names are short and stand where they are used: the fold looks for names in tables again and
/// again, and would follow a pointer for each that it compares.
#[derive(Clone)]
enum Letters {
    /// Filled up with zeros, which no name holds: so these compare as their texts do.
    Short([u8; SHORT_BYTES_MAX], u8),
    /// A pointer and no more, so that a name takes two words.
    Long(Arc<String>),
}

/// The longest name that takes no memory elsewhere, in bytes.
const SHORT_BYTES_MAX: usize = 14;

impl Letters {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes, length) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Short(..) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }
}

impl From<&str> for Letters {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT_BYTES_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(begin), Ok(length)) => {
                begin.copy_from_slice(text.as_bytes());
                Self::Short(bytes, length)
            }
            _ => Self::Long(Arc::new(text.to_owned())),
        }
    }
}

/// The same order for short names, from two words that overlap.
fn words(bytes: &[u8; SHORT_BYTES_MAX]) -> [u64; 2] {
    [bytes.first_chunk(), bytes.last_chunk()].map(|word| word.copied().map_or(0, u64::from_be_bytes))
}

impl Ord for Letters {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Short(one, length), Self::Short(other, other_length)) => {
                words(one).cmp(&words(other)).then(length.cmp(other_length))
            }
            _ => self.as_bytes().cmp(other.as_bytes()),
        }
    }
}

impl PartialOrd for Letters {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Letters {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Letters {}

impl Hash for Letters {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.as_str().hash(hasher);
    }
}

/// As a text.
impl BorshSerialize for Letters {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        BorshSerialize::serialize(self.as_bytes(), writer)
    }
}

impl BorshDeserialize for Letters {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        String::deserialize_reader(reader).map(|text| text.as_str().into())
    }
}

/// Reads what is written as a text, without a copy of the text.
struct Parsed<T>(&'static str, PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal $(, not $reserved:literal: $because:literal)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
        pub struct $name(Letters);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Parsed("a string", PhantomData))
            }
        }

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The bytes of the text: to compare them takes less than to make sure that they are one.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                $(if text == $reserved {
                    return Err(BadName { what: $what, text: text.to_owned(), why: $because });
                })?
                match fault(text) {
                    None => Ok(Self(text.into())),
                    Some(why) => {
                        Err(BadName { what: $what, text: text.chars().take(NAME_BYTES_MAX).collect(), why })
                    }
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl TryFrom<&str> for $name {
            type Error = BadName;

            fn try_from(text: &str) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

name!(
    /// The id of a task: a slug that the user gives, or a short one that was made for it.
    TaskId,
    "task id"
);
name!(
    /// The name of an agent, or of whoever else writes records.
    AgentId,
    "agent name",
    not "everyone": "messages to it would go to all agents"
);
name!(
    /// A skill that a task wants and a specialist has.
    Skill,
    "skill"
);

/// The name under which the human in charge writes records.
pub const HUMAN: &str = "human";

impl AgentId {
    /// What puts agents into the order in which people count them.
    ///
    /// ```
    /// use agent_team_core::id::AgentId;
    ///
    /// let mut names = ["worker-10", "lead", "worker-2"].map(|name| AgentId::try_from(name).unwrap());
    /// names.sort_by(|one, other| one.in_order().cmp(&other.in_order()));
    /// assert_eq!(names.map(String::from), ["lead", "worker-2", "worker-10"]);
    /// ```
    pub fn in_order(&self) -> impl Ord + '_ {
        let name = self.as_str();
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = name.strip_prefix(stem).and_then(|digits| digits.parse::<u64>().ok());
        (stem, number, name)
    }

    /// The human in charge.
    pub fn human() -> Self {
        Self(HUMAN.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_id_is_32_lower_case_hexadecimal_digits_and_nothing_else() {
        let id = RecordId(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        let digits = id.to_string();
        assert_eq!(digits.parse(), Ok(id));
        for place in 0..digits.len() {
            for byte in 0..=u8::MAX {
                let mut bytes: [u8; 32] = digits.as_bytes().try_into().unwrap();
                bytes[place] = byte;
                let is_id = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let read = RecordId::from_digits(&bytes);
                assert_eq!(read.is_ok(), is_id, "{byte} at {place}");
                if let Ok(read) = read {
                    assert_eq!(read.to_string().as_bytes(), bytes);
                }
            }
        }
        assert!("".parse::<RecordId>().is_err() && digits[1..].parse::<RecordId>().is_err());
    }

    #[test]
    fn names_that_mislead_files_refs_or_readers_are_refused() {
        let long = "x".repeat(65);
        for bad in [
            "",
            "..",
            "a..b",
            "/",
            "a/b",
            "-x",
            "x-",
            "@{u}",
            "a b",
            "a\u{202e}b",
            "a\u{200b}",
            "x.lock",
            &long,
        ] {
            assert!(TaskId::try_from(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "T-1", "parse.header_2", &"x".repeat(64)] {
            assert_eq!(TaskId::try_from(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn names_are_equal_and_sorted_as_their_texts_are_whether_they_are_short_or_long() {
        let texts =
            ["a", "a-b", "aa", "task-number-14", "task-number-15x", "task-number-1", "task-number-142"];
        let name = |text: &str| TaskId::try_from(text).unwrap();
        for one in texts {
            assert_eq!(borsh::from_slice::<TaskId>(&borsh::to_vec(&name(one)).unwrap()).unwrap(), name(one));
            for two in texts {
                assert_eq!(name(one).cmp(&name(two)), one.cmp(two), "{one} {two}");
                assert_eq!(name(one) == name(two), one == two, "{one} {two}");
            }
        }
        assert_eq!(size_of::<Option<TaskId>>(), 2 * size_of::<usize>());
    }

    #[test]
    fn a_bad_name_is_shown_without_its_marks() {
        let error = AgentId::try_from("a\u{202e}b").unwrap_err();
        assert!(error.to_string().starts_with(r"`a\u{202e}b` is no agent name"), "{error}");
    }

    #[test]
    fn no_agent_is_called_everyone() {
        assert!(AgentId::try_from("everyone").is_err());
        assert!(TaskId::try_from("everyone").is_ok());
    }

    #[test]
    fn record_ids_have_one_form() {
        for id in [RecordId(0xab), RecordId(0), RecordId(u128::MAX), RecordId(0x0123_4567_89ab_cdef << 60)] {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        }
        for bad in ["ab", "000000000000000000000000000000AB", "+00000000000000000000000000000ab"] {
            assert_eq!(bad.parse::<RecordId>(), Err(NotAnId));
        }
    }
}
