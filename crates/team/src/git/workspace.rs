//! The folder that an agent works in: a clone of its own that borrows the project's objects.
//!
//! Not a linked worktree: those share one `.git`, which an agent could write, and contend for its locks.
//! Nothing an agent left in its folder is deleted before a ref of the project, or a folder set aside, holds
//! it. Ignored files are no part of anyone's work: they stay from task to task as they are, and are not kept.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::capture::{
    Capture, Captured, FILE_LIMIT_BYTES, LAST, OWN, OwnCommits, Submission, capture, own_tip, store,
    write_tree,
};
use super::command::GitProgram;
use super::error::{GitError, file};
use super::name::{check_id, check_object};
use super::project::Project;
use super::replay::{Replayed, replay, unresolved};
use super::separate::{Ignored, InnerRepository, SeparateRepository, remove};

/// Where the project keeps the commit that each workspace borrows from.
const BASES: &str = "refs/agent-team/base";

/// Where the project keeps what was found in a workspace when it was prepared for something else.
const KEPT: &str = "refs/agent-team/kept";

/// How long a look at what changed may take: whoever works waits for it.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// The branch of a workspace that is being prepared: a folder that a kill left so is nobody's to go on in.
const UNDER_WAY: &str = "under-way";

/// An agent's workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    project: Project,
    repository: SeparateRepository,
    agent: String,
}

/// A workspace that is ready for a task, and what was found in it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The workspace, clean at the base.
    pub workspace: Workspace,
    /// Where work that lay in it is kept; empty when there was none that a ref does not hold already.
    pub kept: Vec<Kept>,
}

/// Where work that nobody submitted is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// This ref of the project holds it.
    Reference(String),
    /// Git could not take it, so it was moved to this folder.
    Folder(PathBuf),
}

impl Workspace {
    /// Makes the agent's workspace ready for a task: on branch `task/<task>` at `base`, without changes.
    /// What lies in it is kept first. Whatever the agent did to its `.git`, it gets a new one.
    ///
    /// # Errors
    /// [`GitError`] when git or the file system breaks, or an id is not safe. The work that was there is then
    /// still there, or kept.
    pub fn prepare(project: &Project, agent: &str, task: &str, base: &str) -> Result<Prepared, GitError> {
        let (agent, task, base) = (check_id("agent", agent)?, check_id("task", task)?, check_object(base)?);
        let places = Places::of(project, agent);
        let mut kept = places.keep_work(project)?;
        // The base is held before anything borrows it.
        project.point_ref(&format!("{BASES}/{agent}"), base)?;
        let branch = format!("task/{task}");
        let mut workspace = places.open_or_create(project)?;
        if workspace.repository.check_out(UNDER_WAY, base, Ignored::Stay).is_err() {
            // The agent made something that cannot be cleaned away, a folder without permissions say.
            kept.push(places.set_aside(&places.work_tree)?);
            remove(&places.git_dir)?;
            workspace = places.open_or_create(project)?;
            workspace.repository.check_out(UNDER_WAY, base, Ignored::Stay)?;
        }
        for reference in [LAST, OWN] {
            workspace.repository.git().args(["update-ref", "-d", reference]).succeed()?;
        }
        let inner = InnerRepository { branch: &branch, commit: base, author: agent };
        workspace.repository.install_inner(project, inner)?;
        // The last step, since an attempt goes on wherever the folder says that it is its task's.
        workspace.repository.stand_on(&branch, base)?;
        Ok(Prepared { workspace, kept })
    }

    /// The agent's workspace as it is, to go on with an attempt; none when it was never prepared.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or the id is not safe.
    pub fn open(project: &Project, agent: &str) -> Result<Option<Self>, GitError> {
        let places = Places::of(project, check_id("agent", agent)?);
        if !is_folder(&places.work_tree) || !places.git_dir.join("HEAD").is_file() {
            return Ok(None);
        }
        let workspace = places.open_or_create(project)?;
        Ok(workspace.repository.base()?.is_some().then_some(workspace))
    }

