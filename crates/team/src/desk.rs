//! The team's work on a git repository: where its agents work, what they deliver, where it is merged.
//!
//! Blocking calls around [`crate::git`], with the team's words on both sides.

use std::path::PathBuf;
use std::time::Duration;

use agent_team_core::record::WorkCommit;

use crate::agent::Assignment;
use crate::git::{
    Candidate, Captured, FILE_LIMIT_BYTES, GitProgram, Intent, Landed, Landing, MergeWorktree, Prepared,
    Project, Protected, Replayed, Submission, Unfinished, Workspace,
};
use crate::{AgentId, Error};

/// The longest difference that a reviewer is shown, in bytes.
const DIFF_BYTES_MAX: usize = 60_000;

/// How much of a result stands in its commit's message, in bytes. The log has all of it.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// A team's git repository and the branch that its work is for.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub project: Project,
    pub target: String,
    protected: Protected,
    file_limit_bytes: u64,
}

/// A folder for an assignment.
pub(crate) struct Place {
    pub folder: PathBuf,
    pub environment: Vec<(&'static str, std::ffi::OsString)>,
    /// What the agent should know about it.
    pub note: Option<String>,
    /// Whether it holds what the attempt did before it was cut off.
    pub goes_on: bool,
}

/// What became of work that an agent left unfinished.
pub(crate) enum Kept {
    /// Nothing was changed.
    Nothing,
    /// A ref holds it.
    Commit { reference: String, commit: String },
    /// It is only in the agent's folder, for this reason.
    InFolder(String),
}

/// What an agent's work came to.
pub(crate) enum Delivery {
    /// Nothing was changed.
    Nothing,
    /// A commit, and the protected files that it changes.
    Commit(WorkCommit, Vec<String>),
    /// It cannot be taken, for a reason that the author can mend.
    Refused(String),
}

impl Desk {
    /// The repository around a folder.
    pub fn open(
        folder: &std::path::Path,
        into: Option<&str>,
        protect: &[String],
        max_file_bytes: Option<u64>,
    ) -> Result<Self, Error> {
        let project = Project::discover(&GitProgram::from_process_environment(), folder)?;
        project.exclude_state_folder()?;
        let target = project.target(into)?;
        let protected = Protected::new(protect.iter().map(String::as_str))?;
        let file_limit_bytes = max_file_bytes.unwrap_or(FILE_LIMIT_BYTES);
        Ok(Self { project, target, protected, file_limit_bytes })
    }

    /// The branch on which work is merged now, and its tip: the target, or the branch beside it on which work gathers.
    pub fn landing(&self) -> Result<(Landing, String, String), Error> {
        let landing = self.project.choose_landing(&self.target)?;
        let branch = match &landing {
            Landing::Gather { branch, .. } => branch.clone(),
            Landing::BranchOnly | Landing::Checkout { .. } | Landing::Blocked { .. } => self.target.clone(),
        };
        let tip = self.tip(&branch)?;
        Ok((landing, branch, tip))
    }

    /// The newest commit that holds all work merged so far. Unlike [`Desk::landing`] it asks nothing about the project's
    /// own folder and makes no branch: whoever begins work may do so while somebody else lands.
    pub fn newest(&self) -> Result<String, Error> {
        match self.project.gathered(&self.target)? {
            Some(gathered) => Ok(gathered.tip),
            None => self.tip(&self.target),
        }
    }

    fn tip(&self, branch: &str) -> Result<String, Error> {
        self.project.tip(branch)?.ok_or_else(|| Error::Input(format!("the branch {branch} is gone")))
    }

    /// The folder in which an agent does, or judges, an assignment. What the last attempt left unfinished under one of
    /// these tokens, the newest first, is in it.
    pub fn place(&self, agent: &AgentId, assignment: &Assignment, left: &[String]) -> Result<Place, Error> {
        if let Some(delivered) = assignment.delivered.as_ref() {
            let tip = self.newest()?;
            let commit = delivered.commit.as_ref().map_or(tip.as_str(), |(commit, _)| commit.as_str());
            let prepared = Workspace::prepare(&self.project, agent.as_str(), assignment.id.as_str(), commit)?;
            return Ok(place(&prepared.workspace, None));
        }
        if assignment.resumes.is_some()
            && let Some(workspace) = Workspace::open(&self.project, agent.as_str())?
            && workspace.task()?.as_deref() == Some(assignment.id.as_str())
        {
            return Ok(Place { goes_on: true, ..place(&workspace, None) });
        }
        // It did something else meanwhile.
        if let Some(claim) = assignment.left_off
            && let (agent, task, token) = (agent.as_str(), assignment.id.as_str(), claim.to_string())
            && let Some(workspace) = Workspace::restore(&self.project, agent, task, &token)?
        {
            return Ok(Place { goes_on: true, ..place(&workspace, None) });
        }
        let tip = self.newest()?;
        let Prepared { workspace, .. } =
            Workspace::prepare(&self.project, agent.as_str(), assignment.id.as_str(), &tip)?;
        let delivered = assignment.setbacks.last().and_then(|setback| setback.commit.clone());
        let (earlier, what) = match self.project.unfinished(left)? {
            Some(Unfinished::Nothing) => (None, ""),
            Some(Unfinished::Commit(commit)) => (Some(commit), "what the earlier attempt left unfinished"),
            None => (delivered, "the changes of the earlier attempt"),
        };
        let Some(commit) = earlier else { return Ok(place(&workspace, None)) };
        let mut note = format!("Your folder is at the newest state of the target, with {what} in it.");
        if let Replayed::Conflict(conflict) = workspace.replay(&commit)? {
            note += &format!(
                " Where both changed the same lines, the files hold conflict markers (`target` and `yours`) that you \
                 must resolve: {}",
                conflict.files.join(", ")
            );
        }
        Ok(place(&workspace, Some(note)))
    }

