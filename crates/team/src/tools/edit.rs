//! `edit`: an exact replacement in a file.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::nearest::nearest;
use super::read::numbered;
use super::{Correction, Tool, ToolContext, ToolOutput, answer, spec_of};
use crate::model::ToolSpec;

/// How many places of an ambiguous text are named.
const NAMED_PLACES: usize = 10;
/// How many lines are shown before and after an edit.
const CONTEXT_LINES: usize = 2;
/// How many lines of an edit are shown.
const SHOWN_LINES: usize = 30;

const DESCRIPTION: &str = "\
Replaces a text in a file by another. `read` the file first.
`old_string` must be copied exactly from the file, with all its spaces and line breaks, without the line numbers that \
`read` shows, and it must be there exactly once: take in lines before and after it until it is. Or set `replace_all` to \
replace it wherever it is, as for renaming.
To delete a text, give an empty `new_string`. To make a file, use `write`.
Example: {\"path\": \"src/main.rs\", \"old_string\": \"let x = 1;\\n    go(x);\", \"new_string\": \"go(1);\"}";

/// The `edit` tool.
#[derive(Debug, Clone, Copy)]
pub struct Edit;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file, relative to the workspace, as in `src/main.rs`.
    #[serde(alias = "file_path")]
    path: String,
    /// The text to replace, exactly as it is in the file.
    #[serde(alias = "old_text", alias = "old_str")]
    old_string: String,
    /// The text to put in its place.
    #[serde(alias = "new_text", alias = "new_str")]
    new_string: String,
    /// Whether to replace it everywhere in the file. It must be there exactly once if left out.
    replace_all: Option<bool>,
}

#[async_trait]
impl Tool for Edit {
    fn spec(&self) -> ToolSpec {
        spec_of::<Input>("edit", DESCRIPTION)
    }

    async fn call(&self, input: Value, context: &ToolContext) -> ToolOutput {
        answer(self, input, context, |input: Input, workspace, _| {
            // What is not there is told with what is; what must not be written is told before.
            let path = workspace.writable(&input.path).and_then(|_| workspace.readable(&input.path))?;
            let shown = workspace.shown(&path);
            let content = String::from_utf8(workspace.bytes(&path)?).map_err(|_| {
                Correction(format!(
                    "`{shown}` is not UTF-8 text. Change it with a command, or write it anew."
                ))
            })?;
            let edited = replace(&content, &input, &shown)?;
            workspace.write(&path, edited.content.as_bytes())?;
            Ok(edited.report(&shown))
        })
        .await
    }
}

/// A file's new content, and where it is new.
struct Edited {
    content: String,
    /// The line numbers of the replacements, in the old content.
    lines: Vec<usize>,
    /// How many lines each replacement has.
    new_lines: usize,
}

/// The content with the replacement made, or why it cannot be made.
fn replace(content: &str, input: &Input, shown: &str) -> Result<Edited, Correction> {
    if input.old_string.is_empty() {
        return Err(Correction("`old_string` is empty. Copy the text to replace, or use `write`.".into()));
    }
    let old = with_line_ends_of(content, &input.old_string);
    let new = with_line_ends_of(content, &input.new_string);
    if old == new {
        return Err(Correction("`old_string` and `new_string` are the same. There is nothing to do.".into()));
    }
    let lines = lines_of(content, &old);
    match lines.len() {
        0 => return Err(not_found(content, &old, &new, shown)),
        count if count > 1 && input.replace_all != Some(true) => return Err(ambiguous(&lines, shown)),
        _ => {}
    }
    let content = content.replace(&old, &new);
    Ok(Edited { content, lines, new_lines: new.lines().count() })
}

impl Edited {
    /// What was done, with the first edited place as it is now.
    fn report(&self, shown: &str) -> String {
        let first = self.lines.first().copied().unwrap_or(1);
        let skipped = first.saturating_sub(1 + CONTEXT_LINES);
        let count = (self.new_lines + 2 * CONTEXT_LINES).min(SHOWN_LINES);
        let lines = self.content.lines().enumerate().skip(skipped).take(count);
        let lines: String = lines.map(|(index, line)| numbered(index + 1, line)).collect();
        match self.lines.len() {
            1 => format!("Edited `{shown}`. It now has:\n{lines}"),
            places => format!("Edited `{shown}` in {places} places. The first now has:\n{lines}"),
        }
    }
}

/// `text` with the line ends of a file whose lines all end with CRLF, which models do not see.
fn with_line_ends_of(content: &str, text: &str) -> String {
    let newlines = content.matches('\n').count();
    if newlines > 0 && content.matches("\r\n").count() == newlines {
        text.replace("\r\n", "\n").replace('\n', "\r\n")
    } else {
        text.to_owned()
    }
}

/// The numbers of the lines where `text` begins, in one pass.
fn lines_of(content: &str, text: &str) -> Vec<usize> {
    let mut line = 1;
    let mut from = 0;
    let places = content.match_indices(text).map(|(offset, _)| {
        line += content.get(from..offset).unwrap_or_default().matches('\n').count();
        from = offset;
        line
    });
    places.collect()
}

fn ambiguous(lines: &[usize], shown: &str) -> Correction {
    let named: Vec<String> = lines.iter().take(NAMED_PLACES).map(ToString::to_string).collect();
    let more = if lines.len() > NAMED_PLACES { ", ..." } else { "" };
    Correction(format!(
        "`old_string` is in `{shown}` {} times, at the lines {}{more}. Nothing was changed. Take in more lines around \
         the right one, or set `replace_all` to true.",
        lines.len(),
        named.join(", ")
    ))
}

