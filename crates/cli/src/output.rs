//! The only way to standard output: lines for people or JSON for programs.
//!
//! What a session answers over MCP is kept instead of printed, and is both at once: [`Output::kept`].
//!
//! Every text passes through [`safe_text`] here, so that no verb can forget it; colours are put around it afterwards.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use serde::Serialize;
use serde_json::Value;

use crate::cli::{ColorWhen, Global};
use crate::safe_text;

/// Standard output, or what is kept in its place.
pub struct Output {
    json: bool,
    color: bool,
    color_error: bool,
    to: To,
}

/// Where an output goes.
enum To {
    Stdout(BufWriter<Stdout>),
    /// It is kept: the lines, and the value that stands for them.
    Kept(Vec<u8>, Option<Value>),
}

/// What was kept of an output.
#[derive(Debug, Default)]
pub struct Kept {
    /// The lines, as people read them.
    pub text: String,
    /// The same as `--json` gives it.
    pub value: Option<Value>,
}

/// What a text means, where a colour helps to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// Somebody should look at it.
    Warning,
    /// It is under way.
    Active,
    /// It matters less.
    Faint,
}

/// A text in a table.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl<T: Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.to_string(), paint: None }
    }
}

impl Cell {
    /// A text in a colour.
    pub fn painted(text: impl Display, paint: Option<Paint>) -> Self {
        Self { text: text.to_string(), paint }
    }
}

impl Output {
    /// Standard output as the command line wants it.
    pub fn new(global: &Global) -> Self {
        let color = |is_terminal: bool| match global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => is_terminal && wants_color(),
        };
        let (out, error) = (color(io::stdout().is_terminal()), color(io::stderr().is_terminal()));
        let to = To::Stdout(BufWriter::new(io::stdout()));
        Self { json: global.json, color: out, color_error: error, to }
    }

    /// An output that is kept, both as lines and as JSON.
    pub fn kept() -> Self {
        Self { json: false, color: false, color_error: false, to: To::Kept(Vec::new(), None) }
    }

    /// What was kept; nothing of what went to standard output.
    pub fn into_kept(self) -> Kept {
        match self.to {
            To::Stdout(_) => Kept::default(),
            To::Kept(text, value) => Kept { text: String::from_utf8_lossy(&text).into_owned(), value },
        }
    }

    /// Whether a program reads it that is shown lines as well, and whose room is small.
    pub fn is_kept(&self) -> bool {
        matches!(self.to, To::Kept(..))
    }

    /// Whether standard output may have colours.
    pub fn colors(&self) -> bool {
        self.color
    }

    /// Whether what is said on standard error may have colours.
    pub fn colors_errors(&self) -> bool {
        self.color_error
    }

    /// Whether a program reads it.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Gives an answer: the value for a program, lines for people.
    pub fn answer(
        &mut self,
        value: &impl Serialize,
        tell: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.json {
            return self.json(value);
        }
        if let To::Kept(_, kept) = &mut self.to {
            *kept = Some(serde_json::to_value(value).map_err(io::Error::from)?);
        }
        tell(self)
    }

    /// Prints a value as JSON, on one line.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::from)?;
        writeln!(self.writer(), "{}", safe_text::json(&text))
    }

    /// Prints one line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.painted(text, None)
    }

    /// Prints one line in a colour.
    pub fn painted(&mut self, text: &str, paint: Option<Paint>) -> io::Result<()> {
        let line = self.paint(&safe_text::line(text), paint);
        writeln!(self.writer(), "{line}")
    }

    /// Prints a text of several lines, each indented.
    pub fn block(&mut self, indent: &str, text: &str) -> io::Result<()> {
        for line in safe_text::block(text).lines() {
            let indent = if line.is_empty() { "" } else { indent };
            writeln!(self.writer(), "{indent}{line}")?;
        }
        Ok(())
    }

    /// Prints fields that a script splits at tabs. A tab within one is shown as an escape.
    pub fn tabbed(&mut self, fields: &[&str]) -> io::Result<()> {
        let fields: Vec<_> = fields.iter().map(|field| safe_text::line(field)).collect();
        writeln!(self.writer(), "{}", fields.join("\t"))
    }

    /// Prints rows with their columns aligned, two blanks between them and none at the end.
    pub fn table(&mut self, rows: &[Vec<Cell>]) -> io::Result<()> {
        let safe: Vec<Vec<(String, Option<Paint>)>> = rows
            .iter()
            .map(|row| {
                row.iter().map(|cell| (safe_text::line(&cell.text).into_owned(), cell.paint)).collect()
            })
            .collect();
        let columns = safe.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = safe.iter().filter_map(|row| row.get(column));
            cells.map(|(text, _): &(String, _)| text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &safe {
            let mut line = String::new();
            let shown = row.iter().rposition(|(text, _)| !text.is_empty()).map_or(0, |last| last + 1);
            for (index, ((text, paint), width)) in row.iter().zip(&widths).take(shown).enumerate() {
                line += &self.paint(text, *paint);
                if index + 1 < shown {
                    line += &" ".repeat(width - text.chars().count() + 2);
                }
            }
            writeln!(self.writer(), "{line}")?;
        }
        Ok(())
    }

    /// Hands on what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.to {
            To::Stdout(stdout) => stdout,
            To::Kept(text, _) => text,
        }
    }

    fn paint(&self, text: &str, paint: Option<Paint>) -> String {
        match paint {
            Some(paint) if self.color && !text.is_empty() => paint.around(text),
            _ => text.to_owned(),
        }
    }
}

impl Paint {
    /// A text in this colour, for a terminal.
    pub fn around(self, text: &str) -> String {
        let code = match self {
            Self::Good => 32,
            Self::Bad => 31,
            Self::Warning => 33,
            Self::Active => 36,
            Self::Faint => 2,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Whether the environment has nothing against colours (<https://no-color.org>).
fn wants_color() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Says something on standard error that is neither the answer nor an error: a warning, what a run does, what went wrong
/// with a hook. A program gets one object for each.
pub fn note(text: &str, json: bool) {
    // A reader that is gone needs no word.
    let mut errors = io::stderr();
    if json {
        let text = serde_json::json!({ "note": text }).to_string();
        let _ = writeln!(errors, "{}", safe_text::json(&text));
        return;
    }
    for line in safe_text::block(text).lines() {
        let _ = writeln!(errors, "{line}");
    }
}
