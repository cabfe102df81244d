//! Stretches of work: who held a task from when to when.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, RecordId, TaskId};
use crate::machine::{Claim, Ending, PastClaim, Task};
use crate::record::Stage;

/// A stretch of work at a task: a claim, past or held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StretchView {
    /// The claim that began the attempt, which a later one may have gone on with: its transcript has this name.
    pub token: RecordId,
    /// The task.
    pub task: TaskId,
    /// Who worked.
    pub agent: AgentId,
    /// Its stage.
    pub stage: Stage,
    /// Which attempt at the task it was part of.
    pub attempt: u32,
    /// When it began, in milliseconds since 1970.
    pub from_ms: u64,
    /// When it ended, in milliseconds since 1970; `None` while it goes on.
    pub to_ms: Option<u64>,
    /// How it ended.
    pub ending: Option<Ending>,
}

/// All stretches of work at a task, oldest first.
pub fn stretches(task: &Task) -> impl Iterator<Item = StretchView> {
    let past = task.past_claims.iter().map(|past| {
        let PastClaim { id, stage, agent, attempt, resumes, ending, from_ms, to_ms } = past;
        StretchView {
            token: resumes.unwrap_or(*id),
            task: task.id().clone(),
            agent: agent.clone(),
            stage: *stage,
            attempt: *attempt,
            from_ms: *from_ms,
            to_ms: Some(*to_ms),
            ending: Some(*ending),
        }
    });
    let held = task.claim.iter().map(|claim| {
        let Claim { id, stage, agent, at_ms, resumes, .. } = claim;
        StretchView {
            token: resumes.unwrap_or(*id),
            task: task.id().clone(),
            agent: agent.clone(),
            stage: *stage,
            attempt: task.attempt,
            from_ms: *at_ms,
            to_ms: None,
            ending: None,
        }
    });
    past.chain(held)
}
