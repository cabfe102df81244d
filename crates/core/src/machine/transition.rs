//! A task's life: every legal transition is one row of one exhaustive match. `docs/task-life.md` is made from it.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::record::Stage;

/// Where a task stands.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A task that it depends on is not completed.
    Blocked,
    /// Anyone who fits may take it.
    Ready,
    /// An agent works on it.
    Running,
    /// Its result waits for its check, or is being checked.
    Verifying,
    /// Its result waits for a reviewer, or is being reviewed.
    Reviewing,
    /// Its result waits in the merge queue, or is being merged.
    Merging,
    /// Done, proved and merged.
    Completed,
    /// It failed for good; `retry` gives it new attempts.
    Failed,
    /// Nobody wants it any more.
    Cancelled,
}

impl Status {
    /// All of them, in the order of a task's life.
    pub const ALL: [Self; 9] = [
        Self::Blocked,
        Self::Ready,
        Self::Running,
        Self::Verifying,
        Self::Reviewing,
        Self::Merging,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The status as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Verifying => "verifying",
            Self::Reviewing => "reviewing",
            Self::Merging => "merging",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether somebody works on it, or will without any other task being done first.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Verifying | Self::Reviewing | Self::Merging)
    }

    /// Whether nothing happens to it any more unless somebody asks.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The stage that a claim on a task in this status is for.
    pub fn stage(self) -> Option<Stage> {
        match self {
            Self::Ready | Self::Running => Some(Stage::Work),
            Self::Verifying => Some(Stage::Verify),
            Self::Reviewing => Some(Stage::Review),
            Self::Merging => Some(Stage::Merge),
            Self::Blocked | Self::Completed | Self::Failed | Self::Cancelled => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What can happen to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The last task that it waited for is completed.
    Unblocked,
    /// An agent takes it, or the stage that it is in.
    Claimed,
    /// The holder passes it on: to the next stage that the task asks for.
    Passed {
        /// That stage's status, or completed.
        to: Status,
    },
    /// Other tasks must be done first, after all.
    Waits,
    /// The holder gave it back, is gone, or was refused; attempts remain.
    GivenBack,
    /// An attempt failed, or was refused, and no attempt remains; or it was taken over too often.
    Exhausted,
    /// Somebody wants it again.
    Retried,
    /// Nobody wants it any more.
    Cancelled,
}

impl Step {
    /// Every step, once for each status that it can lead to.
    pub const ALL: [Self; 11] = [
        Self::Unblocked,
        Self::Claimed,
        Self::Passed { to: Status::Verifying },
        Self::Passed { to: Status::Reviewing },
        Self::Passed { to: Status::Merging },
        Self::Passed { to: Status::Completed },
        Self::Waits,
        Self::GivenBack,
        Self::Exhausted,
        Self::Retried,
        Self::Cancelled,
    ];

    /// What happens, in the words of the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unblocked => "the last dependency is completed",
            Self::Claimed => "claimed",
            Self::Passed { to: Status::Verifying } => "delivered, and it has a check",
            Self::Passed { to: Status::Reviewing } => "delivered or proved, and it wants a review",
            Self::Passed { to: Status::Merging } => "delivered, proved or approved, and it has a commit",
            Self::Passed { .. } => "nothing more to do",
            Self::Waits => "handed out in parts, or other dependencies",
            Self::GivenBack => "released, taken over, failed or refused; attempts remain",
            Self::Exhausted => "failed, refused or taken over, no attempt remains; or a part failed",
            Self::Retried => "retry",
            Self::Cancelled => "cancel",
        }
    }
}

/// Where a step leads from a status; `None` where it cannot happen.
#[expect(clippy::match_same_arms, reason = "each row is one kind of step, whatever status it leads to")]
pub fn next(from: Status, step: Step) -> Option<Status> {
    use Status::{Blocked, Cancelled, Completed, Failed, Merging, Ready, Reviewing, Running, Verifying};
    match (from, step) {
        (Blocked, Step::Unblocked) => Some(Ready),

        (Ready, Step::Claimed) => Some(Running),
        (Verifying, Step::Claimed) => Some(Verifying),
        (Reviewing, Step::Claimed) => Some(Reviewing),
        (Merging, Step::Claimed) => Some(Merging),

        (Running, Step::Passed { to: Verifying }) => Some(Verifying),
        (Running | Verifying, Step::Passed { to: Reviewing }) => Some(Reviewing),
        (Running | Verifying | Reviewing, Step::Passed { to: Merging }) => Some(Merging),
        (Running | Verifying | Reviewing | Merging, Step::Passed { to: Completed }) => Some(Completed),

        (Ready | Running, Step::Waits) => Some(Blocked),

        (Running | Verifying | Reviewing | Merging, Step::GivenBack) => Some(Ready),
        (Blocked | Running | Verifying | Reviewing | Merging, Step::Exhausted) => Some(Failed),

        (Failed | Cancelled, Step::Retried) => Some(Blocked),
        (Blocked | Ready | Running | Verifying | Reviewing | Merging | Failed, Step::Cancelled) => {
            Some(Cancelled)
        }

        (
            Blocked | Ready | Running | Verifying | Reviewing | Merging | Completed | Failed | Cancelled,
            Step::Unblocked
            | Step::Claimed
            | Step::Passed { .. }
            | Step::Waits
            | Step::GivenBack
            | Step::Exhausted
            | Step::Retried
            | Step::Cancelled,
        ) => None,
    }
}

/// The table of all transitions, as Markdown.
pub fn table() -> String {
    let mut table = String::from("| from | what happens | to |\n|---|---|---|\n");
    for from in Status::ALL {
        for step in Step::ALL {
            if let Some(to) = next(from, step) {
                table += &format!("| {from} | {} | {to} |\n", step.as_str());
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_goes_on_only_by_retry_or_cancel() {
        for from in Status::ALL.into_iter().filter(|status| status.is_ended()) {
            for step in Step::ALL {
                let asked = matches!(step, Step::Retried | Step::Cancelled);
                assert!(asked || next(from, step).is_none(), "{from} {step:?}");
            }
        }
        assert!(Step::ALL.into_iter().all(|step| next(Status::Completed, step).is_none()));
    }

    #[test]
    fn passing_on_leads_where_it_says_and_never_back() {
        for from in Status::ALL {
            for to in Status::ALL {
                if let Some(reached) = next(from, Step::Passed { to }) {
                    assert_eq!(reached, to);
                    assert!(to > from);
                }
            }
        }
    }
}
