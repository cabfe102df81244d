//! Text of any length. What is short stands in the record; what is long is a blob, and the record holds its hash.

use std::borrow::Cow;
use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest text, in bytes, that a record may hold itself. Several of them must fit into one record of 64 KiB.
pub const INLINE_BYTES_MAX: usize = 4096;

/// A text, or the name of the blob that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
#[serde(untagged)]
pub enum Text {
    /// The text itself.
    Inline(String),
    /// A text that is kept as a blob beside the log. Elsewhere, since few are: each task has room for several texts.
    Blob(Box<LongText>),
}

/// What a record holds of a text that is kept as a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct LongText {
    /// The blob's hash.
    pub blob: String,
    /// The length of the whole text, in bytes.
    pub size_bytes: u64,
    /// How the text begins.
    pub head: String,
}

/// By hand: what is derived for untagged enums reads a text twice.
impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> de::Visitor<'de> for Either {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or the name of a blob")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::Inline(text.to_owned()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
                Ok(Text::Inline(text))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, fields: A) -> Result<Text, A::Error> {
                let fields = de::value::MapAccessDeserializer::new(fields);
                Ok(Text::Blob(Deserialize::deserialize(fields)?))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Text {
    /// What can be shown without fetching the blob: all of a short text, the beginning of a long one.
    pub fn preview(&self) -> Cow<'_, str> {
        match self {
            Self::Inline(text) => Cow::Borrowed(text),
            Self::Blob(long) => Cow::Owned(format!("{}… ({} bytes)", long.head, long.size_bytes)),
        }
    }

    /// What names exactly this text: the BLAKE3 hash in hexadecimal digits, which also names its blob.
    pub fn hash(&self) -> String {
        match self {
            Self::Inline(text) => blake3::hash(text.as_bytes()).to_hex().to_string(),
            Self::Blob(long) => long.blob.clone(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Inline(text) if text.is_empty())
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Inline(String::new())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Inline(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Inline(text)
    }
}

/// Whether a line would mislead who reads it in a terminal: it holds control characters, which can move the cursor and
/// colour what follows, line breaks, or marks that change the direction of writing (Unicode Technical Report 36).
pub fn misleads(line: &str) -> bool {
    let turns = |c: char| matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte);
    !line.bytes().all(is_plain) && line.chars().any(|c| c.is_control() || turns(c))
}
