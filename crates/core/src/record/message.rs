//! Records about messages. All of them only add.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Role;
use crate::id::{AgentId, RecordId, TaskId};
use crate::text::Text;

/// To whom a message goes. Written `worker-1`, `role:reviewer`, `task:parse` or `everyone`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Recipient {
    /// To one agent.
    Agent(AgentId),
    /// To every agent of a role.
    Role(Role),
    /// To whoever works on a task, now or later: its thread.
    Task(TaskId),
    /// To all but the sender.
    Everyone,
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(agent) => write!(f, "{agent}"),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Task(task) => write!(f, "task:{task}"),
            Self::Everyone => f.write_str("everyone"),
        }
    }
}

impl FromStr for Recipient {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("role", role)) => role.parse().map(Self::Role).map_err(|error| format!("{error}")),
            Some(("task", task)) => task.parse().map(Self::Task).map_err(|error| format!("{error}")),
            _ if text == "everyone" => Ok(Self::Everyone),
            _ => text.parse().map(Self::Agent).map_err(|error| format!("{error}")),
        }
    }
}

impl TryFrom<String> for Recipient {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.to_string()
    }
}

/// A message was sent: it is queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSent {
    /// Who sent it.
    pub from: AgentId,
    /// To whom.
    pub to: Recipient,
    /// What it says.
    pub text: Text,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Whether it interrupts what its reader does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urgent: bool,
    /// Whether the sender waits for an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<RecordId>,
    /// Whether it waits for an agent that has left, should that one come back; otherwise it returns at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
}

impl MessageSent {
    /// Words that nobody waits for, about no task in particular.
    pub fn new(from: AgentId, to: Recipient, text: impl Into<Text>) -> Self {
        let text = text.into();
        Self { from, to, text, task: None, urgent: false, asks: false, reply_to: None, waits: false }
    }
}

/// Messages were put into a request to the agent's model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesDelivered {
    /// The agent.
    pub agent: AgentId,
    /// The messages.
    pub messages: Vec<RecordId>,
}

/// The agent has read messages: its answer to the request that held them arrived, or it asked for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesRead {
    /// The agent.
    pub agent: AgentId,
    /// The messages.
    pub messages: Vec<RecordId>,
}
