//! The user's checkouts: which one has a branch, whether it is clean, and moving it along with its branch.
//! What the user did not commit is never touched: every move is one that git itself refuses when a file would
//! be lost.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::capture::changed_files;
use super::command::GitCommand;
use super::error::{GitError, file};
use super::name::check_object;
use super::project::{Project, branch_ref};

/// Files and folders in a git dir that tell of an operation which the user has not finished.
const OPERATIONS: &[(&str, &str)] = &[
    ("MERGE_HEAD", "a merge is in progress"),
    ("CHERRY_PICK_HEAD", "a cherry-pick is in progress"),
    ("REVERT_HEAD", "a revert is in progress"),
    ("rebase-merge", "a rebase is in progress"),
    ("rebase-apply", "a rebase is in progress"),
    ("BISECT_START", "a bisection is in progress"),
];

/// Files in a git dir that name the branch which a rebase or bisection will come back to.
const LEFT_BRANCH: &[&str] = &["rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START"];

/// A work tree of the user's in which a branch is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Its top folder.
    pub path: PathBuf,
    /// Whether it may be moved.
    pub state: CheckoutState,
}

/// Whether the user has changes in a checkout that are not committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckoutState {
    /// No tracked file differs from HEAD, and no operation is in progress. There may be untracked files.
    Clean,
    /// It is the user's alone for now.
    Dirty {
        /// What was found.
        reason: String,
    },
}

/// What happened to a checkout whose branch moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckoutMove {
    /// Index and files are at the new commit.
    Moved,
    /// It was left as it is.
    Left {
        /// Why.
        reason: String,
    },
}

