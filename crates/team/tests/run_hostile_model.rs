//! Whole runs with models that talk nonsense, fail, or hang, behind loopback servers that speak the protocols of real
//! providers. What must hold: the run ends in time, work that can be done is done, and what cannot be done is told with
//! its task and the reason.
#![cfg(feature = "providers")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of models need")]
mod fake;
#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::agent::ModelAgent;
use agent_team::model::{Connection, RetryPolicy, TimeLimits, connect};
use agent_team::{AgentTeam, Progress, Reporter, Role, RunOptions, RunOutcome, Status};
use fake::{Answer, Ending, FakeProvider, Protocol};
use project::{LONG, TestProject, feedback, task, view};
use serde_json::{Value, json};

const PROTOCOLS: [(Protocol, &str); 5] = [
    (Protocol::Anthropic, "anthropic:claude-test"),
    (Protocol::OpenAi, "openai:gpt-test"),
    (Protocol::OpenAiCompatible, "openai-compatible:gpt-test"),
    (Protocol::Gemini, "gemini:gemini-test"),
    (Protocol::Ollama, "ollama:qwen-test:8b"),
];

/// Longer than an answer of a loopback server takes on a busy machine.
const PATIENT: Duration = Duration::from_secs(30);

/// How long one answer may be, in tokens.
const LONGEST: u32 = 4_321;

