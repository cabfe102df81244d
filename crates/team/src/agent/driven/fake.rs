//! A program that stands for a real one in tests of drivers: a shell script that notes how it was started.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::driver::{Access, Place};
use super::server::TeamServer;
use crate::command::Environment;
use crate::sandbox::{Sandbox, SandboxChoice};

/// The folder with the script, in which it also works.
pub(super) struct Fake(TempDir);

impl Fake {
    /// The variable of the team's server.
    pub const WORD: &str = "WORD=open sesame";

    /// The program of a name that does what a script says.
    pub fn of(name: &str, script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let notes = "env > variables; echo \"$*\" > arguments";
        std::fs::write(&path, format!("#!/bin/sh\n{notes}\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// Where it is installed.
    pub fn folder(&self) -> std::path::PathBuf {
        self.0.path().to_owned()
    }

    /// A place to start it in.
    pub fn place(&self, access: Access) -> Place {
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        let environment =
            Environment::default().with("PATH", path).confined(Sandbox::new(SandboxChoice::None));
        let team = TeamServer {
            command: "agent-team".into(),
            arguments: vec!["relay".into(), "127.0.0.1:1".into()],
            environment: vec![("WORD".into(), "open sesame".into())],
        };
        Place { folder: self.0.path().to_owned(), environment, access, team: Some(team), model: None }
    }

    /// What it wrote into a file.
    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    /// The variables with which it was started last.
    pub fn variables(&self) -> Vec<String> {
        self.file("variables").lines().map(str::to_owned).collect()
    }

    /// Its arguments, as one line.
    pub fn arguments(&self) -> String {
        self.file("arguments").trim_end().to_owned()
    }
}
