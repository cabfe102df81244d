//! The vocabulary between an agent and a model. Plain values, equal for every provider.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the model is told of a call that was broken off before there was a result: by an interruption, or since the process
/// that made it ended.
pub const INTERRUPTED: &str = "Interrupted: this call was broken off before it had a result. It may or may not have had its \
                               effect; look before you repeat it.";

/// One request to a model: everything it shall know, since a model remembers nothing between requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Who the model is and how it shall work.
    pub system: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// The tools that it may call in its answer.
    pub tools: Vec<ToolSpec>,
    /// The longest answer that is wanted, in tokens; `None` leaves it to the provider.
    pub max_output_tokens: Option<u32>,
    /// For whom the call is made. Real providers never see it; a scripted model chooses its rule by it.
    pub caller: Caller,
}

/// For whom a call is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The agent's id.
    pub agent: String,
    /// The agent's role, in lower case.
    pub role: String,
    /// The task's id, if the call is for a task.
    pub task: Option<String>,
    /// Which attempt at the task this is, from 1.
    pub attempt: u32,
    /// How often this very call was made before and failed, from 0. [`Retrying`](super::Retrying) counts it.
    #[serde(default)]
    pub retry: u32,
    /// Turns of the attempt that the conversation does not hold any more, since it was compacted; those with an
    /// interrupted call left out.
    #[serde(default)]
    pub turns_left_out: u32,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", content = "parts", rename_all = "snake_case")]
pub enum Message {
    /// What the user or the supervisor says.
    User(Vec<Part>),
    /// What the model answered.
    Assistant(Vec<Part>),
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Plain text.
    Text {
        /// The text itself.
        text: String,
    },
    /// A tool that the model wants to be called. Only in an assistant's message.
    ToolCall {
        /// The call's id, as the provider gave it.
        id: String,
        /// The tool's name.
        name: String,
        /// The arguments: a JSON object that should fit the tool's schema, or a string if the model wrote something
        /// that is no JSON (as when it was cut off at the greatest length).
        input: Value,
    },
    /// What a tool call gave. Only in a user's message; all results of one turn stand in one message.
    ToolResult {
        /// The id of the call that this answers.
        call_id: String,
        /// What the tool printed.
        output: String,
        /// Whether the call failed.
        is_error: bool,
    },
    /// Something only the provider reads (a thought's signature, say), kept so that it can be sent back unchanged.
    Opaque {
        /// The provider's own value.
        value: Value,
    },
}

/// A tool that a model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// The name the model calls it by.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// The JSON Schema of its arguments (an object).
    pub input_schema: Value,
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// What it said and which tools it called, in its order.
    pub parts: Vec<Part>,
    /// What the call used.
    pub usage: Usage,
    /// Why it stopped.
    pub stop: StopReason,
}

/// Tokens that a call used, as the provider counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, those from a cache included.
    pub input_tokens: u64,
    /// Of these, tokens read from the provider's cache.
    pub cached_tokens: u64,
    /// Of these, tokens written to the provider's cache, where that has a price of its own.
    #[serde(default)]
    pub cache_write_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said what it wanted to say.
    End,
    /// It waits for the results of its tool calls.
    ToolCalls,
    /// The answer was cut at the greatest length.
    Length,
    /// The provider refused to answer further (a content filter, say).
    Refused,
}

impl Message {
    /// A user's message that holds one text.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User(vec![Part::text(text)])
    }

    /// The parts, whoever said them.
    pub fn parts(&self) -> &[Part] {
        match self {
            Self::User(parts) | Self::Assistant(parts) => parts,
        }
    }
}

impl Part {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

impl Response {
    /// The text parts, joined.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        texts.join("")
    }
}
