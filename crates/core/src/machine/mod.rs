//! The machine: folds records into the team's [`State`], and decides wishes into records.
//!
//! [`State::apply`] is small, total and exhaustive; it changes only with the format version. [`decide`] chooses (which
//! task, when a backoff is over) and may change between versions, since what it proposes is judged by the same guards.
//!
//! **Absent by design:** clocks, randomness, input and output. `apply` reads no time at all; the times that it stores
//! are for people.

mod apply;
mod decide;
mod files;
mod fingerprint;
pub(crate) mod fit;
mod graph;
mod index;
mod kept;
mod ledger;
mod messages;
mod places;
mod progress;
mod queue;
mod refusal;
mod safeguard;
mod seen;
mod snapshot;
mod sorted;
mod state;
mod task;
mod tasks;
mod transition;
mod update;

pub use apply::Outcome;
pub use decide::{Command, decide};
pub use files::Reservation;
pub use fingerprint::Fingerprint;
pub use kept::Kept;
pub use ledger::{Ledger, Limit, WARNING_PERCENT, Warning};
pub use messages::{Message, Messages, Receipt};
pub use queue::Counts;
pub use refusal::{Refusal, Unfit};
#[cfg(feature = "mutants")]
pub use safeguard::Safeguard;
pub use state::{Agent, Death, Late, ModelLimit, Note, Pause, Run, State};
pub use task::{
    Claim, Ending, Failure, Feedback, FeedbackCause, Intent, PastClaim, Plan, PlanVerdict, Submission, Task,
};
pub use transition::{Status, Step, next, table};
