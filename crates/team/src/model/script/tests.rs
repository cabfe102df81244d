use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::model::{RetryPolicy, Retrying};

fn script(rules: &Value) -> Script {
    Script::parse("test", &json!({ "rules": rules }).to_string()).unwrap()
}

/// A worker's first request of a first attempt at the task `wc`.
fn request() -> Request {
    Request {
        system: "You write tools.".into(),
        messages: vec![Message::user("Write wc.")],
        tools: Vec::new(),
        max_output_tokens: None,
        caller: Caller {
            agent: "worker-1".into(),
            role: "worker".into(),
            task: Some("wc".into()),
            attempt: 1,
            ..Caller::default()
        },
    }
}

/// The answer's text, or the error's kind.
async fn ask(script: &Script, request: &Request) -> Result<String, ModelErrorKind> {
    script.respond(request, &mut |_| {}).await.map(|answer| answer.text()).map_err(|error| error.kind())
}

#[tokio::test]
async fn the_first_rule_that_fits_answers() {
    let script = script(&json!([
        {"when": {"role": "lead"}, "give": {"text": "lead"}},
        {"when": {"task": "wc", "attempt": 2}, "give": {"text": "second attempt"}},
        {"when": {"task": "wc", "agent": "worker-1"}, "give": {"text": "wc by worker-1"}},
        {"when": {"contains": "wc"}, "give": {"text": "something about wc"}},
        {"when": {"retry": 1}, "give": {"text": "again"}},
    ]));
    assert_eq!(ask(&script, &request()).await.unwrap(), "wc by worker-1");
    let with = |change: fn(&mut Request)| {
        let mut request = request();
        change(&mut request);
        request
    };
    let cases = [
        (with(|request| request.caller.role = "lead".into()), Ok("lead")),
        (with(|request| request.caller.attempt = 2), Ok("second attempt")),
        (with(|request| request.caller.agent = "worker-2".into()), Ok("something about wc")),
        (
            with(|request| (request.messages, request.caller.task) = (vec![], None)),
            Err(ModelErrorKind::NoRule),
        ),
        (
            with(|request| (request.messages, request.caller.task, request.caller.retry) = (vec![], None, 1)),
            Ok("again"),
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(ask(&script, &request).await, expected.map(str::to_owned));
    }
}

#[tokio::test]
async fn steps_follow_the_turns_of_the_conversation() {
    let script = script(&json!([
        {"when": {"task": "wc"}, "steps": [
            {"tool_calls": [{"name": "write", "input": {"path": "wc.sh"}}, {"name": "finish", "input": {}}]},
            {"text": "done"},
        ]},
        {"give": {"text": "beyond the steps"}},
    ]));
    let mut request = request();
    let first = script.respond(&request, &mut |_| {}).await.unwrap();
    assert_eq!(first.stop, StopReason::ToolCalls);
    assert_eq!(
        first.parts,
        [
            Part::ToolCall { id: "call_0_0".into(), name: "write".into(), input: json!({"path": "wc.sh"}) },
            Part::ToolCall { id: "call_0_1".into(), name: "finish".into(), input: json!({}) },
        ]
    );
    let result = Part::ToolResult { call_id: "call_0_0".into(), output: "written".into(), is_error: false };
    request.messages.extend([Message::Assistant(first.parts), Message::User(vec![result])]);
    let second = script.respond(&request, &mut |_| {}).await.unwrap();
    assert_eq!((second.text().as_str(), second.stop), ("done", StopReason::End));
    request.messages.extend([Message::Assistant(second.parts), Message::user("more")]);
    assert_eq!(ask(&script, &request).await.unwrap(), "beyond the steps");
}

#[tokio::test]
async fn contains_reads_tool_results_of_the_last_message_only() {
    let script = script(&json!([{"when": {"contains": "wrong"}, "give": {"text": "mended"}}]));
    let mut request = request();
    request.messages = vec![Message::user("wrong"), Message::user("right")];
    assert_eq!(ask(&script, &request).await.unwrap_err(), ModelErrorKind::NoRule);
    let result = Part::ToolResult { call_id: "a".into(), output: "3 wrong lines".into(), is_error: true };
    request.messages.push(Message::User(vec![Part::text("news"), result]));
    assert_eq!(ask(&script, &request).await.unwrap(), "mended");
}

#[tokio::test]
async fn no_rule_quotes_the_last_message() {
    let error = script(&json!([])).respond(&request(), &mut |_| {}).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "script has no rule for this request: no rule of test fits agent worker-1, role worker, task wc, attempt 1, \
         turn 0, whose last message is \"Write wc.\" (add a rule to the script)"
    );
}

