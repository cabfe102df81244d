//! What was done in an attempt, told from its journal alone: no model is asked, so nothing is forgotten or made up.

use std::borrow::Cow;

use serde_json::Value;

use super::journal::Line;
use super::tags::harmless;
use crate::model::Part;

/// The longest beginning of a result, or of what was said, in one line of an account, in bytes.
const LINE_BYTES_MAX: usize = 200;

/// A tool call of an attempt.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// The tool.
    pub name: &'a str,
    /// What it was called with.
    pub input: &'a Value,
    /// What it gave, and whether it failed; `None` if it was interrupted.
    pub result: Option<(&'a str, bool)>,
}

/// The calls of one turn, and what was said besides.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    /// Its number.
    pub number: u32,
    /// What the model said.
    pub said: Vec<&'a str>,
    /// What it called.
    pub steps: Vec<Step<'a>>,
}

impl Turn<'_> {
    /// Whether a call of it has no result.
    pub fn is_interrupted(&self) -> bool {
        self.steps.iter().any(|step| step.result.is_none())
    }
}

/// The turns of a journal, oldest first.
pub(super) fn turns(lines: &[Line]) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    // Ids are only sure to differ within one turn.
    let mut ids: Vec<&str> = Vec::new();
    for line in lines {
        match line {
            Line::Answered { turn, parts, .. } => {
                ids.clear();
                let mut begun = Turn { number: *turn, said: Vec::new(), steps: Vec::new() };
                for part in parts {
                    match part {
                        Part::Text { text } if !text.trim().is_empty() => begun.said.push(text.trim()),
                        Part::ToolCall { id, name, input } => {
                            ids.push(id);
                            begun.steps.push(Step { name, input, result: None });
                        }
                        Part::Text { .. } | Part::ToolResult { .. } | Part::Opaque { .. } => {}
                    }
                }
                turns.push(begun);
            }
            Line::ToolResult { call_id, output, is_error, .. } => {
                let place = ids.iter().position(|id| id == call_id);
                let step = place.and_then(|place| turns.last_mut()?.steps.get_mut(place));
                if let Some(step) = step {
                    step.result = Some((output, *is_error));
                }
            }
            Line::Began { .. }
            | Line::Told { .. }
            | Line::Compacted { .. }
            | Line::Session { .. }
            | Line::Permission { .. }
            | Line::Ended { .. } => {}
        }
    }
    turns
}

/// The files of an attempt, each once, the one that was touched last at the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Files<'a> {
    /// Written or edited.
    pub changed: Vec<&'a str>,
    /// Only read.
    pub read: Vec<&'a str>,
}

