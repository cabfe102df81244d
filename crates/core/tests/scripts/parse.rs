//! A line of a script: words, `name=value` options, and quotes around what holds spaces.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Why a line cannot be run: a mistake in the script, not a refusal.
pub type Problem = String;

/// A line, taken apart.
#[derive(Default)]
pub struct Line {
    words: Vec<String>,
    options: BTreeMap<String, String>,
}

impl Line {
    pub fn parse(text: &str) -> Self {
        let mut line = Self::default();
        for token in tokens(text) {
            match token.split_once('=') {
                Some((name, value)) if name.chars().all(|c| c.is_ascii_lowercase()) && !name.is_empty() => {
                    line.options.insert(name.to_owned(), value.to_owned());
                }
                _ => line.words.push(token),
            }
        }
        line
    }

    /// The word at a place; 0 is the command.
    pub fn word(&self, at: usize) -> Result<&str, Problem> {
        self.words.get(at).map(String::as_str).ok_or_else(|| format!("word {at} is missing"))
    }

    /// The words from a place on.
    pub fn rest(&self, from: usize) -> &[String] {
        self.words.get(from..).unwrap_or_default()
    }

    pub fn has(&self, flag: &str) -> bool {
        self.words.iter().skip(1).any(|word| word == flag)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// An option's value, if the option is there.
    pub fn option<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name).map(parse).transpose()
    }

    /// The values of an option, separated by commas.
    pub fn list<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<Vec<T>, Problem> {
        let values = self.text(name).filter(|text| !text.is_empty());
        values.map_or(Ok(Vec::new()), |text| text.split(',').map(parse).collect())
    }
}

pub fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut token = String::new();
    let mut quoted = false;
    let mut begun = false;
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            ' ' if !quoted => {
                if begun {
                    tokens.push(std::mem::take(&mut token));
                }
                begun = false;
            }
            _ => {
                token.push(c);
                begun = true;
            }
        }
    }
    if begun {
        tokens.push(token);
    }
    let escaped = |token: String| token.replace("\\n", "\n").replace("\\e", "\u{1b}");
    tokens.into_iter().map(escaped).collect()
}
