//! A program's calls, as it makes them over HTTP, to a fake provider of our own.

use std::net::SocketAddr;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Router, body::Body as Answered};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use super::*;
use crate::command::Environment;
use crate::gateway::{Gateway, Open};
use crate::model::{Prices, RetryPolicy, TimeLimits};
use crate::sandbox::{Sandbox, SandboxChoice};
use crate::{Account, AgentId, AgentJoined, Bounds, Role, TaskQueue};

const KEY: &str = "sk-ant-of-the-user";

/// A provider that keeps what it was sent, and answers what it is told to.
#[derive(Clone, Default)]
struct Provided {
    heard: Arc<Mutex<Vec<(HeaderMap, String, Value)>>>,
    answers: Arc<Mutex<Vec<(u16, String)>>>,
    pieces: Arc<Mutex<Option<mpsc::Receiver<&'static str>>>>,
}

impl Provided {
    async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(Self::answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    async fn answer(
        State(this): State<Self>,
        headers: HeaderMap,
        uri: axum::http::Uri,
        body: String,
    ) -> impl IntoResponse {
        this.heard.lock().unwrap().push((
            headers,
            uri.to_string(),
            serde_json::from_str(&body).unwrap_or_default(),
        ));
        if let Some(pieces) = this.pieces.lock().unwrap().take() {
            let pieces = stream::unfold(pieces, |mut pieces| async move {
                let piece = pieces.recv().await?;
                Some((Ok::<_, std::io::Error>(Bytes::from(piece)), pieces))
            });
            return (StatusCode::OK, [(CONTENT_TYPE, "text/event-stream")], Answered::from_stream(pieces));
        }
        let (status, body) = this.answers.lock().unwrap().remove(0);
        (StatusCode::from_u16(status).unwrap(), [(CONTENT_TYPE, "application/json")], Answered::from(body))
    }

    fn says(self, status: u16, body: &str) -> Self {
        self.answers.lock().unwrap().push((status, body.to_owned()));
        self
    }

    fn heard(&self) -> Vec<(HeaderMap, String, Value)> {
        self.heard.lock().unwrap().clone()
    }
}

/// A program to which the provider's models are lent.
struct Program {
    queue: TaskQueue,
    agent: AgentId,
    lending: Arc<Lending>,
    open: Open,
    /// Told when it is paused.
    paused: Arc<Notify>,
}

impl Program {
    async fn at(provided: &Provided) -> Self {
        let address = provided.serve().await;
        let environment = |name: &str| match name {
            "ANTHROPIC_API_KEY" => Some(KEY.to_owned()),
            "ANTHROPIC_BASE_URL" => Some(format!("http://{address}")),
            _ => None,
        };
        let limits = TimeLimits::default();
        let connection =
            Connection { base_url: None, environment: &environment, limits, retry: RetryPolicy::default() };
        let passages = Passages::of(&[Provider::Anthropic, Provider::OpenAi], &connection).unwrap();
        let queue = TaskQueue::in_memory().unwrap();
        let agent: AgentId = "worker-1".parse().unwrap();
        let meter = Meter::new(queue.team_log(), Arc::new(Prices::default()), &agent, None);
        let paused = Arc::new(Notify::new());
        let tell = paused.clone();
        let activity = Activity::told_to(move |what: String| {
            if what == "paused" {
                tell.notify_one();
            }
        });
        let lending = Lending::new(Arc::new(passages), meter, Caller::default(), activity);
        let lending = Arc::new(lending);
        let gateway = Gateway::to(&[]).lending(Some(lending.clone()));
        let environment = Environment::default().confined(Sandbox::new(SandboxChoice::None));
        let open = gateway.open(&environment, "agent-team".as_ref()).await.unwrap();
        Self { queue, agent, lending, open, paused }
    }

