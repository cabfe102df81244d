//! Records of those who steer: pause and resume, reassign.

use serde::{Deserialize, Serialize};

use super::Revision;
use crate::id::{AgentId, RecordId, TaskId};

/// Somebody held up the team or one agent, or let it go on. Names the revision of what it sets: while it is paused, no
/// claim takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseSet {
    /// The agent; `None` for the whole team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The last record that paused or resumed it.
    pub on: Revision,
    /// Whether it is held up from here on.
    pub paused: bool,
    /// Whether what the agent works on goes back at once. What was done is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub release: bool,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A task is for another agent from here on; whoever has it loses it. Names the task's revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReassigned {
    /// The task.
    pub task: TaskId,
    /// Its revision.
    pub on: Revision,
    /// For whom it is now; `None` for anyone who fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The merge intent that was fenced off before, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<RecordId>,
}