/// A team of one worker with the model at `url`, which is asked three times before a call counts as failed, and whose
/// answers may be silent for so long.
fn team(
    project: &TestProject,
    model: &str,
    url: &str,
    idle: Duration,
) -> (AgentTeam, Arc<Mutex<Vec<String>>>) {
    let environment = |name: &str| name.ends_with("_API_KEY").then(|| "no-key".to_owned());
    let at_once = Duration::ZERO;
    let total_wait = Duration::from_secs(10);
    let retry = RetryPolicy {
        attempts: 3,
        first_wait: at_once,
        longest_wait: at_once,
        total_wait,
        ..RetryPolicy::default()
    };
    let limits = TimeLimits { overall: LONG, idle };
    let connection = Connection { base_url: Some(url), environment: &environment, limits, retry };
    let mut team = project.team();
    let model = connect(&model.parse().unwrap(), &connection).unwrap();
    let worker = ModelAgent::new(Arc::new(model)).max_output_tokens(LONGEST);
    team.add_agent("worker-1", Role::Worker, Arc::new(worker)).unwrap();
    let failures: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = failures.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Failed { task, reason, .. } = progress {
            told.lock().unwrap().push(format!("{task}: {reason}"));
        }
    });
    team.options(RunOptions { reporter, gate: Some("true".into()), ..RunOptions::default() });
    (team, failures)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_answers_nonsense_is_corrected_until_it_does_its_task() {
    for (protocol, model) in PROTOCOLS {
        let half: Value = json!(r#"{"path": "half", "con"#);
        let fake = FakeProvider::new(
            protocol,
            vec![
                Answer::call("write", half),
                Answer::call("frobnicate", json!({"volume": 11})),
                Answer::text(""),
                Answer::text(" \n "),
                Answer::call("write", json!([1, 2, 3])).and_call("write", json!({"path": 7})),
                Answer::call("write", json!({"path": "../../escaped", "content": "x"})),
                Answer::call("", json!({})),
                Answer::call("write", json!({"path": "good", "content": "x\n"})),
                Answer::call("finish", json!({"result": "It is written."})),
            ],
        )
        .await;
        let project = TestProject::new();
        let (team, failures) = team(&project, model, fake.url(), PATIENT);
        team.add_task(task("work").check("grep -q x good")).unwrap();

        let report = team.run(Some(LONG)).await.unwrap();

        let told = failures.lock().unwrap().clone();
        assert_eq!(
            (report.outcome, told),
            (RunOutcome::Completed, Vec::new()),
            "{protocol:?} {:?}",
            report.status
        );
        assert_eq!(project.git(&["ls-files"]), "README\ngood", "{protocol:?}");
        assert_eq!((fake.requests().len(), view(&team, "work").attempt), (9, 1), "{protocol:?}");
        let last = fake.requests().last().unwrap().body.to_string();
        for correction in
            ["There is no tool `frobnicate`", "Your answer was empty", "is outside the workspace"]
        {
            assert!(last.contains(correction), "{protocol:?} {correction}: {last}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_answers_nothing_fails_its_attempts_and_says_so() {
    for (protocol, model) in PROTOCOLS {
        let fake = FakeProvider::by(protocol, |_| Answer::text("")).await;
        let project = TestProject::new();
        let (team, failures) = team(&project, model, fake.url(), PATIENT);
        team.add_task(task("work").attempts(2)).unwrap();
        let report = team.run(Some(LONG)).await.unwrap();
        assert_eq!(
            (report.outcome, view(&team, "work").status),
            (RunOutcome::Stuck, Status::Failed),
            "{protocol:?}"
        );
        assert_eq!(fake.requests().len(), 6, "three answers an attempt");
        let told = failures.lock().unwrap().clone();
        assert_eq!(told, vec!["work: the model answered nothing, 3 times in a row"; 2], "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_writes_without_end_is_cut_off_at_the_bound_and_fails_its_attempt() {
    for (protocol, model) in PROTOCOLS {
        let endless = |_: &_| Answer { is_too_long: true, ..Answer::text("and then, and then") };
        let fake = FakeProvider::by(protocol, endless).await;
        let project = TestProject::new();
        let (team, failures) = team(&project, model, fake.url(), PATIENT);
        team.add_task(task("work").attempts(1)).unwrap();

        team.run(Some(LONG)).await.unwrap();

        let told = failures.lock().unwrap().clone();
        let words =
            "the model wrote on without calling a tool until its answer was cut off, 3 times in a row";
        assert_eq!(told, [format!("work: {words}")], "{protocol:?}");
        let requests = fake.requests();
        assert_eq!(requests.len(), 3, "{protocol:?}");
        for request in &requests {
            assert!(
                request.body.to_string().contains(&format!(":{LONGEST}")),
                "{protocol:?} {}",
                request.body
            );
        }
    }
}

/// How an attempt of a model ends that calls a tool for ever, each time with an input that comes of how often it was called.
async fn ending_of_who_always_calls(tool: &'static str, input: fn(usize) -> Value) -> (usize, Vec<String>) {
    let calls = AtomicUsize::new(0);
    let next = move || input(calls.fetch_add(1, Ordering::Relaxed));
    let fake = FakeProvider::by(Protocol::OpenAi, move |_| Answer::call(tool, next())).await;
    let project = TestProject::new();
    let (team, failures) = team(&project, "openai:gpt-test", fake.url(), PATIENT);
    team.add_task(task("work").attempts(1)).unwrap();
    let report = team.run(Some(LONG)).await.unwrap();
    assert_eq!((report.outcome, view(&team, "work").status), (RunOutcome::Stuck, Status::Failed));
    let told = failures.lock().unwrap().clone();
    (fake.requests().len(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_stops_calling_what_is_not_there_is_told_and_then_ended() {
    let (calls, failures) = ending_of_who_always_calls("frobnicate", |_| json!({})).await;
    assert_eq!(calls, 10);
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    assert!(
        failure.starts_with("work: it went round in circles: 10 turns in a row called `frobnicate`"),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_stops_looking_at_the_same_is_told_and_then_ended() {
    let (calls, failures) = ending_of_who_always_calls("list_tasks", |_| json!({})).await;
    assert_eq!(calls, 40);
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    assert!(
        failure.contains("40 turns in a row called `list_tasks`, which gave the same each time"),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_stops_looking_around_ends_at_its_turns() {
    let (calls, failures) =
        ending_of_who_always_calls("search", |time| json!({ "pattern": format!("word {time}") })).await;
    assert_eq!((calls, failures), (200, vec!["work: it did not finish within 200 turns".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_of_result_are_kept_and_do_not_flood_commit_and_prompts() {
    let length = 10_000_000;
    let fake = FakeProvider::new(
        Protocol::Ollama,
        vec![
            Answer::call("write", json!({"path": "first", "content": "x\n"})),
            Answer::text("x".repeat(length)),
            Answer::call("write", json!({"path": "second", "content": "x\n"})),
            Answer::call("finish", json!({"result": "Short."})),
        ],
    )
    .await;
    let project = TestProject::new();
    let (team, failures) = team(&project, "ollama:qwen-test", fake.url(), PATIENT);
    team.add_task(task("first")).unwrap();
    team.add_task(task("second").after("first")).unwrap();
    let report = team.run(Some(LONG)).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", failures.lock().unwrap());
    assert_eq!(project.git(&["ls-files"]), "README\nfirst\nsecond");
    let result = view(&team, "first").result.unwrap();
    assert!(team.queue().team_log().read_text(&result).unwrap().len() == length);
    assert!(project.git(&["log", "-1", "--format=%B", "main~1"]).len() < 20_000);
    assert!(fake.requests()[2].body.to_string().len() < 100_000, "what depends on it is shown a part");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_always_fails_fails_the_task_with_its_reason() {
    let broken = || Answer::status(500, r#"{"error": {"message": "It broke"}}"#);
    let cases = [
        ("HTTP 500: It broke", 3, broken()),
        // A day is longer than anybody waits: it is not begun.
        ("It broke", 1, broken().header("retry-after", "86400")),
        (
            "It broke",
            1,
            broken()
                .header("retry-after", "Mon, 07 Nov 1994 08:49:37 GMT")
                .header("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ),
        ("nothing came for 0.5 s", 3, Answer::text("one two three").ending(Ending::StalledAfter(2))),
        ("was cut off in its answer", 3, Answer::text("one two three").ending(Ending::BrokenAfter(2))),
        ("ended before the answer began", 3, Answer::status(200, "<html>Please log in</html>")),
    ];
    for (reason, calls, answer) in cases {
        let idle = if reason.starts_with("nothing") { Duration::from_millis(500) } else { PATIENT };
        let fake = FakeProvider::by(Protocol::Anthropic, move |_| answer.clone()).await;
        let project = TestProject::new();
        let (team, failures) = team(&project, "anthropic:claude-test", fake.url(), idle);
        team.add_task(task("work").attempts(1)).unwrap();
        let report = team.run(Some(LONG)).await.unwrap();
        assert_eq!(
            (report.outcome, view(&team, "work").status),
            (RunOutcome::Stuck, Status::Failed),
            "{reason}"
        );
        assert_eq!(fake.requests().len(), calls, "{reason}");
        let told = failures.lock().unwrap().clone();
        assert!(
            told.len() == 1
                && told[0].starts_with("work: anthropic:claude-test ")
                && told[0].contains(reason),
            "{told:?}"
        );
        assert!(feedback(&team, "work")[0].contains(reason));
        assert_eq!(project.git(&["ls-files"]), "README");
    }
}
