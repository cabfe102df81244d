//! What a language model is to agent-team: one request in, one answer out, streamed if one likes.
//!
//! Knows nothing of tasks, logs or workspaces.
mod message;

pub use message::{Caller, Message, Part, Request, Response, StopReason, ToolSpec, Usage};
