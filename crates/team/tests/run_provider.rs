//! Whole runs on real repositories with models behind loopback servers that speak the protocols of real providers:
//! streaming, tool calls, an overloaded server, and keys that must go nowhere else.
#![cfg(feature = "providers")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of models need")]
mod fake;
#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::path::Path;
use std::time::Duration;

use agent_team::model::{Connection, RetryPolicy, TimeLimits, connect};
use agent_team::{Role, RunOptions, RunOutcome};
use fake::{Answer, FakeProvider, Protocol};
use project::{TestProject, agent, task};
use serde_json::json;

/// The key that must stand in the requests' headers and nowhere else.
const KEY: &str = "planted-key-0123456789";

/// Reads, edits, tries and finishes; the second call meets an overloaded server first.
fn answers() -> Vec<Answer> {
    vec![
        Answer::call("read", json!({"path": "README"})).and_call("list", json!({})),
        Answer::status(529, r#"{"error": {"type": "overloaded_error", "message": "Overloaded"}}"#),
        Answer::call("edit", json!({"path": "README", "old_string": "hello", "new_string": "hello, world"})),
        Answer::call("run", json!({"command": "grep world README"})),
        Answer::call("finish", json!({"result": "It greets the world."})),
    ]
}

async fn edits_a_repository(protocol: Protocol, spec: &str) {
    let fake = FakeProvider::new(protocol, answers()).await;
    let environment = |name: &str| name.ends_with("_API_KEY").then(|| KEY.to_owned());
    let at_once = Duration::ZERO;
    let retry = RetryPolicy {
        attempts: 3,
        first_wait: at_once,
        longest_wait: at_once,
        total_wait: Duration::MAX,
        ..RetryPolicy::default()
    };
    let base_url = Some(fake.url());
    let connection = Connection { base_url, environment: &environment, limits: TimeLimits::default(), retry };
    let model = connect(&spec.parse().unwrap(), &connection).unwrap();

    let project = TestProject::new();
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model)).unwrap();
    team.options(RunOptions { gate: Some("test -s README".into()), ..RunOptions::default() });
    team.add_task(task("greet").check("grep -q 'hello, world' README")).unwrap();
    let report = team.run(Some(Duration::from_secs(120))).await.unwrap();

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.status);
    assert_eq!((project.read("README"), project.changes()), ("hello, world\n".into(), String::new()));
    assert_eq!(project.merges_of("main", "greet"), 1);
    let requests = fake.requests();
    assert_eq!(requests.len(), answers().len());
    assert_eq!(requests[1].body, requests[2].body, "the same request again");
    assert!(requests[1].body.to_string().contains("hello"), "the model sees what it read");
    assert!(requests[4].body.to_string().contains("hello, world"), "and what its command printed");
    assert_eq!(report.status.spent.input_tokens, 400, "four answers were paid for");
    assert!(!holds_key(&project.root()), "the key is in the project");
}

/// Whether a file in a folder holds the key.
fn holds_key(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            return holds_key(&path);
        }
        let content = std::fs::read(&path).unwrap_or_default();
        content.windows(KEY.len()).any(|window| window == KEY.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_over_anthropics_protocol_edits_a_real_repository() {
    edits_a_repository(Protocol::Anthropic, "anthropic:claude-test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_over_openais_protocol_edits_a_real_repository() {
    edits_a_repository(Protocol::OpenAi, "openai:gpt-test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_ends_the_agent_at_once_with_the_providers_reason_and_no_attempt() {
    let refusal =
        r#"{"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}"#;
    let fake = FakeProvider::by(Protocol::Anthropic, move |_| Answer::status(401, refusal)).await;
    let environment = |name: &str| name.ends_with("_API_KEY").then(|| KEY.to_owned());
    let connection = Connection {
        base_url: Some(fake.url()),
        environment: &environment,
        limits: TimeLimits::default(),
        retry: RetryPolicy::default(),
    };
    let model = connect(&"anthropic:claude-test".parse().unwrap(), &connection).unwrap();
    let project = TestProject::new();
    let mut team = project.team();
    team.add_agent("worker-1", Role::Worker, agent(model)).unwrap();
    team.options(RunOptions { gate: Some("true".into()), ..RunOptions::default() });
    team.add_task(task("greet")).unwrap();

    let report = team.run(Some(Duration::from_secs(120))).await.unwrap();

    assert_eq!((report.outcome, report.status.counts.ready), (RunOutcome::Stuck, 1));
    assert_eq!(fake.requests().len(), 1);
    assert!(report.errors.iter().any(|error| error.contains("invalid x-api-key")), "{:?}", report.errors);
}
