//! The stream put to recordings of the real program (version 2.1.330, three of 2.1.197), with their machine's paths replaced.

use super::*;
use crate::agent::driven::recorded::{Came, recorded};

macro_rules! recording {
    ($name:literal) => {
        recorded(include_str!(concat!("../recordings/", $name, ".jsonl")))
    };
}

/// Puts messages to a stream. Where the program says that it begins with something, that is what it was told.
fn put(stream: &mut Stream, messages: &[Value]) -> Came {
    let mut came = Came::default();
    for message in messages {
        if message["isReplay"] == true {
            stream.tell("");
            message["uuid"].as_str().unwrap().clone_into(&mut stream.told);
        }
        match stream.take(message, &mut |heard| came.heard.push(heard)) {
            Step::Listen => {}
            Step::Answer(answer) => came.answers.push(answer),
            end => came.ends.push(end),
        }
    }
    came
}

fn stream(access: Access) -> Stream {
    Stream::new("s".into(), access, false)
}

/// A stream that has begun with what it was told, for recordings of a program that did not say so.
fn begun(access: Access) -> Stream {
    Stream { is_begun: true, ..stream(access) }
}

#[test]
fn what_it_asks_for_is_answered_by_the_agents_policy() {
    let messages = recording!("deny");
    let came = put(&mut stream(Access::Work), &messages);
    assert_eq!(came.asked(), [("Write /project/b.txt", true)]);
    let answer = &came.answers[0]["response"];
    assert_eq!((&answer["subtype"], &answer["response"]["behavior"]), (&json!("success"), &json!("allow")));
    assert_eq!(answer["response"]["updatedInput"]["content"], "hi\n", "allowed is what it asked for");
    let asks = messages.iter().find(|message| message["type"] == "control_request").unwrap();
    assert_eq!(answer["request_id"], asks["request_id"]);

    let came = put(&mut stream(Access::Look), &messages);
    assert_eq!(
        came.asked(),
        [("Write /project/b.txt", false)],
        "and it is told once, not again with the result"
    );
    assert_eq!(came.answers[0]["response"]["response"]["behavior"], "deny");
    assert_eq!(came.ends, [Step::Over(Done::Said)], "it succeeds all the same");
}

#[test]
fn who_looks_may_read_and_call_the_team_and_nothing_else() {
    let asks = |tool: &str| {
        let request = json!({"subtype": "can_use_tool", "tool_name": tool, "input": {}, "tool_use_id": "t"});
        let came = put(
            &mut begun(Access::Look),
            &[json!({"type": "control_request", "request_id": "r", "request": request})],
        );
        came.answers[0]["response"]["response"]["behavior"] == "allow"
    };
    for tool in ["Read", "Grep", "mcp__team__review"] {
        assert!(asks(tool), "{tool}");
    }
    for tool in ["Bash", "Write", "WebFetch", "mcp__other__review", "mcp__team__x y", "Unheard"] {
        assert!(!asks(tool), "{tool}");
    }
}

#[test]
fn what_it_refused_by_itself_is_told_with_a_result_that_says_success() {
    let messages = recording!("noperm");
    assert_eq!(messages.last().unwrap()["subtype"], "success");
    let came = put(&mut begun(Access::Work), &messages);
    assert_eq!(came.asked(), [("Write /project/hello.txt", false)]);
    let returned = came.heard.iter().any(|heard| matches!(heard, Heard::Returned { is_error: true, .. }));
    assert!(returned, "{:?}", came.heard);
    assert_eq!(came.ends, [Step::Over(Done::Said)]);
}

#[test]
fn a_provider_that_fails_is_a_failure_although_it_says_success() {
    let messages = recording!("fail401");
    assert_eq!(messages.last().unwrap()["subtype"], "success");
    let mut came = put(&mut begun(Access::Work), &messages[3..]);
    let Some(Step::Broken(Fault::Said(reason))) = came.ends.pop() else { panic!("{:?}", came.ends) };
    assert!(reason.contains("529 Overloaded"), "{reason}");
    assert!(!came.heard.iter().any(|heard| matches!(heard, Heard::Text(_))), "an error is nobody's word");
}

#[test]
fn a_key_that_nobody_knows_ends_it_before_it_tries_for_minutes() {
    let came = put(&mut stream(Access::Work), &recording!("login"));
    assert_eq!(came.ends.first(), Some(&Step::Broken(Fault::Login("authentication_failed".into()))));
}

#[test]
fn a_limit_of_its_own_is_no_failure() {
    let came = put(&mut begun(Access::Work), &recording!("maxturns"));
    assert_eq!(came.ends, [Step::Over(Done::Limit)]);
}

