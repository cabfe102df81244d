//! Tries a capture on what would be merged: in a folder of ours, on the target's newest commit.
//!
//! The commands that judge a candidate run code that agents wrote, so this folder too is looked at only
//! through a git dir outside of it. What is judged is what is committed: the folder is brought to the commit
//! before each judgement. No branch is moved here.

use std::ffi::OsString;
use std::path::Path;

use super::capture::changed_files;
use super::error::GitError;
use super::name::{check_id, check_object};
use super::project::Project;
use super::replay::{Conflict, merge_change};
use super::separate::{Ignored, InnerRepository, SeparateRepository, remove};

/// Where candidates are kept in the project until they are landed or given up.
const CANDIDATES: &str = "refs/agent-team/candidates";

/// The branch that the folder's own `.git` shows.
const BRANCH: &str = "candidate";

/// A folder in which candidates are tried, one after the other.
#[derive(Debug, Clone)]
pub struct MergeWorktree {
    project: Project,
    repository: SeparateRepository,
}

/// A capture on the newest commit of its target: exactly what would be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The commit to land; its only parent is `target_tip`. The same capture on the same tip gives the same
    /// commit.
    pub commit: String,
    /// The commit's tree, which is what check and gate see.
    pub tree: String,
    /// The target's tip that it stands on.
    pub target_tip: String,
    /// Paths that differ from the tip, both sides of a rename.
    pub changed_files: Vec<String>,
}

/// What came of putting a capture onto the target's tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebased {
    /// It fits; the folder holds it, pristine.
    Candidate(Candidate),
    /// It does not fit: back to its author.
    Conflict(Conflict),
    /// The target holds the change already, or there is none.
    AlreadyThere,
}

impl MergeWorktree {
    /// Opens `.agent-team/merge/<number>/`, or makes it.
    ///
    /// # Errors
    /// [`GitError`] when git or the file system breaks.
    pub fn open(project: &Project, number: u32) -> Result<Self, GitError> {
        let folder = project.state_folder().join("merge");
        let git_dir = folder.join(format!("{number}.git"));
        let repository =
            SeparateRepository::open_or_create(project, &git_dir, &folder.join(number.to_string()))?;
        Ok(Self { project: project.clone(), repository })
    }

    /// The folder in which check and gate are run.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.repository.work_tree()
    }

    /// Variables for every command that judges here; see
    /// [`Workspace::environment`](super::Workspace::environment).
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        self.repository.environment()
    }

    /// Puts a capture onto `target_tip` and brings the folder to the result, which the project holds as
    /// `refs/agent-team/candidates/<token>` until [`Project::drop_candidate`].
    ///
    /// # Errors
    /// [`GitError`] when git breaks or the project does not have one of the commits.
    pub fn rebase(&self, token: &str, target_tip: &str, capture: &str) -> Result<Rebased, GitError> {
        self.mended(|| self.rebase_once(token, target_tip, capture))
    }

    /// Does something, and once more with a new git dir of ours if it fails: commands that judge could have damaged it,
    /// and nothing in it is needed.
    fn mended<T>(&self, work: impl Fn() -> Result<T, GitError>) -> Result<T, GitError> {
        work().or_else(|_| {
            let (git_dir, work_tree) = (self.repository.git_dir(), self.repository.work_tree());
            remove(git_dir)?;
            SeparateRepository::open_or_create(&self.project, git_dir, work_tree)?;
            work()
        })
    }

    fn rebase_once(&self, token: &str, target_tip: &str, capture: &str) -> Result<Rebased, GitError> {
        let reference = candidate_ref(token)?;
        let (target_tip, capture) = (check_object(target_tip)?, check_object(capture)?);
        let tip_tree = self.repository.resolve(&format!("{target_tip}^{{tree}}"))?;
        let is_on_tip = self.repository.resolve(&format!("{capture}^1"))? == target_tip;
        let commit = if is_on_tip {
            capture.to_owned()
        } else {
            // Merge attributes are read from the folder, so it must hold the target's.
            self.repository.check_out(BRANCH, target_tip, Ignored::Go)?;
            let merged = merge_change(&self.repository, target_tip, capture)?;
            if let Some(conflict) = merged.conflict {
                return Ok(Rebased::Conflict(conflict));
            }
            self.transplant(capture, &merged.tree, target_tip)?
        };
        let tree = self.repository.resolve(&format!("{commit}^{{tree}}"))?;
        if tree == tip_tree {
            return Ok(Rebased::AlreadyThere);
        }
        self.repository.git().args(["update-ref", "refs/capture/candidate", &commit]).succeed()?;
        let refspec = format!("+refs/capture/candidate:{reference}");
        self.project.fetch_from(self.repository.git_dir(), &[refspec])?;
        let changed_files = changed_files(self.repository.git(), target_tip, &commit)?;
        let candidate = Candidate { commit, tree, target_tip: target_tip.to_owned(), changed_files };
        self.reset_once(&candidate)?;
        Ok(Rebased::Candidate(candidate))
    }

    /// Brings the folder to exactly the candidate's tree, ignored files gone and its `.git` new: wanted
    /// before each command that judges it, since the one before may have left something.
    ///
    /// # Errors
    /// [`GitError`] when the folder cannot be brought there.
    pub fn reset_pristine(&self, candidate: &Candidate) -> Result<(), GitError> {
        self.mended(|| self.reset_once(candidate))
    }

    fn reset_once(&self, candidate: &Candidate) -> Result<(), GitError> {
        self.repository.check_out(BRANCH, &candidate.commit, Ignored::Go)?;
        let differing = self.repository.git().args(["ls-files", "-z", "--others", "--modified"]).succeed()?;
        if !differing.bytes().is_empty() {
            return Err(differing.unexpected());
        }
        let inner = InnerRepository { branch: BRANCH, commit: &candidate.commit, author: "agent-team" };
        self.repository.install_inner(&self.project, inner)
    }

    /// The same commit (author, date, message, trailers) with another tree and parent.
    fn transplant(&self, commit: &str, tree: &str, parent: &str) -> Result<String, GitError> {
        let output = self.repository.git().args(["cat-file", "commit", commit]).succeed()?;
        let author = output.bytes().windows(8).position(|window| window == b"\nauthor ");
        let kept = author.and_then(|at| output.bytes().get(at..)).ok_or_else(|| output.unexpected())?;
        let content = [format!("tree {tree}\nparent {parent}").as_bytes(), kept].concat();
        let write = self.repository.git().args(["hash-object", "-t", "commit", "-w", "--stdin"]);
        Ok(write.input(content).succeed()?.text())
    }
}

impl Project {
    /// Lets go of a candidate that was landed or given up. The capture behind it stays held.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn drop_candidate(&self, token: &str) -> Result<(), GitError> {
        self.drop_ref(&candidate_ref(token)?)
    }
}

fn candidate_ref(token: &str) -> Result<String, GitError> {
    Ok(format!("{CANDIDATES}/{}", check_id("attempt", token)?))
}

#[cfg(test)]
mod tests;