    /// Makes the agent's workspace what it was when its work at a task was captured under a token: at the base of that
    /// capture, with its changes. What lies in it is kept first. None if nothing was captured under that token.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn restore(
        project: &Project,
        agent: &str,
        task: &str,
        token: &str,
    ) -> Result<Option<Self>, GitError> {
        let Some((base, commit)) = project.attempt(token)? else { return Ok(None) };
        let Prepared { workspace, .. } = Self::prepare(project, agent, task, &base)?;
        // It was made on this very base, so nothing conflicts.
        workspace.replay(&commit)?;
        Ok(Some(workspace))
    }

    /// The folder that the agent works in.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.repository.work_tree()
    }

    /// Variables for every command that the agent runs here, so that git in a workspace whose `.git` is gone
    /// fails instead of finding the user's repository above it.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        self.repository.environment()
    }

    /// The commit that it was prepared at.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn base(&self) -> Result<String, GitError> {
        self.repository.resolve("HEAD^{commit}")
    }

    /// The task that it was prepared for; none before the first.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn task(&self) -> Result<Option<String>, GitError> {
        let branch = self.repository.branch()?;
        Ok(branch.and_then(|branch| branch.strip_prefix("task/").map(str::to_owned)))
    }

    /// The files of a capture in which a conflict still stands as [`replay`](Self::replay) marked it.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn unresolved(&self, capture: &Capture) -> Result<Vec<String>, GitError> {
        unresolved(&self.repository, &capture.commit)
    }

    /// Makes the folder's state one commit on the base, held by `refs/agent-team/attempts/<token>` of the
    /// project. The folder is left as it is.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or an id is not safe.
    pub fn capture(&self, submission: &Submission<'_>) -> Result<Captured, GitError> {
        capture(&self.project, &self.repository, submission)
    }

    /// Puts an earlier capture into this freshly prepared workspace, as changes on the new base. Where it
    /// conflicts, the files hold conflict markers (`target` and `yours`) for the author to resolve.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or the project does not have the commit.
    pub fn replay(&self, commit: &str) -> Result<Replayed, GitError> {
        let (base, branch) = (self.base()?, self.repository.branch()?);
        self.repository.stand_on(UNDER_WAY, &base)?;
        let replayed = replay(&self.repository, commit)?;
        if let Some(branch) = branch {
            self.repository.stand_on(&branch, &base)?;
        }
        Ok(replayed)
    }

    /// The agent whose workspace it is.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }
}

/// The files of an agent's workspace that differ from the commit it was prepared at, ignored ones left out. Only looks, and
/// needs no project; nothing if `folder` is no workspace. Nobody looks first for what git should not meet, as is done before a
/// capture: that goes over everything that was built, and who makes a trap of its folder waits in it for a moment.
///
/// # Errors
/// [`GitError`] when git breaks, or takes longer than five seconds.
pub(crate) fn changes_in_workspace(
    program: &GitProgram,
    agent: &str,
    folder: &Path,
) -> Result<Vec<String>, GitError> {
    let Some(state) = folder.parent().and_then(Path::parent) else { return Ok(Vec::new()) };
    let places = Places::below(state, check_id("agent", agent)?);
    if folder != places.work_tree || !places.git_dir.join("HEAD").is_file() {
        return Ok(Vec::new());
    }
    let repository = SeparateRepository::of(program, &places.git_dir, &places.work_tree);
    let question =
        ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=all"];
    let changed = repository.git().time_limit(LOOK_LIMIT).args(question).succeed()?.fields();
    // Two letters and a space stand before each path.
    Ok(changed.iter().filter_map(|line| line.get(3..)).map(str::to_owned).collect())
}

/// What an agent's workspace holds now, against the commit it was prepared at: the patch of files that were there, then the
/// names of new ones. Only looks, as [`changes_in_workspace`]; nothing if there is no such workspace, or it was prepared for
/// another task.
///
/// # Errors
/// [`GitError`] when git breaks, or takes longer than five seconds.
pub(crate) fn patch_of_workspace(
    program: &GitProgram,
    agent: &str,
    task: &str,
    folder: &Path,
    limit_bytes: usize,
) -> Result<String, GitError> {
    let Some(state) = folder.parent().and_then(Path::parent) else { return Ok(String::new()) };
    let places = Places::below(state, check_id("agent", agent)?);
    if folder != places.work_tree || !places.git_dir.join("HEAD").is_file() {
        return Ok(String::new());
    }
    let repository = SeparateRepository::of(program, &places.git_dir, &places.work_tree);
    if repository.branch()?.is_none_or(|branch| branch.strip_prefix("task/") != Some(task)) {
        return Ok(String::new());
    }
    let git = || repository.git().time_limit(LOOK_LIMIT);
    let patch = git()
        .args(["diff-index", "--patch-with-stat", "--no-ext-diff", "--no-textconv", "--no-color"])
        .args([
            "--find-renames",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--ignore-submodules=all",
            "HEAD",
            "--",
        ])
        .output_limit(limit_bytes)
        .succeed()?;
    let new = git().args(["ls-files", "--others", "--exclude-standard", "-z"]).succeed()?.fields();
    let patch = String::from_utf8_lossy(patch.bytes()).into_owned();
    Ok(new.iter().fold(patch, |text, path| text + "new file: " + path + "\n"))
}

/// Where an agent's folders are.
struct Places {
    agent: String,
    /// The agent's own folder.
    work_tree: PathBuf,
    /// Our git dir for it, out of the agent's way.
    git_dir: PathBuf,
    /// Where folders go that git cannot take.
    aside: PathBuf,
}

