//! Many LLM agents at work in parallel on shared tasks and one code base, without losing work, doing it twice, or
//! running away with money.

pub mod agent;
mod agent_team;
mod assemble;
pub mod command;
pub mod config;
pub mod demo;
mod desk;
mod doctor;
mod duration;
mod error;
mod folder;
mod follow;
pub mod git;
mod hooks;
mod judge;
mod kept;
mod liveness;
mod merge_queue;
mod message_bus;
pub mod model;
mod new_task;
mod outside;
mod progress;
mod records;
mod review;
mod run;
mod task_file;
mod task_queue;
mod task_text;
mod team_log;
mod teammate;
pub mod tools;
mod verify;
mod waiting;

pub use agent_team::{AgentTeam, RunOptions, Stop};
pub use agent_team_core::id::{AgentId, BadName, RecordId, Skill, TaskId};
pub use agent_team_core::machine::{Ending, Failure, FeedbackCause, Receipt, Refusal, Status};
pub use agent_team_core::record::{
    Account, AgentJoined, Amount, ExpiryCause, Holder, Recipient, Role, Stage,
};
pub use agent_team_core::text::Text;
pub use agent_team_core::view;
pub use assemble::{Assembled, assemble};
pub use doctor::{DamagedStretch, Diagnosis, HolderHealth, LostText, OddRecord, SnapshotHealth};
pub use duration::{NotADuration, format_duration, parse_duration};
pub use error::Error;
pub use folder::{FOLDER, TeamFolder};
pub use hooks::{Blocked, HOOK_LIMIT, HOOK_VARIABLE, Hook, Hooks};
pub use judge::{JUDGE_LIMIT, Judge, Judgement};
pub use liveness::{Health, Observer, TakenBack, holder_of_process};
pub use message_bus::{AgentMessage, MessageBus};
pub use new_task::NewTask;
pub use progress::{Progress, Reporter};
pub use records::{Fate, LoggedRecord, Records};
pub use review::{Verdict, review};
pub use run::{Landed, RunOutcome, RunReport};
pub use task_file::TaskFileError;
pub use task_queue::{ClaimOptions, Claimed, TaskQueue, Waited};
pub use task_text::with_texts;
pub use team_log::{Durability, TeamLog, Written};
pub use teammate::Teammate;
pub use verify::{Verified, Verifier};
