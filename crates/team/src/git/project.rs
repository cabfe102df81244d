//! The user's repository: finding it, and asking it about branches and commits.
//! Nothing here changes a branch or a file that the user works on; see `landing` and `checkout` for that.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::command::{GitCommand, GitProgram};
use super::error::{GitError, append, file};
use super::name::{check_branch, check_object};

/// The name of the folder that holds everything of ours, in the top folder of the work tree.
pub const STATE_FOLDER: &str = ".agent-team";

/// The user's repository, seen from one of its work trees.
#[derive(Debug, Clone)]
pub struct Project {
    program: GitProgram,
    root: PathBuf,
    common_dir: PathBuf,
    object_format: String,
}

/// Why a folder cannot be worked on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// No repository here or above.
    #[error("{} is in no git repository; run `git init` there and make a first commit", path.display())]
    NotARepository {
        /// Where the search started.
        path: PathBuf,
    },
    /// The repository has no files to work on.
    #[error("{} is a bare repository; clone it and work in the clone", path.display())]
    Bare {
        /// Where the search started.
        path: PathBuf,
    },
    /// The folder is inside a `.git` folder.
    #[error("{} is inside a .git folder; go to the work tree", path.display())]
    InsideGitFolder {
        /// Where the search started.
        path: PathBuf,
    },
    /// Git broke.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Why there is no branch to merge into.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// HEAD is at a commit, not on a branch.
    #[error(
        "HEAD is detached, so there is no branch to merge into; check out a branch or say `--into BRANCH`"
    )]
    Detached,
    /// The branch has no commit yet.
    #[error(
        "branch {branch} has no commit yet; make a first one, for example `git commit --allow-empty -m Start`"
    )]
    Unborn {
        /// The branch that HEAD names.
        branch: String,
    },
    /// The branch that was asked for is not there.
    #[error("there is no branch {branch}; `git branch {branch}` makes it")]
    NoSuchBranch {
        /// The branch that was asked for.
        branch: String,
    },
    /// Git broke.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Project {
    /// Finds the repository that `path` is in, walking up like git.
    ///
    /// # Errors
    /// [`DiscoverError`] when there is none, or none with a work tree, or git is too old.
    pub fn discover(program: &GitProgram, path: &Path) -> Result<Self, DiscoverError> {
        program.check_version()?;
        let path_of_search = || path.to_path_buf();
        let question = ["rev-parse", "--is-bare-repository", "--is-inside-work-tree", "--show-object-format"];
        let output = program.in_repository_of_user(path).args(question).run()?;
        if output.code() != Some(0) {
            if output.complaint().contains("not a git repository") {
                return Err(DiscoverError::NotARepository { path: path_of_search() });
            }
            return Err(output.failure().into());
        }
        let text = output.text();
        let mut lines = text.lines();
        let (is_bare, is_inside) = (lines.next() == Some("true"), lines.next() == Some("true"));
        let object_format = lines.next().ok_or_else(|| output.unexpected())?.to_owned();
        match (is_bare, is_inside) {
            (true, _) => return Err(DiscoverError::Bare { path: path_of_search() }),
            (false, false) => return Err(DiscoverError::InsideGitFolder { path: path_of_search() }),
            (false, true) => {}
        }
        let root = absolute(program, path, "--show-toplevel")?;
        let common_dir = absolute(program, path, "--git-common-dir")?;
        Ok(Self { program: program.clone(), root, common_dir, object_format })
    }

    /// The same repository, for work that must be over in this time: git is ended then.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { program: self.program.until(Instant::now() + limit), ..self.clone() }
    }

    /// The top folder of the work tree.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of everything that is ours.
    #[must_use]
    pub fn state_folder(&self) -> PathBuf {
        self.root.join(STATE_FOLDER)
    }

    /// The repository's own folder, shared by all its work trees.
    #[must_use]
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Sees to it that git ignores our folder, by one line in `.git/info/exclude`. Does nothing the second
    /// time.
    ///
    /// # Errors
    /// [`GitError::File`] when the file cannot be read or written.
    pub fn exclude_state_folder(&self) -> Result<(), GitError> {
        let path = self.common_dir.join("info/exclude");
        // Without a slash before it: a team may work for a folder further down.
        let line = format!("{STATE_FOLDER}/");
        let old = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(file("read", &path)(error)),
        };
        if old.split(|&byte| byte == b'\n').any(|old_line| old_line == line.as_bytes()) {
            return Ok(());
        }
        let folder = self.common_dir.join("info");
        std::fs::create_dir_all(&folder).map_err(file("make", &folder))?;
        let separator = if old.is_empty() || old.ends_with(b"\n") { "" } else { "\n" };
        // Appended, not written anew: a crash must not cost the user his own lines.
        append(&path, &format!("{separator}{line}\n"))
    }

    /// The branch that work shall be merged into: the one asked for, else the one that is checked out.
    ///
    /// # Errors
    /// [`TargetError`] when HEAD is detached, or the branch is not there or has no commit.
    pub fn target(&self, into: Option<&str>) -> Result<String, TargetError> {
        if let Some(branch) = into {
            return match self.tip(branch)? {
                Some(_) => Ok(branch.to_owned()),
                None => Err(TargetError::NoSuchBranch { branch: branch.to_owned() }),
            };
        }
        let branch = self.current_branch()?.ok_or(TargetError::Detached)?;
        match self.tip(&branch)? {
            Some(_) => Ok(branch),
            None => Err(TargetError::Unborn { branch }),
        }
    }

    /// The branch that is checked out in this work tree; none when HEAD is detached. It may have no commit
    /// yet.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn current_branch(&self) -> Result<Option<String>, GitError> {
        let output = self.git().args(["symbolic-ref", "--quiet", "HEAD"]).answer(&[0, 1])?;
        Ok(output.text().strip_prefix("refs/heads/").map(str::to_owned))
    }

    /// The commit at the end of a branch; none when the branch is not there.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or the name is no branch name.
    pub fn tip(&self, branch: &str) -> Result<Option<String>, GitError> {
        self.read_ref(&branch_ref(branch)?)
    }

    /// What a ref points to, by its full name; none when it is not there.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn read_ref(&self, reference: &str) -> Result<Option<String>, GitError> {
        let output = self.git().args(["rev-parse", "--verify", "--quiet", reference]).answer(&[0, 1])?;
        Ok((output.code() == Some(0)).then(|| output.text()))
    }

    /// Whether `branch` contains `commit`: the recovery question after a landing whose end nobody saw.
    /// A branch or a commit that is not there is a no.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn contains(&self, branch: &str, commit: &str) -> Result<bool, GitError> {
        match self.tip(branch)? {
            Some(tip) if self.has_commit(commit)? => self.is_ancestor(commit, &tip),
            _ => Ok(false),
        }
    }

    /// Whether `ancestor` is `descendant` or one of the commits that it is built on.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or one of them is not there.
    pub fn is_ancestor(&self, ancestor: &str, descendant: &str) -> Result<bool, GitError> {
        let (ancestor, descendant) = (check_object(ancestor)?, check_object(descendant)?);
        let output =
            self.git().args(["merge-base", "--is-ancestor", ancestor, descendant]).answer(&[0, 1])?;
        Ok(output.code() == Some(0))
    }

    /// Whether the repository has this commit.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or the id is none.
    pub fn has_commit(&self, commit: &str) -> Result<bool, GitError> {
        let object = format!("{}^{{commit}}", check_object(commit)?);
        Ok(self.git().args(["cat-file", "-e", &object]).answer(&[0, 1, 128])?.code() == Some(0))
    }

    /// A command in the user's work tree.
    pub(super) fn git(&self) -> GitCommand {
        self.program.in_repository_of_user(&self.root)
    }

    /// The program, for commands elsewhere.
    pub(super) fn program(&self) -> &GitProgram {
        &self.program
    }

    /// How object ids are made here: `sha1` or `sha256`.
    pub(super) fn object_format(&self) -> &str {
        &self.object_format
    }

    /// Points a ref of ours (never a branch) to an object, synced.
    pub(super) fn point_ref(&self, reference: &str, object: &str) -> Result<(), GitError> {
        self.git().synced().args(["update-ref", reference, check_object(object)?]).succeed().map(drop)
    }

    /// Removes a ref of ours (never a branch). One that is not there is fine.
    pub(super) fn drop_ref(&self, reference: &str) -> Result<(), GitError> {
        self.git().args(["update-ref", "-d", reference]).succeed().map(drop)
    }

    /// Brings objects and the refs that hold them from a repository of ours, all refs or none.
    pub(super) fn fetch_from(&self, git_dir: &Path, refspecs: &[String]) -> Result<(), GitError> {
        self.git()
            .synced()
            .config("protocol.file.allow=always")
            .args(["fetch", "--quiet", "--atomic", "--force", "--no-tags", "--no-prune"])
            .args(["--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance", "--"])
            .arg(git_dir)
            .args(refspecs)
            .succeed()
            .map(drop)
    }
}

/// Tells git to ignore the folder of a team that works for `folder`, if there is git, and a work tree.
///
/// # Errors
/// [`GitError::File`] when git's file of what is to be ignored cannot be read or written.
pub fn ignore_state_folder(folder: &Path) -> Result<(), GitError> {
    // A team needs no git: without it there is nothing that the folder must be kept out of.
    match Project::discover(&GitProgram::from_process_environment(), folder) {
        Ok(project) => project.exclude_state_folder(),
        Err(_) => Ok(()),
    }
}

/// The full ref of a branch.
pub(super) fn branch_ref(branch: &str) -> Result<String, GitError> {
    Ok(format!("refs/heads/{}", check_branch(branch)?))
}

fn absolute(program: &GitProgram, path: &Path, question: &str) -> Result<PathBuf, GitError> {
    use std::os::unix::ffi::OsStrExt;
    let arguments = ["rev-parse", "--path-format=absolute", question];
    let output = program.in_repository_of_user(path).args(arguments).succeed()?;
    let bytes = output.bytes().strip_suffix(b"\n").unwrap_or(output.bytes());
    let answer = PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
    std::fs::canonicalize(&answer).map_err(file("find", &answer))
}

#[cfg(test)]
mod tests;
