//! `list`: the files whose paths fit a glob.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::walk::Walk;
use super::{Tool, ToolContext, ToolOutput, answer, spec_of};
use crate::command::grouped;
use crate::model::ToolSpec;

/// How many paths one call shows.
const PATHS: usize = 300;

const DESCRIPTION: &str = "\
Finds files by their path. Gives the paths that fit a glob pattern, sorted, without files that git ignores.
`*` fits any part of a name, `**` any number of folders, `{a,b}` either of two. A pattern without `/` fits in every \
folder. Without a pattern, all files are listed.
To look into files, use `search` instead.
Example: {\"pattern\": \"*.rs\"} or {\"pattern\": \"src/**/*_test.py\"} or {\"path\": \"docs\"}";

/// The `list` tool.
#[derive(Debug, Clone, Copy)]
pub struct List;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Which paths to list, as a glob, as in `*.rs` or `src/**/*.py`. All files if left out.
    #[serde(alias = "glob")]
    pattern: Option<String>,
    /// The folder to look in. The whole workspace if left out.
    path: Option<String>,
}

#[async_trait]
impl Tool for List {
    fn spec(&self) -> ToolSpec {
        spec_of::<Input>("list", DESCRIPTION)
    }

    async fn call(&self, input: Value, context: &ToolContext) -> ToolOutput {
        answer(self, input, context, |input: Input, workspace, stop| {
            let walk = Walk::new(workspace, input.path.as_deref(), input.pattern.as_deref())?;
            let mut text = String::new();
            let mut count: usize = 0;
            for path in walk.files().take_while(|_| !stop.is_cancelled()) {
                count += 1;
                if count <= PATHS {
                    text.push_str(&workspace.shown(&path));
                    text.push('\n');
                }
            }
            text.push_str(&summary(count));
            Ok(text)
        })
        .await
    }
}

fn summary(count: usize) -> String {
    match count {
        0 => "No file fits. Files that git ignores are not listed.".to_owned(),
        1 => "1 file.".to_owned(),
        _ if count <= PATHS => format!("{count} files."),
        _ => format!("The first {PATHS} of {} files. Narrow the pattern or the path.", grouped(count as u64)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::testing::Project;

    fn project() -> Project {
        Project::with([
            ("src/main.rs", ""),
            ("src/deep/lib.rs", ""),
            ("README.md", ""),
            (".github/ci.yml", ""),
            (".gitignore", "/target\n*.tmp\n"),
            ("target/debug/out.rs", ""),
            ("src/scratch.tmp", ""),
            (".git/config.rs", ""),
            (".agent-team/x.rs", ""),
        ])
    }

    #[tokio::test]
    async fn globs_fit_as_they_do_for_git() {
        let project = project();
        for (pattern, expected) in [
            ("*.rs", "src/deep/lib.rs\nsrc/main.rs\n2 files."),
            ("src/*.rs", "src/main.rs\n1 file."),
            ("./src/**/*.rs", "src/deep/lib.rs\nsrc/main.rs\n2 files."),
            ("*.{md,yml}", ".github/ci.yml\nREADME.md\n2 files."),
            ("src/deep/", "src/deep/lib.rs\n1 file."),
            ("*.tmp", "No file fits. Files that git ignores are not listed."),
        ] {
            assert_eq!(project.good(List, json!({"pattern": pattern})).await, expected, "{pattern}");
        }
    }

    #[tokio::test]
    async fn a_folder_is_listed_by_the_ignore_rules_of_the_whole_workspace() {
        let project = project();
        let text = project.good(List, json!({"path": "src"})).await;
        assert_eq!(text, "src/deep/lib.rs\nsrc/main.rs\n2 files.");
        let text = project.good(List, json!({"path": "src", "pattern": "deep/*.rs"})).await;
        assert_eq!(text, "src/deep/lib.rs\n1 file.");
    }

    #[tokio::test]
    async fn ignore_files_above_the_workspace_do_not_count() {
        let project = Project::with([(".gitignore", "*\n"), ("work/.git/HEAD", ""), ("work/main.rs", "")]);
        let context = ToolContext { workspace: project.path("work"), ..project.context() };
        assert_eq!(List.call(json!({}), &context).await.text, "main.rs\n1 file.");
    }

    #[tokio::test]
    async fn many_files_are_counted_and_not_all_shown() {
        let project = Project::new();
        (0..PATHS + 5).for_each(|number| project.put(&format!("f{number}"), b""));
        let text = project.good(List, json!({})).await;
        assert!(text.ends_with("The first 300 of 305 files. Narrow the pattern or the path."));
    }

    #[tokio::test]
    async fn a_broken_glob_is_corrected() {
        let text = project().bad(List, json!({"pattern": "src/[a"})).await;
        assert!(text.contains("is no glob"), "{text}");
    }
}