fn not_found(content: &str, old: &str, new: &str, shown: &str) -> Correction {
    let start = format!("`old_string` is not in `{shown}`. Nothing was changed.");
    if has_line_numbers(old) {
        return Correction(format!("{start} Leave out the line numbers and tabs that `read` shows."));
    }
    if !new.trim().is_empty()
        && let [line] = lines_of(content, new).as_slice()
    {
        return Correction(format!(
            "{start} But `new_string` is, at line {line}: the edit seems to be made already."
        ));
    }
    match nearest(content, old) {
        Some(lines) => Correction(format!(
            "{start} The nearest lines are:\n{lines}Copy them exactly, without the line numbers."
        )),
        None => Correction(format!(
            "{start} Nothing there is like it: `read` the file, and see that it is the right one."
        )),
    }
}

/// Whether every line begins with a number and a tab, as `read` shows them.
fn has_line_numbers(text: &str) -> bool {
    text.lines()
        .all(|line| line.split_once('\t').is_some_and(|(number, _)| number.trim().parse::<usize>().is_ok()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::tools::testing::Project;

    fn edit(old: &str, new: &str) -> Value {
        json!({"path": "a.txt", "old_string": old, "new_string": new})
    }

    #[tokio::test]
    async fn a_text_that_is_there_once_is_replaced_and_shown() {
        let project = Project::with([("a.txt", "one\ntwo \u{1f980}\nthree\nfour\nfive\n")]);
        let text = project.good(Edit, edit("two \u{1f980}\nthree", "zwei\ndrei $1")).await;
        assert_eq!(project.text("a.txt"), "one\nzwei\ndrei $1\nfour\nfive\n");
        assert!(text.contains("     2\tzwei\n     3\tdrei $1\n"), "{text}");
        project.good(Edit, edit("one\n", "")).await;
        assert_eq!(project.text("a.txt"), "zwei\ndrei $1\nfour\nfive\n");
    }

    #[tokio::test]
    async fn an_ambiguous_text_is_refused_with_its_places_unless_all_are_meant() {
        let project = Project::with([("a.txt", "x = 1\ny = 2\nx = 1\n")]);
        let text = project.bad(Edit, edit("x = 1", "x = 3")).await;
        assert!(text.contains("2 times, at the lines 1, 3."), "{text}");
        assert_eq!(project.text("a.txt"), "x = 1\ny = 2\nx = 1\n");
        let mut all = edit("x = 1", "x = 3");
        all["replace_all"] = json!(true);
        assert!(project.good(Edit, all).await.contains("2 places"));
        assert_eq!(project.text("a.txt"), "x = 3\ny = 2\nx = 3\n");
    }

    #[tokio::test]
    async fn a_text_that_is_not_there_is_answered_with_the_nearest_lines() {
        let project = Project::with([("a.txt", "fn main() {\n\tlet answer = 42;\n}\n")]);
        let text = project.bad(Edit, edit("    let answer = 42;", "let answer = 43;")).await;
        assert!(text.contains("     2\t\tlet answer = 42;\n"), "{text}");
        let text = project.bad(Edit, edit("     2\t\tlet answer = 42;", "x")).await;
        assert!(text.contains("Leave out the line numbers"), "{text}");
        let text = project.bad(Edit, edit("nothing of the kind", "x")).await;
        assert!(text.contains("Nothing there is like it"), "{text}");
    }

    #[tokio::test]
    async fn an_edit_made_twice_says_so() {
        let project = Project::with([("a.txt", "old line\n")]);
        project.good(Edit, edit("old line", "new line")).await;
        let text = project.bad(Edit, edit("old line", "new line")).await;
        assert!(text.contains("made already"), "{text}");
    }

    #[tokio::test]
    async fn crlf_files_keep_their_line_ends() {
        let project = Project::with([("a.txt", "one\r\ntwo\r\nthree\r\n")]);
        project.good(Edit, edit("one\ntwo", "1\n2\n2a")).await;
        assert_eq!(project.text("a.txt"), "1\r\n2\r\n2a\r\nthree\r\n");
        project.good(Edit, edit("three", "3\r\n4")).await;
        assert_eq!(project.text("a.txt"), "1\r\n2\r\n2a\r\n3\r\n4\r\n");
    }

    #[tokio::test]
    async fn a_file_with_both_line_ends_is_taken_literally() {
        let project = Project::with([("a.txt", "one\r\ntwo\nthree\n")]);
        project.good(Edit, edit("two\n", "2\n")).await;
        assert_eq!(project.text("a.txt"), "one\r\n2\nthree\n");
    }

    #[tokio::test]
    async fn what_cannot_be_edited_stays_as_it_is() {
        let project = Project::with([("a.txt", "one\n"), (".git/config", "one\n")]);
        project.put("latin1.txt", b"caf\xe9 one\n");
        for (path, why) in [
            (".git/config", "belongs to git"),
            ("latin1.txt", "not UTF-8"),
            ("absent.txt", "There is no `absent.txt`"),
            ("../a.txt", "outside"),
        ] {
            let text = project.bad(Edit, json!({"path": path, "old_string": "one", "new_string": "1"})).await;
            assert!(text.contains(why), "{text}");
        }
        assert!(project.bad(Edit, edit("", "x")).await.contains("empty"));
        assert!(project.bad(Edit, edit("one", "one")).await.contains("the same"));
        assert_eq!(fs::read(project.path("latin1.txt")).unwrap(), b"caf\xe9 one\n");
        assert_eq!(project.text("a.txt"), "one\n");
    }
}
