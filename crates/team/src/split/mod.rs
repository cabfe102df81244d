//! Splits a failing suite into tasks that agents can do at the same time.
//!
//! A suite is a candidate, perhaps an oracle that is known to be right, and many inputs. Each input is judged; failures
//! with the same first difference make a group; each group is reduced to the smallest input, or the smallest set of
//! inputs, that fails so, and becomes one task with a check of its own. The way in which the C compiler project kept
//! sixteen agents from working on the same bug (<https://www.anthropic.com/engineering/building-c-compiler>).
//!
//! | file | what is in it |
//! |---|---|
//! | `inputs` | which inputs are meant |
//! | `sample` | a share of them, another one for each agent and always the same |
//! | `suite`, `shell` | one judgement: the commands and how they end |
//! | `reason`, `normal` | what the first difference is, and when two are the same |
//! | `survey` | all judgements, at the same time |
//! | `group` | failures by their reason |
//! | `ddmin`, `shrink` | the smallest that still fails |
//! | `plan`, `task` | the task of a group, and whether it is there already |
//!
//! `ddmin`, `group`, `normal`, `reason` and `sample` are pure. Nothing here prints, and nothing but `plan` and
//! `task` knows of teams.

mod ddmin;
mod group;
mod inputs;
mod normal;
mod plan;
mod reason;
mod sample;
mod shell;
mod shrink;
mod suite;
mod survey;
mod task;

pub use ddmin::Ddmin;
pub use group::{Group, group};
pub use inputs::{collect, parse_list, write_list};
pub use normal::normalise;
pub use plan::{Plan, PlanOptions, Planned};
pub use reason::Reason;
pub use sample::{NotAShare, Share};
pub use shrink::{NotALimit, ShrinkLimit, Shrunk};
pub use suite::{Failure, Suite, Verdict, quote};
pub use survey::{Survey, SurveyProgress};
pub use task::{Place, TaskCommands, task};
