//! Our request in genai's words.
//!
//! The shape of a conversation is each protocol's own: where tool results stand, how a failed one is marked, what
//! state goes back. Nothing is sent here.

use std::collections::HashMap;

use genai::chat::{
    CacheControl, ChatMessage, ChatRequest, ContentPart, CustomPart, MessageContent, Tool, ToolCall,
    ToolResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::{Message, Part, Provider, Request, ToolSpec};

/// What a provider gave along with an answer and wants to see again, in a [`Part::Opaque`].
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    /// Whose it is; another provider is not shown it.
    provider: String,
    state: State,
}

/// The kinds of state that providers give.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// A thought, its signature, or a redacted thought, in its place among the parts.
    Part(ContentPart),
    /// The signatures of the tool call that follows.
    CallSignatures(Vec<String>),
}

impl Kept {
    /// `state` as a part of a message.
    pub(super) fn part(provider: Provider, state: State) -> Option<Part> {
        let kept = Self { provider: provider.name().to_owned(), state };
        serde_json::to_value(kept).ok().map(|value| Part::Opaque { value })
    }

    /// The state in a part, if it is this provider's.
    pub(super) fn state(provider: Provider, value: &Value) -> Option<State> {
        let kept = Self::deserialize(value).ok()?;
        (kept.provider == provider.name()).then_some(kept.state)
    }
}

/// The request as genai wants it for `provider`.
pub(super) fn chat_request(provider: Provider, request: &Request) -> ChatRequest {
    let mut names = HashMap::new();
    let mut messages = Vec::new();
    for message in &request.messages {
        match message {
            Message::User(parts) => messages.extend(user_messages(provider, parts, &names)),
            Message::Assistant(parts) => {
                names.extend(call_names(parts));
                let content = assistant_parts(provider, parts);
                if !content.is_empty() {
                    messages.push(ChatMessage::assistant(MessageContent::from_parts(content)));
                }
            }
        }
    }
    if provider == Provider::Anthropic
        && let Some(last) = messages.pop()
    {
        // The next turn sends all of this again: from the cache it costs a tenth.
        messages.push(last.with_options(CacheControl::Ephemeral));
    }
    let mut chat = ChatRequest::new(messages);
    if !request.system.is_empty() {
        chat = chat.with_system(request.system.as_str());
    }
    if !request.tools.is_empty() {
        chat = chat.with_tools(request.tools.iter().map(tool));
    }
    chat
}

fn tool(spec: &ToolSpec) -> Tool {
    Tool::new(spec.name.as_str())
        .with_description(spec.description.as_str())
        .with_schema(spec.input_schema.clone())
}

/// Which tool each call id means: Gemini wants results under the tool's name.
fn call_names(parts: &[Part]) -> impl Iterator<Item = (&str, &str)> {
    parts.iter().filter_map(|part| match part {
        Part::ToolCall { id, name, .. } => Some((id.as_str(), name.as_str())),
        _ => None,
    })
}

fn user_messages(provider: Provider, parts: &[Part], names: &HashMap<&str, &str>) -> Vec<ChatMessage> {
    let results: Vec<ContentPart> = parts.iter().filter_map(|part| result(provider, part, names)).collect();
    let texts: Vec<ContentPart> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text } => Some(ContentPart::Text(text.clone())),
            _ => None,
        })
        .collect();
    let user = |content: Vec<ContentPart>| ChatMessage::user(MessageContent::from_parts(content));
    let tool = |content: Vec<ContentPart>| ChatMessage::tool(MessageContent::from_parts(content));
    let mut messages = match provider {
        // Anthropic wants every result of a turn in the one message that follows it, before any text.
        Provider::Anthropic => return vec![user(results.into_iter().chain(texts).collect())],
        // genai sends Ollama only the last result of a message.
        Provider::Ollama => results.into_iter().map(|result| tool(vec![result])).collect(),
        _ if results.is_empty() => Vec::new(),
        _ => vec![tool(results)],
    };
    if !texts.is_empty() || messages.is_empty() {
        messages.push(user(texts));
    }
    messages
}

fn result(provider: Provider, part: &Part, names: &HashMap<&str, &str>) -> Option<ContentPart> {
    let Part::ToolResult { call_id, output, is_error } = part else {
        return None;
    };
    Some(match (provider, is_error) {
        (Provider::Anthropic, true) => ContentPart::Custom(CustomPart {
            model_iden: None,
            data: json!({
                "type": "tool_result", "tool_use_id": call_id, "content": output, "is_error": true
            }),
        }),
        (_, is_error) => {
            // The other protocols have no mark for a failed call.
            let content = if *is_error { format!("ERROR: {output}") } else { output.clone() };
            let response = ToolResponse::new(call_id.as_str(), content);
            ContentPart::ToolResponse(match names.get(call_id.as_str()) {
                Some(name) => response.with_fn_name(*name),
                None => response,
            })
        }
    })
}

fn assistant_parts(provider: Provider, parts: &[Part]) -> Vec<ContentPart> {
    let mut signatures = None;
    let mut content = Vec::new();
    for part in parts {
        match part {
            Part::Text { text } if text.trim().is_empty() => {}
            Part::Text { text } => content.push(ContentPart::Text(text.clone())),
            Part::ToolCall { id, name, input } => content.push(ContentPart::ToolCall(ToolCall {
                call_id: id.clone(),
                fn_name: name.clone(),
                fn_arguments: arguments(input),
                thought_signatures: signatures.take(),
            })),
            Part::Opaque { value } => match Kept::state(provider, value) {
                Some(State::Part(part)) => content.push(part),
                Some(State::CallSignatures(all)) => signatures = Some(all),
                None => {}
            },
            Part::ToolResult { .. } => {}
        }
    }
    content
}

/// Arguments as providers accept them: an object always, even where the model wrote none.
pub(super) fn arguments(input: &Value) -> Value {
    match input {
        Value::Object(_) => input.clone(),
        Value::Null => json!({}),
        other => json!({ "unreadable_arguments": other }),
    }
}
