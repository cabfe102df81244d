//! The thread put to recordings of the real app server (version 0.169), with their machine's paths replaced.

use super::*;
use crate::agent::driven::recorded::{Came, recorded};

macro_rules! recording {
    ($name:literal) => {
        recorded(include_str!(concat!("../recordings/", $name, ".jsonl")))
    };
}

/// Puts messages to a thread. Our requests have words as ids; those who recorded had numbers.
fn put(thread: &mut Thread, messages: &[Value]) -> Came {
    let mut came = Came::default();
    for message in messages {
        let mut message = message.clone();
        if let Some(opened) = message["result"]["thread"]["id"].as_str() {
            opened.clone_into(&mut thread.id);
        }
        if message["id"] == 3 && message["method"].is_null() {
            thread.tell("");
            message["id"] = json!(BEGIN);
        }
        match thread.take(&message, &mut |heard| came.heard.push(heard)) {
            Step::Listen => {}
            Step::Answer(answer) => came.answers.push(answer),
            end => came.ends.push(end),
        }
    }
    came
}

fn thread(access: Access) -> Thread {
    Thread::new("t".into(), access)
}

#[test]
fn what_it_does_is_heard_as_it_comes() {
    let came = put(&mut thread(Access::Work), &recording!("work"));
    let calls: Vec<&str> = came
        .heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Calls { name, .. } => Some(name.as_str()),
            Heard::Returned { output, .. } => Some(output.trim()),
            Heard::Text(text) => Some(text.trim()),
            _ => None,
        })
        .collect();
    let command = ["exec_command", "hi", "exec_command", ""];
    assert_eq!(calls, [&command[..], &["mcp__team__finish", "ok word", "done"]].concat());
    assert_eq!(came.ends, [Step::Over(Done::Said)]);
    assert_eq!((came.used().input_tokens, came.used().output_tokens), (400, 80));
}

#[test]
fn what_it_asks_for_is_answered_by_the_agents_policy() {
    let messages = recording!("look");
    let command = "/bin/bash -lc 'touch e.txt'";
    for (access, allowed, decision) in [(Access::Look, false, "decline"), (Access::Work, true, "accept")] {
        let came = put(&mut thread(access), &messages);
        assert_eq!(came.asked(), [(command, allowed), ("mcp__team__finish", true)]);
        assert_eq!(came.answers[0], json!({"id": 0, "result": {"decision": decision}}));
        assert_eq!(came.answers[1]["result"]["action"], "accept", "the team decides about its own tools");
    }
}

#[test]
fn who_looks_gets_nothing_that_it_is_not_known_to_want() {
    let asks = |method: &str, params: Value| {
        let message = json!({"id": 7, "method": method, "params": params});
        put(&mut thread(Access::Look), &[message]).answers.remove(0)["result"].clone()
    };
    let of_others =
        json!({"serverName": "other", "_meta": {"codex_approval_kind": "mcp_tool_call", "tool_name": "x"}});
    assert_eq!(asks("mcpServer/elicitation/request", of_others)["action"], "decline");
    let for_people = json!({"serverName": "team", "_meta": {}, "mode": "form", "message": "Your password?"});
    assert_eq!(asks("mcpServer/elicitation/request", for_people)["action"], "decline");
    assert_eq!(asks("item/fileChange/requestApproval", json!({}))["decision"], "decline");
    let more = json!({"permissions": {"network": {"enabled": true}}});
    assert_eq!(asks("item/permissions/requestApproval", more)["permissions"], json!({}));
    let unknown = json!({"id": 7, "method": "account/secrets", "params": {}});
    assert_eq!(put(&mut thread(Access::Work), &[unknown]).answers[0]["error"]["code"], -32601);
}

