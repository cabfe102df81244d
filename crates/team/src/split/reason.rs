//! Why an input fails: the first thing in which the candidate differs from what is right. Pure.

use std::sync::LazyLock;

use regex::Regex;

use super::normal::normalise;
use super::shell::Outcome;
use crate::command::{CommandEnding, clean_line, shorten};

/// The longest line that is shown in a reason, in bytes.
const LINE_BYTES: usize = 300;

/// How many lines are shown before and after the first one that differs.
const CONTEXT_LINES: (usize, usize) = (3, 8);

/// A line that says what went wrong.
static TELLING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)error|panick|fatal|exception|assert|abort|not found|fail").ok());

/// The first difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// One line for people.
    pub text: String,
    /// The same without what differs from input to input. Failures with the same key are one bug, as far as can be
    /// seen from outside.
    pub key: String,
}

/// What a comparison came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// Nothing differs.
    Same,
    /// This differs first, with the lines around it: the oracle's and the candidate's.
    Differs { reason: Reason, expected: Option<String>, actual: String },
    /// The oracle gave no answer, for the reason given.
    NoAnswer(String),
}

/// Compares how the candidate ended and what it printed with the oracle, or without one with an exit code of 0.
pub(super) fn compare(candidate: &Outcome, oracle: Option<&Outcome>, inputs: &[String]) -> Compared {
    let wanted = oracle.map_or(CommandEnding::Exited(0), |oracle| oracle.ending);
    if !matches!(wanted, CommandEnding::Exited(code) if signal_of(wanted).is_none() && code != 126 && code != 127)
    {
        let line = oracle.map_or_else(String::new, |oracle| telling_line(&oracle.stderr).unwrap_or_default());
        return Compared::NoAnswer(joined(&format!("the oracle: {}", in_words(wanted)), &line));
    }
    let line = oracle.and_then(|oracle| first_difference(&candidate.stdout, &oracle.stdout));
    if candidate.ending != wanted {
        let reason = wrong_ending(candidate, oracle, wanted, line.as_ref(), inputs);
        return differs(reason, line.as_ref(), candidate, oracle);
    }
    match line {
        None => Compared::Same,
        Some(line) => {
            let reason = Reason { text: line.text(), key: line.key(inputs) };
            differs(reason, Some(&line), candidate, oracle)
        }
    }
}

/// The candidate ended otherwise than it should: how, and what it said.
fn wrong_ending(
    candidate: &Outcome,
    oracle: Option<&Outcome>,
    wanted: CommandEnding,
    line: Option<&Difference>,
    inputs: &[String],
) -> Reason {
    let ending = in_words(candidate.ending);
    let (what, line) = match (candidate.ending, signal_of(candidate.ending)) {
        // Where it was when it was ended says nothing.
        (
            CommandEnding::TimedOut
            | CommandEnding::OutputLimit
            | CommandEnding::MemoryLimit
            | CommandEnding::ProcessLimit
            | CommandEnding::Stopped,
            _,
        ) => {
            return Reason { text: ending.clone(), key: ending };
        }
        // Nor does how far the output came before a crash.
        (_, Some(_)) => (ending, None),
        _ if oracle.is_some() => (format!("{ending}, not {}", number_of(wanted)), line),
        _ => (ending, line),
    };
    match (said(candidate, oracle), line) {
        (Some(said), _) => {
            Reason { text: joined(&what, &said), key: joined(&what, &normalise(&said, inputs)) }
        }
        (None, Some(line)) => {
            Reason { text: joined(&what, &line.text()), key: joined(&what, &line.key(inputs)) }
        }
        (None, None) => Reason { text: what.clone(), key: what },
    }
}

fn differs(
    reason: Reason,
    line: Option<&Difference>,
    candidate: &Outcome,
    oracle: Option<&Outcome>,
) -> Compared {
    let at = line.map_or(0, |line| line.index);
    let expected = oracle.map(|oracle| excerpt(oracle, at));
    Compared::Differs { reason, expected, actual: excerpt(candidate, at) }
}

/// The first line in which two outputs differ.
struct Difference {
    /// From 0.
    index: usize,
    expected: Option<String>,
    actual: Option<String>,
}

impl Difference {
    fn text(&self) -> String {
        let number = self.index + 1;
        match (&self.expected, &self.actual) {
            (Some(expected), Some(actual)) => format!("line {number} is `{actual}`, not `{expected}`"),
            (Some(expected), None) => format!("line {number} is missing: `{expected}`"),
            (None, Some(actual)) => format!("line {number} is one too many: `{actual}`"),
            (None, None) => "only the line break at the end differs".to_owned(),
        }
    }

