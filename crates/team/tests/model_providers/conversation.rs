//! A whole conversation with tools, the same over every protocol: what an agent's loop relies on.

use std::collections::HashSet;

use agent_team::model::{Message, Part, StopReason};
use serde_json::json;

use crate::fake::{Answer, FakeProvider};
use crate::{PROTOCOLS, ask, model, request, results};

#[tokio::test]
async fn three_turns_of_tools_keep_calls_and_results_together() {
    for protocol in PROTOCOLS {
        let mut turn = 0;
        let fake = FakeProvider::by(protocol, move |_| {
            turn += 1;
            match turn {
                1..=3 => Answer::call("read", json!({"path": turn.to_string()})).and_call("read", json!({})),
                _ => Answer::text("Done."),
            }
        })
        .await;
        let model = model(protocol, &fake);
        let mut asked = request(vec![Message::user("Read them.")]);
        let mut ids = HashSet::new();
        loop {
            let response = ask(&model, &asked).await.0.unwrap();
            let answered = results(&response);
            asked.messages.push(Message::Assistant(response.parts));
            if response.stop != StopReason::ToolCalls {
                break;
            }
            for part in &answered {
                let Part::ToolResult { call_id, .. } = part else { panic!("{part:?} is no result") };
                assert!(ids.insert(call_id.clone()), "{protocol:?} gave {call_id} twice");
            }
            asked.messages.push(Message::User(answered));
        }
        assert_eq!((fake.requests().len(), ids.len()), (4, 6), "{protocol:?}");
        assert_eq!(asked.messages.last(), Some(&Message::Assistant(vec![Part::text("Done.")])));

        // What was kept survives being written down and read again.
        let written = serde_json::to_string(&asked).unwrap();
        assert_eq!(serde_json::from_str::<agent_team::model::Request>(&written).unwrap(), asked);
    }
}
