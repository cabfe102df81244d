//! The demo's project and the words of its scripted team: what a user sees without a key and without a network.
//!
//! The project is a small real repository of text tools that are still to be written. Each has a check that compares it
//! with the system's own tool, the oracle; the gate does so for every tool that is there. The script plays a lead, four
//! workers and a reviewer who build it: one first attempt fails its check, and two edits conflict. Only words are
//! scripted here. Nothing in this module runs a team.

mod seen;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use seen::Seen;

use crate::model::{Script, ScriptError};

/// What every model of the demo's team says, in the form of `docs/script.md`.
pub const SCRIPT: &str = include_str!("demo.json");

/// Who makes the demo's first commit, and when: the commit is the same on every machine.
const IDENTITY: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "agent-team demo"),
    ("GIT_AUTHOR_EMAIL", "demo@agent-team.invalid"),
    ("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"),
    ("GIT_COMMITTER_NAME", "agent-team demo"),
    ("GIT_COMMITTER_EMAIL", "demo@agent-team.invalid"),
    ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z"),
];

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("repository/", $path)))),*]
    };
}

/// The files of the first commit, by path. Those that begin with `#!` are executable.
const FILES: [(&str, &str); 12] = files![
    "README.md",
    "team.toml",
    "tests/check",
    "tests/complete",
    "tests/data/empty",
    "tests/data/line",
    "tests/data/numbers",
    "tests/data/prose",
    "tests/data/repeats",
    "tests/data/tabs",
    "tests/gate",
    "tests/wanted",
];

/// The demo's repository cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The folder holds something already.
    #[error("{} is not empty: name a folder that is, or one that is not there yet", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A file or folder cannot be made.
    #[error("cannot make {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Git cannot be started.
    #[error("cannot start git: {0} (is it installed?)")]
    NoGit(std::io::Error),
    /// Git refused.
    #[error("git {command} failed: {reason}")]
    Git {
        /// The subcommand.
        command: &'static str,
        /// What git said.
        reason: String,
    },
}

/// The model of the whole team.
///
/// # Errors
///
/// [`ScriptError`] if [`SCRIPT`] is not right, which a test excludes.
pub fn script() -> Result<Script, ScriptError> {
    Script::parse("demo.json", SCRIPT)
}

/// Makes the demo's repository in `folder`, which must be empty or not there yet: on branch `main`, with one commit that
/// is the same everywhere. `variables` are this process's environment; git gets `PATH` alone, and no configuration.
///
/// ```no_run
/// agent_team::demo::create_repository(std::path::Path::new("text-tools"), std::env::vars_os())?;
/// # Ok::<(), agent_team::demo::DemoError>(())
/// ```
///
/// # Errors
///
/// [`DemoError`], which names the folder, the file, or git's reason.
pub fn create_repository(
    folder: &Path,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), DemoError> {
    make_folder(folder)?;
    let is_empty = fs::read_dir(folder).map(|mut files| files.next().is_none());
    if !is_empty.map_err(|source| DemoError::File { path: folder.to_path_buf(), source })? {
        return Err(DemoError::NotEmpty { folder: folder.to_path_buf() });
    }
    for (path, content) in FILES {
        write(&folder.join(path), content)?;
    }
    let path = variables.into_iter().find(|(name, _)| name == "PATH").map(|(_, path)| path);
    let path = path.unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let git = |command, arguments: &[&str]| git(folder, &path, command, arguments);
    git("init", &["--quiet", "--initial-branch=main", "--template="])?;
    git("add", &["--all"])?;
    git("commit", &["--quiet", "--message=Text tools to be written, and what judges them"])
}

fn make_folder(folder: &Path) -> Result<(), DemoError> {
    fs::create_dir_all(folder).map_err(|source| DemoError::File { path: folder.to_path_buf(), source })
}

fn write(path: &Path, content: &str) -> Result<(), DemoError> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(|source| DemoError::File { path: path.to_path_buf(), source })
}

/// Runs git so that the user's configuration and hooks make no difference.
fn git(folder: &Path, path: &OsString, command: &'static str, arguments: &[&str]) -> Result<(), DemoError> {
    let output = Command::new("git")
        .arg(command)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(IDENTITY)
        .env("PATH", path)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .map_err(DemoError::NoGit)?;
    if output.status.success() {
        return Ok(());
    }
    Err(DemoError::Git { command, reason: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

#[cfg(test)]
mod tests;
