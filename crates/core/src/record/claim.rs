//! Records about claims: who holds a task, and what the holder did. Each names its claim, the fencing token.

use std::fmt;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::{Amount, Revision};
use crate::id::{AgentId, RecordId, TaskId};
use crate::text::Text;

/// A stretch of a task's way that one claim covers.
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
pub enum Stage {
    /// The work itself.
    Work,
    /// The task's check runs.
    Verify,
    /// Someone else judges the result.
    Review,
    /// The result is tried on the target and merged.
    Merge,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 4] = [Self::Work, Self::Verify, Self::Review, Self::Merge];

    /// The stage as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Verify => "verify",
            Self::Review => "review",
            Self::Merge => "merge",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One process of one boot of one machine. A pid alone says nothing, since pids are reused.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
pub struct ProcessId {
    /// The machine.
    pub machine: String,
    /// The boot of that machine.
    pub boot: String,
    /// The pid namespace.
    pub namespace: String,
    /// The process id in it.
    pub pid: u32,
    /// When it started, in clock ticks since the boot.
    pub start: u64,
}

/// How a holder is known to be alive. With neither field, a claim lasts until it is ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct Holder {
    /// The process that the claim lives and dies with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    /// The presence file whose lock that process holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<String>,
    /// How long the claim lasts without a renewal, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    /// Whether an orchestrator holds it for an agent of its own: if the orchestrator dies, the attempt goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orchestrated: bool,
}

/// An agent took a task, or one of its stages. Names the task's revision; its own id is the fencing token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskClaimed {
    /// The task.
    pub task: TaskId,
    /// Its revision.
    pub on: Revision,
    /// The stage.
    pub stage: Stage,
    /// Who takes it.
    pub agent: AgentId,
    /// How it is known to be alive.
    pub holder: Arc<Holder>,
}

/// The holder is still at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRenewed {
    /// The claim.
    pub claim: RecordId,
}

/// The holder gave its claim back. Not a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimReleased {
    /// The claim.
    pub claim: RecordId,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The merge intent that was fenced off before, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<RecordId>,
    /// The most that the next step could use, where the budget of the task had not so much left. No rule reads it: until
    /// there is enough, nobody is offered the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Amount>,
}

impl ClaimReleased {
    /// A claim is given back, for a reason that people may want to know.
    pub fn new(claim: RecordId, reason: impl Into<String>) -> Self {
        Self { claim, reason: reason.into(), fenced: None, needs: None }
    }
}

/// Why a claim expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryCause {
    /// No renewal was seen for the lease's length.
    Lease,
    /// The holder's process is gone.
    ProcessGone,
    /// The holder is alive, and made no progress for longer than it may.
    Stuck,
}

/// The holder is gone. Names the claim and the last renewal that was seen: a renewal in between keeps the claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimExpired {
    /// The claim.
    pub claim: RecordId,
    /// The last renewal that was seen; the claim itself if there was none.
    pub seen: RecordId,
    /// Why.
    pub cause: ExpiryCause,
    /// The merge intent that was fenced off before, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<RecordId>,
}

/// A turn of an agent is in its journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnJournalled {
    /// The claim.
    pub claim: RecordId,
    /// The number of the turn in its attempt, from 1.
    pub turn: u32,
    /// The messages that this turn's request held: the agent has now read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<RecordId>,
}

/// A commit that holds the work of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct WorkCommit {
    /// The commit, held by a ref of the project's repository.
    pub commit: String,
    /// The commit that it was made on.
    pub base: String,
    /// How many files it changes.
    pub files: u32,
}

/// The holder delivered its result: the work stage ends, and the next one that the task asks for begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSubmitted {
    /// The claim.
    pub claim: RecordId,
    /// What came out.
    pub result: Text,
    /// The commit to be merged, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<WorkCommit>,
    /// Protected files that the commit changes: a human must approve them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protected: Vec<String>,
}

/// The holder could not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFailed {
    /// The claim.
    pub claim: RecordId,
    /// Why: the next attempt sees it.
    pub error: Text,
    /// Whether further attempts are pointless.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_good: bool,
    /// Before this time nobody should try again, in milliseconds since 1970 (UTC).
    #[serde(default)]
    pub not_before_ms: u64,
}

/// A result that came after its claim was lost. Only adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateResult {
    /// The task.
    pub task: TaskId,
    /// The claim that was lost.
    pub claim: RecordId,
    /// Who delivered it.
    pub agent: AgentId,
    /// What came out.
    pub result: Text,
    /// The commit, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<WorkCommit>,
}

/// The task's check ran on the submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReported {
    /// The claim on the verifying stage.
    pub claim: RecordId,
    /// Whether it held.
    pub passed: bool,
    /// What it printed, cut to what a reader can use.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub output: Text,
}

/// A reviewer judged a submission. Names the claim on the reviewing stage and the submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewGiven {
    /// The claim.
    pub claim: RecordId,
    /// The submission that was judged.
    pub submission: RecordId,
    /// Approved, or changes requested.
    pub approved: bool,
    /// What the author should know.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub feedback: Text,
}
