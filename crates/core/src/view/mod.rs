//! Views: read-only projections of the state, as surfaces show them and `--json` prints them.
//!
//! Their fields are an interface: they are added to, and do not change their meaning.

mod agent;
mod budget;
mod idle;
mod message;
mod remedy;
mod row;
mod run;
mod status;
mod stretch;
mod task;
mod waiting;

pub use agent::{AgentView, agents};
pub use budget::{BudgetView, budgets};
pub use idle::why_idle;
pub use message::{MessageView, ReaderView, message};
pub use row::{PlanWord, RowView, rows};
pub use run::{GateRunView, RunView, last_gate, runs};
pub use status::{GoalView, LimitView, PauseView, ReplansView, StatusView, status};
pub use stretch::{StretchOutcome, StretchView, stretches};
pub use task::{AttemptView, FeedbackView, GateView, LateView, PlanView, TaskView, gate, plan, task};
pub use waiting::{Waiting, remedy, stuck, waits_for};
