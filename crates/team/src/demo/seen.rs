//! What could be seen in a demo, in figures from its log.

use crate::view::TaskView;
use crate::{Error, FeedbackCause, Stage, Status, TaskQueue};

/// What happened in a team's log, in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Seen {
    /// The most agents that worked at the same time.
    pub at_once: usize,
    /// Tasks whose work was merged.
    pub merged: usize,
    /// Completed tasks of which an attempt failed its check.
    pub checks_mended: usize,
    /// Completed tasks of which an attempt conflicted with what others had merged.
    pub conflicts_resolved: usize,
    /// Completed tasks that a reviewer approved.
    pub reviewed: usize,
}

impl Seen {
    /// Reads the figures from the log of a team.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn of(queue: &TaskQueue) -> Result<Self, Error> {
        let tasks = queue.list_tasks()?;
        let done = || tasks.iter().filter(|task| task.status == Status::Completed);
        let after = |cause: FeedbackCause| {
            done().filter(|task| task.feedback.iter().any(|feedback| feedback.cause == cause)).count()
        };
        Ok(Self {
            at_once: at_once(&tasks),
            merged: done().filter(|task| task.merged.is_some()).count(),
            checks_mended: after(FeedbackCause::Check),
            conflicts_resolved: after(FeedbackCause::Conflict),
            reviewed: done().filter(|task| task.review).count(),
        })
    }
}

/// The most claims on work that overlap. Times of one machine only, so its clock is good enough to count by.
fn at_once(tasks: &[TaskView]) -> usize {
    let claims = tasks.iter().flat_map(|task| &task.claims).filter(|claim| claim.stage == Stage::Work);
    let mut steps: Vec<(u64, bool)> =
        claims.flat_map(|claim| [(claim.from_ms, true), (claim.to_ms, false)]).collect();
    // What ends in the millisecond in which another begins does not overlap it.
    steps.sort_unstable();
    let mut now: usize = 0;
    let mut most = 0;
    for (_, begins) in steps {
        now = if begins { now + 1 } else { now.saturating_sub(1) };
        most = most.max(now);
    }
    most
}