impl Project {
    /// The checkout that has a branch, or will have it again when a rebase or a bisection ends; none when the
    /// branch can be moved without anybody's files.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn checkout_of(&self, branch: &str) -> Result<Option<Checkout>, GitError> {
        let reference = branch_ref(branch)?;
        let mut found = None;
        for (path, head) in self.checkouts()? {
            let has_branch = match &head {
                Some(head) => *head == reference,
                None => self.will_return_to(&path, branch)?,
            };
            if !has_branch {
                continue;
            }
            if found.is_some() {
                let reason = "the branch is checked out more than once".to_owned();
                return Ok(Some(Checkout { path, state: CheckoutState::Dirty { reason } }));
            }
            let state = self.checkout_state(&path)?;
            found = Some(Checkout { path, state });
        }
        Ok(found)
    }

    /// Whether a checkout is clean. Untracked files do not count: git protects them when it moves.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn checkout_state(&self, path: &Path) -> Result<CheckoutState, GitError> {
        let git_dir = self.git_dir_of(path)?;
        let dirty = |reason: &str| Ok(CheckoutState::Dirty { reason: reason.to_owned() });
        if let Some((_, reason)) = OPERATIONS.iter().find(|(name, _)| git_dir.join(name).exists()) {
            return dirty(reason);
        }
        let question =
            ["status", "--porcelain=v2", "-z", "--untracked-files=no", "--ignore-submodules=dirty"];
        match self.git_at(path).args(question).succeed()?.fields().len() {
            0 => Ok(CheckoutState::Clean),
            1 => dirty("a file has changes that are not committed"),
            _ => dirty("files have changes that are not committed"),
        }
    }

    /// What a user sees of his own changes in his folder, a line for each: the state as git-status writes it, and the
    /// path. Files that are not tracked count, ignored ones do not.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn changes(&self) -> Result<BTreeSet<String>, GitError> {
        let question = ["status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=dirty"];
        Ok(self.git().args(question).succeed()?.fields().into_iter().collect())
    }

    /// Finishes moving a checkout whose branch is at `new`, from `old`: after a crash in between, any number
    /// of times. Does nothing unless the index is still at `old` and the branch at `new`.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn sync_checkout(&self, path: &Path, old: &str, new: &str) -> Result<CheckoutMove, GitError> {
        let (old, new) = (check_object(old)?, check_object(new)?);
        let left = |reason: &str| Ok(CheckoutMove::Left { reason: reason.to_owned() });
        let head = self.git_at(path).args(["rev-parse", "--verify", "HEAD"]).succeed()?.text();
        if head != new {
            return left("HEAD is somewhere else by now");
        }
        if self.index_is_at(path, new)? {
            return Ok(CheckoutMove::Moved);
        }
        if !self.index_is_at(path, old)? {
            return left("something is staged; `git status` shows it");
        }
        if self.move_files(path, old, new, Rehearsal::No)?.is_ok() {
            return Ok(CheckoutMove::Moved);
        }
        self.take_over_written_files(path, old, new)?;
        match self.move_files(path, old, new, Rehearsal::No)? {
            Ok(()) => Ok(CheckoutMove::Moved),
            Err(reason) => Ok(CheckoutMove::Left { reason }),
        }
    }

    /// Whether a checkout could be moved; else why not, in git's words.
    pub(super) fn rehearse_move(
        &self,
        path: &Path,
        old: &str,
        new: &str,
    ) -> Result<Result<(), String>, GitError> {
        // Files that were touched without being changed would count as changed.
        self.git_at(path).args(["update-index", "-q", "--refresh"]).answer(&[0, 1])?;
        self.move_files(path, old, new, Rehearsal::Yes)
    }

    /// The two-way merge of git-read-tree, which is what `merge --ff-only` does with files: it refuses to
    /// lose one.
    fn move_files(
        &self,
        path: &Path,
        old: &str,
        new: &str,
        rehearsal: Rehearsal,
    ) -> Result<Result<(), String>, GitError> {
        let command = self.git_at(path).args(["read-tree", "-m", "-u"]);
        let command = if rehearsal == Rehearsal::Yes { command.arg("-n") } else { command };
        let output = command.args([old, new]).run()?;
        match output.code() {
            Some(0) => Ok(Ok(())),
            Some(_) if !output.complaint().contains(".lock") => {
                Ok(Err(output.complaint().lines().next().unwrap_or_default().to_owned()))
            }
            _ => Err(output.failure()),
        }
    }

    /// A move that was cut short has written some files and not yet the index. Those that are as in `new` are
    /// staged, so that the move, begun again, does not take them for the user's work. All others are left as
    /// they are.
    fn take_over_written_files(&self, path: &Path, old: &str, new: &str) -> Result<(), GitError> {
        let index = self.git_dir_of(path)?.join(format!("agent-team-index-{}", std::process::id()));
        let at_new = || self.git_at(path).environment("GIT_INDEX_FILE", &index);
        at_new().args(["read-tree", new]).succeed()?;
        at_new().args(["update-index", "-q", "--refresh"]).answer(&[0, 1])?;
        let question = ["diff-files", "-z", "--name-only", "--ignore-submodules=all"];
        let differing: BTreeSet<_> = at_new().args(question).succeed()?.fields().into_iter().collect();
        let expected: BTreeSet<_> =
            at_new().args(["ls-files", "-z"]).succeed()?.fields().into_iter().collect();
        std::fs::remove_file(&index).map_err(file("remove", &index))?;
        let is_as_in_new = |name: &String| match expected.contains(name) {
            true => !differing.contains(name),
            false => path.join(name).symlink_metadata().is_err(),
        };
        let mut input = Vec::new();
        for name in changed_files(self.git_at(path), old, new)?.iter().filter(|name| is_as_in_new(name)) {
            input.extend_from_slice(name.as_bytes());
            input.push(0);
        }
        let stage = ["update-index", "--add", "--remove", "-z", "--stdin"];
        self.git_at(path).args(stage).input(input).succeed().map(drop)
    }

    fn index_is_at(&self, path: &Path, commit: &str) -> Result<bool, GitError> {
        let question = ["diff-index", "--cached", "--quiet", "--ignore-submodules=none", commit];
        Ok(self.git_at(path).args(question).answer(&[0, 1])?.code() == Some(0))
    }

    /// Every work tree that is there, with the ref that its HEAD names; none when HEAD is detached.
    fn checkouts(&self) -> Result<Vec<(PathBuf, Option<String>)>, GitError> {
        let fields = self.git().args(["worktree", "list", "--porcelain", "-z"]).succeed()?.fields();
        let mut checkouts: Vec<(PathBuf, Option<String>)> = Vec::new();
        for field in fields {
            if let Some(path) = field.strip_prefix("worktree ") {
                checkouts.push((PathBuf::from(path), None));
            } else if let (Some(branch), Some((_, head))) =
                (field.strip_prefix("branch "), checkouts.last_mut())
            {
                *head = Some(branch.to_owned());
            }
        }
        checkouts.retain(|(path, _)| path.join(".git").exists());
        Ok(checkouts)
    }

    fn will_return_to(&self, path: &Path, branch: &str) -> Result<bool, GitError> {
        let git_dir = self.git_dir_of(path)?;
        let named = LEFT_BRANCH.iter().filter_map(|name| std::fs::read_to_string(git_dir.join(name)).ok());
        Ok(named.into_iter().any(|name| name.trim().trim_start_matches("refs/heads/") == branch))
    }

    fn git_dir_of(&self, path: &Path) -> Result<PathBuf, GitError> {
        Ok(PathBuf::from(self.git_at(path).args(["rev-parse", "--absolute-git-dir"]).succeed()?.text()))
    }

    fn git_at(&self, path: &Path) -> GitCommand {
        self.program().in_repository_of_user(path)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rehearsal {
    Yes,
    No,
}
