//! What a team does, for those who watch many programs: spans and measures by `tracing`, under one target.
//!
//! Nothing is sent anywhere from here, and without a subscriber nothing is done. Names, numbers and kinds are told, and
//! never a text: what prompts, answers, tools and errors say may hold what nobody else should read, and is in the team's
//! log. A subscriber takes [`TARGET`] alone; genai, for one, writes what providers say to `tracing`.
//!
//! A measure is an event with one field that bears its name, an `f64` or `u64`, and whose other fields are its attributes:
//! texts and `i64`s. `docs/telemetry.md` has all of them.

pub mod names;
mod work;

use std::time::Instant;

use agent_team_core::record::Amount;
use tracing::field::Empty;
use tracing::{Instrument, Level, Span, event, info_span};

pub(crate) use work::{attempt, attempt_ended, came_to, failed, judged, merge, run, run_began};

use crate::AgentId;
use crate::model::{Model, ModelError, ModelErrorKind, Response, StopReason};
use crate::tools::ToolOutput;

/// The target of all spans and events of this crate.
///
/// ```
/// use agent_team::telemetry::{TARGET, names};
///
/// let is_ours = |target: &str| target == TARGET;
/// assert!(is_ours("agent_team::telemetry") && !is_ours("genai"));
/// assert_eq!(names::TOKEN_USAGE, "gen_ai.client.token.usage");
/// ```
pub const TARGET: &str = "agent_team::telemetry";

/// Calls of a model, as an operation.
pub(crate) const CHAT: &str = "chat";
/// An agent at work, as an operation; also the turns of a program that calls models by itself.
pub(crate) const INVOKE_AGENT: &str = "invoke_agent";
const EXECUTE_TOOL: &str = "execute_tool";

/// What stands for a provider, or a kind of error, that nobody has a name for.
const OTHER: &str = "_OTHER";
/// The longest name of a tool that is told, in bytes: a model may call whatever it likes.
const TOOL_BYTES_MAX: usize = 64;

/// What stands behind an agent, or answers a call, by its name in the log.
struct Backing<'a> {
    provider: &'static str,
    /// `None` for programs that choose their model themselves.
    model: Option<&'a str>,
}

impl<'a> Backing<'a> {
    fn of(name: &'a str) -> Self {
        let (head, rest) = match name.split_once(':') {
            Some((head, rest)) => (head, Some(rest)),
            None => (name, None),
        };
        let (provider, model) = match head {
            "anthropic" => ("anthropic", rest),
            "openai" | "openai-compatible" => ("openai", rest),
            "gemini" => ("gcp.gemini", rest),
            "ollama" => ("ollama", rest),
            "script" => ("script", Some("script")),
            "claude" => ("anthropic", None),
            "codex" => ("openai", None),
            // What follows is a command, with whatever stands in it.
            "acp" | "exec" | "opencode" | "qwen" | "goose" => (OTHER, None),
            _ => (OTHER, Some(name)),
        };
        Self { provider, model }
    }
}

/// A call of a model under way, which tells how it ended, also if it is dropped before.
struct Chat<'a> {
    model: &'a dyn Model,
    began: Instant,
    span: Span,
    error: Option<&'static str>,
}

/// A call of a model, from its beginning to its answer, with the tries that it takes.
pub(crate) async fn chat(
    model: &dyn Model,
    agent: &AgentId,
    output_tokens_max: Option<u32>,
    answer: impl Future<Output = Result<Response, ModelError>>,
) -> Result<Response, ModelError> {
    let Backing { provider, model: asked } = Backing::of(model.name());
    let server = model.server();
    let span = info_span!(
        target: TARGET,
        CHAT,
        otel.name = format!("{CHAT} {}", asked.unwrap_or_default()).trim_end(),
        otel.kind = "client",
        otel.status_code = Empty,
        { names::OPERATION } = CHAT,
        { names::PROVIDER } = provider,
        { names::REQUEST_MODEL } = asked,
        { names::REQUEST_MAX_TOKENS } = output_tokens_max.map(i64::from),
        { names::AGENT } = agent.as_str(),
        { names::SERVER } = server.map(|(host, _)| host),
        { names::SERVER_PORT } = server.map(|(_, port)| i64::from(port)),
        { names::FINISH_REASONS } = Empty,
        { names::INPUT_TOKENS } = Empty,
        { names::CACHE_READ_TOKENS } = Empty,
        { names::CACHE_CREATION_TOKENS } = Empty,
        { names::OUTPUT_TOKENS } = Empty,
        { names::ERROR } = Empty,
    );
    let mut chat = Chat { model, began: Instant::now(), span, error: Some("cut_off") };
    let answer = answer.instrument(chat.span.clone()).await;
    chat.error = answer.as_ref().err().map(|error| error_type(error.kind()));
    if let Ok(response) = &answer {
        let usage = response.usage;
        chat.span.record(names::FINISH_REASONS, finish_reason(response.stop));
        chat.span.record(names::INPUT_TOKENS, whole(usage.input_tokens));
        chat.span.record(names::OUTPUT_TOKENS, whole(usage.output_tokens));
        let cached = [
            (names::CACHE_READ_TOKENS, usage.cached_tokens),
            (names::CACHE_CREATION_TOKENS, usage.cache_write_tokens),
        ];
        for (name, tokens) in cached.into_iter().filter(|(_, tokens)| *tokens > 0) {
            chat.span.record(name, whole(tokens));
        }
    }
    answer
}

