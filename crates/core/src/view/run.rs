//! The runs of a team, and what its gate said last.

use serde::{Deserialize, Serialize};

use crate::id::TaskId;
use crate::machine::{FeedbackCause, PastClaim, Run, State, Task};
use crate::record::Stage;
use crate::text::Text;

/// A run as surfaces show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunView {
    /// What it was asked for.
    pub goal: Option<String>,
    /// The command that proves what it is for.
    pub check: Option<String>,
    /// Whether the models are scripted.
    pub rehearsal: bool,
    /// When it began, in milliseconds since 1970.
    pub from_ms: u64,
    /// When it ended, in milliseconds since 1970; `None` while it goes on, and for one that was cut off.
    pub to_ms: Option<u64>,
    /// How it ended, in the words of the log.
    pub outcome: Option<String>,
}

/// How the gate last judged a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateRunView {
    /// The task.
    pub task: TaskId,
    /// Whether the task was merged.
    pub passed: bool,
    /// What the gate said where it refused the task.
    pub output: Option<Text>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// All runs, oldest first.
pub fn runs(state: &State) -> Vec<RunView> {
    let view = |run: &Run| RunView {
        goal: run.goal.clone(),
        check: run.check.clone(),
        rehearsal: run.rehearsal,
        from_ms: run.from_ms,
        to_ms: run.ended.as_ref().map(|(_, at_ms)| *at_ms),
        outcome: run.ended.as_ref().map(|(outcome, _)| outcome.clone()),
    };
    state.runs().iter().map(view).collect()
}

/// How the newest merge ended that ended by a verdict: merged, or refused by the gate.
pub fn last_gate(state: &State) -> Option<GateRunView> {
    let newest_merge = |task: &Task| -> Option<u64> {
        let merges = task.past_claims.iter().filter(|past| past.stage == Stage::Merge);
        merges.map(|past: &PastClaim| past.to_ms).max()
    };
    let ended = state.tasks().filter_map(|task| Some((newest_merge(task)?, task)));
    let judged = ended.filter_map(|(at_ms, task)| {
        if task.merged.is_some() {
            return Some(GateRunView { task: task.id().clone(), passed: true, output: None, at_ms });
        }
        let last = task.feedback.last().filter(|feedback| feedback.cause == FeedbackCause::Gate)?;
        Some(GateRunView { task: task.id().clone(), passed: false, output: Some(last.text.clone()), at_ms })
    });
    judged.max_by_key(|view| view.at_ms)
}
