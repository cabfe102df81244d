//! Records: what may be written into the log. One file per noun; [`codec`] turns them into bytes and back.
//!
//! A record is a fact in the past tense. It names what it was decided on (`on`, `claim`, `submission`, `seen`, …), and
//! takes effect only if that still stands; which field that is, is said at each body.

mod agent;
mod claim;
pub mod codec;
mod files;
mod lead;
mod merge;
mod message;
mod model;
mod note;
mod plan;
mod spending;
mod steering;
mod task;
mod team;

pub use agent::{AgentJoined, AgentLeft, Role};
pub use claim::{
    CheckReported, ClaimExpired, ClaimReleased, ClaimRenewed, ExpiryCause, Holder, LateResult, ProcessId,
    ReviewGiven, Stage, TaskClaimed, TaskFailed, TaskSubmitted, TurnJournalled, WorkCommit,
};
pub use files::{FilesReleased, FilesReserved};
pub use lead::{GoalPlan, Replan, TaskDelegated, TaskGivenUp};
pub use merge::{MergeIntended, MergeRefused, Merged, RefusalCause};
pub use message::{MessageSent, MessagesDelivered, MessagesRead, Recipient};
pub use model::ModelLimited;
pub use note::NoteAdded;
pub use plan::{PlanJudged, PlanSubmitted};
pub use spending::{Account, Amount, Bounds, BudgetSet, Resource, SpendingReserved, SpendingSettled};
pub use steering::{PauseSet, TaskReassigned};
pub use task::{
    ATTEMPTS_DEFAULT, BACKOFF_MS_DEFAULT, BatchClosed, TaskAdded, TaskCancelled, TaskChange, TaskEdited,
    TaskRetried, TaskSpec,
};
pub use team::{FormatRaised, MAX_DEPTH_DEFAULT, Policy, PolicySet, REPLANS_DEFAULT, RunEnded, RunStarted};

use serde::de::DeserializeOwned;

use crate::id::{AgentId, RecordId};

/// The version of the record format that a log begins with.
pub const FORMAT: u32 = 1;
/// The newest version that this program knows. A log is raised to it by the first record that needs it. The numbers
/// between are given to no program: logs of tests use them for programs to come.
pub const NEWEST_FORMAT: u32 = 10;

/// One record of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its id, unique for ever; a repeated id is the same record.
    pub id: RecordId,
    /// The format version that it was written in.
    pub format: u32,
    /// When its writer's clock said it was written, in milliseconds since 1970 (UTC). For people; no rule reads it.
    pub at_ms: u64,
    /// Who wrote it.
    pub by: AgentId,
    /// Whether its writer runs commands without a sandbox. For people; no rule reads it.
    pub unconfined: bool,
    /// What it says.
    pub body: Body,
}

/// What a thing was when a record about it was decided: the id of the last record that took effect on it, or `None`
/// for a thing that is not there yet.
pub type Revision = Option<RecordId>;

macro_rules! bodies {
    ($($(#[doc = $doc:literal])* $kind:literal $name:ident),* $(,)?) => {
        /// What a record says.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Body {
            $($(#[doc = $doc])* $name($name),)*
            /// A kind that this program does not know. It changes nothing.
            Unknown {
                /// The kind as written.
                kind: String,
            },
            /// A known kind whose content does not fit it. It changes nothing.
            Malformed {
                /// The kind as written.
                kind: String,
                /// What does not fit.
                reason: String,
            },
        }

        impl Body {
            /// Every kind that this program knows, as written in the log.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            /// What each kind says, in the order of [`KINDS`](Self::KINDS).
            pub const MEANINGS: &'static [&'static str] = &[$(concat!($($doc),*)),*];

            /// The kind, as written in the log.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$name(_) => $kind,)*
                    Self::Unknown { kind } | Self::Malformed { kind, .. } => kind,
                }
            }

            /// Reads the content of a kind.
            pub(crate) fn from_content(kind: &str, content: &str) -> Self {
                match kind {
                    $($kind => match members(content) {
                        Ok(body) => Self::$name(body),
                        Err(reason) => Self::Malformed { kind: kind.to_owned(), reason },
                    },)*
                    _ => Self::Unknown { kind: kind.to_owned() },
                }
            }

            /// Writes the content, and says whether there is any: an unknown or malformed one has none.
            pub(crate) fn write_content(&self, line: &mut Vec<u8>) -> serde_json::Result<bool> {
                match self {
                    $(Self::$name(body) => serde_json::to_writer(line, body).map(|()| true),)*
                    Self::Unknown { .. } | Self::Malformed { .. } => Ok(false),
                }
            }
        }

        $(impl From<$name> for Body {
            fn from(body: $name) -> Self {
                Self::$name(body)
            }
        })*
    };
}

