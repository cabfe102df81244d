//! OpenAI's chat completions, and those who speak the same.

use agent_team::model::{Message, ModelSpec, Part, Request, StopReason, TimeLimits, Usage};
use serde_json::{Value, json};

use crate::fake::{Answer, FakeProvider, Protocol};
use crate::{ONCE, ask, assert_key_only_in, calls, connected, model, request, results, streamed};

/// OpenAI itself, and everyone else.
const BOTH: [Protocol; 2] = [Protocol::OpenAi, Protocol::OpenAiCompatible];

#[tokio::test]
async fn a_turn_with_tools_goes_both_ways() {
    for protocol in BOTH {
        a_turn_with_tools(protocol).await;
    }
}

async fn a_turn_with_tools(protocol: Protocol) {
    let first = Answer {
        text: "Let me see.".into(),
        usage: (1_000, 900, 50),
        ..Answer::call("read", json!({"path": "größe.txt"}))
    };
    let answers = vec![first.and_call("read", json!({"path": "b"})), Answer::text("Done.")];
    let fake = FakeProvider::new(protocol, answers).await;
    let model = model(protocol, &fake);

    let mut asked = request(vec![Message::user("Read two files.")]);
    let (response, deltas) = ask(&model, &asked).await;
    let response = response.unwrap();
    assert_eq!((response.text().as_str(), streamed(&deltas).as_str()), ("Let me see.", "Let me see."));
    assert_eq!(
        calls(&response),
        [("read".into(), json!({"path": "größe.txt"})), ("read".into(), json!({"path": "b"}))]
    );
    assert_eq!(response.stop, StopReason::ToolCalls);
    let usage = Usage { input_tokens: 1_000, cached_tokens: 900, output_tokens: 50, ..Usage::default() };
    assert_eq!(response.usage, usage);

    let mut answered = results(&response);
    answered.push(Part::text("A message arrived."));
    asked.messages.extend([Message::Assistant(response.parts), Message::User(answered)]);
    assert_eq!(ask(&model, &asked).await.0.unwrap().text(), "Done.");

    let requests = fake.requests();
    let body = &requests[0].body;
    assert_eq!((&body["model"], &body["stream"]), (&json!("gpt-test"), &json!(true)));
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    assert_eq!(body["tools"][0]["function"]["name"], "read");
    assert_eq!(
        requests[1].body["messages"],
        json!([
            {"role": "system", "content": "You write tools."},
            {"role": "user", "content": "Read two files."},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [
                {"type": "function", "id": "call_1_0",
                    "function": {"name": "read", "arguments": "{\"path\":\"größe.txt\"}"}},
                {"type": "function", "id": "call_1_1", "function": {"name": "read", "arguments": "{\"path\":\"b\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1_0", "content": "contents"},
            {"role": "tool", "tool_call_id": "call_1_1", "content": "ERROR: no such file"},
            {"role": "user", "content": "A message arrived."},
        ])
    );
    assert_key_only_in(&fake, "authorization");
}

#[tokio::test]
async fn a_compatible_server_gets_the_models_whole_name_and_its_thoughts_back() {
    let thinking = Some(("I should look.".to_owned(), String::new()));
    let answers =
        vec![Answer { thinking, ..Answer::call("read", json!({"path": "a"})) }, Answer::text("Done.")];
    let fake = FakeProvider::new(Protocol::OpenAi, answers).await;
    let spec: ModelSpec = "openai-compatible:qwen3-max".parse().unwrap();
    let model = connected(&spec, &format!("{}/v1", fake.url()), ONCE, TimeLimits::default());
    assert_eq!(model.name(), "openai-compatible:qwen3-max");

    let mut asked = request(vec![Message::user("Read.")]);
    let response = ask(&model, &asked).await.0.unwrap();
    let answered = results(&response);
    asked.messages.extend([Message::Assistant(response.parts), Message::User(answered)]);
    ask(&model, &asked).await.0.unwrap();

    let requests = fake.requests();
    assert_eq!(requests[0].body["model"], "qwen3-max");
    assert!(requests[0].body.get("reasoning_effort").is_none());
    assert_eq!(requests[1].body["messages"][2]["reasoning_content"], "I should look.");
}

#[tokio::test]
async fn arguments_that_are_no_json_reach_the_caller_and_go_back_as_an_object() {
    for protocol in BOTH {
        arguments_that_are_no_json(protocol).await;
    }
}

async fn arguments_that_are_no_json(protocol: Protocol) {
    let body = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":\
                {\"name\":\"read\",\"arguments\":\"{\\\"path\\\": \"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n\
                data: [DONE]\n\n";
    let fake = FakeProvider::new(protocol, vec![Answer::status(200, body), Answer::text("Sorry.")]).await;
    let model = model(protocol, &fake);
    let mut asked = request(vec![Message::user("Read.")]);
    let response = ask(&model, &asked).await.0.unwrap();
    assert_eq!(calls(&response), [("read".into(), json!("{\"path\": "))]);
    asked.messages.extend([Message::Assistant(response.parts.clone()), Message::User(results(&response))]);
    ask(&model, &asked).await.0.unwrap();
    let sent = fake.requests()[1].body["messages"][2]["tool_calls"][0]["function"]["arguments"].clone();
    assert_eq!(sent, "{\"unreadable_arguments\":\"{\\\"path\\\": \"}");
}

#[tokio::test]
async fn everyone_else_is_asked_the_same_as_openai() {
    let call = |id: &str, input: Value| Part::ToolCall { id: id.into(), name: "read".into(), input };
    let result = |call_id: &str, is_error| Part::ToolResult {
        call_id: call_id.into(),
        output: "größe\n\"\u{1}\"".into(),
        is_error,
    };
    let whole = request(vec![
        Message::User(vec![Part::text("one"), Part::text("two")]),
        Message::Assistant(vec![
            Part::text(" \n"),
            Part::text("a"),
            Part::text("b"),
            call("x", json!({"path": "ä"})),
        ]),
        Message::User(vec![Part::text("Hurry."), result("x", true)]),
        Message::Assistant(vec![call("y", Value::Null), call("z", json!("{\"pa"))]),
        Message::User(vec![result("y", false), result("z", true)]),
        Message::Assistant(Vec::new()),
        Message::User(Vec::new()),
    ]);
    let bare = Request {
        system: String::new(),
        tools: Vec::new(),
        max_output_tokens: None,
        ..request(vec![Message::user("Hello.")])
    };
    for asked in [whole, bare] {
        for name in ["qwen3:8b", "gpt-5-mini", "o3-max"] {
            let fake = FakeProvider::by(Protocol::OpenAi, |_| Answer::text("Yes.")).await;
            for provider in ["openai", "openai-compatible"] {
                let spec: ModelSpec = format!("{provider}:{name}").parse().unwrap();
                let model = connected(&spec, fake.url(), ONCE, TimeLimits::default());
                assert_eq!(ask(&model, &asked).await.0.unwrap().text(), "Yes.");
            }
            let requests = fake.requests();
            assert_eq!(requests[0].body, requests[1].body, "{name}");
            assert_eq!(requests[0].headers, requests[1].headers, "{name}");
        }
    }
}
