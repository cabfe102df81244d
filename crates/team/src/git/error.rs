//! What can break when git is run: one error type for this module, with what happened and what to do. A
//! lawful no (a conflict, a moved fence, a dirty checkout) is not here: those are values of their operations.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A git command or a file operation beside it that broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// The program could not be started at all.
    #[error("cannot start git: {source}; install git {MINIMUM} or newer and see that it is in PATH", MINIMUM = super::command::MINIMUM_VERSION)]
    Start {
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The program is older than what this module is written for.
    #[error("git {found} is too old: {MINIMUM} or newer is needed", MINIMUM = super::command::MINIMUM_VERSION)]
    TooOld {
        /// The version that `git --version` printed.
        found: String,
    },
    /// The command ended with an exit code that it should not have.
    #[error("`{command}` ended with {exit}: {reason}{hint}")]
    Failed {
        /// The command line, for the reader; arguments are not quoted.
        command: String,
        /// The exit code, or the signal that ended it.
        exit: String,
        /// The first telling line of standard error.
        reason: String,
        /// What to do, starting with `; `, or nothing when there is no better advice than the reason.
        hint: &'static str,
    },
    /// The command was stopped because it took too long.
    #[error("`{command}` was stopped after {} s; is the file system slow, or does something hold a lock?", limit.as_secs())]
    TimedOut {
        /// The command line, for the reader.
        command: String,
        /// How long it was given.
        limit: Duration,
    },
    /// Git printed what this module does not understand.
    #[error("`{command}` printed something unexpected: {found:?}")]
    Unexpected {
        /// The command line, for the reader.
        command: String,
        /// The part that was not understood.
        found: String,
    },
    /// A repository that git is not let near.
    #[error("{} is not read: {reason}", path.display())]
    Unreadable {
        /// The repository.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file beside git's own could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// The verb: read, write, rename, remove.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// An id that would not be safe in a ref or a path.
    #[error("{what} {found:?} cannot be used in git: {rule}")]
    Name {
        /// What the name is for: agent, task, attempt, branch, object.
        what: &'static str,
        /// The name that was refused.
        found: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
}

impl GitError {
    /// Whether git itself ran and said no, as against a time-out or a machine that is out of something.
    pub(super) fn is_refusal_of_git(&self) -> bool {
        matches!(self, GitError::Failed { .. })
    }
}

/// Names the file operation in an `io::Error`, for `map_err`.
pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> GitError + use<> {
    let path = path.to_path_buf();
    move |source| GitError::File { action, path, source }
}

/// Adds text to the end of a file, which is made if it is not there.
pub(super) fn append(path: &Path, text: &str) -> Result<(), GitError> {
    use std::io::Write;
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
    opened.and_then(|mut opened| opened.write_all(text.as_bytes())).map_err(file("write", path))
}

/// Advice for the failures that users meet most; empty when the reason already says all.
pub(super) fn hint_for(standard_error: &str) -> &'static str {
    const HINTS: &[(&str, &str)] = &[
        (
            "index.lock",
            "; another git works in this folder, or one was killed: if none runs, remove the lock file that is named",
        ),
        (
            ".lock': File exists",
            "; another git holds this ref, or one was killed: `agent-team doctor` tells whether the lock is stale",
        ),
        (
            "dubious ownership",
            "; the folder belongs to another user: `git config --global --add safe.directory FOLDER` if you trust it",
        ),
        ("No space left on device", "; the disk is full"),
        ("Permission denied", "; the current user may not do this here"),
        ("bad object", "; an object is missing: `git fsck` in the project says which"),
        ("unable to read tree", "; an object is missing: `git fsck` in the project says which"),
    ];
    HINTS.iter().find(|(symptom, _)| standard_error.contains(symptom)).map_or("", |(_, hint)| hint)
}
