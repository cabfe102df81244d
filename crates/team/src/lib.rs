//! Many LLM agents at work in parallel on shared tasks and one code base, without losing work, doing it twice, or
//! running away with money.

pub mod agent;
pub mod command;
pub mod config;
pub mod demo;
mod duration;
mod error;
mod folder;
pub mod git;
mod liveness;
mod merge_queue;
mod message_bus;
pub mod model;
mod new_task;
mod outside;
mod task_queue;
mod team_log;
pub mod tools;

pub use agent_team_core::id::{AgentId, BadName, RecordId, Skill, TaskId};
pub use agent_team_core::machine::{Ending, Failure, FeedbackCause, Refusal, Status};
pub use agent_team_core::record::{Account, Amount, ExpiryCause, Holder, Recipient, Role, Stage};
pub use agent_team_core::text::Text;
pub use agent_team_core::view;
pub use duration::{NotADuration, format_duration, parse_duration};
pub use error::Error;
pub use folder::{FOLDER, TeamFolder};
pub use liveness::{Observer, TakenBack};
pub use message_bus::{AgentMessage, MessageBus};
pub use new_task::NewTask;
pub use task_queue::{ClaimOptions, Claimed, TaskQueue, Waited};
pub use team_log::{Durability, TeamLog, Written};
