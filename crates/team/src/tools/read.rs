//! `read`: a file with line numbers, or what is in a folder.

use std::fs;
use std::path::Path;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Correction, Tool, ToolContext, ToolOutput, Workspace, answer, spec_of};
use crate::command::{grouped, shorten};
use crate::model::ToolSpec;

/// How many lines one call shows if the model does not say.
const LINES: usize = 2_000;
/// How many bytes one call shows.
const SHOWN_BYTES: usize = 50_000;
/// How much of one line is shown.
const LINE_BYTES: usize = 2_000;
/// How many names of a folder are shown.
const NAMES: usize = 500;
/// Where a NUL byte makes a file a binary one, as git and grep judge.
const BINARY_CHECK_BYTES: usize = 8_000;

const DESCRIPTION: &str = "\
Shows a text file with line numbers, or what is in a folder.
Every line is shown as its number, a tab, and its text; number and tab are not part of the file.
A long file is cut: the last line then says with which `offset` to read on.
Read a file before you edit it. To find where something is, use `search` first.
Example: {\"path\": \"src/main.rs\"} or {\"path\": \"src/main.rs\", \"offset\": 200, \"limit\": 50}";

/// The `read` tool.
#[derive(Debug, Clone, Copy)]
pub struct Read;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file or folder, relative to the workspace, as in `src/main.rs`. `.` is the workspace itself.
    #[serde(alias = "file_path")]
    path: String,
    /// The number of the first line to show. 1 if left out.
    offset: Option<usize>,
    /// How many lines to show at most.
    limit: Option<usize>,
}

#[async_trait]
impl Tool for Read {
    fn spec(&self) -> ToolSpec {
        spec_of::<Input>("read", DESCRIPTION)
    }

    async fn call(&self, input: Value, context: &ToolContext) -> ToolOutput {
        answer(self, input, context, |input: Input, workspace, _| {
            let path = workspace.readable(&input.path)?;
            if path.is_dir() { list_folder(workspace, &path) } else { show_file(workspace, &path, &input) }
        })
        .await
    }
}

/// Whether these are the bytes of something that is no text.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(BINARY_CHECK_BYTES).any(|byte| *byte == 0)
}

/// A line as `read` and `edit` show it, from its number (from 1) and its text.
pub(super) fn numbered(number: usize, line: &str) -> String {
    format!("{number:>6}\t{}\n", shorten(line.to_owned(), 0, LINE_BYTES))
}

fn show_file(workspace: &Workspace, path: &Path, input: &Input) -> Result<String, Correction> {
    let bytes = workspace.bytes(path)?;
    let shown = workspace.shown(path);
    if bytes.is_empty() {
        return Ok(format!("`{shown}` is empty."));
    }
    if is_binary(&bytes) {
        return Ok(format!("`{shown}` is a binary file of {} bytes.", grouped(bytes.len() as u64)));
    }
    let content = String::from_utf8_lossy(&bytes);
    let total = content.lines().count();
    let first = input.offset.unwrap_or(1).max(1);
    if first > total {
        return Err(Correction(format!("`{shown}` has only {} lines.", grouped(total as u64))));
    }
    let mut text = String::new();
    let mut next = first;
    for line in content.lines().skip(first - 1).take(input.limit.unwrap_or(LINES).max(1)) {
        text.push_str(&numbered(next, line));
        next += 1;
        if text.len() > SHOWN_BYTES {
            break;
        }
    }
    if next <= total {
        let (last, total) = (grouped(next as u64 - 1), grouped(total as u64));
        text.push_str(&format!(
            "... lines {first} to {last} of {total}; read on with \"offset\": {next} ...\n"
        ));
    }
    text.push_str(&peculiarities(&bytes, &content));
    Ok(text)
}

/// What a model cannot see in the lines but must know to edit them.
fn peculiarities(bytes: &[u8], content: &str) -> String {
    let mut text = String::new();
    if content.contains("\r\n") {
        text.push_str("(Lines end with CRLF; `edit` keeps that.)\n");
    }
    if std::str::from_utf8(bytes).is_err() {
        text.push_str("(Not valid UTF-8; what is no character is shown as \u{fffd}.)\n");
    }
    text
}