impl Body {
    /// The version of the format that has what this says. A record of an earlier one cannot say it.
    pub fn format(&self) -> u32 {
        let needs_newest = match self {
            Self::PauseSet(_)
            | Self::TaskReassigned(_)
            | Self::TaskDelegated(_)
            | Self::TaskGivenUp(_)
            | Self::PlanSubmitted(_)
            | Self::PlanJudged(_)
            | Self::NoteAdded(_)
            | Self::ModelLimited(_) => true,
            Self::TaskAdded(body) => body.task.needs_newest_format(),
            Self::TaskEdited(body) => body.change.after.is_some(),
            Self::PolicySet(body) => {
                let Policy { max_agents, max_depth, replans, .. } = &body.policy;
                [max_agents, max_depth, replans].iter().any(|new| new.is_some())
            }
            Self::AgentJoined(body) => body.plan || body.lead.is_some(),
            Self::ClaimExpired(body) => body.cause == ExpiryCause::Stuck,
            Self::MergeRefused(body) => body.cause == RefusalCause::Hook,
            Self::MessageSent(body) => body.waits || matches!(body.to, Recipient::Task(_)),
            Self::BudgetSet(body) => {
                let bounds = body.bounds;
                let new = [bounds.calls, bounds.attempts, bounds.time_ms, bounds.elapsed_ms];
                body.account == Account::Run || new.iter().any(Option::is_some)
            }
            _ => false,
        };
        if needs_newest { NEWEST_FORMAT } else { FORMAT }
    }
}

/// Reads an object. A list would be read by the order of the fields, which is no part of the format.
fn members<T: DeserializeOwned>(content: &str) -> Result<T, String> {
    if !content.starts_with('{') {
        return Err("it is no object".to_owned());
    }
    serde_json::from_str(content).map_err(|error| error.to_string())
}

bodies! {
    /// The format version rises from here on.
    "format_raised" FormatRaised,
    /// The rules of the team: gate, protected files, target branch.
    "policy_set" PolicySet,
    /// An orchestrator began to run the team.
    "run_started" RunStarted,
    /// An orchestrator ended.
    "run_ended" RunEnded,
    /// An agent joined, or came back with another role or other skills.
    "agent_joined" AgentJoined,
    /// An agent left.
    "agent_left" AgentLeft,
    /// The team or an agent was held up, or let go on.
    "pause_set" PauseSet,
    /// A task was added, alone or as part of a batch.
    "task_added" TaskAdded,
    /// All tasks of a batch are written: now they take effect together.
    "batch_closed" BatchClosed,
    /// Title, description, priority, … of a task changed.
    "task_edited" TaskEdited,
    /// A failed or cancelled task is wanted again.
    "task_retried" TaskRetried,
    /// A task is not wanted any more.
    "task_cancelled" TaskCancelled,
    /// A task is for another agent; whoever had it lost it.
    "task_reassigned" TaskReassigned,
    /// The holder handed out its task in parts, and waits for them.
    "task_delegated" TaskDelegated,
    /// A task that waits for its parts cannot be done, since a part failed.
    "task_given_up" TaskGivenUp,
    /// An agent took a task, or one of its stages.
    "task_claimed" TaskClaimed,
    /// The holder of a claim is still at work.
    "claim_renewed" ClaimRenewed,
    /// The holder gave its claim back.
    "claim_released" ClaimReleased,
    /// The holder of a claim is gone; the task is free for others.
    "claim_expired" ClaimExpired,
    /// A turn of an agent is in its journal: progress.
    "turn_journalled" TurnJournalled,
    /// The holder says how it means to do the task.
    "plan_submitted" PlanSubmitted,
    /// Somebody else judged the plan.
    "plan_judged" PlanJudged,
    /// The holder delivered its result.
    "task_submitted" TaskSubmitted,
    /// The holder could not do it.
    "task_failed" TaskFailed,
    /// A result that came after its claim was lost. Kept, not used.
    "late_result" LateResult,
    /// The task's check ran.
    "check_reported" CheckReported,
    /// A reviewer judged a submission.
    "review_given" ReviewGiven,
    /// The merger is about to move the target.
    "merge_intended" MergeIntended,
    /// The target holds the work.
    "merged" Merged,
    /// The work cannot be merged as it is.
    "merge_refused" MergeRefused,
    /// A message was sent.
    "message_sent" MessageSent,
    /// Messages were put into a request to an agent's model.
    "messages_delivered" MessagesDelivered,
    /// An agent has read messages.
    "messages_read" MessagesRead,
    /// Somebody noted what others should know.
    "note_added" NoteAdded,
    /// An account got a limit.
    "budget_set" BudgetSet,
    /// Money, tokens, turns or time were set aside before they are used.
    "spending_reserved" SpendingReserved,
    /// What was really used.
    "spending_settled" SpendingSettled,
    /// A model may not be called until then.
    "model_limited" ModelLimited,
    /// The holder of a claim wants files for itself.
    "files_reserved" FilesReserved,
    /// Files are free again.
    "files_released" FilesReleased,
}
