//! Real models, over HTTP: genai behind [`Model`], and `completions` for what many servers speak; always streaming.
//!
//! What genai leaves to its caller is done here: time limits, telling a cut stream from a finished one, errors by kind
//! and without the request or the key, one TLS provider, no redirects. It keeps no state between calls.
//! genai also writes providers' errors to `tracing`, with whatever stands in them: a subscriber should leave out the
//! target `genai`.

mod completions;
mod failure;
mod limits;
#[cfg(feature = "drivers")]
mod passage;
mod request;
mod response;
mod target;
mod transport;

use async_trait::async_trait;
use futures::StreamExt;
use genai::chat::{ChatOptions, ChatRequest, ChatStream, ChatStreamEvent, ReasoningEffort, StreamEnd};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget, adapter::AdapterKind};
use serde_json::json;

use self::completions::Endpoint as Completions;
#[cfg(feature = "drivers")]
pub(crate) use self::passage::{Passage, RawCall, bound_answer};
use self::target::{Key, Target};
use super::{
    ConnectError, Connection, Delta, Model, ModelError, ModelErrorKind, Provider, Request, Response,
    TimeLimits,
};

/// What a server that wants no key is shown, since the protocol's header must hold something.
const NO_KEY: &str = "no-key";

/// One model of one provider.
pub(super) struct Provided {
    /// As prices and records know it: `anthropic:claude-opus-4-5`.
    name: String,
    target: Target,
    limits: TimeLimits,
    client: Client,
    /// Where chat completions are asked for without genai, if this provider's are.
    completions: Option<Completions>,
}

impl Provided {
    /// Sets up the connection; nothing is sent yet.
    pub(super) fn new(
        provider: Provider,
        model: &str,
        connection: &Connection<'_>,
    ) -> Result<Self, ConnectError> {
        let target = target::target(provider, model, connection)?;
        let http = transport::client(&target, connection.environment)?;
        let completions = match provider {
            Provider::OpenAiCompatible => Some(Completions::new(&target, http.clone())?),
            Provider::Anthropic | Provider::OpenAi | Provider::Gemini | Provider::Ollama => None,
        };
        let client = Client::builder()
            .with_reqwest(http)
            .build()
            .map_err(|error| ConnectError::Client { provider: provider.name(), reason: error.to_string() })?;
        let name = format!("{}:{model}", provider.name());
        Ok(Self { name, target, limits: connection.limits, client, completions })
    }

    async fn call(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        let end = match &self.completions {
            Some(endpoint) => self.completion(endpoint, request, stream).await?,
            None => {
                let chat = request::chat_request(self.target.provider, request);
                self.events(chat, &self.options(request), stream).await?
            }
        };
        response::response(self.target.provider, request, end)
            .map_err(|(kind, reason)| ModelError::new(kind, &self.name, reason))
    }

    /// Reads the answer's stream to its end.
    async fn events(
        &self,
        chat: ChatRequest,
        options: &ChatOptions,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<StreamEnd, ModelError> {
        let failed = |error| failure::model_error(&self.name, &self.target, &error);
        let answer =
            self.client.exec_chat_stream(self.service(), chat, Some(options)).await.map_err(failed)?;
        let mut events = answer.stream;
        let mut announced = Vec::new();
        let mut has_begun = false;
        loop {
            let event = tokio::time::timeout(self.limits.idle, events.next())
                .await
                .map_err(|_| self.timed_out("nothing came for", self.limits.idle))?;
            match event {
                Some(Ok(ChatStreamEvent::End(end))) => return Ok(end),
                Some(Ok(event)) => {
                    has_begun |= !matches!(event, ChatStreamEvent::Start);
                    show(event, &mut announced, stream);
                }
                // The last message of a stream that was cut is half a message, and that is no JSON either.
                Some(Err(error)) if failure::is_no_json(&error) && self.is_over(&mut events).await => {
                    return Err(self.cut(has_begun));
                }
                Some(Err(error)) => return Err(failed(error)),
                // genai ends silently when the connection does.
                None => return Err(self.cut(has_begun)),
            }
        }
    }

    /// Whether nothing more comes.
    async fn is_over(&self, events: &mut ChatStream) -> bool {
        matches!(tokio::time::timeout(self.limits.idle, events.next()).await, Ok(None))
    }

    fn cut(&self, has_begun: bool) -> ModelError {
        let reason = if has_begun { response::CUT } else { response::NOTHING };
        ModelError::new(ModelErrorKind::Cut, &self.name, reason)
    }

    fn service(&self) -> ServiceTarget {
        let key = self.target.key.as_ref().map_or(NO_KEY, Key::reveal);
        ServiceTarget {
            endpoint: Endpoint::from_owned(self.target.base_url.as_str()),
            auth: AuthData::from_single(key),
            model: ModelIden::new(adapter(self.target.provider), self.target.model.as_str()),
        }
    }

    fn options(&self, request: &Request) -> ChatOptions {
        let options = ChatOptions::default()
            .with_capture_content(true)
            .with_capture_tool_calls(true)
            .with_capture_usage(true)
            // Without it the signatures of thoughts are lost, and with them the next turn.
            .with_capture_reasoning_content(true);
        let options = match request.max_output_tokens {
            Some(tokens) => options.with_max_tokens(tokens),
            None => options,
        };
        match self.target.provider {
            // genai reads `-max`, `-high` and the like at a name's end as a wish for reasoning and cuts them off;
            // here a name is a name. For OpenAI's protocol a budget says nothing on the wire.
            Provider::OpenAi | Provider::OpenAiCompatible => {
                options.with_reasoning_effort(ReasoningEffort::Budget(0))
            }
            Provider::Anthropic => options.with_extra_body(json!({ "model": self.target.model })),
            Provider::Gemini | Provider::Ollama => options,
        }
    }

    fn timed_out(&self, what: &str, limit: std::time::Duration) -> ModelError {
        ModelError::new(ModelErrorKind::TimedOut, &self.name, format!("{what} {} s", limit.as_secs_f64()))
    }
}

#[async_trait]
impl Model for Provided {
    fn name(&self) -> &str {
        &self.name
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        match tokio::time::timeout(self.limits.overall, self.call(request, stream)).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out("no whole answer after", self.limits.overall)),
        }
    }

    fn server(&self) -> Option<(&str, u16)> {
        self.target.server()
    }
}

fn adapter(provider: Provider) -> AdapterKind {
    match provider {
        Provider::Anthropic => AdapterKind::Anthropic,
        Provider::OpenAi | Provider::OpenAiCompatible => AdapterKind::OpenAI,
        Provider::Gemini => AdapterKind::Gemini,
        Provider::Ollama => AdapterKind::Ollama,
    }
}

/// Tells the stream what came; each tool call once, when its name is known.
fn show(event: ChatStreamEvent, announced: &mut Vec<String>, stream: &mut (dyn FnMut(Delta) + Send)) {
    match event {
        ChatStreamEvent::Chunk(chunk) => stream(Delta::Text(chunk.content)),
        ChatStreamEvent::ReasoningChunk(chunk) => stream(Delta::Thinking(chunk.content)),
        ChatStreamEvent::ToolCallChunk(chunk) => {
            let call = chunk.tool_call;
            if !call.fn_name.is_empty() && !announced.contains(&call.call_id) {
                announced.push(call.call_id);
                stream(Delta::ToolCall { name: call.fn_name });
            }
        }
        ChatStreamEvent::Start
        | ChatStreamEvent::ThoughtSignatureChunk(_)
        | ChatStreamEvent::Heartbeat
        | ChatStreamEvent::End(_) => {}
    }
}