#[test]
fn an_error_by_the_way_fails_nothing() {
    let mut messages = recording!("work");
    assert!(messages.iter().any(|message| message["method"] == "warning"), "the recording shows one");
    let id = messages.iter().find_map(|message| message["params"]["threadId"].as_str()).unwrap().to_owned();
    let item = json!({"type": "error", "id": "e", "message": "Model metadata for `fake-1` not found."});
    messages.insert(5, json!({"method": "item/completed", "params": {"threadId": id, "item": item}}));
    let error = json!({"message": "stream disconnected"});
    messages
        .insert(6, json!({"method": "error", "params": {"threadId": id, "error": error, "willRetry": true}}));
    let came = put(&mut thread(Access::Work), &messages);
    assert_eq!(came.ends, [Step::Over(Done::Said)]);
}

#[test]
fn a_turn_that_failed_says_why_and_a_missing_login_is_one() {
    let mut came = put(&mut thread(Access::Work), &recording!("fail"));
    let Some(Step::Broken(Fault::Login(reason))) = came.ends.pop() else { panic!("{:?}", came.ends) };
    assert!(reason.contains("401 Unauthorized"), "{reason}");
    let Some(Step::Broken(Fault::Said(reason))) = came.ends.pop() else { panic!("{:?}", came.ends) };
    assert!(reason.contains("The script says 400."), "{reason}");
}

#[test]
fn it_is_broken_off_once_the_turn_has_a_name_and_what_was_used_before_counts_for_nothing() {
    let messages = recording!("interrupt");
    let mut thread = thread(Access::Work);
    let begun = messages.iter().position(|message| message["id"] == 3).unwrap();
    put(&mut thread, &messages[..begun]);
    thread.tell("Write b");
    assert_eq!(thread.break_off(), None);
    let came = put(&mut thread, &messages[begun..]);
    let stop = thread.break_off().unwrap();
    assert_eq!((&stop["method"], &stop["params"]["threadId"]), (&json!("turn/interrupt"), &json!(thread.id)));
    assert_eq!(came.ends, [Step::Over(Done::BrokenOff)]);
    assert_eq!(
        (came.used().input_tokens, came.used().output_tokens),
        (100, 20),
        "of this conversation alone"
    );
}

#[test]
fn what_helpers_of_its_own_do_is_not_heard_and_what_they_use_counts() {
    let mut thread = thread(Access::Work);
    let tokens = |input: u64| json!({"inputTokens": input, "outputTokens": 1});
    let item = json!({"type": "agentMessage", "id": "m", "text": "Found."});
    let messages = [
        json!({"id": BEGIN, "result": {"turn": {"id": "1"}}}),
        json!({"method": "item/completed", "params": {"threadId": "helper", "item": item}}),
        json!({"method": "thread/tokenUsage/updated", "params": {"threadId": "helper", "tokenUsage": {"total": tokens(5), "last": tokens(5)}}}),
        json!({"method": "turn/completed", "params": {"threadId": "helper", "turn": {"id": "1", "status": "completed"}}}),
        json!({"method": "thread/tokenUsage/updated", "params": {"threadId": "t", "tokenUsage": {"total": tokens(7), "last": tokens(7)}}}),
    ];
    let came = put(&mut thread, &messages);
    assert_eq!((came.heard.len(), came.ends.len(), came.used().input_tokens), (2, 0, 12));
}

#[test]
fn what_it_is_told_while_it_works_it_takes_or_refuses() {
    let mut thread = thread(Access::Work);
    let more = |words: &str| More { words: words.into(), messages: Vec::new() };
    thread.tell("Do it.");
    assert!(!thread.takes_more(), "its turn has not begun");
    thread.take(&json!({"id": BEGIN, "result": {"turn": {"id": "turn-1"}}}), &mut |_| ());
    assert!(thread.takes_more());
    let [taken, refused] = ["Do it well.", "Do it twice."].map(|words| thread.tell_more(more(words)));
    assert_eq!(taken["params"]["expectedTurnId"], "turn-1");
    let mut heard = Vec::new();
    let no = json!({"id": refused["id"], "error": {"code": -32600, "message": "no active turn to steer"}});
    for answer in [json!({"id": taken["id"], "result": {"turnId": "turn-1"}}), no] {
        assert_eq!(thread.take(&answer, &mut |told| heard.push(told)), Step::Listen);
    }
    assert_eq!(heard, [Heard::Took(more("Do it well."))]);
}
