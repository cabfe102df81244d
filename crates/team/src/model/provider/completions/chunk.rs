//! The messages of a streamed chat completion, put together to an answer.
//!
//! Servers differ in what they add and leave out, so what is not understood is passed over; only what is no JSON, or an
//! error that the server reports, is not.

use std::collections::BTreeMap;

use genai::chat::{ContentPart, MessageContent, StopReason, StreamEnd, ToolCall, Usage};
use serde::Deserialize;
use serde_json::Value;

use crate::model::Delta;

/// A message that brought nothing of the answer.
pub(super) enum Unread {
    /// The server reports an error.
    Error(Value),
    /// It is no JSON.
    NoJson(serde_json::Error),
}

/// What came of the answer so far.
#[derive(Default)]
pub(super) struct Gathered {
    text: String,
    thoughts: String,
    calls: BTreeMap<u32, Call>,
    stop: Option<String>,
    usage: Option<Value>,
}

#[derive(Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chunk {
    error: Option<Value>,
    choices: Option<Vec<Choice>>,
    usage: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    delta: Option<Piece>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece {
    content: Option<String>,
    reasoning_content: Option<String>,
    /// The same, as some servers call it.
    reasoning: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    index: u32,
    id: Option<String>,
    function: FunctionPiece,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FunctionPiece {
    name: Option<String>,
    arguments: Option<String>,
}

impl Gathered {
    /// Takes a message, and shows `stream` what it brings.
    pub(super) fn take(
        &mut self,
        message: &[u8],
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<(), Unread> {
        let chunk = match serde_json::from_slice(message) {
            Ok(chunk) => chunk,
            Err(error) if error.is_data() => unusual(message).map_err(Unread::NoJson)?,
            Err(error) => return Err(Unread::NoJson(error)),
        };
        let Chunk { error, choices, usage } = chunk;
        if let Some(error) = error {
            return Err(Unread::Error(error));
        }
        self.usage = usage.or(self.usage.take());
        let Some(Choice { delta, finish_reason }) = choices.unwrap_or_default().into_iter().next() else {
            return Ok(());
        };
        self.stop = finish_reason.or(self.stop.take());
        let Piece { content, reasoning_content, reasoning, tool_calls } = delta.unwrap_or_default();
        if let Some(thought) = reasoning_content.or(reasoning).filter(|thought| !thought.is_empty()) {
            self.thoughts.push_str(&thought);
            stream(Delta::Thinking(thought));
        }
        if let Some(text) = content.filter(|text| !text.is_empty()) {
            self.text.push_str(&text);
            stream(Delta::Text(text));
        }
        for piece in tool_calls.unwrap_or_default() {
            self.take_call(piece, stream);
        }
        Ok(())
    }

    fn take_call(&mut self, piece: CallPiece, stream: &mut (dyn FnMut(Delta) + Send)) {
        let CallPiece { index, id, function: FunctionPiece { name, arguments } } = piece;
        let call = self.calls.entry(index).or_insert_with(|| Call {
            // Where a server gives none, one is made up; later ones are told from it.
            id: format!("call_{index}"),
            ..Call::default()
        });
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            call.id = id;
        }
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            if call.name.is_empty() {
                stream(Delta::ToolCall { name: name.clone() });
            }
            call.name = name;
        }
        call.arguments.push_str(&arguments.unwrap_or_default());
    }

    /// Whether anything of the answer came.
    pub(super) fn has_begun(&self) -> bool {
        !(self.text.is_empty() && self.thoughts.is_empty() && self.calls.is_empty())
    }

    /// The answer, when the server says that this is all of it.
    pub(super) fn end(self) -> StreamEnd {
        let mut parts = Vec::new();
        if !self.text.is_empty() {
            parts.push(ContentPart::Text(self.text));
        }
        parts.extend(self.calls.into_values().map(|call| {
            let Call { id: call_id, name: fn_name, arguments } = call;
            // What is no JSON is the caller's to judge.
            let fn_arguments = serde_json::from_str(&arguments).unwrap_or(Value::String(arguments));
            ContentPart::ToolCall(ToolCall { call_id, fn_name, fn_arguments, thought_signatures: None })
        }));
        StreamEnd {
            // An answer whose tokens are not counted in a known way is an answer all the same.
            captured_usage: self.usage.and_then(|usage| serde_json::from_value::<Usage>(usage).ok()),
            captured_stop_reason: self.stop.map(StopReason::from),
            captured_content: (!parts.is_empty()).then(|| MessageContent::from_parts(parts)),
            captured_reasoning_content: (!self.thoughts.is_empty()).then_some(self.thoughts),
            captured_response_id: None,
        }
    }
}