    fn variable(&self, name: &str) -> Option<String> {
        let variables = self.lending.variables(self.open.address);
        variables.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Calls as Anthropic's own programs do.
    async fn calls(&self, word: &str, path: &str, body: &Value) -> reqwest::Response {
        let url = format!("{}/{path}", self.variable("ANTHROPIC_BASE_URL").unwrap());
        // Only asked for by the client, since nothing here is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(url).header("x-api-key", word).header("anthropic-version", "2023-06-01");
        request.body(body.to_string()).send().await.unwrap()
    }

    async fn asks(&self, body: &Value) -> reqwest::Response {
        self.calls(&self.variable("ANTHROPIC_API_KEY").unwrap(), "v1/messages?beta=true", body).await
    }

    fn tokens(&self) -> (u64, u64) {
        let spent = |state: &agent_team_core::machine::State| {
            let spent = state.ledger().spent(&Account::Agent(self.agent.clone()));
            (spent.tokens(), spent.calls)
        };
        self.queue.team_log().look(spent).unwrap()
    }

    fn may_use(&self, tokens: u64) {
        let bounds = Bounds { tokens: Some(tokens), ..Bounds::default() };
        self.queue.set_budget(&AgentId::human(), &Account::Team, bounds).unwrap();
    }
}

fn question() -> Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 32_000, "messages": [{"role": "user", "content": "Hi"}]})
}

const ANSWER: &str =
    r#"{"content":[{"type":"text","text":"Ho"}],"usage":{"input_tokens":7,"output_tokens":3}}"#;

#[tokio::test]
async fn a_call_has_the_users_key_outside_and_counts_what_it_used() {
    let provided = Provided::default().says(200, ANSWER);
    let program = Program::at(&provided).await;
    let answer = program.asks(&question()).await;
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, ANSWER));
    let (headers, uri, body) = provided.heard().remove(0);
    assert_eq!((headers["x-api-key"].to_str().unwrap(), uri.as_str()), (KEY, "/v1/messages?beta=true"));
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    assert_eq!(body, question());
    assert_eq!((program.tokens(), program.lending.calls()), ((10, 1), 1));
    assert_eq!(program.variable("OPENAI_BASE_URL"), None, "there is no key for it");
}

/// Keeps the names of spans, each with that of the one which it is a part of; that is empty for one that is of none.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<[&'static str; 2]>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let parent = span.parent().map_or("", |parent| parent.name());
        self.0.lock().unwrap().push([span.name(), parent]);
    }
}

#[tokio::test]
async fn a_call_is_a_part_of_the_attempt_whose_program_makes_it() {
    let spans = Spans::default();
    // With one subscriber alone `tracing` takes the word of whichever thread comes first, and other tests' have none.
    let _other = Dispatch::new(Registry::default());
    let _heard_here = tracing::subscriber::set_default(Registry::default().with(spans.clone()));
    let provided = Provided::default().says(200, ANSWER);
    let program = Program::at(&provided).instrument(tracing::info_span!("attempt")).await;
    assert_eq!(program.asks(&question()).await.status(), 200);
    let spans = spans.0.lock().unwrap();
    assert!(spans.contains(&["chat", "attempt"]), "{spans:?}");
}

#[tokio::test]
async fn what_the_budget_does_not_bear_is_not_passed_on() {
    let provided = Provided::default().says(200, ANSWER);
    let program = Program::at(&provided).await;
    program.may_use(100);
    let answer = program.asks(&question()).await;
    assert_eq!(answer.status(), 403);
    let said = answer.text().await.unwrap();
    assert!(said.contains("permission_error") && said.contains("budget"), "{said}");
    assert!(matches!(program.lending.refused(), Some(AgentError::OverBudget { .. })));
    assert_eq!((provided.heard().len(), program.tokens()), (0, (0, 0)));

    program.may_use(100_000);
    assert_eq!(program.asks(&question()).await.status(), 200);
    let (_, _, body) = provided.heard().remove(0);
    assert_eq!(body["max_tokens"], 16_384, "what bounds a call bounds its answer");
    assert_eq!(program.tokens(), (10, 1));
}

