//! Cuts a long output to what a model or a human can use: its head, its tail, and the lines that tell what is wrong.
//!
//! Works in one pass over any number of bytes within a bounded memory. Does no IO.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::clean::clean_line;

/// How much a [`Cutter`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutLimits {
    /// Bytes of whole lines kept from the beginning.
    pub head_bytes: usize,
    /// Bytes of whole lines kept from the end.
    pub tail_bytes: usize,
    /// Bytes of error lines kept from between, the first ones first.
    pub error_bytes: usize,
    /// Bytes kept of one line.
    pub line_bytes: usize,
}

impl Default for CutLimits {
    /// About 5,000 tokens in all.
    fn default() -> Self {
        Self { head_bytes: 4 << 10, tail_bytes: 12 << 10, error_bytes: 4 << 10, line_bytes: 500 }
    }
}

/// What was kept of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOutput {
    /// The kept lines, with a note wherever lines are missing.
    pub text: String,
    /// How long the output was.
    pub total_bytes: u64,
    /// How many lines it had.
    pub total_lines: u64,
    /// How many of these `text` leaves out.
    pub lines_left_out: u64,
    /// How many lines were too long to be kept whole.
    pub lines_cut: u64,
    /// Where the whole output is, if it is kept anywhere.
    pub whole: Option<PathBuf>,
}

/// Takes an output piece by piece and keeps what is worth reading.
///
/// ```
/// use agent_team::command::{CutLimits, Cutter};
///
/// let mut cutter = Cutter::new(CutLimits { head_bytes: 3, tail_bytes: 3, ..CutLimits::default() });
/// cutter.push(b"a\nb\nc\nd\nerror: e\nf\n");
/// assert_eq!(cutter.finish(None).text, "a\n... 3 lines left out ...\nerror: e\nf\n");
/// ```
#[derive(Debug)]
pub struct Cutter {
    limits: CutLimits,
    line: Line,
    head: Kept,
    errors: Kept,
    tail: Kept,
    /// Whether the head takes no more lines.
    head_is_full: bool,
    total_bytes: u64,
    total_lines: u64,
    lines_cut: u64,
}

/// Raw bytes kept of a line before it is cleaned; escape sequences take more room than the text between them.
const RAW_LINE_BYTES: usize = 16 << 10;

/// The line that is being read.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    length_bytes: usize,
    /// Whether the last byte was a carriage return, which begins the line anew unless a newline follows.
    returned: bool,
}

/// Whole lines with their numbers, and how many bytes they take.
#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<(u64, String)>,
    bytes: usize,
}

impl Cutter {
    /// A cutter that has seen nothing yet.
    pub fn new(limits: CutLimits) -> Self {
        Self {
            limits,
            line: Line::default(),
            head: Kept::default(),
            errors: Kept::default(),
            tail: Kept::default(),
            head_is_full: false,
            total_bytes: 0,
            total_lines: 0,
            lines_cut: 0,
        }
    }

    /// Takes the next piece of the output, which may end within a line or a character.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total_bytes += bytes.len() as u64;
        let mut rest = bytes;
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            let (text, ended) = rest.split_at(end);
            self.line.push(text);
            match ended.split_first() {
                Some((b'\n', _)) => self.end_line(),
                _ => self.line.returned = true,
            }
            rest = ended.get(1..).unwrap_or_default();
        }
        self.line.push(rest);
    }

    /// What was kept; `whole` is named in the first note, for who wants to read the rest.
    pub fn finish(mut self, whole: Option<&Path>) -> CutOutput {
        if self.line.length_bytes > 0 {
            self.end_line();
        }
        let mut text = String::new();
        let mut next = 0;
        let mut lines_left_out = 0;
        let mut place = whole.map(|path| format!("; whole output in {}", path.display()));
        for (number, line) in self.head.lines.iter().chain(&self.errors.lines).chain(&self.tail.lines) {
            if *number > next {
                lines_left_out += number - next;
                text.push_str(&note(number - next, &place.take().unwrap_or_default()));
            }
            text.push_str(line);
            text.push('\n');
            next = number + 1;
        }
        // Only when the very last line is longer than the whole tail may be.
        if self.total_lines > next {
            lines_left_out += self.total_lines - next;
            text.push_str(&note(self.total_lines - next, &place.take().unwrap_or_default()));
        }
        CutOutput {
            text,
            total_bytes: self.total_bytes,
            total_lines: self.total_lines,
            lines_left_out,
            lines_cut: self.lines_cut,
            whole: whole.map(Path::to_owned),
        }
    }

    fn end_line(&mut self) {
        let (line, is_cut) = std::mem::take(&mut self.line).finish(self.limits.line_bytes);
        self.lines_cut += u64::from(is_cut);
        let number = self.total_lines;
        self.total_lines += 1;
        if !self.head_is_full && self.head.bytes + line.len() < self.limits.head_bytes {
            self.head.push(number, line);
            return;
        }
        self.head_is_full = true;
        self.tail.push(number, line);
        while self.tail.bytes > self.limits.tail_bytes
            && let Some((number, line)) = self.tail.pop()
        {
            if is_error_line(&line) && self.errors.bytes + line.len() < self.limits.error_bytes {
                self.errors.push(number, line);
            }
        }
    }
}