#[test]
fn without_its_team_it_does_not_work() {
    let messages = recording!("broken");
    let mut stream = Stream::new("s".into(), Access::Work, true);
    let mut came = put(&mut stream, &messages);
    let Step::Broken(Fault::Said(reason)) = came.ends.remove(0) else { panic!("{:?}", came.ends) };
    assert!(reason.contains("tools of its team (failed)"), "{reason}");
    let unknown = json!({"type": "system", "subtype": "init", "mcp_servers": []});
    assert!(matches!(put(&mut stream, &[unknown]).ends[..], [Step::Broken(_)]));
}

#[test]
fn one_process_tells_many_results_each_after_what_it_was_told() {
    let messages = recording!("interrupt");
    let results = messages.iter().filter(|message| message["type"] == "result");
    assert_eq!(results.count(), 2);
    let came = put(&mut stream(Access::Work), &messages);
    assert_eq!(came.ends.first(), Some(&Step::Over(Done::Said)));
    assert_eq!(came.ends.len(), 2);
    assert_eq!((came.used().input_tokens, came.used().output_tokens), (300, 60), "what both used");

    // A result before it begins with what it was told is of something that it did by itself.
    let result = messages.iter().find(|message| message["type"] == "result").unwrap().clone();
    let mut early = stream(Access::Work);
    early.tell("Write c");
    let came = put(&mut early, &[result]);
    assert_eq!((came.ends.len(), came.used().input_tokens), (0, 200));
}

#[test]
fn it_is_broken_off_once_it_has_begun() {
    let messages = recording!("interrupt");
    let second = messages.iter().rposition(|message| message["isReplay"] == true).unwrap();
    let mut stream = stream(Access::Work);
    stream.tell("Write b");
    assert_eq!(stream.break_off(), None, "before that there is nothing to leave off");
    put(&mut stream, &messages[second..=second]);
    assert_eq!(stream.break_off().unwrap()["request"]["subtype"], "interrupt");
    let came = put(&mut stream, &messages[second + 1..]);
    assert_eq!(came.ends, [Step::Over(Done::BrokenOff)]);
}

#[test]
fn where_its_fields_stand_in_a_line_says_nothing() {
    let text = include_str!("../recordings/interrupt.jsonl");
    let last = text.lines().rfind(|line| line.contains(r#""type":"result""#)).unwrap();
    assert!(!last.starts_with(r#"{"type""#), "the recording shows it");
}

#[test]
fn what_a_helper_of_its_own_says_is_not_its_word() {
    let says = |parent: Value| {
        let message = json!({"content": [{"type": "text", "text": "Found."}]});
        let message = json!({"type": "assistant", "message": message, "parent_tool_use_id": parent});
        put(&mut begun(Access::Work), &[message]).heard
    };
    assert_eq!(says(Value::Null), [Heard::Text("Found.\n".into())]);
    assert_eq!(says(json!("toolu_1")), []);
}

#[test]
fn what_it_writes_is_heard_as_it_writes_it() {
    let writes = |parent: Value, delta: Value| {
        let event = json!({"type": "content_block_delta", "index": 0, "delta": delta});
        let message = json!({"type": "stream_event", "event": event, "parent_tool_use_id": parent});
        put(&mut begun(Access::Work), &[message]).heard
    };
    let text = json!({"type": "text_delta", "text": "Fou"});
    assert_eq!(writes(Value::Null, text.clone()), [Heard::Writes("Fou".into())]);
    assert_eq!(writes(json!("toolu_1"), text), []);
    assert_eq!(writes(Value::Null, json!({"type": "input_json_delta", "partial_json": "{"})), []);
}

/// That it begins with a message.
fn begins_with(message: &Value) -> Value {
    json!({"type": "user", "uuid": message["uuid"], "isReplay": true, "message": message["message"]})
}

#[test]
fn what_it_is_told_while_it_works_belongs_to_its_turn_or_to_another_one_that_follows() {
    let mut stream = stream(Access::Work);
    let mut heard = Vec::new();
    let result = json!({"type": "result", "subtype": "success", "stop_reason": "end_turn"});
    let more = |words: &str| More { words: words.into(), messages: Vec::new() };
    let told = stream.tell("Do it.");
    assert!(!stream.takes_more(), "it has not begun");
    let mut take = |stream: &mut Stream, message: &Value| stream.take(message, &mut |told| heard.push(told));
    take(&mut stream, &begins_with(&told));
    assert!(stream.takes_more());
    let in_time = stream.tell_more(more("Do it well."));
    take(&mut stream, &begins_with(&in_time));
    let late = stream.tell_more(more("Do it twice."));
    assert_eq!(take(&mut stream, &result), Step::Listen, "another turn follows");
    take(&mut stream, &begins_with(&late));
    assert_eq!(take(&mut stream, &result), Step::Over(Done::Said));
    heard.retain(|heard| matches!(heard, Heard::Took(_)));
    assert_eq!(heard, [Heard::Took(more("Do it well.")), Heard::Took(more("Do it twice."))]);
}
