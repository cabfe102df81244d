//! Google's Gemini API.

use agent_team::model::{Message, Part, StopReason, Usage};
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
    let fake = FakeProvider::new(Protocol::Gemini, answers).await;
    let model = model(Protocol::Gemini, &fake);

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
    let ids: Vec<_> = answered
        .iter()
        .filter_map(|part| match part {
            Part::ToolResult { call_id, .. } => Some(call_id.clone()),
            _ => None,
        })
        .collect();
    assert_ne!(ids[0], ids[1], "Gemini gives calls no ids, ours must differ all the same");
    answered.push(Part::text("A message arrived."));
    asked.messages.extend([Message::Assistant(response.parts), Message::User(answered)]);
    assert_eq!(ask(&model, &asked).await.0.unwrap().text(), "Done.");

    let requests = fake.requests();
    assert_eq!(requests[0].path, "/v1beta/models/gemini-test:streamGenerateContent?alt=sse");
    assert_eq!(requests[0].body["tools"][0]["functionDeclarations"][0]["name"], "read");
    assert!(requests[0].body["systemInstruction"].to_string().contains("You write tools."));
    assert_eq!(
        requests[1].body["contents"],
        json!([
            {"role": "user", "parts": [{"text": "Read two files."}]},
            {"role": "model", "parts": [
                {"text": "Let me see."},
                {"functionCall": {"name": "read", "args": {"path": "größe.txt"}}, "thoughtSignature": "c2lnbmF0dXJl"},
                {"functionCall": {"name": "read", "args": {"path": "b"}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "read", "response": {"name": "read", "content": "contents"}}},
                {"functionResponse": {"name": "read", "response": {"name": "read", "content": "ERROR: no such file"}}},
            ]},
            {"role": "user", "parts": [{"text": "A message arrived."}]},
        ])
    );
    assert_key_only_in(&fake, "x-goog-api-key");
}
