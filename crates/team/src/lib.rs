//! Many LLM agents at work in parallel on shared tasks and one code base, without losing work, doing it twice, or
//! running away with money.

pub mod command;
mod doctor;
mod error;
mod folder;
pub mod git;
mod liveness;
mod merge_queue;
mod message_bus;
pub mod model;
mod new_task;
mod outside;
mod records;
mod review;
mod task_file;
mod task_queue;
mod team_log;
pub mod tools;
mod verify;

pub use agent_team_core::id::{AgentId, BadName, RecordId, Skill, TaskId};
pub use agent_team_core::machine::{Ending, Failure, FeedbackCause, Receipt, Refusal, Status};
pub use agent_team_core::record::{Account, AgentJoined, Amount, ExpiryCause, Holder, Recipient, Role, Stage};
pub use agent_team_core::text::Text;
pub use agent_team_core::view;
pub use doctor::{DamagedStretch, Diagnosis, HolderHealth, LostText, OddRecord, SnapshotHealth};
pub use error::Error;
pub use folder::{FOLDER, TeamFolder};
pub use liveness::{Health, Observer, TakenBack, holder_of_process};
pub use message_bus::{AgentMessage, MessageBus};
pub use new_task::NewTask;
pub use records::{Fate, LoggedRecord, Records};
pub use review::{Verdict, review};
pub use task_file::TaskFileError;
pub use task_queue::{ClaimOptions, Claimed, TaskQueue, Waited};
pub use team_log::{Durability, TeamLog, Written};
pub use verify::{CheckReport, Checked, run_check};