    fn key(&self, inputs: &[String]) -> String {
        let normal = |line: &str| normalise(line, inputs);
        match (&self.expected, &self.actual) {
            (Some(expected), Some(actual)) => format!("line is {}, not {}", normal(actual), normal(expected)),
            (Some(expected), None) => format!("line is missing: {}", normal(expected)),
            (None, Some(actual)) => format!("line is one too many: {}", normal(actual)),
            (None, None) => self.text(),
        }
    }
}

fn first_difference(actual: &[u8], expected: &[u8]) -> Option<Difference> {
    if actual == expected {
        return None;
    }
    let lines = |output: &[u8]| -> Vec<Vec<u8>> {
        let whole = output.strip_suffix(b"\n").unwrap_or(output);
        if output.is_empty() {
            Vec::new()
        } else {
            whole.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
        }
    };
    let (actual, expected) = (lines(actual), lines(expected));
    let differ = |index: &usize| actual.get(*index) != expected.get(*index);
    let index = (0..actual.len().max(expected.len())).find(differ);
    let line = |lines: &[Vec<u8>]| index.and_then(|index| lines.get(index)).map(|line| shown(line));
    Some(Difference {
        index: index.unwrap_or(actual.len().saturating_sub(1)),
        expected: line(&expected),
        actual: line(&actual),
    })
}

/// The line in which the candidate says what went wrong; where it should have complained, that of the oracle.
fn said(candidate: &Outcome, oracle: Option<&Outcome>) -> Option<String> {
    let telling = telling_line(&candidate.stderr).or_else(|| telling_line(&candidate.stdout));
    let first = || first_line(&candidate.stderr);
    // Without an oracle there is no line that differs; tests say at the end what came of them.
    let last = || oracle.is_none().then(|| last_line(&candidate.stdout)).flatten();
    let missed = || oracle.and_then(|oracle| telling_line(&oracle.stderr)).map(|line| format!("no `{line}`"));
    telling.or_else(first).or_else(last).or_else(missed)
}

/// The first line that says what went wrong. One that ends with a colon says it in the next.
fn telling_line(output: &[u8]) -> Option<String> {
    let mut lines = output.split(|byte| *byte == b'\n').map(shown);
    let pattern = TELLING.as_ref()?;
    let line = lines.find(|line| pattern.is_match(line))?;
    let next = if line.ends_with(':') { lines.next() } else { None };
    Some(next.map_or_else(|| line.clone(), |next| format!("{line} {next}")))
}

fn first_line(output: &[u8]) -> Option<String> {
    output.split(|byte| *byte == b'\n').map(shown).find(|line| !line.is_empty())
}

fn last_line(output: &[u8]) -> Option<String> {
    output.rsplit(|byte| *byte == b'\n').map(shown).find(|line| !line.is_empty())
}

/// A line as people see it.
fn shown(line: &[u8]) -> String {
    shorten(clean_line(line).trim_end().to_owned(), 0, LINE_BYTES)
}

fn joined(what: &str, line: &str) -> String {
    if line.is_empty() { what.to_owned() } else { format!("{what}: {line}") }
}

/// The signal that ended a command, itself or within its shell, which says so by 128 and its number.
fn signal_of(ending: CommandEnding) -> Option<i32> {
    match ending {
        CommandEnding::Killed(signal) => Some(signal),
        CommandEnding::Exited(code @ 129..=159) => Some(code - 128),
        _ => None,
    }
}

fn in_words(ending: CommandEnding) -> String {
    match (ending, signal_of(ending)) {
        (_, Some(signal)) => format!("killed by signal {signal}"),
        (CommandEnding::TimedOut, _) => "timed out".to_owned(),
        (CommandEnding::OutputLimit, _) => "printed too much".to_owned(),
        (ending, None) => ending.to_string(),
    }
}

fn number_of(ending: CommandEnding) -> String {
    match ending {
        CommandEnding::Exited(code) => code.to_string(),
        _ => in_words(ending),
    }
}

