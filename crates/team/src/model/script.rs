//! The scripted model: answers from a file, for rehearsals and tests, with no network and no key.
//!
//! It keeps no counters. Which rule answers follows from the request alone (who asks, for which task, in which
//! attempt and turn, what was said last), so a run that was killed and started again goes on with the same words.

mod format;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use self::format::{Answer, Answers, Outcome, Rule, ScriptedToolCall, ScriptedUsage, When};
use super::{
    Caller, Delta, INTERRUPTED, Message, Model, ModelError, ModelErrorKind, Part, Request, Response,
    StopReason, Usage,
};

/// About how many characters make a token in English text and code.
const CHARACTERS_PER_TOKEN: u64 = 4;

/// How much of a message an error quotes, in characters.
const QUOTE_CHARACTERS: usize = 300;

/// A model that answers as its file says.
///
/// ```
/// use agent_team::model::Script;
///
/// let script = Script::parse("greet", r#"{"rules": [{"give": {"text": "Hello."}}]}"#)?;
/// # Ok::<(), agent_team::model::ScriptError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    name: String,
    rules: Vec<Rule>,
}

/// A script that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("cannot read the script {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not a script.
    #[error("{name}:{line}:{column}: {reason}")]
    Parse {
        /// The script's name, a file as a rule.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there, and what was expected.
        reason: String,
    },
}

impl Script {
    /// Reads a script from a file.
    ///
    /// # Errors
    ///
    /// [`ScriptError`], with line and column if the text is not a script.
    pub fn read(file: &Path) -> Result<Self, ScriptError> {
        let name = file.display().to_string();
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&name, &text),
            Err(source) => Err(ScriptError::Read { file: name, source }),
        }
    }

    /// Reads a script from its JSON; `name` is for errors.
    ///
    /// # Errors
    ///
    /// [`ScriptError::Parse`], with line and column.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScriptError> {
        let script: format::Script = serde_json::from_str(text).map_err(|error| ScriptError::Parse {
            name: name.to_owned(),
            line: error.line(),
            column: error.column(),
            reason: without_place(&error),
        })?;
        Ok(Self { name: name.to_owned(), rules: script.rules })
    }

    /// The JSON Schema of a script, as `docs/script.schema.json` holds it.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(format::Script)
    }

    /// The first answer that fits.
    fn answer(&self, request: &Request) -> Option<&Answer> {
        let turn = turn(request);
        self.rules.iter().filter(|rule| rule.when.fits(request)).find_map(|rule| match &rule.answers {
            Answers::Same(answer) => Some(answer),
            Answers::ByTurn(answers) => usize::try_from(turn).ok().and_then(|turn| answers.get(turn)),
        })
    }

    fn no_rule(&self, request: &Request) -> ModelError {
        let Caller { agent, role, task, attempt, retry, .. } = &request.caller;
        let task =
            task.as_deref().map(|task| format!(", task {task}, attempt {attempt}")).unwrap_or_default();
        let retry = if *retry > 0 { format!(", retry {retry}") } else { String::new() };
        let last: String = last_text(request).chars().take(QUOTE_CHARACTERS).collect();
        let reason = format!(
            "no rule of {} fits agent {agent}, role {role}{task}, turn {}{retry}, whose last message is {last:?}",
            self.name,
            turn(request)
        );
        ModelError::new(ModelErrorKind::NoRule, "script", reason)
    }
}

#[async_trait]
impl Model for Script {
    fn name(&self) -> &str {
        "script"
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        let answer = self.answer(request).ok_or_else(|| self.no_rule(request))?;
        tokio::time::sleep(Duration::from_millis(answer.delay_ms)).await;
        match &answer.outcome {
            Outcome::Says { text, stream_ms, tool_calls, usage } => {
                speak(text, Duration::from_millis(*stream_ms), stream).await;
                Ok(says(request, text, tool_calls, *usage, stream))
            }
            Outcome::Fails(error) => Err(ModelError::new(error.kind, "script", &error.message)
                .with_retry_after(error.retry_after_ms.map(Duration::from_millis))),
        }
    }
}

