//! A transcript as blocks: what an agent said in full, what it called in one line each, with the output folded below.

use agent_team::agent::{Draft, Line};
use agent_team::model::Part;

use super::reader::{Block, Reader};
use super::theme::Tone;
use crate::view::words;

/// How many lines of what an agent was told are seen before it is opened.
const TOLD_LINES: usize = 3;

/// Adds lines of a transcript to what is read of it, and what is being said after them.
pub fn add(reader: &mut Reader, lines: &[Line], draft: Option<&Draft>) {
    reader.cut_off_draft();
    for line in lines {
        match line {
            Line::Answered { parts, .. } => reader.push(parts.iter().filter_map(answered)),
            Line::ToolResult { name, output, is_error, .. } => result(reader, name, output, *is_error),
            Line::Told { parts, messages, .. } => {
                let mark = if messages.is_empty() { "told" } else { "hears" };
                reader.push(parts.iter().filter_map(|part| told(mark, part)));
            }
            Line::Began { with, .. } => {
                let head = words(line).into_iter().map(|text| format!("{text}, by {with}"));
                reader.push(head.map(|text| Block::line(Tone::Head, text)));
            }
            Line::Permission { allowed, .. } => {
                let tone = if *allowed { Tone::Faint } else { Tone::Warning };
                reader.push(words(line).into_iter().map(|text| Block::line(tone, text)));
            }
            Line::Compacted { .. } | Line::Session { .. } => {
                reader.push(words(line).into_iter().map(|text| Block::line(Tone::Faint, text)));
            }
            Line::Ended { .. } => {
                reader.push(words(line).into_iter().map(|text| Block::line(Tone::Head, text)));
            }
        }
    }
    reader.push_draft(draft.map(drafted));
}

fn drafted(draft: &Draft) -> Block {
    let text = draft.text.trim_end().lines().map(plain);
    let calls = draft.calls.iter().map(|name| (Tone::Active, format!("> {name} …")));
    let printed = draft.output.trim_end().lines().map(|line| (Tone::Faint, format!("    {line}")));
    Block { head: text.chain(calls).chain(printed).collect(), ..Block::default() }
}

fn answered(part: &Part) -> Option<Block> {
    match part {
        Part::Text { text } if text.trim().is_empty() => None,
        Part::Text { text } => {
            Some(Block { head: text.trim_end().lines().map(plain).collect(), ..Block::default() })
        }
        Part::ToolCall { name, input, .. } => {
            let call = crate::view::call(name, input);
            let whole = match input {
                serde_json::Value::Object(fields) => {
                    let field = |(name, value): (&String, &serde_json::Value)| match value {
                        serde_json::Value::String(text) => format!("{name}: {text}"),
                        other => format!("{name}: {other}"),
                    };
                    fields.iter().map(field).collect::<Vec<_>>().join("\n")
                }
                other => other.to_string(),
            };
            let body = whole.lines().map(|line| (Tone::Faint, format!("    {line}"))).collect();
            Some(Block { head: vec![(Tone::Active, call)], body, open: false })
        }
        Part::Opaque { .. } | Part::ToolResult { .. } => None,
    }
}

/// What a call gave stands in one line, with all of it folded below.
fn result(reader: &mut Reader, name: &str, output: &str, is_error: bool) {
    let tone = if is_error { Tone::Bad } else { Tone::Faint };
    let first = output.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    let count = output.lines().count();
    let more = if count > 1 { format!("  (+{} lines)", count - 1) } else { String::new() };
    let mark = if is_error { "ERROR " } else { "" };
    let first: String = first.trim().chars().take(200).collect();
    let body = match count {
        0 | 1 if first.chars().count() < 200 => Vec::new(),
        _ => output.lines().map(|line| (Tone::Faint, format!("    {line}"))).collect(),
    };
    reader.push([Block { head: vec![(tone, format!("  {name}: {mark}{first}{more}"))], body, open: false }]);
}

fn told(mark: &str, part: &Part) -> Option<Block> {
    let Part::Text { text } = part else { return None };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.by_ref().take(TOLD_LINES).collect::<Vec<_>>();
    let head = first.into_iter().enumerate().map(|(n, line)| {
        let before = if n == 0 { format!("{mark}: ") } else { " ".repeat(mark.len() + 2) };
        (Tone::Faint, format!("{before}{line}"))
    });
    let mut head: Vec<_> = head.collect();
    let rest = lines.count();
    if rest > 0 {
        head.push((Tone::Faint, format!("  (+{rest} lines)")));
    }
    let body = match rest {
        0 => Vec::new(),
        _ => text.lines().map(|line| (Tone::Faint, format!("    {line}"))).collect(),
    };
    (!head.is_empty()).then_some(Block { head, body, open: false })
}

fn plain(line: &str) -> (Tone, String) {
    (Tone::Plain, line.to_owned())
}
