//! The providers' answers on the wire, message by message, as their documentation and recorded streams have them.

use serde_json::{Value, json};

use super::Answer;

/// A protocol by which models are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /v1/messages`, server-sent events.
    Anthropic,
    /// `POST /v1/chat/completions`, server-sent events.
    OpenAi,
    /// The same, of another server than OpenAI's.
    OpenAiCompatible,
    /// `POST /v1beta/models/MODEL:streamGenerateContent?alt=sse`, server-sent events.
    Gemini,
    /// `POST /api/chat`, a JSON value a line.
    Ollama,
}

impl Protocol {
    /// Whether a request for this path is for a model's answer.
    pub fn serves(self, path: &str) -> bool {
        match self {
            Self::Anthropic => path == "/v1/messages",
            Self::OpenAi | Self::OpenAiCompatible => path == "/v1/chat/completions",
            Self::Gemini => {
                path.starts_with("/v1beta/models/") && path.ends_with(":streamGenerateContent?alt=sse")
            }
            Self::Ollama => path == "/api/chat",
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Anthropic | Self::OpenAi | Self::OpenAiCompatible | Self::Gemini => "text/event-stream",
            Self::Ollama => "application/x-ndjson",
        }
    }

    /// The messages of a whole answer; `turn` makes the ids of calls differ.
    pub fn messages(self, answer: &Answer, turn: usize) -> Vec<String> {
        match self {
            Self::Anthropic => anthropic(answer, turn),
            Self::OpenAi | Self::OpenAiCompatible => openai(answer, turn),
            Self::Gemini => gemini(answer),
            Self::Ollama => ollama(answer),
        }
    }

    /// The message by which an error is reported within a stream.
    pub(super) fn error(self, name: &str, reason: &str) -> String {
        match self {
            Self::Anthropic => event(&json!({"type": "error", "error": {"type": name, "message": reason}})),
            Self::OpenAi | Self::OpenAiCompatible => {
                data(&json!({"error": {"type": name, "message": reason}}))
            }
            Self::Gemini => data(&json!({"error": {"status": name, "message": reason}})),
            Self::Ollama => line(&json!({"error": reason})),
        }
    }
}

/// An event with its name, as Anthropic sends it.
fn event(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap())
}

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

/// Text in the pieces in which models write: word by word.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// Arguments in two pieces that are no JSON by themselves. A string stands for arguments that are none as a whole.
fn halves(input: &Value) -> [String; 2] {
    let text = input.as_str().map_or_else(|| input.to_string(), str::to_owned);
    let middle = (text.len() / 2..).find(|index| text.is_char_boundary(*index)).unwrap();
    let (first, second) = text.split_at(middle);
    [first.to_owned(), second.to_owned()]
}