    /// What a commit changes, for a reviewer.
    pub fn diff(&self, base: &str, commit: &str) -> Result<String, Error> {
        Ok(self.project.diff(base, commit, DIFF_BYTES_MAX)?)
    }

    /// Makes one commit of what the agent left in its workspace.
    pub fn capture(
        &self,
        agent: &AgentId,
        token: &str,
        assignment: &Assignment,
        result: &str,
    ) -> Result<Delivery, Error> {
        let Some(workspace) = Workspace::open(&self.project, agent.as_str())? else {
            let reason = "ERROR the workspace, or what is kept for it in .agent-team/capture, is gone or was replaced \
                          during the work, so there is nothing to take";
            return Ok(Delivery::Refused(reason.to_owned()));
        };
        let result = result.trim();
        let result = result.get(..result.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or(result);
        let message = format!("{}\n\n{result}", assignment.title);
        let captured = workspace.capture(&Submission {
            token,
            task: assignment.id.as_str(),
            agent: agent.as_str(),
            message: &message,
            file_limit_bytes: self.file_limit_bytes,
        })?;
        Ok(match captured {
            Captured::Refused(problems) => {
                let lines: Vec<String> = problems.iter().map(|problem| format!("ERROR {problem}")).collect();
                Delivery::Refused(lines.join("\n"))
            }
            Captured::Done(capture) if capture.is_empty => Delivery::Nothing,
            Captured::Done(capture) => {
                let unresolved = workspace.unresolved(&capture)?;
                if !unresolved.is_empty() {
                    let files = unresolved.join(", ");
                    return Ok(Delivery::Refused(format!(
                        "ERROR conflict markers (`target` and `yours`) still stand in {files}: resolve them"
                    )));
                }
                let protected = self.protected.among(&capture.changed_files);
                let files = u32::try_from(capture.changed_files.len()).unwrap_or(u32::MAX);
                Delivery::Commit(WorkCommit { commit: capture.commit, base: capture.base, files }, protected)
            }
        })
    }

    /// Makes one commit of what an agent left in its workspace unfinished, held by a ref; what lies in the folder stays
    /// there. With a limit, git is ended after this time.
    pub fn keep(
        &self,
        agent: &AgentId,
        token: &str,
        task: &str,
        title: &str,
        limit: Option<Duration>,
    ) -> Result<Kept, Error> {
        let project = limit.map_or_else(|| self.project.clone(), |limit| self.project.within(limit));
        let Some(workspace) = Workspace::open(&project, agent.as_str())? else { return Ok(Kept::Nothing) };
        let captured = workspace.capture(&Submission {
            token,
            task,
            agent: agent.as_str(),
            message: &format!("Unfinished: {title}"),
            file_limit_bytes: self.file_limit_bytes,
        })?;
        Ok(match captured {
            Captured::Done(capture) if capture.is_empty => Kept::Nothing,
            Captured::Done(capture) => Kept::Commit { reference: capture.reference, commit: capture.commit },
            Captured::Refused(problems) => {
                Kept::InFolder(problems.first().map(ToString::to_string).unwrap_or_default())
            }
        })
    }

    /// A clean folder of ours; each user of it needs a number of its own.
    pub fn bench(&self, number: u32) -> Result<MergeWorktree, Error> {
        Ok(MergeWorktree::open(&self.project, number)?)
    }

    /// Brings work to the target that had to gather beside it, if nothing is in its way any more.
    pub fn bring_in_gathered(&self, fence: &str) -> Result<bool, Error> {
        let Some(gathered) = self.project.gathered(&self.target)?.filter(|gathered| gathered.is_fast_forward)
        else {
            return Ok(false);
        };
        let Some(old) = self.project.tip(&self.target)? else { return Ok(false) };
        let checkout = self.project.checkout_of(&self.target)?;
        self.project.move_fence(&self.target, fence)?;
        let landed = self.project.land(&Intent {
            target: &self.target,
            fence,
            branch: &self.target,
            old: &old,
            new: &gathered.tip,
            checkout: checkout.as_ref().map(|checkout| checkout.path.as_path()),
        })?;
        Ok(matches!(landed, Landed::Landed { .. }))
    }
}

fn place(workspace: &Workspace, note: Option<String>) -> Place {
    Place { folder: workspace.path().to_owned(), environment: workspace.environment(), note, goes_on: false }
}

/// A commit as it is, to be checked out into a clean folder.
pub(crate) fn as_it_is(commit: &str) -> Candidate {
    Candidate {
        commit: commit.to_owned(),
        tree: String::new(),
        target_tip: commit.to_owned(),
        changed_files: Vec::new(),
    }
}
