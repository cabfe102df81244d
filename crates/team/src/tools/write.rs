//! `write`: a whole file.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Tool, ToolContext, ToolOutput, answer, spec_of};
use crate::model::ToolSpec;

const DESCRIPTION: &str = "\
Writes a whole file: makes it, with the folders above it, or replaces all that was in it.
The content is written exactly as given, so give all of it, without line numbers and without placeholders.
To change a part of a file that is there, use `edit` instead.
Example: {\"path\": \"src/hello.sh\", \"content\": \"#!/bin/sh\\necho hello\\n\"}";

/// The `write` tool.
#[derive(Debug, Clone, Copy)]
pub struct Write;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file, relative to the workspace, as in `src/main.rs`.
    #[serde(alias = "file_path")]
    path: String,
    /// All that shall be in the file.
    #[serde(alias = "text", alias = "contents")]
    content: String,
}

#[async_trait]
impl Tool for Write {
    fn spec(&self) -> ToolSpec {
        spec_of::<Input>("write", DESCRIPTION)
    }

    async fn call(&self, input: Value, context: &ToolContext) -> ToolOutput {
        answer(self, input, context, |input: Input, workspace, _| {
            let path = workspace.writable(&input.path)?;
            let verb = if path.exists() { "Replaced" } else { "Made" };
            workspace.write(&path, input.content.as_bytes())?;
            let lines = input.content.lines().count();
            Ok(format!(
                "{verb} `{}`: {lines} line(s), {} bytes.",
                workspace.shown(&path),
                input.content.len()
            ))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use serde_json::json;

    use super::*;
    use crate::tools::testing::Project;

    #[tokio::test]
    async fn a_file_is_made_with_its_folders_and_replaced_with_its_mode() {
        let project = Project::new();
        let text = project.good(Write, json!({"path": "a/b/c.sh", "content": "\u{fc}\r\n"})).await;
        assert_eq!(text, "Made `a/b/c.sh`: 1 line(s), 4 bytes.");
        assert_eq!(project.text("a/b/c.sh"), "\u{fc}\r\n");
        fs::set_permissions(project.path("a/b/c.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        let text = project.good(Write, json!({"file_path": "a/b/c.sh", "content": "x"})).await;
        assert!(text.starts_with("Replaced"), "{text}");
        assert_eq!(fs::metadata(project.path("a/b/c.sh")).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[tokio::test]
    async fn nothing_is_written_where_it_must_not() {
        let project = Project::with([("folder/file", "old")]);
        let outside = tempfile::tempdir().unwrap();
        symlink(outside.path(), project.path("link")).unwrap();
        for path in
            ["../escaped", "link/escaped", ".git/hooks/pre-commit", "folder", "folder/file/under", "."]
        {
            project.bad(Write, json!({"path": path, "content": "new"})).await;
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(!project.path(".git").exists());
        assert_eq!(project.text("folder/file"), "old");
    }

    #[tokio::test]
    async fn a_call_without_content_is_corrected() {
        let text = Project::new().bad(Write, json!({"path": "a"})).await;
        assert!(text.contains("missing field `content`"), "{text}");
    }
}
