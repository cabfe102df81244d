//! How a script is written: the types that its JSON is read into and its schema is derived from.
//!
//! Only form is judged here; which rule answers a request is the parent's business.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::ModelErrorKind;

/// What a scripted model answers: the first rule that fits a request gives the answer.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "agent-team script")]
pub struct Script {
    /// Where this schema is found, for editors. It changes nothing.
    #[serde(default, rename = "$schema")]
    pub schema: Option<String>,
    /// The rules; the first that fits answers.
    #[schemars(with = "Vec<WrittenRule>")]
    pub rules: Vec<Rule>,
}

/// When to answer, and what.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "WrittenRule")]
pub struct Rule {
    /// Which requests it fits.
    pub when: When,
    /// What it answers.
    pub answers: Answers,
}

/// What a rule answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// The same in every turn.
    Same(Answer),
    /// The first in turn 0, the second in turn 1, and so on; no answer beyond the last.
    ByTurn(Vec<Answer>),
}

/// When to answer, and what: `give` one answer in every turn, or `steps`, one answer for each turn.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule")]
struct WrittenRule {
    /// Which requests the rule fits; without it, every one.
    #[serde(default)]
    when: When,
    /// The answer, in whichever turn.
    #[schemars(with = "Option<WrittenAnswer>")]
    give: Option<Answer>,
    /// The answers of a whole conversation: the first in turn 0, the second in turn 1, and so on.
    /// Beyond the last one the rule does not fit.
    #[schemars(with = "Option<Vec<WrittenAnswer>>")]
    steps: Option<Vec<Answer>>,
}

/// Which requests a rule fits: those for which everything that is said here holds.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// The agent's role, in lower case.
    pub role: Option<String>,
    /// The agent's id.
    pub agent: Option<String>,
    /// The task's id.
    pub task: Option<String>,
    /// Which attempt at the task it is, from 1.
    pub attempt: Option<u32>,
    /// How many turns of the model came before, from 0.
    pub turn: Option<u32>,
    /// How often this very call was made before and failed, from 0. An error to be got over says 0.
    pub retry: Option<u32>,
    /// What the last message's text or tool results must contain.
    pub contains: Option<String>,
}

/// One answer: text, tool calls or both, or else an error.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "WrittenAnswer")]
pub struct Answer {
    /// The time before it, in milliseconds.
    pub delay_ms: u64,
    /// What comes then.
    pub outcome: Outcome,
}

/// What an answer brings.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The model answers.
    Says {
        /// What it says; may be empty.
        text: String,
        /// The time that it takes to say it, in milliseconds.
        stream_ms: u64,
        /// The tools that it calls.
        tool_calls: Vec<ScriptedToolCall>,
        /// What the call used, if the script says it.
        usage: Option<ScriptedUsage>,
    },
    /// The call fails.
    Fails(ScriptedError),
}

/// One answer: `text`, `tool_calls` or both, or else an `error`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Answer")]
struct WrittenAnswer {
    /// What the model says.
    text: Option<String>,
    /// The tools that it calls.
    tool_calls: Option<Vec<ScriptedToolCall>>,
    /// Tokens used; without it, one token for each four characters.
    usage: Option<ScriptedUsage>,
    /// The time before the answer or the error, in milliseconds.
    delay_ms: Option<u64>,
    /// The time that it takes to say the text after that, word by word, in milliseconds.
    stream_ms: Option<u64>,
    /// Fails the call instead of answering.
    error: Option<ScriptedError>,
}

/// A tool that the scripted model calls.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ToolCall")]
pub struct ScriptedToolCall {
    /// The tool's name.
    pub name: String,
    /// The arguments.
    pub input: Map<String, Value>,
}

/// Tokens used, as if a provider had counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Usage")]
pub struct ScriptedUsage {
    /// Tokens read, those from a cache included.
    pub input_tokens: u64,
    /// Of these, tokens read from a cache.
    pub cached_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

/// A failure of the call.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Error")]
pub struct ScriptedError {
    /// What kind of failure; `rate_limited`, `overloaded`, `server_error`, `timed_out`, `cut` and `connection` are
    /// those after which the call is made again.
    pub kind: ModelErrorKind,
    /// The reason that is shown.
    #[serde(default)]
    pub message: String,
    /// How long the caller is asked to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl TryFrom<WrittenRule> for Rule {
    type Error = &'static str;

    fn try_from(written: WrittenRule) -> Result<Self, Self::Error> {
        let answers = match (written.give, written.steps) {
            (Some(answer), None) => Answers::Same(answer),
            (None, Some(answers)) => {
                if written.when.turn.is_some() || written.when.contains.is_some() {
                    return Err(
                        "a rule with `steps` speaks in every turn: `turn` and `contains` go with `give`",
                    );
                }
                Answers::ByTurn(answers)
            }
            _ => return Err("a rule has either `give` (one answer) or `steps` (an answer for each turn)"),
        };
        Ok(Self { when: written.when, answers })
    }
}

impl TryFrom<WrittenAnswer> for Answer {
    type Error = &'static str;

    fn try_from(written: WrittenAnswer) -> Result<Self, Self::Error> {
        let delay_ms = written.delay_ms.unwrap_or(0);
        if written.stream_ms.is_some() && written.text.is_none() {
            return Err("`stream_ms` is the time that a `text` takes");
        }
        let outcome = match (written.text, written.tool_calls, written.usage, written.error) {
            (None, None, None, Some(error)) => Outcome::Fails(error),
            (None, None, _, None) => return Err("an answer has `text`, `tool_calls` or both, or an `error`"),
            (text, tool_calls, usage, None) => Outcome::Says {
                text: text.unwrap_or_default(),
                stream_ms: written.stream_ms.unwrap_or(0),
                tool_calls: tool_calls.unwrap_or_default(),
                usage,
            },
            _ => return Err("an answer with an `error` has neither `text` nor `tool_calls` nor `usage`"),
        };
        Ok(Self { delay_ms, outcome })
    }
}