impl Drop for Chat<'_> {
    fn drop(&mut self) {
        if let Some(error) = self.error {
            is_error(&self.span, error);
        }
        let Backing { provider, model } = Backing::of(self.model.name());
        let server = self.model.server();
        event!(
            target: TARGET,
            Level::INFO,
            { names::OPERATION_DURATION } = self.began.elapsed().as_secs_f64(),
            { names::OPERATION } = CHAT,
            { names::PROVIDER } = provider,
            { names::REQUEST_MODEL } = model,
            { names::SERVER } = server.map(|(host, _)| host),
            { names::SERVER_PORT } = server.map(|(_, port)| i64::from(port)),
            { names::ERROR } = self.error,
        );
    }
}

/// What a call, or a turn of a program that calls models by itself, is counted with in the team's budgets.
#[expect(clippy::cast_precision_loss, reason = "nobody spends a million billion dollars")]
pub(crate) fn spent(operation: &'static str, model: &str, agent: &AgentId, amount: Amount) {
    let Backing { provider, model } = Backing::of(model);
    for (kind, tokens) in [("input", amount.input_tokens), ("output", amount.output_tokens)] {
        if tokens > 0 {
            event!(
                target: TARGET,
                Level::INFO,
                { names::TOKEN_USAGE } = tokens,
                { names::TOKEN_TYPE } = kind,
                { names::OPERATION } = operation,
                { names::PROVIDER } = provider,
                { names::REQUEST_MODEL } = model,
            );
        }
    }
    if amount.micro_usd > 0 {
        event!(
            target: TARGET,
            Level::INFO,
            { names::COST } = amount.micro_usd as f64 / 1e6,
            { names::PROVIDER } = provider,
            { names::REQUEST_MODEL } = model,
            { names::AGENT } = agent.as_str(),
        );
    }
}

/// A call of a tool.
pub(crate) async fn tool(
    name: &str,
    call_id: Option<&str>,
    call: impl Future<Output = ToolOutput>,
) -> ToolOutput {
    let name = name.get(..name.floor_char_boundary(TOOL_BYTES_MAX)).unwrap_or_default();
    let span = info_span!(
        target: TARGET,
        EXECUTE_TOOL,
        otel.name = format!("{EXECUTE_TOOL} {name}"),
        otel.status_code = Empty,
        { names::OPERATION } = EXECUTE_TOOL,
        { names::TOOL } = name,
        { names::TOOL_CALL } = call_id,
        { names::TOOL_TYPE } = "function",
        { names::ERROR } = Empty,
    );
    let output = call.instrument(span.clone()).await;
    if output.is_error {
        is_error(&span, "tool_error");
    }
    output
}

/// A number as attributes have it: OpenTelemetry knows none without a sign.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn is_error(span: &Span, error: &'static str) {
    span.record("otel.status_code", "ERROR");
    span.record(names::ERROR, error);
}

fn finish_reason(stop: StopReason) -> &'static str {
    match stop {
        StopReason::End => "stop",
        StopReason::ToolCalls => "tool_call",
        StopReason::Length => "length",
        StopReason::Refused => "content_filter",
    }
}

fn error_type(kind: ModelErrorKind) -> &'static str {
    match kind {
        ModelErrorKind::RateLimited => "rate_limited",
        ModelErrorKind::Overloaded => "overloaded",
        ModelErrorKind::ServerError => "server_error",
        ModelErrorKind::TimedOut => "timeout",
        ModelErrorKind::Cut => "cut",
        ModelErrorKind::Connection => "connection",
        ModelErrorKind::Authentication => "authentication",
        ModelErrorKind::OutOfCredit => "out_of_credit",
        ModelErrorKind::BadRequest => "bad_request",
        ModelErrorKind::TooLong => "too_long",
        ModelErrorKind::UnknownModel => "unknown_model",
        ModelErrorKind::Refused => "refused",
        ModelErrorKind::Unreadable => "unreadable",
        ModelErrorKind::NoRule => "no_rule",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_have_the_names_of_the_conventions_and_commands_are_not_told() {
        let of = |name| {
            let Backing { provider, model } = Backing::of(name);
            (provider, model)
        };
        assert_eq!(of("anthropic:claude-opus-4-5"), ("anthropic", Some("claude-opus-4-5")));
        assert_eq!(of("openai-compatible:qwen3:8b"), ("openai", Some("qwen3:8b")));
        assert_eq!(of("gemini:gemini-3-pro"), ("gcp.gemini", Some("gemini-3-pro")));
        assert_eq!(of("claude:headless"), ("anthropic", None));
        assert_eq!(of("exec:my-agent --token abc"), (OTHER, None));
        assert_eq!(of("of-my-own"), (OTHER, Some("of-my-own")));
    }
}
