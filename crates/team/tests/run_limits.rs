//! Limits of providers: a burst of refusals slows the whole team and fails nothing.
//!
//! Times are measured where the calls arrive, and nothing sleeps to wait for a result.
#![cfg(feature = "providers")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of models need")]
mod fake;
#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agent_team::agent::{AgentError, Meter, ModelAgent};
use agent_team::model::{
    Caller, Connection, Delta, Message, Model, ModelError, ModelErrorKind, Prices, Request, Response,
    RetryPolicy, TimeLimits, connect,
};
use agent_team::{
    Account, AgentTeam, Bounds, Durability, Progress, Records, Reporter, Role, RunOptions, RunOutcome,
    Status, TaskQueue, TeamFolder, TeamLog,
};
use fake::{Answer, FakeProvider, Protocol};
use project::{LONG, agent, finishes, script, task, view, workers};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// How patient agents are where the provider does not say how long to wait.
const PATIENCE: RetryPolicy = RetryPolicy {
    attempts: 3,
    first_wait: Duration::from_millis(20),
    longest_wait: Duration::from_millis(100),
    total_wait: Duration::from_secs(10),
    overloaded_for: Duration::from_millis(300),
};

const AGENTS: usize = 16;
const TASKS: usize = 32;

fn model(spec: &str, url: &str) -> Arc<dyn Model> {
    let environment = |name: &str| name.ends_with("_API_KEY").then(|| "no-key".to_owned());
    let limits = TimeLimits::default();
    let connection = Connection { base_url: Some(url), environment: &environment, limits, retry: PATIENCE };
    connect(&spec.parse().unwrap(), &connection).unwrap()
}

/// A provider that refuses what `is_refused` says of the time since its first request, and a count of that.
async fn provider(
    protocol: Protocol,
    mut is_refused: impl FnMut(Duration) -> Option<Answer> + Send + 'static,
) -> (FakeProvider, Arc<AtomicUsize>) {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let mut first = None;
    let fake = FakeProvider::by(protocol, move |_| {
        let since = first.get_or_insert_with(Instant::now).elapsed();
        match is_refused(since) {
            Some(refusal) => {
                count.fetch_add(1, Ordering::SeqCst);
                refusal
            }
            None => Answer::call("finish", json!({"result": "Done."})),
        }
    });
    (fake.await, refused)
}

