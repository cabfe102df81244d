//! genai's end of a stream as our answer.

use std::collections::HashSet;

use genai::chat::{ContentPart, StopReason as Stop, StreamEnd, ToolCall, Usage as Counted};
use serde_json::{Value, json};

use super::request::{Kept, State};
use crate::model::{Message, ModelErrorKind, Part, Provider, Request, Response, StopReason, Usage};

/// Why a stream that has no end is an error.
pub(super) const CUT: &str = "the connection ended before the answer did";

/// The same of a stream in which nothing was. A page for people ends so too, and one that is asked for again does so again.
pub(super) const NOTHING: &str =
    "the connection ended before the answer began; if it goes on like this, look what is at the base URL";

/// The answer that a stream gave, or the kind and the reason of the error that it means.
pub(super) fn response(
    provider: Provider,
    request: &Request,
    end: StreamEnd,
) -> Result<Response, (ModelErrorKind, String)> {
    let StreamEnd {
        captured_usage, captured_stop_reason, captured_content, captured_reasoning_content, ..
    } = end;
    let content = captured_content.map(genai::chat::MessageContent::into_parts).unwrap_or_default();
    let calls = content.iter().any(ContentPart::is_tool_call);
    let stop = stop(provider, captured_stop_reason.as_ref(), calls, content.is_empty())?;
    let mut parts = Vec::new();
    // Models that think over OpenAI's protocol want their thoughts back as long as they wait for tools.
    if let (Provider::OpenAiCompatible, true, Some(thoughts)) = (provider, calls, captured_reasoning_content)
    {
        parts.extend(Kept::part(provider, State::Part(ContentPart::ReasoningContent(thoughts))));
    }
    let mut ids = call_ids(request);
    for part in content {
        push(provider, part, &mut ids, &mut parts);
    }
    Ok(Response { parts, usage: captured_usage.map(usage).unwrap_or_default(), stop })
}

fn stop(
    provider: Provider,
    stop: Option<&Stop>,
    calls: bool,
    is_empty: bool,
) -> Result<StopReason, (ModelErrorKind, String)> {
    match stop {
        // For these two genai makes up an end when the connection is cut; a real one has a reason.
        None if matches!(provider, Provider::Gemini | Provider::Ollama) => {
            Err((ModelErrorKind::Cut, CUT.to_owned()))
        }
        Some(Stop::MaxTokens(_)) => Ok(StopReason::Length),
        Some(Stop::ContentFilter(_)) => Ok(StopReason::Refused),
        Some(Stop::Other(reason)) if is_empty => {
            Err((ModelErrorKind::ServerError, format!("no answer, stopped with {reason}")))
        }
        _ if calls => Ok(StopReason::ToolCalls),
        _ => Ok(StopReason::End),
    }
}

fn push(provider: Provider, part: ContentPart, ids: &mut HashSet<String>, parts: &mut Vec<Part>) {
    match part {
        // Some models write a line break before a call, and some providers do not take such a text back.
        ContentPart::Text(text) if text.trim().is_empty() => {}
        ContentPart::Text(text) => parts.push(Part::text(text)),
        ContentPart::ToolCall(ToolCall { call_id, fn_name, fn_arguments, thought_signatures }) => {
            // Anthropic's signatures stand among the parts; here they would be the same once more.
            if let (Provider::Gemini, Some(signatures)) = (provider, thought_signatures) {
                parts.extend(Kept::part(provider, State::CallSignatures(signatures)));
            }
            let input = match fn_arguments {
                Value::Null => json!({}),
                Value::String(text) if text.is_empty() => json!({}),
                arguments => arguments,
            };
            parts.push(Part::ToolCall { id: unused(&call_id, ids), name: fn_name, input });
        }
        state @ (ContentPart::ThoughtSignature(_)
        | ContentPart::ReasoningContent(_)
        | ContentPart::Custom(_)) => parts.extend(Kept::part(provider, State::Part(state))),
        // Pictures and the like, which nobody asked for, and results, which no model gives.
        ContentPart::Binary(_) | ContentPart::ToolResponse(_) => {}
    }
}

/// The ids of the calls that the conversation holds already.
fn call_ids(request: &Request) -> HashSet<String> {
    let parts = request.messages.iter().flat_map(Message::parts);
    parts
        .filter_map(|part| match part {
            Part::ToolCall { id, .. } => Some(id.clone()),
            _ => None,
        })
        .collect()
}

/// `id`, or one like it that no other call has: where a server gives none, genai counts anew in each answer.
/// Counting on keeps the form by which genai tells such an id from a real one.
fn unused(id: &str, ids: &mut HashSet<String>) -> String {
    let stem = id.trim_end_matches(|c: char| c.is_ascii_digit());
    let mut number: u64 = id.strip_prefix(stem).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let mut candidate = id.to_owned();
    while !ids.insert(candidate.clone()) {
        number = number.wrapping_add(1);
        candidate = format!("{stem}{number}");
    }
    candidate
}

fn usage(counted: Counted) -> Usage {
    let tokens = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
    let details = counted.prompt_tokens_details.unwrap_or_default();
    Usage {
        input_tokens: tokens(counted.prompt_tokens),
        cached_tokens: tokens(details.cached_tokens),
        cache_write_tokens: tokens(details.cache_creation_tokens),
        output_tokens: tokens(counted.completion_tokens),
    }
}