impl Line {
    fn push(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.returned) {
            // A progress display writes over itself: only its last state counts.
            self.bytes.clear();
            self.length_bytes = 0;
        }
        let room = RAW_LINE_BYTES.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(text.get(..room).unwrap_or(text));
        self.length_bytes += text.len();
    }

    /// The line as it is shown, and whether that is a part of it.
    fn finish(self, limit_bytes: usize) -> (String, bool) {
        let clean = clean_line(&self.bytes);
        let unread = self.length_bytes - self.bytes.len();
        let is_cut = unread > 0 || clean.len() > limit_bytes;
        (shorten(clean, unread, limit_bytes), is_cut)
    }
}

impl Kept {
    fn push(&mut self, number: u64, line: String) {
        self.bytes += line.len() + 1;
        self.lines.push_back((number, line));
    }

    fn pop(&mut self) -> Option<(u64, String)> {
        let (number, line) = self.lines.pop_front()?;
        self.bytes -= line.len() + 1;
        Some((number, line))
    }
}

/// `line` cut to `limit_bytes`, with a note of how much is missing; `unread` bytes of it were never taken.
pub(crate) fn shorten(mut line: String, unread: usize, limit_bytes: usize) -> String {
    let end = line.floor_char_boundary(limit_bytes);
    let missing = line.len() - end + unread;
    if missing > 0 {
        line.truncate(end);
        line.push_str(&format!(" ... [{} more bytes]", grouped(missing as u64)));
    }
    line
}

/// A number as people read it: `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn note(left_out: u64, place: &str) -> String {
    let lines = if left_out == 1 { "line" } else { "lines" };
    format!("... {} {lines} left out{place} ...\n", grouped(left_out))
}

/// Whether a line tells what went wrong, in the words that compilers and test runners use.
fn is_error_line(line: &str) -> bool {
    static WORDS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\bERROR\b|(?i:error)(\[\w+\])?:|\bFAIL(ED)?\b|\bpanicked\b").ok());
    WORDS.as_ref().is_some_and(|words| words.is_match(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(limits: CutLimits, output: &[u8]) -> CutOutput {
        let mut cutter = Cutter::new(limits);
        // In odd pieces, as a pipe gives them.
        output.chunks(7).for_each(|piece| cutter.push(piece));
        cutter.finish(Some(Path::new("/out.txt")))
    }

    fn numbered(lines: u32) -> String {
        (0..lines).map(|number| format!("line {number}\n")).collect()
    }

    #[test]
    fn a_short_output_is_kept_as_it_is() {
        let output = cut(CutLimits::default(), "one\r\nzwei \u{fc}\n\nlast without newline".as_bytes());
        assert_eq!(output.text, "one\nzwei \u{fc}\n\nlast without newline\n");
        assert_eq!((output.total_lines, output.lines_left_out), (4, 0));
    }

    #[test]
    fn head_and_tail_stay_and_the_note_says_how_much_is_missing() {
        let limits = CutLimits { head_bytes: 20, tail_bytes: 20, ..CutLimits::default() };
        let output = cut(limits, numbered(20_000).as_bytes());
        let expected =
            "line 0\nline 1\n... 19,997 lines left out; whole output in /out.txt ...\nline 19999\n";
        assert_eq!(output.text, expected);
        assert_eq!(output.lines_left_out, 19_997);
    }

    #[test]
    fn error_lines_in_the_middle_are_kept_up_to_their_bound() {
        let limits = CutLimits { head_bytes: 10, tail_bytes: 10, error_bytes: 45, ..CutLimits::default() };
        let middle = "ERROR disk full\nerror[E0308]: mismatched\nerror: this is one too many\n";
        let text = cut(limits, format!("{}{middle}{}", numbered(90), numbered(90)).as_bytes()).text;
        assert!(text.contains("ERROR disk full\nerror[E0308]: mismatched\n..."), "{text}");
        assert!(!text.contains("too many"), "{text}");
    }

    #[test]
    fn what_compilers_and_test_runners_say_counts_as_an_error() {
        for line in [
            "2026-11-02 ERROR it broke",
            "main.c:3:1: error: expected",
            "TypeError: x",
            "test a::b ... FAILED",
            "--- FAIL: TestX",
            "thread 'main' panicked at src/main.rs:1",
        ] {
            assert!(is_error_line(line), "{line}");
        }
        assert!(!is_error_line("0 errors, all terrors failed to appear"));
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let limits = CutLimits { line_bytes: 5, ..CutLimits::default() };
        let text = cut(limits, "\u{fc}\u{fc}\u{fc}\u{fc}".as_bytes()).text;
        assert_eq!(text, "\u{fc}\u{fc} ... [4 more bytes]\n");
        let output = cut(limits, &[&vec![b'x'; 1 << 20][..], b"\nshort\n"].concat());
        assert_eq!(output.text, "xxxxx ... [1,048,571 more bytes]\nshort\n");
        assert_eq!((output.lines_cut, output.lines_left_out), (1, 0));
    }

    #[test]
    fn only_the_last_state_of_a_progress_display_is_kept() {
        let text = cut(CutLimits::default(), b"10 %\r20 %\r\x1b[32mdone\x1b[0m\r\nnext\n").text;
        assert_eq!(text, "done\nnext\n");
    }
}