fn too_many() -> Answer {
    Answer::status(429, r#"{"error": {"message": "Slow down"}}"#)
}

/// Sixteen agents do thirty-two tasks, each of which takes one call. No attempt may fail. Says how many records told of
/// limits.
async fn all_tasks_complete(spec: &str, fake: &FakeProvider) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut team = AgentTeam::new(folder.path()).unwrap();
    workers(&mut team, AGENTS, &agent(model(spec, fake.url())));
    (0..TASKS).for_each(|number| drop(team.add_task(task(&format!("task-{number}")).attempts(1)).unwrap()));
    let report = project::run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.status.counts);
    for number in 0..TASKS {
        let done = view(&team, &format!("task-{number}"));
        assert_eq!((done.status, done.attempt, done.feedback.len()), (Status::Completed, 1, 0), "{done:?}");
    }
    let told = &report.status.limited;
    assert_eq!(told.iter().map(|limit| limit.model.as_str()).collect::<Vec<_>>(), [spec]);
    assert!(told[0].reason.contains("Slow down"), "{told:?}");
    let records = Records::open(&TeamFolder::of(folder.path())).unwrap().read().unwrap();
    let told: Vec<_> = records.iter().filter(|record| record.kind == "model_limited").collect();
    assert!(told[0].summary.starts_with(&format!("{spec} for ")), "{}", told[0].summary);
    told.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_refusals_slows_everyone_and_fails_nobody() {
    // Four calls in each window, and everything above is told when the next one begins. The very first is refused too, for
    // a machine that is so busy that there is no storm.
    let window = Duration::from_millis(80);
    let (mut number, mut calls, mut has_refused) = (u32::MAX, 0, false);
    let (fake, refused) = provider(Protocol::Anthropic, move |since| {
        let now = u32::try_from(since.as_millis() / window.as_millis()).unwrap();
        calls = if now == number { calls + 1 } else { 1 };
        number = now;
        let left = window * (now + 1) - since;
        let wait_ms = (left.as_millis() + 1).to_string();
        let is_first = !std::mem::replace(&mut has_refused, true);
        (is_first || calls > 4).then(|| too_many().header("retry-after-ms", &wait_ms))
    })
    .await;
    let told = all_tasks_complete("anthropic:claude-test", &fake).await;
    let refused = refused.load(Ordering::SeqCst);
    assert_eq!(fake.requests().len(), TASKS + refused);
    // Would each of the others go on by itself, twelve would be refused in each of eight windows.
    assert!((1..=48).contains(&refused), "{refused} calls were refused");
    assert!((1..=refused).contains(&told), "{told} records for {refused} refusals");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_word_how_long_one_after_the_other_tries_whether_it_is_over() {
    for (protocol, spec) in
        [(Protocol::OpenAiCompatible, "openai-compatible:gpt-test"), (Protocol::Gemini, "gemini:gemini-test")]
    {
        let (fake, refused) =
            provider(protocol, move |since| (since < Duration::from_millis(400)).then(too_many)).await;
        all_tasks_complete(spec, &fake).await;
        let refused = refused.load(Ordering::SeqCst);
        // Those that were under way at once, and then at most one for each wait of 20, 40, 80, 100 … ms.
        assert!((1..=AGENTS + 10).contains(&refused), "{refused} calls were refused");
    }
}

/// The limit that the first call meets.
fn limited_once(limit: &Mutex<Option<ModelError>>) -> Result<(), ModelError> {
    limit.lock().unwrap().take().map_or(Ok(()), Err)
}

/// Answers, and remembers when it was called; the first call meets a limit.
#[derive(Default)]
struct Limited {
    called_ms: Mutex<Vec<u64>>,
    limit: Mutex<Option<ModelError>>,
}

#[async_trait::async_trait]
impl Model for Limited {
    fn name(&self) -> &str {
        "script"
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        limited_once(&self.limit)?;
        self.called_ms.lock().unwrap().push(now_ms());
        script(&[json!({"give": {"text": "Yes."}})]).respond(request, stream).await
    }
}

fn limited(kind: ModelErrorKind, wait: Duration) -> Limited {
    let error = ModelError::new(kind, "script", "too much").with_retry_after(Some(wait));
    Limited { limit: Mutex::new(Some(error)), ..Limited::default() }
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn request() -> Request {
    let messages = vec![Message::user("Is it so?")];
    Request {
        system: String::new(),
        messages,
        tools: Vec::new(),
        max_output_tokens: None,
        caller: Caller::default(),
    }
}

fn meter(team_log: &TeamLog, agent: &str) -> Meter {
    Meter::new(team_log, Arc::new(Prices::default()), &agent.parse().unwrap(), None)
}

#[tokio::test]
async fn what_one_process_learned_another_one_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let here = TeamLog::open_or_create(&TeamFolder::of(folder.path()), Durability::Process).unwrap();
    let there = TeamLog::open(&TeamFolder::of(folder.path())).unwrap();
    let wait = Duration::from_millis(150);
    let (model, other) = (limited(ModelErrorKind::Overloaded, wait), Limited::default());

    let (waits, is_waiting) = (CancellationToken::new(), CancellationToken::new());
    let told = |delta: &Delta| matches!(delta, Delta::Waits { reason } if reason.contains("too much"));
    let mut watch = |delta| {
        if told(&delta) {
            waits.cancel();
        }
    };
    let mut watch_there = |delta| {
        if told(&delta) {
            is_waiting.cancel();
        }
    };
    let (first, second) = (meter(&here, "worker-1"), meter(&there, "worker-2"));
    let (mine, theirs) = tokio::join!(first.call(&model, request(), &mut watch), async {
        waits.cancelled().await;
        second.call(&other, request(), &mut watch_there).await
    });
    assert_eq!((mine.unwrap().0.text(), theirs.unwrap().0.text()), ("Yes.".into(), "Yes.".into()));
    assert!(is_waiting.is_cancelled(), "it said that it waits, and why");

    let limit = &TaskQueue::over(there).get_status().unwrap().limited[0];
    assert_eq!((limit.model.as_str(), limit.reason.as_str()), ("script", "too much"));
    for model in [model, other] {
        let called_ms = model.called_ms.into_inner().unwrap();
        assert!(called_ms.len() == 1 && called_ms[0] >= limit.until_ms, "{called_ms:?}: {limit:?}");
    }
}

#[tokio::test]
async fn who_waits_holds_no_budget_and_can_be_stopped() {
    let queue = TaskQueue::in_memory().unwrap();
    let bounds = Bounds { calls: Some(1), ..Bounds::default() };
    queue.set_budget(&agent_team::AgentId::human(), &Account::Team, bounds).unwrap();
    let model = limited(ModelErrorKind::RateLimited, Duration::from_secs(3_000));
    let stop = CancellationToken::new();
    let meter = meter(queue.team_log(), "worker-1").stopped_by(stop.clone());
    let mut reserved = Vec::new();
    let mut watch = |delta| {
        if let Delta::Waits { .. } = delta {
            let status = queue.get_status().unwrap();
            reserved.push((status.reserved.calls, status.spent.calls));
            stop.cancel();
        }
    };
    let stopped = meter.call(&model, request(), &mut watch).await;
    assert!(matches!(stopped, Err(AgentError::Stopped)), "{stopped:?}");
    assert_eq!(reserved, [(0, 0)], "a call that was refused is none");
}

#[tokio::test]
async fn what_the_headers_of_an_answer_say_is_used_up_holds_back_the_next_call() {
    let answer = || Answer::text("Yes.");
    let used_up =
        answer().header("x-ratelimit-remaining-requests", "0").header("x-ratelimit-reset-requests", "120ms");
    let fake = FakeProvider::new(Protocol::OpenAiCompatible, vec![used_up, answer()]).await;
    let queue = TaskQueue::in_memory().unwrap();
    let model = model("openai-compatible:gpt-test", fake.url());
    let meter = meter(queue.team_log(), "worker-1");
    meter.call(&model, request(), &mut |_| {}).await.unwrap();
    let limit = queue.get_status().unwrap().limited[0].clone();
    assert_eq!(limit.reason, "no requests are left, says x-ratelimit-remaining-requests");
    meter.call(&model, request(), &mut |_| {}).await.unwrap();
    assert!(now_ms() >= limit.until_ms);
}

#[tokio::test]
async fn a_refusal_is_waited_for_as_its_headers_say_whatever_the_provider_calls_them() {
    let too_many = || Answer::status(429, r#"{"error": {"message": "Slow down"}}"#);
    // The server's clock shows something else than ours.
    let of_anthropic = too_many()
        .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .header("anthropic-ratelimit-input-tokens-remaining", "0")
        .header("anthropic-ratelimit-input-tokens-reset", "1994-11-06T08:49:37.600Z");
    let of_openai =
        too_many().header("x-ratelimit-remaining-tokens", "0").header("x-ratelimit-reset-tokens", "600ms");
    for (protocol, spec, refusal) in [
        (Protocol::Anthropic, "anthropic:claude-test", of_anthropic),
        (Protocol::OpenAi, "openai:gpt-test", of_openai.clone()),
        (Protocol::OpenAiCompatible, "openai-compatible:gpt-test", of_openai),
    ] {
        let fake = FakeProvider::new(protocol, vec![refusal, Answer::text("Yes.")]).await;
        let queue = TaskQueue::in_memory().unwrap();
        let model = model(spec, fake.url());
        let began_ms = now_ms();
        meter(queue.team_log(), "worker-1").call(&model, request(), &mut |_| {}).await.unwrap();
        let limit = queue.get_status().unwrap().limited[0].clone();
        // Without a word it would be 20 ms.
        assert!(limit.until_ms >= began_ms + 600, "{spec}: {limit:?}, begun {began_ms}");
        assert!(now_ms() >= limit.until_ms, "{spec}");
        assert_eq!(fake.requests().len(), 2, "{spec}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_overloaded_for_ever_fails_the_attempts_with_its_last_answer() {
    let overloaded = || Answer::status(529, r#"{"error": {"message": "Come back tomorrow"}}"#);
    let (fake, _) = provider(Protocol::Anthropic, move |_| Some(overloaded())).await;
    let mut team = AgentTeam::in_memory().unwrap();
    workers(&mut team, 4, &agent(model("anthropic:claude-test", fake.url())));
    (0..4).for_each(|number| drop(team.add_task(task(&format!("task-{number}")).attempts(1)).unwrap()));
    let report = project::run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Stuck);
    for number in 0..4 {
        let failed = view(&team, &format!("task-{number}"));
        assert_eq!((failed.status, failed.attempt), (Status::Failed, 1), "{failed:?}");
        let why = failed.feedback[0].text.preview();
        let words =
            "anthropic:claude-test is overloaded: HTTP 529: Come back tomorrow; it has answered nothing for";
        assert!(why.starts_with(words) && why.contains("calls in a row"), "{why}");
    }
}

/// Meets a limit once, then begins to answer, and goes on when it may.
struct Answering {
    limit: Mutex<Option<ModelError>>,
    goes_on: CancellationToken,
}

#[async_trait::async_trait]
impl Model for Answering {
    fn name(&self) -> &str {
        "script"
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        limited_once(&self.limit)?;
        stream(Delta::Text("I am done.".into()));
        self.goes_on.cancelled().await;
        script(&[json!({"give": finishes("Done.")})]).respond(request, stream).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_once_that_a_limit_began_and_once_that_it_is_over() {
    let wait = Duration::from_millis(1_500);
    let error =
        ModelError::new(ModelErrorKind::RateLimited, "script", "too much").with_retry_after(Some(wait));
    let goes_on = CancellationToken::new();
    let model = Answering { limit: Mutex::new(Some(error)), goes_on: goes_on.clone() };
    let mut team = AgentTeam::in_memory().unwrap();
    // One alone: a call that began before the limit would wait for its end, and the next try for that call.
    workers(&mut team, 1, &agent(model));
    (0..3).for_each(|number| drop(team.add_task(task(&format!("task-{number}"))).unwrap()));
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = notes.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(note) = progress {
            if note == "script takes calls again" {
                goes_on.cancel();
            }
            ears.lock().unwrap().push(note);
        }
    });
    team.options(RunOptions { reporter, ..RunOptions::default() });
    let report = project::run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Completed);
    let notes = notes.lock().unwrap();
    let [began, over] = notes.as_slice() else { panic!("{notes:?}") };
    assert!(
        began.starts_with("LIMITED script takes no calls, the next try is in ")
            && began.ends_with(": too much")
    );
    assert_eq!(over, "script takes calls again");
    assert!(report.waited_for.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_limit_of_a_run_is_said_too_and_that_it_is_over_before_the_run_ends() {
    let limit = |retry: u32| {
        let error = json!({"kind": "rate_limited", "message": "slow down", "retry_after_ms": 30});
        json!({"when": {"retry": retry}, "give": {"error": error}})
    };
    // Each task meets one limit, and its call is answered at once after it.
    let model = script(&[limit(0), json!({"give": finishes("Done.")})]);
    let mut team = AgentTeam::in_memory().unwrap();
    workers(&mut team, 1, &agent(model));
    (0..2).for_each(|number| drop(team.add_task(task(&format!("task-{number}"))).unwrap()));
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = notes.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(note) = progress {
            ears.lock().unwrap().push(note);
        }
    });
    team.options(RunOptions { reporter, ..RunOptions::default() });
    assert_eq!(project::run(&team).await.outcome, RunOutcome::Completed);
    let (began, over) =
        ("LIMITED script takes no calls, the next try is in 1s: slow down", "script takes calls again");
    assert_eq!(*notes.lock().unwrap(), [began, over, began, over]);
}

/// What agents of a team say that they do.
fn activities(team: &mut AgentTeam) -> Arc<Mutex<Vec<String>>> {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = heard.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Activity { what, .. } = progress {
            ears.lock().unwrap().push(what);
        }
    });
    team.options(RunOptions { reporter, ..RunOptions::default() });
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_can_be_rehearsed_with_a_script() {
    let mut team = AgentTeam::in_memory().unwrap();
    let limit = json!({"kind": "rate_limited", "message": "slow down", "retry_after_ms": 30});
    let rules = [json!({"when": {"retry": 0}, "give": {"error": limit}}), json!({"give": finishes("Done.")})];
    workers(&mut team, 4, &agent(script(&rules)));
    (0..8).for_each(|number| drop(team.add_task(task(&format!("task-{number}")).attempts(1)).unwrap()));
    let heard = activities(&mut team);
    let report = project::run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Completed);
    let heard = heard.lock().unwrap();
    assert!(
        heard.contains(&"waits for the model: no calls to script for 1s: slow down".to_owned()),
        "{heard:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_outlasts_the_run_costs_no_attempt_and_a_tasks_own_time_does() {
    let day = json!({"kind": "overloaded", "message": "tomorrow", "retry_after_ms": 86_400_000});
    let model = || Arc::new(ModelAgent::new(Arc::new(script(&[json!({"give": {"error": day}})]))));
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, model()).unwrap();
    team.add_task(task("patient")).unwrap();
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = notes.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(note) = progress {
            ears.lock().unwrap().push(note);
        }
    });
    // Who waits for a limit gets nowhere, and is not stuck.
    let stuck_after = Some(Duration::from_millis(200));
    team.options(RunOptions { reporter, stuck_after, ..RunOptions::default() });
    let report = team.run(Some(Duration::from_secs(2))).await.unwrap();
    let notes = notes.lock().unwrap().join("\n");
    assert!(!notes.contains("is taken from it"), "{notes}");
    assert_eq!(notes.matches("LIMITED script takes no calls, the next try is in ").count(), 1, "{notes}");
    assert!(notes.contains("tomorrow (it asks for 1d; after 1h it is tried again)"), "{notes}");
    let waited_for = report.waited_for.first().map(|limit| limit.model.as_str());
    assert_eq!((waited_for, report.waited_for.len()), (Some("script"), 1), "{report:?}");
    let patient = view(&team, "patient");
    assert_eq!((report.outcome, patient.status), (RunOutcome::TimedOut, Status::Ready));
    assert_eq!((patient.attempt, patient.feedback.len()), (1, 0));

    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, model()).unwrap();
    team.add_task(task("hurried").time_limit(Duration::from_millis(100)).attempts(1)).unwrap();
    let report = team.run(Some(LONG)).await.unwrap();
    assert_eq!((report.outcome, view(&team, "hurried").status), (RunOutcome::Stuck, Status::Failed));
}
