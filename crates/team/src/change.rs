//! What was done for a task, as a change of files: for those who look before they judge, while somebody works, or when
//! it was sent back.

use std::fmt;

use serde::Serialize;

use crate::git::{DiscoverError, GitProgram, Project, patch_of_workspace};
use crate::unfinished::left_by;
use crate::view::TaskView;
use crate::{AgentId, Error, FeedbackCause, Stage, TaskId, TaskQueue};

/// The longest change that is shown whole, in bytes.
const CHANGE_BYTES_MAX: usize = 1 << 20;

/// What was done for a task, as git shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Who did it.
    pub agent: AgentId,
    /// In which attempt, from 1.
    pub attempt: u32,
    /// How far it came.
    pub stage: ChangeStage,
    /// The patch with a summary before it, cut after a mebibyte; new files of work under way by their names alone.
    pub patch: String,
}

/// How far a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeStage {
    /// Somebody works on it: it is what the agent's folder holds now.
    UnderWay,
    /// It is delivered: to be judged, or accepted.
    Delivered,
    /// It was delivered, and something or somebody did not want it.
    SentBack(FeedbackCause),
    /// Its attempt ended before it was delivered.
    Unfinished,
}

/// In one line: whose it is, of which attempt, and how far it came.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agent, attempt, .. } = self;
        match self.stage {
            ChangeStage::UnderWay => write!(f, "what the folder of {agent} holds now, in attempt {attempt}"),
            ChangeStage::Delivered => write!(f, "delivered by {agent} in attempt {attempt}"),
            ChangeStage::SentBack(cause) => {
                write!(f, "of attempt {attempt} by {agent}, sent back: {}", cause.as_str())
            }
            ChangeStage::Unfinished => write!(f, "of attempt {attempt} by {agent}, which ended unfinished"),
        }
    }
}

impl TaskQueue {
    /// The newest change of files for a task: while an agent of a run works on it, what its folder holds; else what was
    /// delivered, or sent back, or left unfinished. `None` where there is none of these. Blocks while git works.
    ///
    /// # Errors
    /// A refusal when there is no such task; anything else when git breaks, or the repository is not there any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = agent_team::TaskQueue::in_memory()?;
    /// let task = queue.add_task("Nobody has begun it")?;
    /// assert_eq!(queue.change_of(&task)?, None);
    /// # Ok::<(), agent_team::Error>(())
    /// ```
    pub fn change_of(&self, task: &TaskId) -> Result<Option<Change>, Error> {
        let task = self.get_task(task)?;
        let Some(folder) = self.team_log().folder() else { return Ok(None) };
        let git = GitProgram::from_process_environment();
        let in_folder_of = |agent: &AgentId| {
            let workspace = folder.root().join("workspaces").join(agent.as_str());
            let patch =
                patch_of_workspace(&git, agent.as_str(), task.id.as_str(), &workspace, CHANGE_BYTES_MAX)?;
            Ok::<_, Error>(Some(patch).filter(|patch| !patch.is_empty()))
        };
        if let (Some(Stage::Work), Some(agent)) = (task.stage, &task.agent)
            && let Some(patch) = in_folder_of(agent)?
        {
            let (agent, attempt) = (agent.clone(), task.attempt);
            return Ok(Some(Change { agent, attempt, stage: ChangeStage::UnderWay, patch }));
        }
        let project = match Project::discover(&git, folder.workspace()) {
            Err(DiscoverError::NotARepository { .. }) if !has_commits(&task) => return Ok(None),
            found => found?,
        };
        let of_commit = |agent: &AgentId, attempt, stage, base: &str, commit: &str| {
            let patch = project.diff(base, commit, CHANGE_BYTES_MAX)?;
            let change = Change { agent: agent.clone(), attempt, stage, patch };
            Ok::<_, Error>(Some(change).filter(|change| !change.patch.is_empty()))
        };
        if let (Some(work), Some(author)) = (&task.commit, &task.author) {
            return of_commit(author, task.attempt, ChangeStage::Delivered, &work.base, &work.commit);
        }
        let left = left_by(&task);
        for claim in task.claims.iter().rev().filter(|claim| left.contains(&claim.token)) {
            let (agent, attempt, stage) = (&claim.agent, claim.attempt, ChangeStage::Unfinished);
            let change = match project.attempt(&claim.token.to_string())? {
                Some((base, commit)) => of_commit(agent, attempt, stage, &base, &commit)?,
                // Whoever was killed kept nothing, and its folder is as it was.
                None => {
                    in_folder_of(agent)?.map(|patch| Change { agent: agent.clone(), attempt, stage, patch })
                }
            };
            if change.is_some() {
                return Ok(change);
            }
        }
        let sent_back =
            task.feedback.iter().rev().find_map(|feedback| Some((feedback, feedback.commit.as_ref()?)));
        let Some((feedback, work)) = sent_back else { return Ok(None) };
        let stage = ChangeStage::SentBack(feedback.cause);
        of_commit(&feedback.agent, feedback.attempt, stage, &work.base, &work.commit)
    }
}

/// Whether the log names a commit for the task.
fn has_commits(task: &TaskView) -> bool {
    task.commit.is_some() || task.feedback.iter().any(|feedback| feedback.commit.is_some())
}