#[tokio::test]
async fn who_is_paused_is_answered_once_it_goes_on() {
    let provided = Provided::default().says(200, ANSWER);
    let program = Program::at(&provided).await;
    program.queue.join(AgentJoined::new(program.agent.clone(), Role::Worker)).unwrap();
    program.queue.pause(&AgentId::human(), Some(&program.agent), "").unwrap();
    let question = question();
    let mut answer = Box::pin(program.asks(&question));
    tokio::select! {
        answer = &mut answer => panic!("{answer:?}"),
        () = program.paused.notified() => {}
    }
    assert!(provided.heard().is_empty());
    program.queue.resume(&AgentId::human(), Some(&program.agent)).unwrap();
    assert_eq!((answer.await.status().as_u16(), provided.heard().len()), (200, 1));
}

#[tokio::test]
async fn nobody_is_answered_without_the_word_or_in_what_nobody_counts() {
    let provided = Provided::default().says(200, r#"{"input_tokens": 5}"#);
    let program = Program::at(&provided).await;
    assert_eq!(program.calls("sk-ant-guessed", "v1/messages", &question()).await.status(), 401);
    let word = program.variable("ANTHROPIC_API_KEY").unwrap();
    for path in ["v1/messages/batches", "v1/files", "v1/../v1/messages", "v1/organizations/x"] {
        let status = program.calls(&word, path, &json!({"model": "m"})).await.status();
        assert!(status == 403 || path.contains(".."), "{path}: {status}");
    }
    let heard = provided.heard();
    assert!(heard.iter().all(|(_, uri, _)| uri == "/v1/messages"), "{heard:?}");
}

#[tokio::test]
async fn who_meets_a_limit_waits_and_other_refusals_pass_through() {
    let provided = Provided::default()
        .says(429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"slowly"}}"#)
        .says(200, ANSWER)
        .says(400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"no such tool"}}"#);
    let program = Program::at(&provided).await;
    assert_eq!(program.asks(&question()).await.status(), 200);
    assert_eq!((provided.heard().len(), program.tokens()), (2, (10, 1)), "a limit is no call");
    let refused = program.asks(&question()).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("no such tool"));
    assert!(program.lending.refused().is_none(), "it is the program's own concern");
}

#[tokio::test]
async fn an_answer_is_passed_on_as_it_comes_and_one_that_is_left_counts_in_full() {
    let provided = Provided::default();
    let (say, pieces) = mpsc::channel(1);
    *provided.pieces.lock().unwrap() = Some(pieces);
    let program = Program::at(&provided).await;
    program.may_use(1_000_000);
    let body = question();
    let asking = program.asks(&body);
    let begin = "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7}}}\n\n";
    let (answer, said) = tokio::join!(asking, say.send(begin));
    said.unwrap();
    let mut answer = answer;
    assert_eq!(answer.chunk().await.unwrap().unwrap(), begin, "before its end");
    drop(answer);
    // Nobody reads it any more, so the call to the provider ends, too.
    say.closed().await;
    let mut news = program.queue.team_log().follow();
    while program.tokens().1 == 0 {
        news.changed().await.unwrap();
    }
    let (tokens, calls) = program.tokens();
    assert!(calls == 1 && tokens > 16_384, "{tokens}: the most that it can have used");
}

#[tokio::test]
async fn an_answer_that_has_said_all_counts_what_it_said_though_nobody_waits_for_its_end() {
    let provided = Provided::default();
    let (say, pieces) = mpsc::channel(2);
    *provided.pieces.lock().unwrap() = Some(pieces);
    let program = Program::at(&provided).await;
    program.may_use(1_000_000);
    let body = question();
    say.send("data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7}}}\n\n")
        .await
        .unwrap();
    let end = "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":3}}\n\n";
    let (answer, said) = tokio::join!(program.asks(&body), say.send(end));
    said.unwrap();
    let mut answer = answer;
    let mut heard = String::new();
    while !heard.ends_with(end) {
        heard += std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap();
    }
    // The provider would go on talking.
    drop(answer);
    program.lending.settled().await;
    assert_eq!(program.tokens(), (10, 1));
    say.closed().await;
}
