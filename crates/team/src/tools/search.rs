//! `search`: the lines that fit a regular expression.

use std::path::Path;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::read::is_binary;
use super::walk::Walk;
use super::{Correction, Tool, ToolContext, ToolOutput, Workspace, answer, spec_of};
use crate::command::{grouped, shorten};
use crate::model::ToolSpec;

/// How many matching lines one call shows.
const LINES: usize = 200;
/// How much of one line is shown.
const LINE_BYTES: usize = 300;
/// How long one call looks.
const TIME_LIMIT: Duration = Duration::from_secs(30);

const DESCRIPTION: &str = "\
Searches the text of files for a regular expression (Rust and RE2 syntax, line by line). Shows each matching line as \
`path:number: text`. Files that git ignores and binary files are left out.
Write `\\\\(` for a literal `(` and likewise for `[ ] { } . * + ? ^ $ | \\\\`.
To find files by name, use `list` instead.
Example: {\"pattern\": \"fn main\"} or {\"pattern\": \"TODO|FIXME\", \"path\": \"src\", \"glob\": \"*.rs\"}";

/// The `search` tool.
#[derive(Debug, Clone, Copy)]
pub struct Search;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The regular expression.
    #[serde(alias = "query")]
    pattern: String,
    /// The file or folder to search. The whole workspace if left out.
    path: Option<String>,
    /// Only files whose path fits this glob, as in `*.rs` or `src/**/*.py`.
    glob: Option<String>,
    /// Whether upper and lower case are the same. They are not if left out.
    ignore_case: Option<bool>,
}

#[async_trait]
impl Tool for Search {
    fn spec(&self) -> ToolSpec {
        spec_of::<Input>("search", DESCRIPTION)
    }

    async fn call(&self, input: Value, context: &ToolContext) -> ToolOutput {
        answer(self, input, context, |input: Input, workspace, stop| {
            let regex = parse_regex(&input.pattern, input.ignore_case.unwrap_or(false))?;
            let walk = Walk::new(workspace, input.path.as_deref(), input.glob.as_deref())?;
            let mut found = Found::default();
            found.look(walk, &regex, workspace, stop);
            Ok(found.report())
        })
        .await
    }
}

/// What a search has found so far.
#[derive(Default)]
struct Found {
    text: String,
    lines: usize,
    files: usize,
    searched_files: usize,
    /// Whether time ran out before all was searched.
    is_cut_short: bool,
}

impl Found {
    fn look(&mut self, walk: Walk, regex: &Regex, workspace: &Workspace, stop: &CancellationToken) {
        let deadline = Instant::now() + TIME_LIMIT;
        for path in walk.files() {
            if stop.is_cancelled() || Instant::now() > deadline {
                self.is_cut_short = true;
                return;
            }
            self.look_into(&path, regex, workspace);
        }
    }

    fn look_into(&mut self, path: &Path, regex: &Regex, workspace: &Workspace) {
        // A file that vanished or may not be read holds no match.
        let Ok(bytes) = workspace.bytes(path) else { return };
        if is_binary(&bytes) {
            return;
        }
        self.searched_files += 1;
        let content = String::from_utf8_lossy(&bytes);
        let before = self.lines;
        for (index, line) in content.lines().enumerate().filter(|(_, line)| regex.is_match(line)) {
            self.lines += 1;
            if self.lines <= LINES {
                let line = shorten(line.trim_end().to_owned(), 0, LINE_BYTES);
                self.text.push_str(&format!("{}:{}: {line}\n", workspace.shown(path), index + 1));
            }
        }
        self.files += usize::from(self.lines > before);
    }

    fn report(self) -> String {
        let (lines, files) = (grouped(self.lines as u64), grouped(self.files as u64));
        let count = match (self.lines, self.files) {
            (0, _) => format!("No line fits in {} searched files.", grouped(self.searched_files as u64)),
            (1, _) => "1 line.".to_owned(),
            (_, 1) => format!("{lines} lines in 1 file."),
            _ => format!("{lines} lines in {files} files."),
        };
        let shown = if self.lines > LINES {
            format!(" Only the first {LINES} are shown: narrow the pattern, the path or the glob.")
        } else {
            String::new()
        };
        let time = if self.is_cut_short { " Not all files were searched: name a smaller path." } else { "" };
        format!("{}{count}{shown}{time}", self.text)
    }
}

fn parse_regex(pattern: &str, ignore_case: bool) -> Result<Regex, Correction> {
    RegexBuilder::new(pattern).case_insensitive(ignore_case).build().map_err(|error| {
        Correction(format!(
            "The pattern is no regular expression: {error}\nTo search for this very text, use the pattern: {}",
            regex::escape(pattern)
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::testing::Project;

    #[tokio::test]
    async fn matching_lines_are_shown_with_their_places() {
        let project =
            Project::with([("a.rs", "fn main() {}\r\n// gr\u{fc}n\r\n"), ("sub/b.py", "def main(): pass\n")]);
        let text = project.good(Search, json!({"pattern": "\\bmain\\("})).await;
        assert_eq!(text, "a.rs:1: fn main() {}\nsub/b.py:1: def main(): pass\n2 lines in 2 files.");
        let text = project.good(Search, json!({"pattern": "main", "glob": "*.py"})).await;
        assert_eq!(text, "sub/b.py:1: def main(): pass\n1 line.");
        let text = project.good(Search, json!({"pattern": "GR\u{dc}N", "ignore_case": true})).await;
        assert_eq!(text, "a.rs:2: // gr\u{fc}n\n1 line.");
        let text = project.good(Search, json!({"pattern": "\\}$", "path": "a.rs"})).await;
        assert_eq!(text, "a.rs:1: fn main() {}\n1 line.");
    }

    #[tokio::test]
    async fn ignored_binary_and_private_files_are_not_searched_unless_one_is_named() {
        let project = Project::with([
            (".gitignore", "build/\n"),
            ("build/out.txt", "needle\n"),
            (".git/needle", "needle\n"),
            (".agent-team/needle", "needle\n"),
        ]);
        project.put("image", b"needle\0\n");
        let text = project.good(Search, json!({"pattern": "needle"})).await;
        assert_eq!(text, "No line fits in 1 searched files.");
        let text = project.good(Search, json!({"pattern": "needle", "path": "build/out.txt"})).await;
        assert_eq!(text, "build/out.txt:1: needle\n1 line.");
    }

    #[tokio::test]
    async fn many_matches_are_counted_and_not_all_shown() {
        let project = Project::with([("many.txt", &"match\n".repeat(5_000))]);
        let text = project.good(Search, json!({"pattern": "match"})).await;
        assert_eq!(text.lines().count(), LINES + 1);
        assert!(text.contains("5,000 lines in 1 file. Only the first 200 are shown"), "{text}");
    }

    #[tokio::test]
    async fn a_broken_pattern_is_corrected_with_the_escaped_one() {
        let text = Project::new().bad(Search, json!({"pattern": "main("})).await;
        assert!(text.contains("unclosed group") && text.ends_with("use the pattern: main\\("), "{text}");
    }

    #[tokio::test]
    async fn a_stopped_search_says_that_it_is_not_complete() {
        let project = Project::with([("a", "x\n")]);
        let context = project.context();
        context.stop.cancel();
        let text = Search.call(json!({"pattern": "x"}), &context).await.text;
        assert!(text.contains("Not all files were searched"), "{text}");
    }
}
