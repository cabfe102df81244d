//! Text of any length. What is short stands in the record; what is long is a blob, and the record holds its hash.

use std::borrow::Cow;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// The longest text, in bytes, that a record may hold itself. Several of them must fit into one record of 64 KiB.
pub const INLINE_BYTES_MAX: usize = 4096;

/// A text, or the name of the blob that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(untagged)]
pub enum Text {
    /// The text itself.
    Inline(String),
    /// A text that is kept as a blob beside the log.
    Blob {
        /// The blob's hash.
        blob: String,
        /// The length of the whole text, in bytes.
        size_bytes: u64,
        /// How the text begins.
        head: String,
    },
}

impl Text {
    /// What can be shown without fetching the blob: all of a short text, the beginning of a long one.
    pub fn preview(&self) -> Cow<'_, str> {
        match self {
            Self::Inline(text) => Cow::Borrowed(text),
            Self::Blob { head, size_bytes, .. } => Cow::Owned(format!("{head}… ({size_bytes} bytes)")),
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
    line.chars().any(|c| c.is_control() || turns(c))
}
