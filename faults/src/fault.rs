//! A fault at one system call of a program, as the library in `shim/` is told of it (its `plan.rs` has the words).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::setup::Setup;

/// At which call what happens.
#[derive(Debug, Clone)]
pub struct Fault {
    pairs: Vec<(&'static str, String)>,
    report: Option<PathBuf>,
}

impl Fault {
    /// At the first `call`, `action` happens.
    #[must_use]
    pub fn at(call: &str, action: &str) -> Self {
        Self { pairs: vec![("call", call.to_owned()), ("do", action.to_owned())], report: None }
    }

    /// The program believes that its files are on the file system of this number.
    #[must_use]
    pub fn file_system(magic: u32) -> Self {
        Self { pairs: vec![("fstatfs", magic.to_string())], report: None }
    }

    fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.pairs.push((key, value.into()));
        self
    }

    /// Only on files whose path contains this.
    #[must_use]
    pub fn on(self, path: &str) -> Self {
        self.with("path", path)
    }

    /// Only on files whose path ends with this.
    #[must_use]
    pub fn on_end(self, end: &str) -> Self {
        self.with("end", end)
    }

    /// Only with bytes, or arguments, that contain this.
    #[must_use]
    pub fn holding(self, part: &str) -> Self {
        self.with("holds", part)
    }

    /// The one with this number, from 1.
    #[must_use]
    pub fn nth(self, number: u64) -> Self {
        self.with("nth", number.to_string())
    }

    /// All from there on.
    #[must_use]
    pub fn always(self) -> Self {
        self.with("always", "1")
    }

    /// Notes in a file that it happened. The file must not be there yet.
    #[must_use]
    pub fn reported_to(mut self, file: &Path) -> Self {
        let _ = std::fs::remove_file(file);
        self.report = Some(file.to_owned());
        self
    }

    /// Whether it has happened.
    #[must_use]
    pub fn has_happened(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.exists())
    }

    /// Lets the fault happen in a program that is about to be started.
    pub fn put_into(&self, command: &mut Command, setup: &Setup, program: &Path) {
        let mut plan = format!("exe={}", program.display());
        for (key, value) in &self.pairs {
            plan.push_str(&format!(";{key}={value}"));
        }
        if let Some(report) = &self.report {
            plan.push_str(&format!(";report={}", report.display()));
        }
        command.env("LD_PRELOAD", &setup.shim).env("AGENT_TEAM_FAULT", plan);
    }
}
