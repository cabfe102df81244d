//! Real providers' protocols over loopback: what goes over the wire, what comes back, and every way to fail.
//!
//! No test reads the real environment or leaves the machine.
#![cfg(feature = "providers")]
#![expect(clippy::unwrap_used, reason = "the tests' own functions fail by panicking")]

mod anthropic;
mod conversation;
mod failures;
#[path = "../fake/mod.rs"]
mod fake;
mod gemini;
mod hostile;
mod ollama;
mod openai;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use agent_team::model::{
    Caller, Connection, Delta, Message, Model, ModelError, ModelSpec, Part, Request, Response, RetryPolicy,
    TimeLimits, ToolSpec, connect,
};
use serde_json::json;

use crate::fake::{FakeProvider, Protocol};

/// The key that must stand in one header and nowhere else.
const KEY: &str = "planted-key-0123456789";

/// One call and no second one.
const ONCE: RetryPolicy = RetryPolicy {
    attempts: 1,
    first_wait: Duration::ZERO,
    longest_wait: Duration::ZERO,
    total_wait: Duration::ZERO,
    overloaded_for: Duration::ZERO,
};

/// Every protocol.
const PROTOCOLS: [Protocol; 5] =
    [Protocol::Anthropic, Protocol::OpenAi, Protocol::OpenAiCompatible, Protocol::Gemini, Protocol::Ollama];

/// The name under which a protocol's model is asked for.
fn spec(protocol: Protocol) -> ModelSpec {
    let text = match protocol {
        Protocol::Anthropic => "anthropic:claude-test",
        Protocol::OpenAi => "openai:gpt-test",
        Protocol::OpenAiCompatible => "openai-compatible:gpt-test",
        Protocol::Gemini => "gemini:gemini-test",
        Protocol::Ollama => "ollama:qwen-test:8b",
    };
    text.parse().unwrap()
}

fn connected(spec: &ModelSpec, url: &str, retry: RetryPolicy, limits: TimeLimits) -> Arc<dyn Model> {
    let environment = |name: &str| name.ends_with("_API_KEY").then(|| KEY.to_owned());
    let connection = Connection { base_url: Some(url), environment: &environment, limits, retry };
    connect(spec, &connection).unwrap()
}

/// The model behind `fake`, which is called once.
fn model(protocol: Protocol, fake: &FakeProvider) -> Arc<dyn Model> {
    connected(&spec(protocol), fake.url(), ONCE, TimeLimits::default())
}

/// A request with a system prompt, one tool and `messages`.
fn request(messages: Vec<Message>) -> Request {
    Request {
        system: "You write tools.".into(),
        messages,
        tools: vec![ToolSpec {
            name: "read".into(),
            description: "Reads a file.".into(),
            input_schema: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
        }],
        max_output_tokens: Some(1_000),
        caller: Caller { agent: "worker-1".into(), role: "worker".into(), ..Caller::default() },
    }
}

/// The answer, and what was streamed of it.
async fn ask(model: &Arc<dyn Model>, request: &Request) -> (Result<Response, ModelError>, Vec<Delta>) {
    let mut deltas = Vec::new();
    let result = model.respond(request, &mut |delta| deltas.push(delta)).await;
    (result, deltas)
}

/// The results of `calls`: the first succeeded, the others failed.
fn results(response: &Response) -> Vec<Part> {
    let ids = response.parts.iter().filter_map(|part| match part {
        Part::ToolCall { id, .. } => Some(id.clone()),
        _ => None,
    });
    ids.enumerate()
        .map(|(index, call_id)| Part::ToolResult {
            call_id,
            output: if index == 0 { "contents".into() } else { "no such file".into() },
            is_error: index > 0,
        })
        .collect()
}

/// The tool calls of a response, without ids.
fn calls(response: &Response) -> Vec<(String, serde_json::Value)> {
    let calls = response.parts.iter().filter_map(|part| match part {
        Part::ToolCall { name, input, .. } => Some((name.clone(), input.clone())),
        _ => None,
    });
    calls.collect()
}

/// The text that was streamed.
fn streamed(deltas: &[Delta]) -> String {
    let texts = deltas.iter().filter_map(|delta| match delta {
        Delta::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Fails unless the key stands in the header `name` of every request, and nowhere else.
fn assert_key_only_in(fake: &FakeProvider, name: &str) {
    for received in fake.requests() {
        for (header, value) in &received.headers {
            assert_eq!(value.contains(KEY), header == name, "{header}: {value}");
        }
        assert!(!received.path.contains(KEY) && !received.body.to_string().contains(KEY));
    }
}
