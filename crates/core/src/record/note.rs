//! The team's memory.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, TaskId};
use crate::text::Text;

/// Somebody noted what others should know. Only adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteAdded {
    /// Who noted it.
    pub agent: AgentId,
    /// What.
    pub text: Text,
    /// It is for tasks with one of these labels; for all if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The task at which it came up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
}
