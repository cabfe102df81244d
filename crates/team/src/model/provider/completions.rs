//! OpenAI's chat completions as every other server speaks them, over reqwest.
//!
//! genai copies a request three times on its way out and builds, takes apart and builds again a tree of each piece of an
//! answer; that was nine tenths of what a call cost. This protocol is small and stands still, so its pieces are read as
//! they are. What OpenAI itself changes with each model stays genai's to know, and so do the other protocols. How
//! answers end and fail is told in the same words, by `response` and `failure`.

mod body;
mod chunk;
mod events;

use genai::chat::StreamEnd;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use tokio::time::{Instant, timeout_at};

use self::body::Body;
use self::chunk::{Gathered, Unread};
use self::events::Events;
use super::target::{Key, Target};
use super::{NO_KEY, Provided, failure, limits};
use crate::model::{ConnectError, Delta, ModelError, Request};

/// Where chat completions are asked for, and by which client.
pub(super) struct Endpoint {
    client: reqwest::Client,
    url: reqwest::Url,
}

impl Endpoint {
    pub(super) fn new(target: &Target, client: reqwest::Client) -> Result<Self, ConnectError> {
        let url = reqwest::Url::parse(&target.base_url).and_then(|base| base.join("chat/completions"));
        let failed = |reason: String| ConnectError::Client { provider: target.provider.name(), reason };
        Ok(Self { client, url: url.map_err(|error| failed(error.to_string()))? })
    }
}

impl Provided {
    /// Asks at `endpoint` and reads the answer's stream to its end.
    pub(super) async fn completion(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<StreamEnd, ModelError> {
        let idle = self.limits.idle;
        let out_of_time = |_| self.timed_out("nothing came for", idle);
        let disconnected = |error| failure::of_network(&self.name, &self.target, &error);
        // News are messages: a server that sends a byte now and then says nothing.
        let mut deadline = Instant::now() + idle;
        let sent = timeout_at(deadline, self.send(endpoint, request)).await.map_err(out_of_time)?;
        let mut answer = sent.map_err(disconnected)?;
        let status = answer.status();
        if !status.is_success() {
            let headers = answer.headers().clone();
            let body = timeout_at(deadline, answer.text()).await.map_err(out_of_time)?;
            let body = body.unwrap_or_default();
            return Err(failure::of_status(&self.name, &self.target, status, &headers, &body));
        }
        if let Some((wait, reason)) = limits::used_up(answer.headers()) {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            stream(Delta::Limited { wait_ms, reason });
        }
        let mut events = Events::default();
        let mut gathered = Gathered::default();
        // A message that could not be read is a cut one if it is the last.
        let mut unread: Option<serde_json::Error> = None;
        loop {
            let chunk = match (timeout_at(deadline, answer.chunk()).await, unread.take()) {
                (Ok(Ok(chunk)), before) => {
                    unread = before;
                    chunk
                }
                (_, Some(unread)) => return Err(self.unread(&unread)),
                (Ok(Err(error)), None) => return Err(disconnected(error)),
                (Err(elapsed), None) => return Err(out_of_time(elapsed)),
            };
            let is_over = chunk.is_none();
            let chunk = chunk.unwrap_or_default();
            let mut bytes: &[u8] = &chunk;
            loop {
                let message = match events.next(&mut bytes) {
                    None if is_over => events.last(),
                    next => next,
                };
                let Some(message) = message else { break };
                deadline = Instant::now() + idle;
                if let Some(unread) = unread.take() {
                    return Err(self.unread(&unread));
                }
                if message == b"[DONE]" {
                    return Ok(gathered.end());
                }
                match gathered.take(&message, stream) {
                    Ok(()) => {}
                    Err(Unread::Error(error)) => {
                        return Err(failure::of_stream(&self.name, &self.target, &error));
                    }
                    Err(Unread::NoJson(error)) => unread = Some(error),
                }
            }
            if is_over {
                return Err(self.cut(gathered.has_begun()));
            }
        }
    }

    async fn send(&self, endpoint: &Endpoint, request: &Request) -> reqwest::Result<reqwest::Response> {
        let key = self.target.key.as_ref().map_or(NO_KEY, Key::reveal);
        let asked = endpoint.client.post(endpoint.url.clone()).bearer_auth(key);
        let asked = asked.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        asked.body(Body::of(&self.target, request).to_json()).send().await
    }

    fn unread(&self, error: &serde_json::Error) -> ModelError {
        failure::of_message(&self.name, &self.target, error)
    }
}