impl<'a> Files<'a> {
    /// The files that calls changed or read without failing. One that was interrupted may have had its effect.
    pub fn of(turns: &[Turn<'a>]) -> Self {
        let mut files = Self::default();
        for step in turns.iter().flat_map(|turn| &turn.steps) {
            let path = ["path", "file_path"].into_iter().find_map(|key| step.input.get(key)?.as_str());
            let (Some(path), None | Some((_, false))) = (path, step.result) else { continue };
            let list = match step.name {
                "write" | "edit" => &mut files.changed,
                "read" => &mut files.read,
                _ => continue,
            };
            list.retain(|known| *known != path);
            list.push(path);
        }
        let Self { changed, read } = &mut files;
        read.retain(|path| !changed.contains(path));
        files
    }

    /// The files in words, the latest first, with not much more than this many bytes.
    pub fn words(&self, bytes_max: usize) -> String {
        let lists = [("Changed", &self.changed), ("Read", &self.read)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let words = lists.map(|(what, list)| {
            let (shown, left_out) = newest(list.iter().rev(), bytes_max / 2);
            let more = if left_out > 0 { format!(", and {left_out} more") } else { String::new() };
            format!("{what}: {}{more}\n", shown.join(", "))
        });
        words.collect()
    }
}

/// What was done, one call to a line, with not much more than this many bytes: where that is too much, the oldest is left
/// out.
pub(super) fn done(lines: &[Line], bytes_max: usize) -> String {
    let mut all = Vec::new();
    let turns = turns(lines);
    let mut turns_left = turns.iter();
    for line in lines {
        match line {
            Line::Told { parts, messages, .. } if !messages.is_empty() => {
                let texts = parts.iter().filter_map(|part| match part {
                    Part::Text { text } => Some(text.as_str()),
                    _ => None,
                });
                all.extend(texts.map(|text| format!("- was told: {}", one_line(text))));
            }
            Line::Answered { .. } => {
                let Some(turn) = turns_left.next() else { continue };
                all.extend(turn.said.iter().map(|said| format!("- said: {}", one_line(said))));
                all.extend(turn.steps.iter().map(step_words));
            }
            _ => {}
        }
    }
    let (mut shown, left_out) = newest(all.iter().rev(), bytes_max);
    shown.reverse();
    let left_out =
        if left_out > 0 { format!("[{left_out} earlier lines left out]\n") } else { String::new() };
    format!("{left_out}{}\n", shown.join("\n"))
}

fn step_words(step: &Step<'_>) -> String {
    let arguments = ["path", "file_path", "command", "cmd", "pattern", "to", "id"];
    let argument = arguments.into_iter().find_map(|key| step.input.get(key)?.as_str());
    let argument = argument.map(|argument| format!(" {}", one_line(argument))).unwrap_or_default();
    let said = ["text", "question", "plan"].into_iter().find_map(|key| step.input.get(key)?.as_str());
    let said = said.map(|said| format!(": {}", one_line(said))).unwrap_or_default();
    let result = match step.result {
        None => "interrupted".to_owned(),
        Some((output, true)) => format!("failed: {}", first_line(output)),
        Some((output, false)) => first_line(output),
    };
    format!("- {}{argument}{said} -> {result}", step.name)
}

/// As many of these as fit, in their order, and how many do not.
fn newest<T: AsRef<str>>(texts: impl ExactSizeIterator<Item = T>, bytes_max: usize) -> (Vec<String>, usize) {
    let all = texts.len();
    let mut bytes = 0;
    let mut shown = Vec::new();
    for text in texts {
        bytes += text.as_ref().len();
        if bytes > bytes_max {
            break;
        }
        shown.push(text.as_ref().to_owned());
    }
    let left_out = all - shown.len();
    (shown, left_out)
}

fn first_line(text: &str) -> String {
    one_line(text.trim().lines().next().unwrap_or_default())
}

/// The beginning of a text on one line. Tags of messages lose their brackets: the cut may leave one open.
fn one_line(text: &str) -> String {
    let words = head(text, LINE_BYTES_MAX).split_whitespace().collect::<Vec<_>>().join(" ");
    harmless(&words).into_owned()
}

/// The beginning of a text, cut between characters.
pub(super) fn head(text: &str, bytes_max: usize) -> Cow<'_, str> {
    match text.get(..text.floor_char_boundary(bytes_max)) {
        Some(head) if head.len() < text.len() => Cow::Owned(format!("{head}…")),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::journal::testing::{answered, call, result, told};

    #[test]
    fn files_are_named_once_and_what_failed_is_left_out() {
        let lines = [
            told("do it"),
            answered(
                1,
                vec![call("1", "read", json!({"path": "a"})), call("2", "read", json!({"path": "b"}))],
            ),
            result("1", "x", false),
            result("2", "x", false),
            answered(
                2,
                vec![call("1", "edit", json!({"path": "a"})), call("2", "write", json!({"path": "c"}))],
            ),
            result("1", "done", false),
            result("2", "no such folder", true),
            answered(3, vec![call("1", "write", json!({"path": "d"}))]),
        ];
        let files = Files::of(&turns(&lines));
        assert_eq!(files, Files { changed: vec!["a", "d"], read: vec!["b"] });
        assert_eq!(files.words(100), "Changed: d, a\nRead: b\n");
        assert_eq!(files.words(2), "Changed: d, and 1 more\nRead: b\n");
    }

    #[test]
    fn what_was_done_is_told_call_by_call_and_the_oldest_is_left_out_first() {
        let run = |command: &str| call("1", "run", json!({ "command": command }));
        let lines = [
            told("do it"),
            answered(1, vec![Part::text("I look."), run("make\nall")]),
            result("1", "ERROR no rule\nto make all", true),
            answered(2, vec![run("ls")]),
        ];
        let whole = "- said: I look.\n- run make all -> failed: ERROR no rule\n- run ls -> interrupted\n";
        assert_eq!(done(&lines, 1_000), whole);
        assert_eq!(done(&lines, 30), "[2 earlier lines left out]\n- run ls -> interrupted\n");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!((head("üüü", 3), head("ü", 2)), ("ü…".into(), "ü".into()));
    }
}
