//! What the documentation says of scripts is what the code does.
#![expect(clippy::unwrap_used, reason = "the tests' own functions fail by panicking")]

use std::path::{Path, PathBuf};

use agent_team::model::{
    Caller, Connection, Message, ModelSpec, Part, Request, RetryPolicy, Script, TimeLimits, connect,
};

fn docs(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file)
}

/// The first block of JSON in `docs/script.md`.
fn example() -> String {
    let text = std::fs::read_to_string(docs("script.md")).unwrap();
    let (_, after) = text.split_once("```json\n").unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_schema_is_the_one_of_the_code() {
    let mut schema = serde_json::to_string_pretty(&Script::schema()).unwrap();
    schema.push('\n');
    let file = docs("script.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &schema).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    // Compared as values: the order of keys depends on what else is in the build.
    let values =
        [&written, &schema].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default());
    assert_eq!(values[0], values[1], "run this test with UPDATE=1 and commit docs/script.schema.json");
}

#[tokio::test]
async fn the_example_of_the_documentation_plays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.json");
    std::fs::write(&file, example()).unwrap();
    let spec: ModelSpec = format!("script:{}", file.display()).parse().unwrap();
    let no_variables = |_: &str| None;
    let connection = Connection {
        base_url: None,
        environment: &no_variables,
        limits: TimeLimits::default(),
        retry: RetryPolicy { first_wait: std::time::Duration::ZERO, ..RetryPolicy::default() },
    };
    let model = connect(&spec, &connection).unwrap();
    let mut request = Request {
        system: String::new(),
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
    };
    let first = model.respond(&request, &mut |_| {}).await.unwrap();
    assert!(matches!(&first.parts[..], [Part::ToolCall { name, .. }] if name == "write"), "{first:?}");
    request.messages.extend([Message::Assistant(first.parts), Message::user("written")]);
    let second = model.respond(&request, &mut |_| {}).await.unwrap();
    assert!(matches!(&second.parts[..], [Part::ToolCall { name, .. }] if name == "finish"), "{second:?}");

    request.caller = Caller { role: "reviewer".into(), agent: "reviewer-1".into(), ..Caller::default() };
    request.messages = vec![Message::user("Review this: set -e")];
    assert_eq!(model.respond(&request, &mut |_| {}).await.unwrap().text(), "Approved.");
}
