//! What is wrong with a `team.toml`, shown at its place.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::model::edit_distance;

/// A `team.toml` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its text is not right.
    #[error(transparent)]
    Invalid(#[from] Box<Mistake>),
}

/// What is wrong, and where. Shown as the place and the reason on one line, then the line with the place marked.
///
/// ```text
/// team.toml:2:8: `wroker` is no role, did you mean `worker`?
///   |
/// 2 | role = "wroker"
///   |        ^^^^^^^^
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
    /// The whole line.
    pub excerpt: String,
    /// How many characters of it, from the column on, are wrong.
    pub width: usize,
}

impl std::error::Error for Mistake {}

impl Mistake {
    /// What is wrong at the bytes `span` of `text`.
    pub(super) fn new(text: &str, path: &Path, span: &Range<usize>, reason: impl Into<String>) -> Box<Self> {
        let start = text.floor_char_boundary(span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let excerpt = text[line_start..].lines().next().unwrap_or_default();
        let end = text.floor_char_boundary(span.end).clamp(start, (line_start + excerpt.len()).max(start));
        Box::new(Self {
            path: path.to_path_buf(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            reason: reason.into(),
            excerpt: excerpt.to_owned(),
            width: text[start..end].chars().count().max(1),
        })
    }

    /// What the parser found.
    pub(super) fn of_toml(error: &toml::de::Error, text: &str, path: &Path) -> Box<Self> {
        let span = error.span().unwrap_or(0..0);
        Self::new(text, path, &span, reworded(error.message()))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, reason, excerpt, width } = self;
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        // A tab stays a tab, so that the mark stands under what it means.
        let before = excerpt.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' });
        let before: String = before.collect();
        writeln!(formatter, "{}:{line}:{column}: {reason}", path.display())?;
        writeln!(formatter, "{gutter} |")?;
        writeln!(formatter, "{number} | {excerpt}")?;
        write!(formatter, "{gutter} | {before}{}", "^".repeat(*width))
    }
}

/// The parser's message in the words of a user: TOML has keys, not fields, and one of them was perhaps meant.
fn reworded(message: &str) -> String {
    let message = message.trim();
    if let Some(key) = message.strip_prefix("missing field ") {
        return format!("the key {key} is missing");
    }
    let what = [("unknown field ", "unknown key"), ("unknown variant ", "unknown value")];
    let Some((rest, what)) = what.iter().find_map(|(start, what)| Some((message.strip_prefix(start)?, what)))
    else {
        return message.to_owned();
    };
    let mut words = rest.split('`').skip(1).step_by(2);
    let given = words.next().unwrap_or_default();
    let known: Vec<&str> = words.collect();
    let meant = nearest(given, known.iter().copied());
    let hint = meant.map(|key| format!(", did you mean `{key}`?")).unwrap_or_default();
    let hint = elsewhere(given, &known).map_or(hint, |place| format!(": {place}"));
    format!("{what} `{given}`{hint} (known here: {})", known.join(", "))
}

/// Where a key of a budget belongs that this one does not have.
fn elsewhere(given: &str, known: &[&str]) -> Option<&'static str> {
    match given {
        "attempts" if known.contains(&"turns") => {
            Some("how many may fail is said beside the title, by `attempts`")
        }
        "elapsed" if known.contains(&"turns") => {
            Some("only a run has a clock, by `elapsed` in the `[budget]` of the team")
        }
        _ => None,
    }
}

/// The one of `known` that `given` was perhaps meant to be.
pub(super) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase().replace('-', "_");
    let (distance, name) = known.map(|name| (edit_distance(&given, &name.replace('-', "_")), name)).min()?;
    (distance <= 1 + name.len() / 4).then_some(name)
}
