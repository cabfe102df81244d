//! How a user says what stands behind an agent: a model, or a coding agent that people already use.
//!
//! Only the name is judged here; nothing is connected and nothing is started.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{ModelSpec, Provider, SpecError};

/// What stands behind an agent.
///
/// ```
/// use agent_team::{DriverSpec, With};
///
/// let with: With = "acp:my-agent --acp".parse()?;
/// assert_eq!(with, With::Driven(DriverSpec::Acp("my-agent --acp".into())));
/// assert!(matches!("anthropic:claude-sonnet-4-5".parse()?, With::Model(_)));
/// # Ok::<(), agent_team::model::SpecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum With {
    /// A language model with the built-in tools.
    Model(ModelSpec),
    /// A program that brings its own model and tools.
    Driven(DriverSpec),
}

/// A coding agent that is driven, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverSpec {
    /// One that is known by its name.
    Known(KnownAgent),
    /// One that is driven by its own program, even where an adapter is installed.
    Headless(HeadlessAgent),
    /// Any that speaks the Agent Client Protocol, by the command that starts it.
    Acp(String),
    /// Any program that is given a prompt on its standard input, and answers on its standard output.
    Exec(String),
}

/// A coding agent whose command is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownAgent {
    /// Claude Code, by its adapter `claude-agent-acp` if that is installed, or else by itself.
    Claude,
    /// Codex, by its adapter `codex-acp` if that is installed, or else by itself.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// OpenCode.
    OpenCode,
    /// Qwen Code.
    Qwen,
    /// Goose.
    Goose,
}

impl KnownAgent {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::Claude, Self::Codex, Self::Gemini, Self::OpenCode, Self::Qwen, Self::Goose];

    /// The name by which a user asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::OpenCode => "opencode",
            Self::Qwen => "qwen",
            Self::Goose => "goose",
        }
    }

    /// The command that lets it speak the Agent Client Protocol.
    pub fn command(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["claude-agent-acp"],
            Self::Codex => &["codex-acp"],
            Self::Gemini => &["gemini", "--acp"],
            Self::OpenCode => &["opencode", "acp"],
            Self::Qwen => &["qwen", "--acp"],
            Self::Goose => &["goose", "acp"],
        }
    }

    /// How it is driven without an adapter, if it can be.
    pub fn headless(self) -> Option<HeadlessAgent> {
        match self {
            Self::Claude => Some(HeadlessAgent::Claude),
            Self::Codex => Some(HeadlessAgent::Codex),
            _ => None,
        }
    }
}

/// A coding agent whose own stream is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadlessAgent {
    /// Claude Code: `claude -p` with messages both ways.
    Claude,
    /// Codex: `codex app-server`.
    Codex,
}

impl HeadlessAgent {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Claude, Self::Codex];

    /// The program that is started; `PROGRAM:headless` is what a user asks for.
    pub fn program(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
        }
    }
}

impl With {
    /// Whether it can be told which model to call.
    pub(crate) fn takes_model(&self) -> bool {
        match self {
            Self::Driven(DriverSpec::Known(_) | DriverSpec::Headless(_) | DriverSpec::Acp(_)) => true,
            Self::Driven(DriverSpec::Exec(_)) | Self::Model(_) => false,
        }
    }
}

impl DriverSpec {
    /// The providers whose models it can be lent.
    pub fn providers(&self) -> &'static [Provider] {
        match self {
            Self::Known(KnownAgent::Claude) | Self::Headless(HeadlessAgent::Claude) => &[Provider::Anthropic],
            Self::Known(KnownAgent::Codex | KnownAgent::Qwen) | Self::Headless(HeadlessAgent::Codex) => {
                &[Provider::OpenAi]
            }
            Self::Known(KnownAgent::Gemini) => &[Provider::Gemini],
            Self::Known(KnownAgent::OpenCode | KnownAgent::Goose) | Self::Acp(_) | Self::Exec(_) => {
                &[Provider::Anthropic, Provider::OpenAi, Provider::Gemini]
            }
        }
    }

    /// Whether it can work in the sandbox without being lent a model; if not, why, and what can be done.
    #[cfg(feature = "drivers")]
    pub(crate) fn can_be_confined(&self) -> Result<(), String> {
        let (Self::Known(_) | Self::Headless(_)) = self else { return Ok(()) };
        let keys: Vec<&str> = self.providers().iter().map(|provider| provider.key_variable()).collect();
        Err(format!(
            "{self} works in a sandbox, where its own login is out of reach: set {}, which stays with agent-team and is counted, \
             or run it without a sandbox, by `--no-sandbox`; it and all commands can read and change what you can then",
            keys.join(" or ")
        ))
    }
}

impl fmt::Display for DriverSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => formatter.write_str(known.name()),
            Self::Headless(agent) => write!(formatter, "{}:headless", agent.program()),
            Self::Acp(command) => write!(formatter, "acp:{command}"),
            Self::Exec(command) => write!(formatter, "exec:{command}"),
        }
    }
}

impl FromStr for With {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        if let Some(known) = KnownAgent::ALL.into_iter().find(|known| known.name() == text) {
            return Ok(Self::Driven(DriverSpec::Known(known)));
        }
        let is_headless = |agent: &HeadlessAgent| text.strip_suffix(":headless") == Some(agent.program());
        if let Some(agent) = HeadlessAgent::ALL.into_iter().find(is_headless) {
            return Ok(Self::Driven(DriverSpec::Headless(agent)));
        }
        let command = |command: &str| Some(command.to_owned()).filter(|command| !command.trim().is_empty());
        let no_command = || SpecError::NoModel { given: text.to_owned(), suggestion: String::new() };
        match text.split_once(':') {
            Some(("acp", rest)) => Ok(Self::Driven(DriverSpec::Acp(command(rest).ok_or_else(no_command)?))),
            Some(("exec", rest)) => Ok(Self::Driven(DriverSpec::Exec(command(rest).ok_or_else(no_command)?))),
            _ => text.parse().map(Self::Model),
        }
    }
}

impl From<ModelSpec> for With {
    fn from(model: ModelSpec) -> Self {
        Self::Model(model)
    }
}

impl TryFrom<String> for With {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, SpecError> {
        text.parse()
    }
}

impl From<With> for String {
    fn from(with: With) -> Self {
        with.to_string()
    }
}

impl fmt::Display for With {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(model) => model.fmt(formatter),
            Self::Driven(driven) => driven.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "claude",
            "codex:headless",
            "opencode",
            "acp:my agent --acp",
            "exec:./solve.sh",
            "ollama:qwen3:8b",
            "gemini:m",
        ] {
            assert_eq!(text.parse::<With>().unwrap().to_string(), text);
        }
        assert!(matches!("gemini".parse(), Ok(With::Driven(DriverSpec::Known(KnownAgent::Gemini)))));
        assert!(matches!("gemini:m".parse(), Ok(With::Model(_))));
    }

    #[test]
    fn what_nobody_knows_is_refused_with_the_choices() {
        for text in ["acp:", "exec: ", "clause", "cursor:m", "gemini-cli:headless"] {
            let error = text.parse::<With>().unwrap_err().to_string();
            assert!(error.contains("acp:COMMAND"), "{error}");
        }
    }
}