/// See <https://docs.anthropic.com/en/api/messages-streaming>.
fn anthropic(answer: &Answer, turn: usize) -> Vec<String> {
    let (input_tokens, cached_tokens, output_tokens) = answer.usage;
    let mut messages = vec![
        event(&json!({"type": "message_start", "message": {
            "id": format!("msg_{turn}"), "type": "message", "role": "assistant", "model": "fake", "content": [],
            "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": input_tokens - cached_tokens, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": cached_tokens, "output_tokens": 1}}})),
        event(&json!({"type": "ping"})),
    ];
    let mut index = 0;
    let mut block = |start: Value, deltas: Vec<Value>| {
        messages.push(event(&json!({"type": "content_block_start", "index": index, "content_block": start})));
        for delta in deltas {
            messages.push(event(&json!({"type": "content_block_delta", "index": index, "delta": delta})));
        }
        messages.push(event(&json!({"type": "content_block_stop", "index": index})));
        index += 1;
    };
    if let Some((thinking, signature)) = &answer.thinking {
        let mut deltas: Vec<Value> =
            pieces(thinking).map(|piece| json!({"type": "thinking_delta", "thinking": piece})).collect();
        deltas.push(json!({"type": "signature_delta", "signature": signature}));
        block(json!({"type": "thinking", "thinking": "", "signature": ""}), deltas);
    }
    if !answer.text.is_empty() {
        let deltas = pieces(&answer.text).map(|piece| json!({"type": "text_delta", "text": piece}));
        block(json!({"type": "text", "text": ""}), deltas.collect());
    }
    for (call, (name, input)) in answer.calls.iter().enumerate() {
        let deltas = halves(input).map(|half| json!({"type": "input_json_delta", "partial_json": half}));
        let id = format!("toolu_{turn}_{call}");
        block(json!({"type": "tool_use", "id": id, "name": name, "input": {}}), deltas.into());
    }
    let stop = match answer {
        Answer { is_too_long: true, .. } => "max_tokens",
        Answer { calls, .. } if calls.is_empty() => "end_turn",
        _ => "tool_use",
    };
    messages.push(event(&json!({"type": "message_delta",
        "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": output_tokens}})));
    messages.push(event(&json!({"type": "message_stop"})));
    messages
}

/// See <https://platform.openai.com/docs/api-reference/chat-streaming>.
fn openai(answer: &Answer, turn: usize) -> Vec<String> {
    let (input_tokens, cached_tokens, output_tokens) = answer.usage;
    let chunk = |choices: Value, usage: Value| {
        data(&json!({"id": format!("chatcmpl-{turn}"), "object": "chat.completion.chunk", "created": 0,
            "model": "fake", "choices": choices, "usage": usage}))
    };
    let delta =
        |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null);
    let mut messages = vec![delta(json!({"role": "assistant", "content": ""}))];
    if let Some((thinking, _)) = &answer.thinking {
        messages.extend(pieces(thinking).map(|piece| delta(json!({"reasoning_content": piece}))));
    }
    messages.extend(pieces(&answer.text).map(|piece| delta(json!({"content": piece}))));
    for (index, (name, input)) in answer.calls.iter().enumerate() {
        messages.push(delta(json!({"tool_calls": [{"index": index, "id": format!("call_{turn}_{index}"),
            "type": "function", "function": {"name": name, "arguments": ""}}]})));
        messages.extend(
            halves(input).map(|half| {
                delta(json!({"tool_calls": [{"index": index, "function": {"arguments": half}}]}))
            }),
        );
    }
    let stop = match answer {
        Answer { is_too_long: true, .. } => "length",
        Answer { calls, .. } if calls.is_empty() => "stop",
        _ => "tool_calls",
    };
    messages.push(chunk(json!([{"index": 0, "delta": {}, "finish_reason": stop}]), Value::Null));
    messages.push(chunk(
        json!([]),
        json!({"prompt_tokens": input_tokens, "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
            "prompt_tokens_details": {"cached_tokens": cached_tokens}}),
    ));
    messages.push("data: [DONE]\n\n".to_owned());
    messages
}

/// See <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>.
fn gemini(answer: &Answer) -> Vec<String> {
    let (input_tokens, cached_tokens, output_tokens) = answer.usage;
    let chunk = |part: Value, stop: Option<&str>| {
        let mut candidate = json!({"content": {"parts": [part], "role": "model"}, "index": 0});
        if let Some(stop) = stop {
            candidate["finishReason"] = json!(stop);
        }
        data(&json!({"candidates": [candidate], "modelVersion": "fake", "usageMetadata": {
            "promptTokenCount": input_tokens, "cachedContentTokenCount": cached_tokens,
            "candidatesTokenCount": output_tokens, "totalTokenCount": input_tokens + output_tokens}}))
    };
    let mut messages = Vec::new();
    if let Some((thinking, _)) = &answer.thinking {
        messages.push(chunk(json!({"text": thinking, "thought": true}), None));
    }
    messages.extend(pieces(&answer.text).map(|piece| chunk(json!({"text": piece}), None)));
    for (index, (name, input)) in answer.calls.iter().enumerate() {
        let mut part = json!({"functionCall": {"name": name, "args": input}});
        // Of several calls only the first is signed.
        if let (0, Some((_, signature))) = (index, &answer.thinking) {
            part["thoughtSignature"] = json!(signature);
        }
        messages.push(chunk(part, None));
    }
    messages.push(chunk(json!({"text": ""}), Some(if answer.is_too_long { "MAX_TOKENS" } else { "STOP" })));
    messages
}

/// See <https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion>.
fn ollama(answer: &Answer) -> Vec<String> {
    let (input_tokens, _, output_tokens) = answer.usage;
    let chunk = |message: Value| {
        line(
            &json!({"model": "fake", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": false}),
        )
    };
    let mut messages = Vec::new();
    if let Some((thinking, _)) = &answer.thinking {
        messages.push(chunk(json!({"role": "assistant", "content": "", "thinking": thinking})));
    }
    messages.extend(pieces(&answer.text).map(|piece| chunk(json!({"role": "assistant", "content": piece}))));
    for (name, input) in &answer.calls {
        let call = json!({"function": {"name": name, "arguments": input}});
        messages.push(chunk(json!({"role": "assistant", "content": "", "tool_calls": [call]})));
    }
    let stop = if answer.is_too_long { "length" } else { "stop" };
    messages.push(line(&json!({"model": "fake", "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": stop,
        "prompt_eval_count": input_tokens, "eval_count": output_tokens})));
    messages
}
