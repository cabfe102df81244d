//! Records about plans: what an agent means to do, and whether it may.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, RecordId, TaskId};
use crate::text::Text;

/// The holder says how it means to do the task. Names its claim; it takes the place of an earlier plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSubmitted {
    /// The claim.
    pub claim: RecordId,
    /// The plan.
    pub text: Text,
    /// For a plan that is carried out by a program once it is approved: what is to be done then, as that reads it. The text
    /// says the same in words.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub changes: Text,
}

/// Somebody other than the author judged a plan. Names the plan's record and the hash of its text, so that nothing is
/// approved but what was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanJudged {
    /// The task.
    pub task: TaskId,
    /// The record that submitted the plan.
    pub plan: RecordId,
    /// The [hash](Text::hash) of the text that was judged.
    pub text_hash: String,
    /// Who judges.
    pub by: AgentId,
    /// Whether the work may begin.
    pub approved: bool,
    /// What the author should know.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub feedback: Text,
}
