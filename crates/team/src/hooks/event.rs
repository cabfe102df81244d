//! What a hook reads on its standard input: one JSON object. Its fields are an interface: docs/hooks.md.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::Hook;
use crate::task_text::with_texts;
use crate::view::{self, TaskView};
use crate::{AgentId, Error, FeedbackCause, NewTask, RecordId, TaskId, TeamLog};

/// Something that happens, as its hook is told.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Event {
    /// Which hook is asked.
    pub event: Hook,
    /// The folder that the team works for.
    pub team: Option<PathBuf>,
    /// Who does it, or whom it befalls.
    pub agent: AgentId,
    #[serde(skip)]
    pub id: Option<TaskId>,
    /// The task, in the form of `show --json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Value>,
    /// What the agent delivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What kind of thing went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<FeedbackCause>,
    /// The commit that is delivered, or about to be merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The commit that it stands on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The branch that it is about to be merged into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The plan that is submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Whether the plan was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<bool>,
    /// What was said to the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
}

/// A merge that is about to happen.
#[derive(Debug, Clone)]
pub(crate) struct BeforeMerge {
    pub by: AgentId,
    pub task: TaskId,
    pub commit: String,
    pub base: String,
    pub branch: String,
}

impl Event {
    /// An event that says no more than who.
    pub fn new(event: Hook, team_log: &TeamLog, agent: &AgentId) -> Self {
        let team = team_log.folder().map(|folder| folder.workspace().to_owned());
        let agent = agent.clone();
        Self {
            event,
            team,
            agent,
            id: None,
            task: None,
            result: None,
            error: None,
            cause: None,
            commit: None,
            base: None,
            branch: None,
            plan: None,
            approved: None,
            feedback: None,
        }
    }

    /// An event about a task that is in the log.
    pub fn about(event: Hook, team_log: &TeamLog, agent: &AgentId, id: &TaskId) -> Result<Self, Error> {
        let task = team_log.look(|state| state.task(id).map(|task| view::task(state, task)))?;
        let task = task.map(|task| serde_json::to_value(in_full(team_log, task)).unwrap_or_default());
        Ok(Self { id: Some(id.clone()), task, ..Self::new(event, team_log, agent) })
    }

    /// An event about a task that is only asked for, to plan anew what failed, say. It has no state yet, so it shows what
    /// was said of it.
    pub fn about_new(
        team_log: &TeamLog,
        by: &AgentId,
        id: &TaskId,
        task: &NewTask,
        replans: Option<&TaskId>,
    ) -> Self {
        let value = json!({
            "id": id,
            "title": task.full_title(),
            "description": task.description,
            "after": task.after,
            "priority": task.priority,
            "role": task.role,
            "skill": task.skill,
            "for_agent": task.agent,
            "check": task.check,
            "attempts": task.attempts,
            "labels": task.labels,
            "parent": task.parent,
            "review": task.review,
            "replans": replans,
        });
        Self { id: Some(id.clone()), task: Some(value), ..Self::new(Hook::TaskAdded, team_log, by) }
    }

    /// What stands in the environment too, for hooks of one line.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let known = [
            ("AGENT_TEAM_AGENT", Some(self.agent.to_string())),
            ("AGENT_TEAM_TASK", self.id.as_ref().map(TaskId::to_string)),
            ("AGENT_TEAM_COMMIT", self.commit.clone()),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The task with every text in full: a hook cannot look up blobs.
fn in_full(team_log: &TeamLog, task: TaskView) -> TaskView {
    with_texts(task, |text| team_log.read_text(text).unwrap_or_else(|_| text.preview().into_owned()))
}

/// The task of a claim that is in force.
pub(super) fn task_of(team_log: &TeamLog, claim: RecordId) -> Result<Option<TaskId>, Error> {
    team_log.look(|state| state.live_claim(claim).ok().map(|(task, _)| task.id().clone()))
}
