//! Our request as the body of a chat completion. It borrows: a conversation may be long, and is sent at every turn.

use std::borrow::Cow;

use genai::chat::ContentPart;
use serde::Serialize;
use serde_json::Value;

use crate::model::provider::request::{Kept, State, arguments};
use crate::model::provider::target::Target;
use crate::model::{Message, Part, Provider, Request, ToolSpec};

/// Models that want the longest answer under a name of its own.
const THINKERS: [&str; 5] = ["gpt-5", "gpt-6", "o1", "o3", "o4"];

/// The body of a request. The tools stand before the messages, since they change less and providers cache what begins
/// alike.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<Said<'a>>,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", content = "function", rename_all = "lowercase")]
enum Tool<'a> {
    Function { name: &'a str, description: &'a str, parameters: &'a Value, strict: bool },
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Said<'a> {
    System {
        content: &'a str,
    },
    User {
        content: Cow<'a, str>,
    },
    Assistant {
        content: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<String>,
    },
    Tool {
        content: Cow<'a, str>,
        tool_call_id: &'a str,
    },
}

#[derive(Serialize)]
struct Call<'a> {
    r#type: &'static str,
    id: &'a str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    /// JSON within JSON.
    arguments: String,
}

impl<'a> Body<'a> {
    pub(super) fn of(target: &'a Target, request: &'a Request) -> Self {
        let mut messages = Vec::with_capacity(request.messages.len() + 1);
        if !request.system.is_empty() {
            messages.push(Said::System { content: &request.system });
        }
        for message in &request.messages {
            match message {
                Message::User(parts) => push_user(parts, &mut messages),
                Message::Assistant(parts) => messages.extend(assistant(target.provider, parts)),
            }
        }
        let thinks = THINKERS.iter().any(|name| target.model.starts_with(name));
        Self {
            model: &target.model,
            stream: true,
            tools: request.tools.iter().map(tool).collect(),
            messages,
            stream_options: StreamOptions { include_usage: true },
            max_tokens: request.max_output_tokens.filter(|_| !thinks),
            max_completion_tokens: request.max_output_tokens.filter(|_| thinks),
        }
    }

    /// The body's bytes.
    pub(super) fn to_json(&self) -> Vec<u8> {
        // Nothing in it is of a kind that JSON lacks, so this does not fail; a server would say what it misses.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn tool(spec: &ToolSpec) -> Tool<'_> {
    Tool::Function {
        name: &spec.name,
        description: &spec.description,
        parameters: &spec.input_schema,
        strict: false,
    }
}

/// The results of calls, each in a message of its own, before what was said.
fn push_user<'a>(parts: &'a [Part], messages: &mut Vec<Said<'a>>) {
    let before = messages.len();
    messages.extend(parts.iter().filter_map(|part| match part {
        Part::ToolResult { call_id, output, is_error } => {
            // The protocol has no mark for a failed call.
            let content = if *is_error { format!("ERROR: {output}").into() } else { output.into() };
            Some(Said::Tool { content, tool_call_id: call_id })
        }
        _ => None,
    }));
    let content = texts(parts, |_| true);
    if !content.is_empty() || messages.len() == before {
        messages.push(Said::User { content });
    }
}

fn assistant(provider: Provider, parts: &[Part]) -> Option<Said<'_>> {
    let mut tool_calls = Vec::new();
    let mut thoughts = Vec::new();
    for part in parts {
        match part {
            Part::ToolCall { id, name, input } => {
                let arguments = match input {
                    Value::Object(_) => input.to_string(),
                    other => arguments(other).to_string(),
                };
                tool_calls.push(Call { r#type: "function", id, function: Function { name, arguments } });
            }
            Part::Opaque { value } => {
                if let Some(State::Part(ContentPart::ReasoningContent(thought))) =
                    Kept::state(provider, value)
                {
                    thoughts.push(thought);
                }
            }
            Part::Text { .. } | Part::ToolResult { .. } => {}
        }
    }
    let content = texts(parts, |text| !text.trim().is_empty());
    let reasoning_content = (!thoughts.is_empty()).then(|| thoughts.join("\n"));
    let is_empty = content.is_empty() && tool_calls.is_empty() && reasoning_content.is_none();
    (!is_empty).then_some(Said::Assistant { content, tool_calls, reasoning_content })
}

/// The texts that are wanted, with an empty line between them.
fn texts(parts: &[Part], is_wanted: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let mut joined = Cow::Borrowed("");
    for part in parts {
        let Part::Text { text } = part else { continue };
        if !is_wanted(text) {
            continue;
        }
        if joined.is_empty() {
            joined = Cow::Borrowed(text);
        } else {
            let joined = joined.to_mut();
            joined.push_str("\n\n");
            joined.push_str(text);
        }
    }
    joined
}
