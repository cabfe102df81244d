//! A small project in a temporary folder, for the tools' tests.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Tool, ToolContext, ToolOutput, Workspace};
use crate::command::Environment;

pub(super) struct Project {
    folder: TempDir,
    output_folder: TempDir,
}

impl Project {
    pub(super) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), output_folder: TempDir::new().unwrap() }
    }

    pub(super) fn with<const COUNT: usize>(files: [(&str, &str); COUNT]) -> Self {
        let project = Self::new();
        for (path, content) in files {
            project.put(path, content.as_bytes());
        }
        project
    }

    pub(super) fn put(&self, path: &str, content: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(super) fn workspace(&self) -> Workspace {
        Workspace::open(self.folder.path(), self.output_folder.path()).unwrap()
    }

    pub(super) fn context(&self) -> ToolContext {
        ToolContext {
            workspace: self.folder.path().to_owned(),
            output_folder: self.output_folder.path().to_owned(),
            stop: CancellationToken::new(),
            environment: Environment::default().with("PATH", std::env::var_os("PATH").unwrap()),
            command_time_limit: Duration::from_secs(60),
        }
    }

    pub(super) async fn call(&self, tool: impl Tool, input: Value) -> ToolOutput {
        tool.call(input, &self.context()).await
    }

    /// The text of a call that must go well.
    pub(super) async fn good(&self, tool: impl Tool, input: Value) -> String {
        let output = self.call(tool, input).await;
        assert!(!output.is_error, "{}", output.text);
        output.text
    }

    /// The text of a call that must be corrected.
    pub(super) async fn bad(&self, tool: impl Tool, input: Value) -> String {
        let output = self.call(tool, input).await;
        assert!(output.is_error, "{}", output.text);
        output.text
    }
}
