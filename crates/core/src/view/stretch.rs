//! Stretches of work: who held a task from when to when, and what came of it.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, RecordId, TaskId};
use crate::machine::{Claim, Ending, FeedbackCause, PastClaim, Task};
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
    /// What came of it.
    pub outcome: StretchOutcome,
    /// The same in words.
    pub words: String,
}

/// What came of a stretch of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StretchOutcome {
    /// It goes on.
    UnderWay,
    /// Work was delivered and not sent back, or what was judged was good.
    Well,
    /// Work was delivered and sent back later.
    SentBack,
    /// Whoever judged did not want what it judged. That is no failure of the judge.
    Refused,
    /// Whoever worked could not do it.
    Failed,
    /// It was given back, taken back or not wanted any more.
    BrokenOff,
}

/// What came of a stretch of a task that ended so.
fn outcome(task: &Task, stage: Stage, attempt: u32, ending: Ending) -> (StretchOutcome, String) {
    let said = task.feedback.iter().rev().filter(|feedback| feedback.attempt == attempt);
    let cause = said.map(|feedback| feedback.cause).find(|cause| *cause != FeedbackCause::Error);
    let refusal = cause.map_or("it was refused", |cause| match cause {
        FeedbackCause::Error => "it failed",
        FeedbackCause::Check => "its check failed",
        FeedbackCause::Gate => "the gate failed",
        FeedbackCause::Conflict => "it did not fit onto the target",
        FeedbackCause::Review => "a reviewer wants changes",
        FeedbackCause::Hook => "a hook says no",
    });
    let (outcome, words) = match (ending, stage) {
        (Ending::Done, Stage::Work) if cause.is_some() => {
            return (StretchOutcome::SentBack, format!("delivered, and sent back: {refusal}"));
        }
        (Ending::Done, Stage::Work) => (StretchOutcome::Well, "delivered"),
        (Ending::Done, Stage::Verify) => (StretchOutcome::Well, "its check held"),
        (Ending::Done, Stage::Review) => (StretchOutcome::Well, "approved"),
        (Ending::Done, Stage::Merge) => (StretchOutcome::Well, "merged"),
        (Ending::Failed, Stage::Work) => (StretchOutcome::Failed, "failed"),
        (Ending::Failed, Stage::Review) => (StretchOutcome::Refused, "asked for changes"),
        (Ending::Failed, Stage::Verify | Stage::Merge) => (StretchOutcome::Refused, refusal),
        _ => return (StretchOutcome::BrokenOff, ending.to_string()),
    };
    (outcome, words.to_owned())
}

/// All stretches of work at a task, oldest first.
pub fn stretches(task: &Task) -> impl Iterator<Item = StretchView> {
    let past = task.past_claims.iter().map(|past| {
        let PastClaim { id, stage, agent, attempt, resumes, ending, from_ms, to_ms } = past;
        let (outcome, words) = outcome(task, *stage, *attempt, *ending);
        StretchView {
            outcome,
            words,
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
            outcome: StretchOutcome::UnderWay,
            words: "goes on".to_owned(),
        }
    });
    past.chain(held)
}
