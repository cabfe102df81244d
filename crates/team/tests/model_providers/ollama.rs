//! Ollama's own API.

use agent_team::model::{Message, StopReason, Usage};
use serde_json::json;

use crate::fake::{Answer, FakeProvider, Protocol};
use crate::{ask, calls, model, request, results, streamed};

#[tokio::test]
async fn a_turn_with_tools_goes_both_ways() {
    let first = Answer { text: "Let me see.".into(), ..Answer::call("read", json!({"path": "größe.txt"})) };
    let answers = vec![first.and_call("read", json!({"path": "b"})), Answer::text("Done.")];
    let fake = FakeProvider::new(Protocol::Ollama, answers).await;
    let model = model(Protocol::Ollama, &fake);

    let mut asked = request(vec![Message::user("Read two files.")]);
    let (response, deltas) = ask(&model, &asked).await;
    let response = response.unwrap();
    assert_eq!((response.text().as_str(), streamed(&deltas).as_str()), ("Let me see.", "Let me see."));
    assert_eq!(
        calls(&response),
        [("read".into(), json!({"path": "größe.txt"})), ("read".into(), json!({"path": "b"}))]
    );
    assert_eq!(response.stop, StopReason::ToolCalls);
    assert_eq!(response.usage, Usage { input_tokens: 100, output_tokens: 10, ..Usage::default() });

    let answered = results(&response);
    asked.messages.extend([Message::Assistant(response.parts), Message::User(answered)]);
    assert_eq!(ask(&model, &asked).await.0.unwrap().text(), "Done.");

    let requests = fake.requests();
    let body = &requests[1].body;
    assert_eq!(
        (&body["model"], &body["tools"][0]["function"]["name"]),
        (&json!("qwen-test:8b"), &json!("read"))
    );
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "You write tools."},
            {"role": "user", "content": "Read two files."},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [
                {"function": {"name": "read", "arguments": {"path": "größe.txt"}}},
                {"function": {"name": "read", "arguments": {"path": "b"}}},
            ]},
            {"role": "tool", "content": "contents"},
            {"role": "tool", "content": "ERROR: no such file"},
        ])
    );
    assert!(!requests[0].headers.contains_key("authorization"));
}