/// How a command ended, the lines around the first difference, and the beginning of what it complained about.
fn excerpt(outcome: &Outcome, at: usize) -> String {
    let (before, after) = CONTEXT_LINES;
    let first = at.saturating_sub(before);
    let output = outcome.stdout.strip_suffix(b"\n").unwrap_or(&outcome.stdout);
    let mut text = format!("({})", in_words(outcome.ending));
    if first > 0 && !output.is_empty() {
        text += &format!("\n... from line {}:", first + 1);
    }
    let of_output = output.split(|byte| *byte == b'\n').skip(first).take(before + after);
    let complaints = outcome.stderr.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(after);
    let of_output = of_output.filter(|_| !output.is_empty()).map(shown);
    for line in of_output.chain(complaints.map(|line| format!("stderr: {}", shown(line)))) {
        text.push('\n');
        text += &line;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(ending: CommandEnding, stdout: &str, stderr: &str) -> Outcome {
        Outcome { ending, stdout: stdout.into(), stderr: stderr.into() }
    }

    fn exited(code: i32, stdout: &str, stderr: &str) -> Outcome {
        ended(CommandEnding::Exited(code), stdout, stderr)
    }

    fn reason(candidate: &Outcome, oracle: Option<&Outcome>) -> (String, String) {
        match compare(candidate, oracle, &["t/1.c".into()]) {
            Compared::Differs { reason, .. } => (reason.text, reason.key),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn with_an_oracle_the_ending_counts_before_the_output() {
        let right = exited(0, "1\n2\n3\n", "");
        let cases = [
            (exited(0, "1\n5\n3\n", ""), "line 2 is `5`, not `2`", "line is N, not N"),
            (exited(0, "1\n2\n", ""), "line 3 is missing: `3`", "line is missing: N"),
            (exited(0, "1\n2\n3\n4\n", ""), "line 4 is one too many: `4`", "line is one too many: N"),
            (
                exited(0, "1\n2\n3", ""),
                "only the line break at the end differs",
                "only the line break at the end differs",
            ),
            (exited(0, "", ""), "line 1 is missing: `1`", "line is missing: N"),
            (
                exited(1, "1\n", "warning: x\nt/1.c:7: error: bad `y`\n"),
                "exit code 1, not 0: t/1.c:7: error: bad `y`",
                "exit code 1, not 0: INPUT:N: error: bad '…'",
            ),
            (
                exited(2, "1\n", ""),
                "exit code 2, not 0: line 2 is missing: `2`",
                "exit code 2, not 0: line is missing: N",
            ),
            (exited(139, "1\n", ""), "killed by signal 11", "killed by signal 11"),
            (ended(CommandEnding::TimedOut, "1\n2\n3\n", ""), "timed out", "timed out"),
        ];
        for (candidate, text, key) in cases {
            assert_eq!(reason(&candidate, Some(&right)), (text.to_owned(), key.to_owned()));
        }
        assert_eq!(compare(&exited(0, "1\n2\n3\n", "noise"), Some(&right), &[]), Compared::Same);
    }

    #[test]
    fn the_candidate_must_fail_where_the_oracle_does() {
        let right = exited(1, "", "t/1.c:1: error: redefinition of 'x'\n");
        assert_eq!(compare(&exited(1, "", "other words"), Some(&right), &[]), Compared::Same);
        let (text, _) = reason(&exited(0, "", ""), Some(&right));
        assert_eq!(text, "exit code 0, not 1: no `t/1.c:1: error: redefinition of 'x'`");
    }

    #[test]
    fn without_an_oracle_only_the_exit_code_counts() {
        assert_eq!(compare(&exited(0, "FAIL", "error"), None, &[]), Compared::Same);
        let rust = "thread 'main' panicked at src/a.rs:1:2:\nindex out of bounds\n";
        assert_eq!(
            reason(&exited(101, "", rust), None).1,
            "exit code 101: thread '…' panicked at a.rs:N:N: index out of bounds"
        );
        let python = "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nValueError: 7\n";
        assert_eq!(reason(&exited(1, "", python), None).1, "exit code 1: ValueError: N");
        assert_eq!(
            reason(&exited(1, "running 4 checks\n2 are red\n\n", ""), None).0,
            "exit code 1: 2 are red"
        );
    }

    #[test]
    fn an_oracle_that_crashes_hangs_or_is_not_there_judges_nobody() {
        let not_there = exited(127, "", "sh: 1: gcc-99: not found\n");
        assert_eq!(
            compare(&exited(0, "", ""), Some(&not_there), &[]),
            Compared::NoAnswer("the oracle: exit code 127: sh: 1: gcc-99: not found".into())
        );
        for ending in [CommandEnding::TimedOut, CommandEnding::Killed(9), CommandEnding::OutputLimit] {
            let compared = compare(&exited(0, "", ""), Some(&ended(ending, "", "")), &[]);
            assert!(matches!(compared, Compared::NoAnswer(_)), "{compared:?}");
        }
    }

    #[test]
    fn expected_and_actual_show_the_lines_around_the_difference() {
        let lines = |wrong: usize| -> String {
            (1..=40)
                .map(|line| if line == wrong { "wrong\n".to_owned() } else { format!("{line}\n") })
                .collect()
        };
        let compared = compare(&exited(0, &lines(20), ""), Some(&exited(0, &lines(0), "")), &[]);
        let Compared::Differs { expected, actual, .. } = compared else { panic!("{compared:?}") };
        assert!(expected.unwrap().starts_with("(exit code 0)\n... from line 17:\n17\n18\n19\n20\n21"));
        assert!(actual.contains("\n19\nwrong\n21\n"), "{actual}");
    }
}