#[tokio::test]
async fn usage_is_estimated_unless_given() {
    let script = script(&json!([
        {"when": {"attempt": 2}, "give": {"text": "x", "usage": {"input_tokens": 1000, "output_tokens": 7}}},
        {"give": {"text": "twelve chars"}},
    ]));
    let estimated = script.respond(&request(), &mut |_| {}).await.unwrap().usage;
    // "You write tools." and "Write wc." are 25 characters.
    assert_eq!(estimated, Usage { input_tokens: 7, output_tokens: 3, ..Usage::default() });
    let mut second = request();
    second.caller.attempt = 2;
    let given = script.respond(&second, &mut |_| {}).await.unwrap().usage;
    assert_eq!(given, Usage { input_tokens: 1_000, output_tokens: 7, ..Usage::default() });
}

#[tokio::test(start_paused = true)]
async fn an_error_at_the_first_try_is_got_over() {
    let script = script(&json!([
        {"when": {"retry": 0}, "give": {"error": {"kind": "overloaded", "message": "busy", "retry_after_ms": 7000}}},
        {"give": {"text": "at last", "delay_ms": 250}},
    ]));
    let model = Retrying::new(script, RetryPolicy::default()).with_random(|| 0.0);
    let start = Instant::now();
    let answer = model.respond(&request(), &mut |_| {}).await.unwrap();
    assert_eq!(answer.text(), "at last");
    assert_eq!(start.elapsed().as_millis(), 7_250);
}

#[tokio::test]
async fn text_is_streamed_by_line() {
    let script =
        script(&json!([{"give": {"text": "one\ntwo", "tool_calls": [{"name": "finish", "input": {}}]}}]));
    let mut deltas = Vec::new();
    script.respond(&request(), &mut |delta| deltas.push(delta)).await.unwrap();
    assert_eq!(
        deltas,
        [Delta::Text("one\n".into()), Delta::Text("two".into()), Delta::ToolCall { name: "finish".into() }]
    );
}

#[tokio::test(start_paused = true)]
async fn text_is_streamed_by_word_over_the_time_that_it_takes() {
    let script = script(&json!([{"give": {"text": "one two\nthree", "delay_ms": 100, "stream_ms": 300}}]));
    let start = Instant::now();
    let mut heard = Vec::new();
    let answer =
        script.respond(&request(), &mut |delta| heard.push((delta, start.elapsed().as_millis()))).await;
    let said = |text: &str, at| (Delta::Text(text.into()), at);
    assert_eq!(heard, [said("one ", 100), said("two\n", 200), said("three", 300)]);
    assert_eq!((answer.unwrap().text().as_str(), start.elapsed().as_millis()), ("one two\nthree", 400));
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let cases = [
        (r#"{"rules": [], "rule": 1}"#, "s:1:20: unknown field `rule`, expected `$schema` or `rules`"),
        (
            "{\"rules\": [\n  {\"when\": {\"rolle\": \"lead\"}, \"give\": {\"text\": \"\"}}\n]}",
            "s:2:19: unknown field `rolle`, expected one of `role`, `agent`, `task`, `attempt`, `turn`, `retry`, `contains`",
        ),
        (
            "{\"rules\": [\n  {\"give\": {\"text\": \"\"}, \"steps\": []}\n]}",
            "s:3:1: a rule has either `give` (one answer) or `steps` (an answer for each turn)",
        ),
        (
            r#"{"rules": [{"when": {"turn": 1}, "steps": []}]}"#,
            "s:1:46: a rule with `steps` speaks in every turn: `turn` and `contains` go with `give`",
        ),
        (
            r#"{"rules": [{"give": {"delay_ms": 5}}]}"#,
            "s:1:36: an answer has `text`, `tool_calls` or both, or an `error`",
        ),
        (
            r#"{"rules": [{"give": {"text": "", "error": {"kind": "cut"}}}]}"#,
            "s:1:59: an answer with an `error` has neither `text` nor `tool_calls` nor `usage`",
        ),
        (r#"{"rules": ["#, "s:1:11: EOF while parsing a list"),
    ];
    let shown = cases.map(|(text, _)| Script::parse("s", text).unwrap_err().to_string());
    assert_eq!(shown, cases.map(|(_, expected)| expected));
}

#[test]
fn a_missing_file_is_named() {
    let error = Script::read(Path::new("/nowhere/script.json")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read the script /nowhere/script.json: "), "{error}");
}
