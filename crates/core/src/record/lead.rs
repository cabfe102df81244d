//! Records of leads: a task handed out in parts, given up, planned anew.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::Revision;
use crate::id::{RecordId, TaskId};
use crate::text::Text;

/// The holder has split its task and waits for the parts: the claim ends, and the task is blocked until each part is
/// completed or cancelled. Names the claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDelegated {
    /// The claim.
    pub claim: RecordId,
}

/// A task that waits for its parts cannot be done: one failed, and nobody plans anew. Names the task's revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskGivenUp {
    /// The task.
    pub task: TaskId,
    /// Its revision.
    pub on: Revision,
    /// Why: whoever plans anew above sees it.
    pub reason: Text,
}

/// A goal of which a lead makes tasks, by doing the task that says so. No rule asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct GoalPlan {
    /// The first run that had this goal.
    pub run: RecordId,
    /// Whether it is planned anew, since its check did not hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anew: bool,
}

/// A failure that a lead plans anew, by doing the task that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct Replan {
    /// The task that failed.
    pub task: TaskId,
    /// Its revision: the record with which it failed, unless it was edited since.
    pub failure: RecordId,
}