fn list_folder(workspace: &Workspace, path: &Path) -> Result<String, Correction> {
    let shown = workspace.shown(path);
    let entries =
        fs::read_dir(path).map_err(|error| Correction(format!("`{shown}` cannot be listed: {error}.")))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| {
            let slash = if entry.file_type().is_ok_and(|kind| kind.is_dir()) { "/" } else { "" };
            format!("{}{slash}\n", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort();
    let more = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    let more = if more > 0 {
        format!("... and {more} more; use `list` with a pattern ...\n")
    } else {
        String::new()
    };
    Ok(format!("`{shown}` is a folder:\n{}{more}", names.concat()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::testing::Project;

    #[tokio::test]
    async fn lines_are_numbered_as_they_are_in_the_file() {
        let project = Project::with([("a.txt", "eins\nzw\u{f6}lf\n\u{1f980}\n")]);
        let text = project.good(Read, json!({"path": "a.txt"})).await;
        assert_eq!(text, "     1\teins\n     2\tzw\u{f6}lf\n     3\t\u{1f980}\n");
        let text = project.good(Read, json!({"path": "a.txt", "offset": 2, "limit": 1})).await;
        assert_eq!(text, "     2\tzw\u{f6}lf\n... lines 2 to 2 of 3; read on with \"offset\": 3 ...\n");
    }

    #[tokio::test]
    async fn a_long_file_is_shown_in_parts_that_join() {
        let content: String = (1..=5_000).map(|number| format!("this is line {number}\n")).collect();
        let project = Project::with([("long.txt", &content)]);
        let first = project.good(Read, json!({"path": "long.txt"})).await;
        assert!(first.len() < 60_000);
        let offset: usize =
            first.split("\"offset\": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let second = project.good(Read, json!({"path": "long.txt", "offset": offset})).await;
        assert!(first.contains(&format!("this is line {}\n", offset - 1)));
        assert!(second.contains(&format!("\tthis is line {offset}\n")));
        let beyond = project.bad(Read, json!({"path": "long.txt", "offset": 6000})).await;
        assert!(beyond.contains("only 5,000 lines"), "{beyond}");
    }

    #[tokio::test]
    async fn what_is_no_plain_text_is_told() {
        let project = Project::with([("empty", ""), ("crlf.txt", "a\r\nb\r\n")]);
        project.put("image.png", b"\x89PNG\0\0\0");
        project.put("latin1.txt", b"caf\xe9\n");
        assert_eq!(project.good(Read, json!({"path": "empty"})).await, "`empty` is empty.");
        let binary = project.good(Read, json!({"path": "image.png"})).await;
        assert_eq!(binary, "`image.png` is a binary file of 7 bytes.");
        let crlf = project.good(Read, json!({"path": "crlf.txt"})).await;
        assert!(crlf.contains("     1\ta\n") && crlf.contains("CRLF"), "{crlf}");
        let latin = project.good(Read, json!({"path": "latin1.txt"})).await;
        assert!(latin.contains("Not valid UTF-8"), "{latin}");
    }

    #[tokio::test]
    async fn a_huge_file_is_refused_and_a_huge_line_is_cut() {
        let project = Project::new();
        let file = fs::File::create(project.path("huge")).unwrap();
        file.set_len(10 << 30).unwrap();
        let text = project.bad(Read, json!({"path": "huge"})).await;
        assert!(text.contains("too large") && text.contains("10,737,418,240 bytes"), "{text}");
        project.put("line", &vec![b'x'; 1 << 20]);
        assert!(project.good(Read, json!({"path": "line"})).await.len() < 3_000);
    }

    #[tokio::test]
    async fn a_folder_is_listed() {
        let project = Project::with([("src/main.rs", ""), ("README", "")]);
        let text = project.good(Read, json!({"path": "."})).await;
        assert_eq!(text, "`.` is a folder:\nREADME\nsrc/\n");
    }

    #[tokio::test]
    async fn whole_outputs_of_commands_may_be_read_though_they_lie_outside() {
        let project = Project::new();
        let file = project.context().output_folder.join("command-1.txt");
        fs::write(&file, "output\n").unwrap();
        assert_eq!(project.good(Read, json!({"path": file})).await, "     1\toutput\n");
    }
}
