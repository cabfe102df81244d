//! Anthropic's Messages API.

use agent_team::model::{Delta, Message, Part, StopReason, Usage};
use serde_json::json;

use crate::fake::{Answer, FakeProvider, Protocol};
use crate::{ask, assert_key_only_in, calls, model, request, results, streamed};

#[tokio::test]
async fn a_turn_with_tools_goes_both_ways() {
    let first = Answer {
        thinking: Some(("I should look.".into(), "c2lnbmF0dXJl".into())),
        text: "Let me see.".into(),
        usage: (1_000, 900, 50),
        ..Answer::call("read", json!({"path": "größe.txt"}))
    };
    let answers = vec![first.and_call("read", json!({"path": "b"})), Answer::text("Done.")];
    let fake = FakeProvider::new(Protocol::Anthropic, answers).await;
    let model = model(Protocol::Anthropic, &fake);

    let mut asked = request(vec![Message::user("Read two files.")]);
    let (response, deltas) = ask(&model, &asked).await;
    let response = response.unwrap();
    assert_eq!(response.text(), "Let me see.");
    assert_eq!(streamed(&deltas), "Let me see.");
    assert!(deltas.contains(&Delta::Thinking("look.".into())), "{deltas:?}");
    assert_eq!(deltas.iter().filter(|delta| matches!(delta, Delta::ToolCall { .. })).count(), 2);
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
    let (second, _) = ask(&model, &asked).await;
    let second = second.unwrap();
    assert_eq!((second.text().as_str(), second.stop), ("Done.", StopReason::End));

    let requests = fake.requests();
    let body = &requests[0].body;
    assert_eq!(
        (&body["model"], &body["stream"], &body["max_tokens"]),
        (&json!("claude-test"), &json!(true), &json!(1_000))
    );
    assert_eq!(body["system"], "You write tools.");
    assert_eq!(
        body["tools"],
        json!([{"name": "read", "description": "Reads a file.",
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}])
    );
    assert_eq!(
        requests[1].body["messages"],
        json!([
            {"role": "user", "content": "Read two files."},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "I should look.", "signature": "c2lnbmF0dXJl"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "toolu_1_0", "name": "read", "input": {"path": "größe.txt"}},
                {"type": "tool_use", "id": "toolu_1_1", "name": "read", "input": {"path": "b"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1_0", "content": "contents"},
                {"type": "tool_result", "tool_use_id": "toolu_1_1", "content": "no such file", "is_error": true},
                {"type": "text", "text": "A message arrived.", "cache_control": {"type": "ephemeral"}},
            ]},
        ])
    );
    assert_eq!(requests[0].headers["anthropic-version"], "2023-06-01");
    assert_key_only_in(&fake, "x-api-key");
}

#[tokio::test]
async fn an_answer_that_is_too_long_says_so() {
    let long = Answer { is_too_long: true, ..Answer::text("And so on") };
    let fake = FakeProvider::new(Protocol::Anthropic, vec![long]).await;
    let (response, _) =
        ask(&model(Protocol::Anthropic, &fake), &request(vec![Message::user("Go on.")])).await;
    assert_eq!(response.unwrap().stop, StopReason::Length);
}
