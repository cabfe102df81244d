//! Loopback servers that speak the protocols of real providers, streaming as they do, and failing as they do.
//!
//! A test says what the model answers ([`Answer`]), call by call or by a closure over what was received, and looks
//! afterwards at the requests that came over the wire. A test binary that needs only a part of this says
//! `#[expect(dead_code, reason = "...")] mod fake;`.
#![expect(clippy::unwrap_used, reason = "a test's server may fail by panicking")]

mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use futures::stream::{self, StreamExt};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use wire::Protocol;

/// A provider on a port of its own. It ends when it is dropped.
pub struct FakeProvider {
    url: String,
    requests: Arc<Mutex<Vec<Received>>>,
    server: JoinHandle<()>,
}

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path, with its query.
    pub path: String,
    /// The headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Value,
}

/// What the fake model answers to one request.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What it thinks first, and the signature of that.
    pub thinking: Option<(String, String)>,
    /// What it says.
    pub text: String,
    /// The tools that it calls, and their arguments.
    pub calls: Vec<(String, Value)>,
    /// Tokens read, of these from the cache, and written.
    pub usage: (u64, u64, u64),
    /// Whether it stops because the answer is too long.
    pub is_too_long: bool,
    /// How the stream ends.
    pub ending: Ending,
    /// Into how many bytes at a time the stream is split; 0 sends each message whole.
    pub chunk_bytes: usize,
    /// Headers beside those of the protocol.
    pub headers: Vec<(String, String)>,
    /// What stands in place of the stream.
    pub refusal: Option<Refusal>,
}

/// An HTTP answer that is no stream.
#[derive(Debug, Clone, Default)]
pub struct Refusal {
    status: u16,
    body: String,
}

/// How a stream ends.
#[derive(Debug, Clone, Default)]
pub enum Ending {
    /// As the protocol wants it.
    #[default]
    Whole,
    /// After so many messages the body ends, as if that were all.
    ClosedAfter(usize),
    /// After so many bytes the body ends, as if that were all.
    ClosedAtByte(usize),
    /// After so many bytes the connection breaks.
    BrokenAtByte(usize),
    /// After so many messages the connection breaks.
    BrokenAfter(usize),
    /// After so many messages nothing more comes.
    StalledAfter(usize),
    /// After so many messages the provider reports an error: its name for it, and the reason.
    ErrorAfter(usize, String, String),
}

impl Answer {
    /// An answer that is only text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), usage: (100, 0, 10), ..Self::default() }
    }

    /// An answer that calls a tool.
    pub fn call(name: impl Into<String>, input: Value) -> Self {
        Self { calls: vec![(name.into(), input)], usage: (100, 0, 10), ..Self::default() }
    }

    /// The same with one more tool call.
    pub fn and_call(mut self, name: impl Into<String>, input: Value) -> Self {
        self.calls.push((name.into(), input));
        self
    }

    /// The same with another ending.
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// An HTTP status with a body, in place of an answer.
    pub fn status(status: u16, body: impl Into<String>) -> Self {
        let refusal = Refusal { status, body: body.into() };
        Self { refusal: Some(refusal), ..Self::default() }
    }

    /// The same with a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl FakeProvider {
    /// A provider that gives these answers, one to each request in turn; to a further one it says HTTP 400.
    pub async fn new(protocol: Protocol, answers: Vec<Answer>) -> Self {
        let mut answers = answers.into_iter();
        Self::by(protocol, move |_| {
            answers
                .next()
                .unwrap_or_else(|| Answer::status(400, r#"{"error":{"message":"no more answers"}}"#))
        })
        .await
    }

    /// A provider that answers as the closure says.
    pub async fn by(protocol: Protocol, answer: impl FnMut(&Received) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::default();
        let model = FakeModel {
            protocol,
            requests: Arc::clone(&requests),
            answer: Arc::new(Mutex::new(Box::new(answer))),
        };
        let router = Router::new().fallback(respond).with_state(model);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, requests, server }
    }

    /// Where it listens, without any version: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was received, oldest first.
    pub fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct FakeModel {
    protocol: Protocol,
    requests: Arc<Mutex<Vec<Received>>>,
    #[expect(clippy::type_complexity, reason = "spelled once")]
    answer: Arc<Mutex<Box<dyn FnMut(&Received) -> Answer + Send>>>,
}

async fn respond(
    State(model): State<FakeModel>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    if method != Method::POST || !model.protocol.serves(&path) {
        let body = format!("no {method} {path} here");
        return plain(&Refusal { status: 404, body });
    }
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let received = Received { path, headers, body: serde_json::from_slice(&body).unwrap() };
    let answer = (model.answer.lock().unwrap())(&received);
    let turn = {
        let mut requests = model.requests.lock().unwrap();
        requests.push(received);
        requests.len()
    };
    let mut response = match &answer.refusal {
        Some(refusal) => plain(refusal),
        None => streamed(model.protocol, &answer, turn),
    };
    let headers = answer.headers.iter().map(|(name, value)| {
        (HeaderName::try_from(name.as_str()).unwrap(), HeaderValue::try_from(value.as_str()).unwrap())
    });
    response.headers_mut().extend(headers);
    response
}

fn plain(refusal: &Refusal) -> Response {
    let response = Response::builder().status(StatusCode::from_u16(refusal.status).unwrap());
    response.body(Body::from(refusal.body.clone())).unwrap()
}

fn streamed(protocol: Protocol, answer: &Answer, turn: usize) -> Response {
    let mut messages = protocol.messages(answer, turn);
    let sent = match &answer.ending {
        Ending::Whole | Ending::ClosedAtByte(_) | Ending::BrokenAtByte(_) => messages.len(),
        Ending::ClosedAfter(count) | Ending::BrokenAfter(count) | Ending::StalledAfter(count) => *count,
        Ending::ErrorAfter(count, name, reason) => {
            messages.truncate(*count);
            messages.push(protocol.error(name, reason));
            messages.len()
        }
    };
    messages.truncate(sent);
    if let Ending::ClosedAtByte(count) | Ending::BrokenAtByte(count) = answer.ending {
        // The same bytes at each request, so that a test can count them.
        let stream = protocol.messages(answer, 1).concat().into_bytes();
        let cut = Bytes::copy_from_slice(&stream[..count]);
        let broken =
            matches!(answer.ending, Ending::BrokenAtByte(_)).then(|| std::io::Error::other("broken"));
        let body = stream::iter(std::iter::once(Ok(cut)).chain(broken.map(Err)));
        return Response::builder()
            .header("content-type", protocol.content_type())
            .body(Body::from_stream(body))
            .unwrap();
    }
    let chunks: Vec<Bytes> = match answer.chunk_bytes {
        0 => messages.into_iter().map(Bytes::from).collect(),
        size => messages.concat().as_bytes().chunks(size).map(Bytes::copy_from_slice).collect(),
    };
    let chunks = stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)).then(|chunk| async {
        // Each chunk shall leave on its own.
        tokio::task::yield_now().await;
        chunk
    });
    let body = match answer.ending {
        Ending::BrokenAfter(_) => {
            Body::from_stream(chunks.chain(stream::once(async { Err(std::io::Error::other("broken")) })))
        }
        Ending::StalledAfter(_) => Body::from_stream(chunks.chain(stream::pending())),
        _ => Body::from_stream(chunks),
    };
    Response::builder().header("content-type", protocol.content_type()).body(body).unwrap()
}