impl When {
    fn fits(&self, request: &Request) -> bool {
        fn same<T: PartialEq>(wanted: Option<&T>, given: Option<&T>) -> bool {
            wanted.is_none() || wanted == given
        }
        let caller = &request.caller;
        same(self.role.as_ref(), Some(&caller.role))
            && same(self.agent.as_ref(), Some(&caller.agent))
            && same(self.task.as_ref(), caller.task.as_ref())
            && same(self.attempt.as_ref(), Some(&caller.attempt))
            && same(self.retry.as_ref(), Some(&caller.retry))
            && self.turn.is_none_or(|wanted| u64::from(wanted) == turn(request))
            && self.contains.as_ref().is_none_or(|wanted| last_text(request).contains(wanted))
    }
}

/// How often the model has spoken in this conversation, turns that were compacted counted, and those with an interrupted
/// call left out: what did not happen is said again, as a model would.
fn turn(request: &Request) -> u64 {
    let was_interrupted = |message: &Message| {
        message
            .parts()
            .iter()
            .any(|part| matches!(part, Part::ToolResult { output, .. } if output == INTERRUPTED))
    };
    spoken(request)
        - request.messages.iter().filter(|message| was_interrupted(message)).map(|_| 1).sum::<u64>()
}

fn spoken(request: &Request) -> u64 {
    let held = request.messages.iter().filter(|message| matches!(message, Message::Assistant(_)));
    held.map(|_| 1).sum::<u64>() + u64::from(request.caller.turns_left_out)
}

/// The last message's texts and tool results, one to a line.
fn last_text(request: &Request) -> String {
    let parts = request.messages.last().map_or(&[][..], Message::parts);
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text } => Some(text.as_str()),
        Part::ToolResult { output, .. } => Some(output.as_str()),
        Part::ToolCall { .. } | Part::Opaque { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Streams a text: by the line, or over a time by the word.
async fn speak(text: &str, time: Duration, stream: &mut (dyn FnMut(Delta) + Send)) {
    if time.is_zero() {
        return text.split_inclusive('\n').for_each(|line| stream(Delta::Text(line.to_owned())));
    }
    let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
    let (begun, count) = (Instant::now(), u32::try_from(words.len()).unwrap_or(u32::MAX));
    for (place, word) in (1..).zip(words) {
        stream(Delta::Text(word.to_owned()));
        tokio::time::sleep_until(begun + time.saturating_mul(place) / count).await;
    }
}

fn says(
    request: &Request,
    text: &str,
    tool_calls: &[ScriptedToolCall],
    usage: Option<ScriptedUsage>,
    stream: &mut (dyn FnMut(Delta) + Send),
) -> Response {
    let mut parts = Vec::new();
    if !text.is_empty() {
        parts.push(Part::text(text));
    }
    let turn = spoken(request);
    for (index, ScriptedToolCall { name, input }) in tool_calls.iter().enumerate() {
        stream(Delta::ToolCall { name: name.clone() });
        let id = format!("call_{turn}_{index}");
        parts.push(Part::ToolCall { id, name: name.clone(), input: Value::Object(input.clone()) });
    }
    let usage = match usage {
        Some(ScriptedUsage { input_tokens, cached_tokens, output_tokens }) => {
            Usage { input_tokens, cached_tokens, output_tokens, ..Usage::default() }
        }
        None => estimated_usage(request, &parts),
    };
    let stop = if tool_calls.is_empty() { StopReason::End } else { StopReason::ToolCalls };
    Response { parts, usage, stop }
}

/// What a provider would roughly have counted, so that a rehearsal's reports are not empty.
fn estimated_usage(request: &Request, answer: &[Part]) -> Usage {
    let tools = request.tools.iter().map(|tool| {
        characters(&tool.name) + characters(&tool.description) + characters(&tool.input_schema.to_string())
    });
    let messages = request.messages.iter().flat_map(Message::parts).map(part_characters);
    let input = characters(&request.system) + tools.sum::<u64>() + messages.sum::<u64>();
    let output: u64 = answer.iter().map(part_characters).sum();
    Usage {
        input_tokens: input.div_ceil(CHARACTERS_PER_TOKEN),
        output_tokens: output.div_ceil(CHARACTERS_PER_TOKEN),
        ..Usage::default()
    }
}

fn part_characters(part: &Part) -> u64 {
    match part {
        Part::Text { text } => characters(text),
        Part::ToolCall { name, input, .. } => characters(name) + characters(&input.to_string()),
        Part::ToolResult { output, .. } => characters(output),
        Part::Opaque { .. } => 0,
    }
}

fn characters(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

/// The error's text without the place, which stands in fields of its own.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests;
