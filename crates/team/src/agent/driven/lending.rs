//! Models that are lent to a program: it calls them by a word that is worth something here alone, and the key stays with the
//! supervisor.
//!
//! Each call goes through the meter and the governor as the calls of our own agents do: what the budget does not bear is not
//! passed on, and who meets a limit waits with all others. What is said is the program's concern, and passes through.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::Frame;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Response as Reply, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{Instrument, Span};

use crate::agent::metered::Meter;
use crate::agent::{Activity, AgentError};
use crate::gateway::usage::Reading;
use crate::gateway::{Asked, Body, Models, refusal, whole};
use crate::model::{
    Caller, ConnectError, Connection, Delta, Message, Model, ModelError, ModelErrorKind, Passage, Provider,
    RawCall, Request, Response, StopReason, bound_answer,
};

/// The longest call that is passed on, in bytes.
const CALL_BYTES_MAX: usize = 64 << 20;
/// How long an answer may keep us waiting for its beginning, or for its next piece.
const SILENCE_LIMIT: Duration = Duration::from_secs(600);
/// Pieces of an answer that wait for a program that reads slowly.
const PIECES: usize = 16;
/// How long calls may take to be counted when the program has gone.
const SETTLED_LIMIT: Duration = Duration::from_secs(5);
/// Headers between us and the provider, and not between the provider and the program (RFC 9110, 7.6.1).
const NOT_PASSED_BACK: [&str; 6] =
    ["connection", "content-length", "keep-alive", "set-cookie", "trailer", "transfer-encoding"];

