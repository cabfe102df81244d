//! Time is tokio's paused clock, so that minutes of waiting pass at once and are measured exactly.

use std::sync::Mutex;

use tokio::time::Instant;

use super::*;
use crate::model::{Caller, ModelErrorKind, Part, StopReason, Usage};

/// Answers with what it was given, in order; it streams a word before each answer.
struct Answers(Mutex<Vec<Result<Response, ModelError>>>, Mutex<Vec<u32>>);

impl Answers {
    fn new(mut answers: Vec<Result<Response, ModelError>>) -> Self {
        answers.reverse();
        Self(Mutex::new(answers), Mutex::default())
    }
}

#[async_trait]
impl Model for Answers {
    fn name(&self) -> &str {
        "answers"
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        self.1.lock().unwrap().push(request.caller.retry);
        stream(Delta::Text("word".into()));
        self.0.lock().unwrap().pop().expect("called more often than expected")
    }
}

fn request() -> Request {
    Request {
        system: String::new(),
        messages: Vec::new(),
        tools: Vec::new(),
        max_output_tokens: None,
        caller: Caller::default(),
    }
}

fn answer() -> Response {
    Response { parts: vec![Part::text("yes")], usage: Usage::default(), stop: StopReason::End }
}

fn failure(kind: ModelErrorKind) -> Result<Response, ModelError> {
    Err(ModelError::new(kind, "answers", "because"))
}

/// What came of a call, how long it took, and what was streamed.
async fn call(
    answers: Vec<Result<Response, ModelError>>,
    random: fn() -> f64,
) -> (Result<Response, ModelError>, Duration, Vec<Delta>) {
    let model = Retrying::new(Answers::new(answers), RetryPolicy::default()).with_random(random);
    let mut deltas = Vec::new();
    let start = Instant::now();
    let result = model.respond(&request(), &mut |delta| deltas.push(delta)).await;
    let calls = model.model.1.into_inner().unwrap();
    assert_eq!(
        calls,
        (0..).take(calls.len()).collect::<Vec<u32>>(),
        "each call says how many came before it"
    );
    (result, start.elapsed(), deltas)
}

#[tokio::test(start_paused = true)]
async fn waits_double_until_it_succeeds() {
    let kinds = [ModelErrorKind::Overloaded, ModelErrorKind::ServerError, ModelErrorKind::TimedOut];
    let mut answers: Vec<_> = kinds.into_iter().map(failure).collect();
    answers.push(Ok(answer()));
    let (result, elapsed, _) = call(answers, || 1.0).await;
    assert_eq!(result.unwrap(), answer());
    assert_eq!(elapsed.as_secs(), 1 + 2 + 4);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let limited = ModelError::new(ModelErrorKind::RateLimited, "answers", "slow down")
        .with_retry_after(Some(Duration::from_secs(90)));
    let (result, elapsed, _) = call(vec![Err(limited), Ok(answer())], || 0.0).await;
    assert_eq!(result.unwrap(), answer());
    assert_eq!(elapsed.as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_beyond_all_patience_ends_at_once() {
    let limited = ModelError::new(ModelErrorKind::RateLimited, "answers", "tomorrow")
        .with_retry_after(Some(Duration::from_secs(86_400)));
    let (result, elapsed, _) = call(vec![Err(limited.clone())], || 0.0).await;
    assert_eq!(result.unwrap_err(), limited);
    assert_eq!(elapsed, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn views_learn_that_what_they_showed_is_void() {
    let (_, _, deltas) = call(vec![failure(ModelErrorKind::Cut), Ok(answer())], || 0.5).await;
    let reason = "answers was cut off in its answer: because".to_owned();
    assert_eq!(
        deltas,
        [
            Delta::Text("word".into()),
            Delta::Retry { wait_ms: 500, reason },
            Delta::Begins,
            Delta::Text("word".into())
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_succeed_is_called_once() {
    for kind in [
        ModelErrorKind::Authentication,
        ModelErrorKind::OutOfCredit,
        ModelErrorKind::BadRequest,
        ModelErrorKind::UnknownModel,
        ModelErrorKind::Refused,
        ModelErrorKind::Unreadable,
        ModelErrorKind::NoRule,
    ] {
        let (result, elapsed, _) = call(vec![failure(kind)], || 1.0).await;
        assert_eq!(result.unwrap_err().kind(), kind);
        assert_eq!(elapsed, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded() {
    let answers = (0..8).map(|_| failure(ModelErrorKind::Connection)).collect();
    let (result, elapsed, deltas) = call(answers, || 1.0).await;
    assert_eq!(result.unwrap_err().kind(), ModelErrorKind::Connection);
    assert_eq!(elapsed.as_secs(), 1 + 2 + 4 + 8 + 16 + 32 + 60);
    assert_eq!(deltas.iter().filter(|delta| matches!(delta, Delta::Retry { .. })).count(), 7);
}

#[test]
fn random_fractions_spread() {
    let fractions: Vec<f64> = (0..1_000).map(|_| random_fraction()).collect();
    assert!(fractions.iter().all(|fraction| (0.0..=1.0).contains(fraction)));
    let mean = fractions.iter().sum::<f64>() / 1_000.0;
    assert!((0.4..0.6).contains(&mean), "mean {mean}");
}
