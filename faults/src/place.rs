//! A folder with a team in it, and the command run there.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::child::{Child, Ran};
use crate::cleanup;
use crate::fault::Fault;
use crate::setup::Setup;

/// The folder in the home where commands and whoever follows steps tell each other how to go on.
const MEET: &str = "meet";

/// A temporary folder, removed when this goes.
#[derive(Debug)]
pub struct Place<'a> {
    setup: &'a Setup,
    folder: Option<tempfile::TempDir>,
    path: PathBuf,
}

impl<'a> Place<'a> {
    /// A new folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(setup: &'a Setup) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("agent-team-faults-").tempdir()?;
        let path = folder.path().canonicalize()?;
        cleanup::folder_made(&path);
        for name in ["team", MEET] {
            std::fs::create_dir(path.join(name))?;
        }
        Ok(Self { setup, folder: Some(folder), path })
    }

    /// A new folder with a team in it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn with_team(setup: &'a Setup) -> Result<Self> {
        let place = Self::new(setup)?;
        place.run(["init"])?.done()?;
        Ok(place)
    }

    /// The folder that the team works for.
    #[must_use]
    pub fn team(&self) -> PathBuf {
        self.path.join("team")
    }

    /// The folder in which commands and whoever watches them meet, `$MEET`.
    #[must_use]
    pub fn meet(&self) -> PathBuf {
        self.path.join(MEET)
    }

    /// A place beside the team's folder.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file of the team.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.team().join(".agent-team").join(name)
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.file("log.jsonl")
    }

    /// A program in the team's folder, with nothing of our environment but the path.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.team()).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()));
        command.env("HOME", &self.path).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        command.env("MEET", self.meet());
        command.env("TMPDIR", &self.path).env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// The command under test.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.program(&self.setup.agent_team);
        command.args(arguments);
        command
    }

    /// The worker over the public library.
    #[must_use]
    pub fn worker(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(&self.setup.own);
        command.arg("as-worker").args(arguments).stdin(Stdio::piped());
        command
    }

    /// Runs the command to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Ran> {
        Child::start(&mut self.command(arguments))?.finish()
    }

    /// Runs the command under a fault, with a text as its standard input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_under<S: AsRef<OsStr>>(
        &self,
        fault: Option<&Fault>,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Result<Ran> {
        let mut command = self.command(arguments);
        if let Some(fault) = fault {
            fault.put_into(&mut command, self.setup, &self.setup.agent_team);
        }
        let mut file = tempfile::tempfile_in(&self.path)?;
        file.write_all(input.as_bytes())?;
        std::io::Seek::rewind(&mut file)?;
        command.stdin(file);
        Child::start(&mut command)?.finish()
    }

    /// Runs the command with `--json`, which must succeed.
    ///
    /// # Errors
    /// When it does not.
    pub fn json<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Value> {
        let mut command = self.command(arguments);
        command.arg("--json");
        Child::start(&mut command)?.finish()?.done()?.json()
    }

    /// Runs git as the user would.
    ///
    /// # Errors
    /// When it fails.
    pub fn git(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.program("git");
        command.args(arguments);
        let ran =
            Child::start(&mut command)?.finish()?.done().with_context(|| format!("git {arguments:?}"))?;
        Ok(ran.stdout.trim_end().to_owned())
    }

    /// What a fault is to report to.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.beside("hit")
    }

    /// Copies all of a folder.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn copy(from: &Path, to: &Path) -> Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let place = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                Self::copy(&entry.path(), &place)?;
            } else {
                std::fs::copy(entry.path(), place)?;
            }
        }
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::env::var_os("AGENT_TEAM_FAULTS_KEEP").is_some()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("  kept {}", folder.keep().display());
        }
        drop(self.folder.take());
        cleanup::folder_removed(&self.path);
    }
}