impl Places {
    fn of(project: &Project, agent: &str) -> Self {
        Self::below(&project.state_folder(), agent)
    }

    fn below(state: &Path, agent: &str) -> Self {
        Self {
            agent: agent.to_owned(),
            work_tree: state.join("workspaces").join(agent),
            git_dir: state.join("capture").join(format!("{agent}.git")),
            aside: state.join("kept"),
        }
    }

    fn open_or_create(&self, project: &Project) -> Result<Workspace, GitError> {
        let repository = SeparateRepository::open_or_create(project, &self.git_dir, &self.work_tree)?;
        Ok(Workspace { project: project.clone(), repository, agent: self.agent.clone() })
    }

    /// Sees to it that whatever lies in the folder is held by something else.
    fn keep_work(&self, project: &Project) -> Result<Vec<Kept>, GitError> {
        if std::fs::symlink_metadata(&self.work_tree).is_err() {
            return Ok(Vec::new());
        }
        let is_ours = is_folder(&self.work_tree) && self.git_dir.join("HEAD").is_file();
        let workspace = if is_ours { Some(self.open_or_create(project)?) } else { None };
        let known = match &workspace {
            Some(workspace) => workspace.repository.base()?.map(|base| (workspace, base)),
            None => None,
        };
        let Some((workspace, base)) = known else {
            return Ok(if is_empty_folder(&self.work_tree) {
                Vec::new()
            } else {
                vec![self.set_aside(&self.work_tree)?]
            });
        };
        let repository = &workspace.repository;
        let tree = match write_tree(repository, &base, FILE_LIMIT_BYTES) {
            Ok(Ok(tree)) => tree,
            Ok(Err(_)) => return Ok(vec![self.set_aside(&self.work_tree)?]),
            Err(_) => {
                // Our own git dir may be what is damaged: both are made anew.
                let kept = self.set_aside(&self.work_tree)?;
                remove(&self.git_dir)?;
                return Ok(vec![kept]);
            }
        };
        if is_held(repository, &base, &tree)? {
            return Ok(Vec::new());
        }
        let reference = self.unused_reference(project)?;
        let message = format!("Work that lay in the workspace of {}", self.agent);
        let (_, own) = store(project, repository, &tree, &message, &self.agent, &reference)?;
        let mut kept = vec![Kept::Reference(reference)];
        let inner = self.work_tree.join(".git");
        if matches!(own, OwnCommits::Unreadable { .. }) && inner.symlink_metadata().is_ok() {
            kept.push(self.set_aside(&inner)?);
        }
        Ok(kept)
    }

    /// The first `refs/agent-team/kept/<agent>/<number>` that is not in use.
    fn unused_reference(&self, project: &Project) -> Result<String, GitError> {
        let prefix = format!("{KEPT}/{}", self.agent);
        let listed = project.git().args(["for-each-ref", "--format=%(refname)", &prefix]).succeed()?.text();
        let numbers = listed.lines().filter_map(|name| name.rsplit('/').next()?.parse::<u32>().ok());
        Ok(format!("{prefix}/{}", numbers.max().unwrap_or(0) + 1))
    }

    /// Moves a folder (or what stands in its place) to where nothing of ours touches it again.
    fn set_aside(&self, folder: &Path) -> Result<Kept, GitError> {
        std::fs::create_dir_all(&self.aside).map_err(file("make", &self.aside))?;
        let place = (1_u32..)
            .map(|number| self.aside.join(format!("{}-{number}", self.agent)))
            .find(|place| place.symlink_metadata().is_err())
            .unwrap_or_else(|| self.aside.join(&self.agent));
        std::fs::rename(folder, &place).map_err(file("rename", folder))?;
        Ok(Kept::Folder(place))
    }
}

/// Whether a ref of the project holds all that lies in the folder: nothing was changed, or nothing since the
/// newest capture.
fn is_held(repository: &SeparateRepository, base: &str, tree: &str) -> Result<bool, GitError> {
    let held = |reference: &str| -> Result<Option<String>, GitError> {
        let output =
            repository.git().args(["rev-parse", "--verify", "--quiet", reference]).answer(&[0, 1, 128])?;
        Ok((output.code() == Some(0)).then(|| output.text()))
    };
    let is_tree_held = repository.resolve(&format!("{base}^{{tree}}"))? == tree
        || held(&format!("{LAST}^{{tree}}"))?.as_deref() == Some(tree);
    let own_before = held(OWN)?;
    let is_own_held = own_tip(repository, base).is_ok_and(|own| own.is_none() || own == own_before);
    Ok(is_tree_held && is_own_held)
}

/// Whether it is a folder itself: what a link leads to is somebody else's.
fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn is_empty_folder(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut names| names.next().is_none())
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
