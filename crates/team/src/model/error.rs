//! Why a model gave no answer, in the kinds that a caller acts on.
//!
//! The reason is the provider's own, cut to a readable length. It never holds the request and never a key: words that
//! look like one are always replaced, and a provider's text passes through [`without_key`] before.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest reason that is kept, in characters: a provider may quote a whole request.
const REASON_LIMIT_CHARACTERS: usize = 600;

/// What stands in the place of a key.
const REDACTED: &str = "[redacted]";

/// How keys of well-known providers begin; a word that begins so and is long enough is taken for one.
const KEY_PREFIXES: [&str; 4] = ["sk-", "sk_", "AIza", "gsk_"];

/// The shortest word that is taken for a key, in bytes.
const KEY_LENGTH_BYTES: usize = 16;

/// A call to a model that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{model} {kind}: {reason}{hint}", hint = .kind.hint())]
pub struct ModelError {
    kind: ModelErrorKind,
    model: String,
    reason: String,
    retry_after: Option<Duration>,
}

/// The kinds of [`ModelError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelErrorKind {
    /// Too many requests or tokens in a short time (HTTP 429). May succeed later.
    RateLimited,
    /// The provider has more to do than it can (HTTP 529 or 503). May succeed later.
    Overloaded,
    /// The provider broke (another HTTP 5xx). May succeed later.
    ServerError,
    /// No answer, or no next piece of it, came in time. May succeed later.
    TimedOut,
    /// The answer ended before its end. May succeed later.
    Cut,
    /// The provider could not be reached. May succeed later.
    Connection,
    /// The key is missing, wrong, or not allowed to do this (HTTP 401 and 403). Final.
    Authentication,
    /// The account has no credit left (HTTP 402, or a 429 that says so). Final.
    OutOfCredit,
    /// The provider holds the request for wrong (HTTP 400, 413, 422 and the like). Final.
    BadRequest,
    /// The conversation is longer than the model can read. The same one never succeeds; a shorter one may.
    TooLong,
    /// The provider has no such model (HTTP 404). Final.
    UnknownModel,
    /// The provider refused to answer this. Final.
    Refused,
    /// The server does not speak the protocol that was expected of it. Final.
    Unreadable,
    /// A script has no rule for this request. Final.
    NoRule,
}

impl ModelError {
    /// An error of `kind` from `model`, for `reason`, which is cut to a readable length; words in it that look like
    /// keys are replaced.
    pub fn new(kind: ModelErrorKind, model: impl Into<String>, reason: impl AsRef<str>) -> Self {
        let reason = shortened(&without_key(reason.as_ref(), None));
        Self { kind, model: model.into(), reason, retry_after: None }
    }

    /// The same with the time that the provider asked to wait.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ModelErrorKind {
        self.kind
    }

    /// Why, in the provider's words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// How long the provider asked to wait before the next try, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl ModelErrorKind {
    /// Whether the same request may succeed later.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::ServerError
            | Self::TimedOut
            | Self::Cut
            | Self::Connection => true,
            Self::Authentication
            | Self::OutOfCredit
            | Self::BadRequest
            | Self::TooLong
            | Self::UnknownModel
            | Self::Refused
            | Self::Unreadable
            | Self::NoRule => false,
        }
    }

    /// Whether the provider would answer, but not so much or not now: nothing is wrong with the request, and others who
    /// call the same model meet the same.
    pub fn is_limit(self) -> bool {
        matches!(self, Self::RateLimited | Self::Overloaded)
    }

    /// What the user can do, where there is something.
    fn hint(self) -> &'static str {
        match self {
            Self::Authentication => " (check the key in the environment)",
            Self::OutOfCredit => " (top up the account, or use another key or model)",
            Self::TooLong => " (set `context_tokens` to what the model can read, or a little less)",
            Self::UnknownModel => " (check the model's name, and that this key may use it)",
            Self::Connection | Self::Unreadable => " (check the base URL and the network)",
            Self::NoRule => " (add a rule to the script)",
            _ => "",
        }
    }
}

impl std::fmt::Display for ModelErrorKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::RateLimited => "is rate limited",
            Self::Overloaded => "is overloaded",
            Self::ServerError => "broke",
            Self::TimedOut => "did not answer in time",
            Self::Cut => "was cut off in its answer",
            Self::Connection => "could not be reached",
            Self::Authentication => "did not accept the key",
            Self::OutOfCredit => "has no credit left",
            Self::BadRequest => "did not accept the request",
            Self::TooLong => "cannot read so much",
            Self::UnknownModel => "is not known to its provider",
            Self::Refused => "refused to answer",
            Self::Unreadable => "answered with something that could not be read",
            Self::NoRule => "has no rule for this request",
        })
    }
}

/// `text` on one line, cut to the limit.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(REASON_LIMIT_CHARACTERS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// `text` without `key` and without words that look like one.
pub(super) fn without_key(text: &str, key: Option<&str>) -> String {
    let text = match key {
        Some(key) if !key.is_empty() => text.replace(key, REDACTED),
        _ => text.to_owned(),
    };
    let is_key_character = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let word_end = rest.find(|c| !is_key_character(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        clean.push_str(if looks_like_key(word) { REDACTED } else { word });
        let gap_end = after.find(is_key_character).unwrap_or(after.len());
        let (gap, next) = after.split_at(gap_end);
        clean.push_str(gap);
        rest = next;
    }
    clean
}

fn looks_like_key(word: &str) -> bool {
    word.len() >= KEY_LENGTH_BYTES && KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_stands_in_the_error() {
        let text = "bad key 'planted-key' at https://x/?key=planted-key and sk-ant-0123456789abcdef.";
        let error = ModelError::new(
            ModelErrorKind::Authentication,
            "anthropic:m",
            without_key(text, Some("planted-key")),
        );
        assert_eq!(
            error.to_string(),
            "anthropic:m did not accept the key: bad key '[redacted]' at https://x/?key=[redacted] and [redacted]. \
             (check the key in the environment)"
        );
    }

    #[test]
    fn a_key_across_the_cut_does_not_leave_its_beginning() {
        let text = format!("{} sk-ant-0123456789abcdef", "x".repeat(REASON_LIMIT_CHARACTERS - 10));
        let error = ModelError::new(ModelErrorKind::BadRequest, "m", text);
        assert!(!error.reason().contains("sk-"), "{error}");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let error = ModelError::new(ModelErrorKind::BadRequest, "m", "ü".repeat(5_000));
        assert_eq!(error.reason().chars().count(), REASON_LIMIT_CHARACTERS + 1);
    }

    #[test]
    fn words_that_only_begin_like_a_key_stay() {
        let error = ModelError::new(ModelErrorKind::BadRequest, "m", "sk-1 ask-me-anything-you-like, née");
        assert_eq!(error.reason(), "sk-1 ask-me-anything-you-like, née");
    }
}