/// The ways to the providers of whom the user has a key.
#[derive(Debug, Default)]
pub struct Passages(BTreeMap<&'static str, (Provider, Passage)>);

impl Passages {
    /// Those among some that an environment has a key for.
    ///
    /// # Errors
    /// When a base URL in it is none.
    pub fn of(providers: &[Provider], connection: &Connection<'_>) -> Result<Self, ConnectError> {
        let mut passages = BTreeMap::new();
        for &provider in providers {
            match Passage::to(provider, connection) {
                Ok(passage) => drop(passages.insert(provider.name(), (provider, passage))),
                Err(ConnectError::MissingKey { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(passages))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Models lent for one attempt.
pub(super) struct Lending {
    passages: Arc<Passages>,
    meter: Meter,
    caller: Caller,
    activity: Activity,
    /// The span of the attempt: calls come by a connection, and not from there.
    attempt: Span,
    /// Without it nobody is answered.
    word: String,
    /// What kept a call from being made, for whoever ends the attempt.
    refused: Mutex<Option<AgentError>>,
    /// Why the last call failed of those in which the program's model is to act; `None` if it did not.
    failed: Arc<Mutex<Option<String>>>,
    /// How many calls were asked for.
    calls: AtomicU64,
    /// Those that are under way.
    paying: TaskTracker,
}

impl Lending {
    pub fn new(passages: Arc<Passages>, meter: Meter, caller: Caller, activity: Activity) -> Self {
        let word = format!("agent-team-{}", uuid::Uuid::new_v4().simple());
        let (refused, failed) = (Mutex::default(), Arc::default());
        let (calls, paying) = (AtomicU64::new(0), TaskTracker::new());
        let attempt = Span::current();
        Self { passages, meter, caller, activity, attempt, word, refused, failed, calls, paying }
    }

    /// The variables by which programs find the models at an address.
    pub fn variables(&self, address: SocketAddr) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        for (provider, _) in self.passages.0.values() {
            let (url, keys): (_, &[_]) = match provider {
                Provider::Anthropic => (("ANTHROPIC_BASE_URL", "anthropic"), &["ANTHROPIC_API_KEY"]),
                Provider::Gemini => (("GOOGLE_GEMINI_BASE_URL", "gemini"), &["GEMINI_API_KEY"]),
                _ => (("OPENAI_BASE_URL", "openai/v1"), &["OPENAI_API_KEY"]),
            };
            variables.push((url.0, format!("http://{address}/{}", url.1)));
            variables.extend(keys.iter().map(|key| (*key, self.word.clone())));
        }
        variables
    }

    /// What kept a call from being made: the budget, say.
    pub fn refused(&self) -> Option<AgentError> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Why the program's model does not answer, as it was at its last call: some programs say that as if it were an answer.
    pub fn failed(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until what the calls of a program used is counted, once it has gone.
    pub async fn settled(&self) {
        self.paying.close();
        // Whoever asks a provider that says nothing has gone, and so has the call.
        let _ = tokio::time::timeout(SETTLED_LIMIT, self.paying.wait()).await;
        self.paying.reopen();
    }

    /// How many calls of models the program has asked for.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    async fn answered(&self, asked: Asked) -> Result<Reply<Body>, Reply<Body>> {
        let path = asked.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
        let wrong = |why: &str| refusal(StatusCode::NOT_FOUND, why);
        let (name, path) =
            path.trim_start_matches('/').split_once('/').ok_or_else(|| wrong("there is nothing here"))?;
        let (&name, (provider, _)) =
            self.passages.0.get_key_value(name).ok_or_else(|| wrong("no such model is lent"))?;
        let provider = *provider;
        if !self.is_let_in(&asked) {
            return Err(told(
                StatusCode::UNAUTHORIZED,
                "authentication_error",
                "this is no word of this attempt",
            ));
        }
        let (head, body) = asked.into_parts();
        let body = Limited::new(body, CALL_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| told(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", &error.to_string()))?;
        let path = without_version(path);
        let path = without_key(path);
        let call =
            RawCall { method: head.method, path, headers: head.headers, body: body.to_bytes().to_vec() };
        match Kind::of(provider, &call) {
            Kind::Free => self.pass_on(name, &call).await,
            Kind::Paid(model) => {
                self.calls.fetch_add(1, Ordering::Relaxed);
                self.pay_for(name, provider, call, &model).await
            }
            Kind::Unknown => {
                let words = format!("{} {} is not lent by agent-team", call.method, call.path);
                Err(told(StatusCode::FORBIDDEN, "permission_error", &words))
            }
        }
    }

    fn is_let_in(&self, asked: &Asked) -> bool {
        let header = |name: &str| asked.headers().get(name).and_then(|value| value.to_str().ok());
        let bearer = header(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        let in_query = asked.uri().query().into_iter().flat_map(|query| query.split('&'));
        let words = [bearer, header("x-api-key"), header("x-goog-api-key")].into_iter().flatten();
        words.chain(in_query.filter_map(|pair| pair.strip_prefix("key="))).any(|word| word == self.word)
    }

    /// What costs nothing: which models there are, how many tokens a text has.
    async fn pass_on(&self, name: &str, call: &RawCall) -> Result<Reply<Body>, Reply<Body>> {
        let Some((_, passage)) = self.passages.0.get(name) else {
            return Err(refusal(StatusCode::NOT_FOUND, "no such model is lent"));
        };
        let unreached =
            |error: &dyn std::fmt::Display| told(StatusCode::BAD_GATEWAY, "api_error", &error.to_string());
        let answer = passage.send(call, name).await.map_err(|error| unreached(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|error| unreached(&error.without_url()))?;
        Ok(reply(status, &headers, whole(body)))
    }

    async fn pay_for(
        &self,
        name: &'static str,
        provider: Provider,
        call: RawCall,
        model: &str,
    ) -> Result<Reply<Body>, Reply<Body>> {
        let body: Value = serde_json::from_slice(&call.body)
            .map_err(|error| told(StatusCode::BAD_REQUEST, "invalid_request_error", &error.to_string()))?;
        let (head_sender, head) = oneshot::channel();
        let (pieces, pieces_receiver) = mpsc::channel(PIECES);
        let passing = Passing {
            passages: self.passages.clone(),
            provider,
            name: format!("{name}:{model}"),
            call,
            body,
            head: Mutex::new(Some(head_sender)),
            pieces,
            refusal: Arc::default(),
            left: CancellationToken::new(),
        };
        let failed = passing.has_tools().then(|| self.failed.clone());
        let (refused, meter, activity) = (passing.refusal.clone(), self.meter.clone(), self.activity.clone());
        let caller = self.caller.clone();
        let paying = async move {
            let request = passing.request(caller);
            let mut watch = |delta| match delta {
                Delta::Waits { reason } => activity.is(format!("waits: {reason}")),
                Delta::Begins => activity.is("thinks"),
                _ => {}
            };
            let call = async {
                meter.let_go(|| activity.is("paused")).await?;
                meter.call(&passing, request, &mut watch).await
            };
            let paid = tokio::select! {
                paid = call => paid.map(|_| ()),
                // What nobody reads any more is not paid for any longer; what it has cost nobody says.
                () = passing.left.cancelled() => Err(AgentError::Failed("the program went away".into())),
            };
            if let Some(failed) = failed.filter(|_| !passing.left.is_cancelled()) {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) =
                    paid.as_ref().err().map(ToString::to_string);
            }
            if paid.is_err() {
                // Whoever reads learns that this is not the end.
                let _ = passing.pieces.send(Err(std::io::Error::other("the answer broke off"))).await;
            }
            paid
        };
        let paying = AbortOnDropHandle::new(self.paying.spawn(paying.instrument(self.attempt.clone())));
        if let Ok((status, headers)) = head.await {
            // The call sees that nobody reads any more, and knows whether there was more to read.
            drop(paying.detach());
            let pieces = stream::unfold(pieces_receiver, |mut pieces| async move {
                let piece: Result<Bytes, std::io::Error> = pieces.recv().await?;
                Some((piece.map(Frame::data), pieces))
            });
            return Ok(reply(status, &headers, StreamBody::new(pieces).boxed_unsync()));
        }
        let error = match paying.await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => AgentError::Failed("it ended before it began".into()),
            Err(error) => AgentError::Failed(error.to_string()),
        };
        if let Some((status, headers, body)) = refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(reply(status, &headers, whole(body)));
        }
        let words = error.to_string();
        let answer = match error {
            AgentError::Failed(_) => told(StatusCode::BAD_GATEWAY, "api_error", &words),
            error => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                told(StatusCode::FORBIDDEN, "permission_error", &words)
            }
        };
        Err(answer)
    }
}

#[async_trait]
impl Models for Lending {
    async fn call(&self, asked: Asked) -> Reply<Body> {
        self.answered(asked).await.unwrap_or_else(|refused| refused)
    }
}

/// What a call is to us.
enum Kind {
    /// It costs nothing.
    Free,
    /// It calls a model.
    Paid(String),
    /// Nobody knows what it costs.
    Unknown,
}

impl Kind {
    fn of(provider: Provider, call: &RawCall) -> Self {
        let path = call.path.split('?').next().unwrap_or_default();
        if call.method == Method::GET && (path == "models" || path.starts_with("models/")) {
            return Self::Free;
        }
        if call.method != Method::POST {
            return Self::Unknown;
        }
        let of_gemini = path.strip_prefix("models/").and_then(|rest| rest.split_once(':'));
        match (provider, path, of_gemini) {
            (Provider::Anthropic, "messages/count_tokens", _)
            | (Provider::Gemini, _, Some((_, "countTokens"))) => Self::Free,
            (Provider::Gemini, _, Some((model, "generateContent" | "streamGenerateContent"))) => {
                Self::Paid(model.to_owned())
            }
            (Provider::Anthropic, "messages", _)
            | (Provider::OpenAi, "responses" | "responses/compact" | "chat/completions" | "embeddings", _) => {
                let model = serde_json::from_slice::<Value>(&call.body).ok();
                match model.as_ref().and_then(|body| body.get("model")?.as_str()) {
                    Some(model) => Self::Paid(model.to_owned()),
                    None => Self::Unknown,
                }
            }
            _ => Self::Unknown,
        }
    }
}

/// What follows the version in a path, if there is one.
fn without_version(path: &str) -> &str {
    let is_version = |segment: &str| {
        segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    path.split_once('/').filter(|(first, _)| is_version(first)).map_or(path, |(_, rest)| rest)
}

/// A path whose query has no key.
fn without_key(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let kept: BTreeSet<&str> = query.split('&').filter(|pair| !pair.starts_with("key=")).collect();
    match kept.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", kept.into_iter().collect::<Vec<_>>().join("&")),
    }
}

/// One call that is passed on, as the meter knows a model.
struct Passing {
    passages: Arc<Passages>,
    provider: Provider,
    name: String,
    call: RawCall,
    body: Value,
    head: Mutex<Option<oneshot::Sender<(StatusCode, HeaderMap)>>>,
    pieces: mpsc::Sender<Result<Bytes, std::io::Error>>,
    /// How the provider refused it last, whole.
    refusal: Arc<Mutex<Option<(StatusCode, HeaderMap, Bytes)>>>,
    /// Cancelled when the program has gone before it was told all.
    left: CancellationToken,
}

impl Passing {
    /// The same as the meter reads it: how long it is, and how long the answer may become.
    fn request(&self, caller: Caller) -> Request {
        let config = self.body.get("generationConfig").unwrap_or(&self.body);
        let names = ["max_tokens", "max_output_tokens", "max_completion_tokens", "maxOutputTokens"];
        let most = names.iter().find_map(|name| config.get(*name)?.as_u64());
        Request {
            system: String::new(),
            messages: vec![Message::user(String::from_utf8_lossy(&self.call.body))],
            tools: Vec::new(),
            max_output_tokens: most.and_then(|most| u32::try_from(most).ok()),
            caller,
        }
    }

    /// Whether the model can act: what has no tools is a question by the way, such as for a title.
    fn has_tools(&self) -> bool {
        self.body.get("tools").and_then(Value::as_array).is_some_and(|tools| !tools.is_empty())
    }

    /// The call as it is sent.
    fn call(&self, most: Option<u32>) -> RawCall {
        let mut body = self.body.clone();
        if let Some(most) = most {
            bound_answer(self.provider, &self.call.path, &mut body, most);
        }
        let is_stream = body.get("stream").and_then(Value::as_bool) == Some(true);
        if is_stream && self.call.path.starts_with("chat/completions") && body.get("stream_options").is_none()
        {
            // Else nobody says what it used.
            body["stream_options"] = json!({ "include_usage": true });
        }
        RawCall { body: body.to_string().into_bytes(), ..self.call.clone() }
    }

    /// What came of a call whose program has gone: many do not wait for the end of an answer that has said all. Others have no
    /// answer any more.
    async fn left(&self, reading: Reading) -> Response {
        if !reading.has_ended() {
            self.left.cancel();
            std::future::pending::<()>().await;
        }
        self.response(reading)
    }

    fn response(&self, reading: Reading) -> Response {
        let usage = reading.usage(self.call.body.len());
        Response { parts: Vec::new(), usage, stop: StopReason::End }
    }

    fn silent(&self) -> ModelError {
        let reason = format!("nothing came for {} s", SILENCE_LIMIT.as_secs());
        ModelError::new(ModelErrorKind::TimedOut, &self.name, reason)
    }
}

#[async_trait]
impl Model for Passing {
    fn name(&self) -> &str {
        &self.name
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        let Some((_, passage)) = self.passages.0.get(self.provider.name()) else {
            return Err(ModelError::new(ModelErrorKind::Connection, &self.name, "it is not lent"));
        };
        let call = self.call(request.max_output_tokens);
        stream(Delta::Begins);
        let answer = tokio::time::timeout(SILENCE_LIMIT, passage.send(&call, &self.name)).await;
        let mut answer = answer.map_err(|_| self.silent())??;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if !status.is_success() {
            let body = answer.bytes().await.unwrap_or_default();
            let error = passage.refused(&self.name, status, &headers, &body);
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some((status, headers, body));
            return Err(error);
        }
        let content_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut reading = Reading::of_type(content_type);
        if let Some(head) = self.head.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Who is gone takes the call along.
            let _ = head.send((status, headers.clone()));
        }
        loop {
            let piece = tokio::select! {
                piece = tokio::time::timeout(SILENCE_LIMIT, answer.chunk()) => piece.map_err(|_| self.silent())?,
                () = self.pieces.closed() => return Ok(self.left(reading).await),
            };
            let Some(piece) = piece.map_err(|error| passage.broken(&self.name, &error))? else { break };
            stream(Delta::Text(String::new()));
            reading.hear(&piece);
            if self.pieces.send(Ok(piece)).await.is_err() {
                return Ok(self.left(reading).await);
            }
        }
        Ok(self.response(reading))
    }

    fn server(&self) -> Option<(&str, u16)> {
        self.passages.0.get(self.provider.name()).and_then(|(_, passage)| passage.server())
    }
}

fn reply(status: StatusCode, headers: &HeaderMap, body: Body) -> Reply<Body> {
    let mut reply = Reply::new(body);
    *reply.status_mut() = status;
    let passed_back = headers.iter().filter(|(name, _)| !NOT_PASSED_BACK.contains(&name.as_str()));
    reply.headers_mut().extend(passed_back.map(|(name, value)| (name.clone(), value.clone())));
    reply
}

/// An error as all three providers' clients read one.
fn told(status: StatusCode, kind: &str, words: &str) -> Reply<Body> {
    let error = json!({ "type": "error", "error": { "type": kind, "status": kind, "message": format!("agent-team: {words}") } });
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    reply(status, &headers, whole(error.to_string()))
}

#[cfg(test)]
mod tests;