/// A message that has something else where it is looked for. Mistral's models that think give an array in the place of the
/// text; what else there may be is passed over, but for an error.
fn unusual(message: &[u8]) -> serde_json::Result<Chunk> {
    let mut message: Value = serde_json::from_slice(message)?;
    let error = message.get("error").filter(|error| !error.is_null()).cloned();
    if let Some(delta) = message.pointer_mut("/choices/0/delta")
        && let Some(Value::Array(pieces)) = delta.get("content")
    {
        let text = joined(pieces.iter().filter(|piece| piece["type"] == "text"));
        let thoughts = pieces.iter().filter(|piece| piece["type"] == "thinking");
        let thoughts = joined(thoughts.filter_map(|piece| piece["thinking"].as_array()).flatten());
        delta["content"] = text.into();
        delta["reasoning_content"] = thoughts.into();
    }
    let known = Chunk::deserialize(message).unwrap_or_default();
    Ok(Chunk { error: known.error.or(error), ..known })
}

fn joined<'a>(pieces: impl Iterator<Item = &'a Value>) -> String {
    pieces.filter_map(|piece| piece["text"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Gathered, Unread};
    use crate::model::Delta;

    /// What is streamed of these messages, and what is left in the end.
    fn streamed(messages: &[serde_json::Value]) -> (Vec<Delta>, Gathered) {
        let (mut deltas, mut gathered) = (Vec::new(), Gathered::default());
        for message in messages {
            let taken = gathered.take(message.to_string().as_bytes(), &mut |delta| deltas.push(delta));
            assert!(taken.is_ok(), "{message}");
        }
        (deltas, gathered)
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        let choice = |choice: serde_json::Value| json!({"choices": [choice]});
        let (deltas, gathered) = streamed(&[
            json!(null),
            json!([]),
            json!({"choices": null, "error": null, "usage": null}),
            json!({"choices": "none"}),
            choice(json!(17)),
            choice(json!({"delta": null, "finish_reason": null})),
            choice(json!({"delta": {"content": 17}})),
            choice(json!({"delta": {"tool_calls": [{"index": -1}]}})),
            choice(json!({"delta": {"content": "x", "surprise": [1, {"a": null}]}})),
        ]);
        assert_eq!(deltas, [Delta::Text("x".into())]);
        assert!(gathered.has_begun() && gathered.end().captured_stop_reason.is_none());
    }

    #[test]
    fn thoughts_come_under_each_of_their_names() {
        let delta = |delta: serde_json::Value| json!({"choices": [{"delta": delta}]});
        let (deltas, gathered) = streamed(&[
            delta(json!({"reasoning_content": "a"})),
            delta(json!({"reasoning": "b", "content": ""})),
            delta(json!({"content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "c"}]}, {"type": "text", "text": "d"}]})),
        ]);
        let thinking = |text: &str| Delta::Thinking(text.into());
        assert_eq!(deltas, [thinking("a"), thinking("b"), thinking("c"), Delta::Text("d".into())]);
        assert_eq!(gathered.end().captured_reasoning_content.as_deref(), Some("abc"));
    }

    #[test]
    fn an_error_is_one_whatever_stands_beside_it() {
        for message in [r#"{"error": "no"}"#, r#"{"error": {"message": "no"}, "choices": 1}"#] {
            let taken = Gathered::default().take(message.as_bytes(), &mut |_| {});
            assert!(matches!(taken, Err(Unread::Error(_))), "{message}");
        }
    }

    #[test]
    fn calls_are_put_together_by_their_number() {
        let call = |index: u32, rest: serde_json::Value| {
            let mut call = json!({"index": index, "function": {}});
            call.as_object_mut()
                .expect("it is an object")
                .extend(rest.as_object().expect("so is it").clone());
            json!({"choices": [{"delta": {"tool_calls": [call]}}]})
        };
        let (deltas, gathered) = streamed(&[
            call(4_000_000_000, json!({"function": {"name": "far", "arguments": "{}"}})),
            call(0, json!({"id": "x", "function": {"name": "near", "arguments": "{\"a\""}})),
            call(0, json!({"id": "", "function": {"name": "near", "arguments": ": 1}"}})),
        ]);
        assert_eq!(deltas, ["far", "near"].map(|name| Delta::ToolCall { name: name.into() }));
        let end = gathered.end();
        let calls = end.captured_tool_calls().expect("there are calls");
        let calls: Vec<_> = calls.iter().map(|call| (call.call_id.as_str(), &call.fn_arguments)).collect();
        assert_eq!(calls, [("x", &json!({"a": 1})), ("call_4000000000", &json!({}))]);
    }
}
