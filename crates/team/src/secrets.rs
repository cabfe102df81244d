//! Words of the user's that are written nowhere: keys, tokens and passwords.
//!
//! What agents and commands say goes into the log, into transcripts and into files, and stays there. Wherever one of these
//! words stands in it, `[redacted]` is written. They are known by the names of the variables that hold them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::sync::Arc;

use memchr::memmem;

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";
/// How the names of variables end that hold one.
const ENDINGS: [&str; 8] =
    ["API_KEY", "ACCESS_KEY", "SECRET_KEY", "PRIVATE_KEY", "TOKEN", "SECRET", "PASSWORD", "PASSPHRASE"];
/// Ours hold names of things, which stand in the log.
const OURS: &str = "AGENT_TEAM_";
/// The shortest word that is taken for one, in bytes: what is shorter stands in other words.
const BYTES_MIN: usize = 8;

/// Secrets, to be hidden in whatever is written. Cheap to clone.
///
/// ```
/// use agent_team::Secrets;
///
/// let secrets = Secrets::default().with("NPM_TOKEN".as_ref(), "npm_0123456789".as_ref());
/// assert_eq!(secrets.hidden("it prints npm_0123456789"), "it prints [redacted]");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The longest first, so that one which is a part of another leaves nothing of that.
    words: Arc<Vec<String>>,
}

impl Secrets {
    /// Those among variables.
    pub fn among<'a>(variables: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>) -> Self {
        variables.into_iter().fold(Self::default(), |secrets, (name, value)| secrets.with(name, value))
    }

    /// With one more, if a variable of this name holds one.
    #[must_use]
    pub fn with(mut self, name: &OsStr, value: &OsStr) -> Self {
        let name = name.to_string_lossy().to_uppercase();
        let is_one = !name.starts_with(OURS) && ENDINGS.iter().any(|ending| name.ends_with(ending));
        // `postgres` is the password of many a test database, and a word.
        let is_plain =
            |word: &str| word.len() < BYTES_MIN || word.bytes().all(|byte| byte.is_ascii_lowercase());
        let Some(word) = value.to_str().map(str::trim).filter(|word| is_one && !is_plain(word)) else {
            return self;
        };
        // As it stands in JSON, too.
        let written = serde_json::to_string(word).unwrap_or_default();
        let words = [word.to_owned(), written.trim_matches('"').to_owned()];
        self.words = in_order(self.words.iter().cloned().chain(words));
        self
    }

    /// These and others.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self { words: in_order(self.words.iter().chain(others.words.iter()).cloned()) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// A text without them.
    pub fn hidden<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let is_in = |text: &str, word: &String| memmem::find(text.as_bytes(), word.as_bytes()).is_some();
        self.words.iter().fold(Cow::Borrowed(text), |text, word| match is_in(&text, word) {
            true => text.replace(word, REDACTED).into(),
            false => text,
        })
    }

    /// Hides them in what comes piece by piece.
    pub(crate) fn veil(&self) -> Veil {
        Veil { secrets: self.clone(), pending: Vec::new() }
    }
}

fn in_order(words: impl Iterator<Item = String>) -> Arc<Vec<String>> {
    let words: BTreeSet<String> = words.collect();
    let mut words: Vec<String> = words.into_iter().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    Arc::new(words)
}

/// How many there are, and not which.
impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secrets").field("words", &self.words.len()).finish()
    }
}

/// Hides secrets in a stream, wherever its pieces are cut.
#[derive(Debug)]
pub(crate) struct Veil {
    secrets: Secrets,
    /// The end of what came so far, with which one may begin.
    pending: Vec<u8>,
}

impl Veil {
    /// What can be shown after this piece.
    pub fn push<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, [u8]> {
        if self.secrets.is_empty() {
            return piece.into();
        }
        self.pending.extend_from_slice(piece);
        let words = self.secrets.words.iter().map(String::as_bytes);
        let mut shown = words.clone().fold(std::mem::take(&mut self.pending), without);
        let begun = words.map(|word| begun(&shown, word)).max().unwrap_or_default();
        self.pending = shown.split_off(shown.len() - begun);
        shown.into()
    }

    /// What is left: the stream has ended.
    pub fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}

fn without(text: Vec<u8>, word: &[u8]) -> Vec<u8> {
    let mut places = memmem::find_iter(&text, word).peekable();
    if places.peek().is_none() {
        return text;
    }
    let (mut shown, mut from) = (Vec::with_capacity(text.len()), 0);
    for place in places {
        shown.extend_from_slice(text.get(from..place).unwrap_or_default());
        shown.extend_from_slice(REDACTED.as_bytes());
        from = place + word.len();
    }
    shown.extend_from_slice(text.get(from..).unwrap_or_default());
    shown
}

/// How many bytes at the end of a text may be the beginning of a word.
fn begun(text: &[u8], word: &[u8]) -> usize {
    let most = text.len().min(word.len() - 1);
    (1..=most).rev().find(|bytes| word.get(..*bytes).is_some_and(|head| text.ends_with(head))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> Secrets {
        Secrets::among(pairs.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))))
    }

    #[test]
    fn what_a_variable_holds_is_a_secret_by_its_name() {
        let known = secrets(&[
            ("ANTHROPIC_API_KEY", "sk-ant-0123"),
            ("github_token", "ghp_0123456"),
            ("DB_PASSWORD", "short"),
            ("OTHER_DB_PASSWORD", "postgres"),
            ("PATH", "/usr/bin:/bin"),
            ("AGENT_TEAM_TOKEN", "0192f0e0c0ffee"),
        ]);
        let said = "sk-ant-0123 ghp_0123456 short postgres /usr/bin:/bin 0192f0e0c0ffee";
        assert_eq!(known.hidden(said), "[redacted] [redacted] short postgres /usr/bin:/bin 0192f0e0c0ffee");
        assert!(!format!("{known:?}").contains("ghp"));
        let one_in_other = secrets(&[("A_TOKEN", "abcdefg1"), ("B_TOKEN", "abcdefg1-and-more")]);
        assert_eq!(one_in_other.hidden("abcdefg1-and-more abcdefg1"), "[redacted] [redacted]");
        let in_json = secrets(&[("A_SECRET", "quote\"and\\slash")]);
        let written = serde_json::to_string("quote\"and\\slash").unwrap();
        assert_eq!(in_json.hidden(&written), "\"[redacted]\"");
    }

    #[test]
    fn a_secret_is_hidden_in_a_stream_wherever_that_is_cut() {
        let known = secrets(&[("A_TOKEN", "abcabcabD"), ("B_TOKEN", "bcabcabDX")]);
        let said = "xabcabcabcabDXy abcabcab abcabcabD";
        let whole = known.hidden(said).into_owned();
        assert_eq!(whole, "xabc[redacted]Xy abcabcab [redacted]");
        for cut in 1..said.len() {
            let mut veil = known.veil();
            let mut shown = Vec::new();
            for piece in said.as_bytes().chunks(cut) {
                shown.extend_from_slice(&veil.push(piece));
                assert!(memmem::find(&shown, b"abcabcabD").is_none());
            }
            shown.extend(veil.end());
            assert_eq!(String::from_utf8(shown).unwrap(), whole, "{cut}");
        }
    }
}
