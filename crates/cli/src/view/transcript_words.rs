//! A line of a transcript in a few words each: what an agent said, called and got, for those who look on.

use agent_team::agent::{Draft, Line};
use agent_team::model::Part;
use serde_json::Value;

/// How much of a text is shown, in characters.
const CHARS: usize = 200;

/// The lines that a view shows for one of a transcript; none for what nobody looks for.
pub fn words(line: &Line) -> Vec<String> {
    match line {
        Line::Began { task, attempt, .. } => vec![format!("begins {task}, attempt {attempt}")],
        Line::Told { parts, messages, .. } if !messages.is_empty() => heard(parts),
        Line::Told { .. } | Line::Session { .. } => Vec::new(),
        Line::Answered { parts, .. } => said(parts),
        // What it asked somebody was answered.
        Line::ToolResult { output, .. } if output.starts_with("<message ") => heard_in(output).collect(),
        Line::ToolResult { name, output, is_error, .. } => {
            let mark = if *is_error { "ERROR " } else { "" };
            let first = output.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            vec![format!("  {name}: {mark}{}", cut(first.trim()))]
        }
        Line::Compacted { .. } => vec!["its conversation was compacted".to_owned()],
        Line::Permission { what, allowed, .. } => {
            vec![format!("asked for {}: {}", cut(what), if *allowed { "allowed" } else { "refused" })]
        }
        Line::Ended { outcome, .. } => vec![format!("ended: {}", cut(outcome))],
    }
}

/// What an agent says at the moment, or the command prints that it runs, a line each. Of a long line so many characters of the
/// end are shown: that is what is new.
pub fn spoken(draft: &Draft, chars: usize) -> Vec<String> {
    let lines = draft.text.lines().map(str::trim).filter(|line| !line.is_empty());
    let end = |line: &str| match line.char_indices().rev().nth(chars - 1) {
        Some((begin, _)) if begin > 0 => format!("…{}", line.get(begin..).unwrap_or_default()),
        _ => line.to_owned(),
    };
    let calls = draft.calls.iter().map(|name| format!("> {name} …"));
    let printed = draft.output.lines().filter(|line| !line.trim().is_empty());
    lines.map(end).chain(calls).chain(printed.map(|line| format!("  {}", end(line.trim_end())))).collect()
}

/// What others said to it, a line each, with who did.
fn heard(parts: &[Part]) -> Vec<String> {
    let texts =
        parts.iter().filter_map(|part| if let Part::Text { text } = part { Some(text) } else { None });
    texts.flat_map(|text| heard_in(text)).collect()
}

/// The same in a text, where they stand between marks.
fn heard_in(text: &str) -> impl Iterator<Item = String> {
    let mut from = String::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "</message>");
    lines.filter_map(move |line| match line.strip_prefix("<message ") {
        Some(mark) => {
            let name = mark.split_once("from=\"").and_then(|(_, rest)| rest.split_once('"'));
            from = name.map(|(name, _)| name.to_owned()).unwrap_or_default();
            None
        }
        None => Some(format!("{from}: {}", cut(line))),
    })
}

/// What was said and called, a line each.
fn said(parts: &[Part]) -> Vec<String> {
    let words = parts.iter().flat_map(|part| match part {
        Part::Text { text } => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(cut).collect()
        }
        Part::ToolCall { name, input, .. } => vec![call(name, input)],
        Part::Opaque { .. } | Part::ToolResult { .. } => Vec::new(),
    });
    words.collect()
}

/// A call of a tool, in one line.
pub fn call(name: &str, input: &Value) -> String {
    format!("> {name} {}", cut(&arguments(input)))
}

/// The arguments of a call: their values, since the names say little.
fn arguments(input: &Value) -> String {
    let value = |value: &Value| match value {
        Value::String(text) => text.lines().next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    };
    // Of a number or a yes the name says more.
    let field = |(name, given): (&String, &Value)| match given {
        Value::Number(_) | Value::Bool(_) => format!("{name}={given}"),
        given => value(given),
    };
    match input {
        Value::Object(fields) => fields.iter().map(field).collect::<Vec<_>>().join(" "),
        other => value(other),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
