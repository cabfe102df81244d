//! Records about what may be spent: money, tokens, turns, attempts, time.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::Revision;
use crate::id::{AgentId, BadName, RecordId, TaskId};

/// An amount of money, tokens, turns and time.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
pub struct Amount {
    /// Money, in millionths of a US dollar.
    #[serde(default)]
    pub micro_usd: u64,
    /// Tokens read.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens written.
    #[serde(default)]
    pub output_tokens: u64,
    /// Calls to a model: turns.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub calls: u64,
    /// Time at work, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub time_ms: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Amount {
    /// All tokens, read and written.
    pub fn tokens(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The sum; it stops at the greatest number instead of wrapping around.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            micro_usd: self.micro_usd.saturating_add(other.micro_usd),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            calls: self.calls.saturating_add(other.calls),
            time_ms: self.time_ms.saturating_add(other.time_ms),
        }
    }

    /// The larger one of each.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        Self {
            micro_usd: self.micro_usd.max(other.micro_usd),
            input_tokens: self.input_tokens.max(other.input_tokens),
            output_tokens: self.output_tokens.max(other.output_tokens),
            calls: self.calls.max(other.calls),
            time_ms: self.time_ms.max(other.time_ms),
        }
    }

    /// The difference; it stops at zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            micro_usd: self.micro_usd.saturating_sub(other.micro_usd),
            input_tokens: self.input_tokens.saturating_sub(other.input_tokens),
            output_tokens: self.output_tokens.saturating_sub(other.output_tokens),
            calls: self.calls.saturating_sub(other.calls),
            time_ms: self.time_ms.saturating_sub(other.time_ms),
        }
    }
}

/// Where spending is counted, and may be limited. Each call counts for its team, its run, its agent and its task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// All of the team.
    Team,
    /// One agent.
    Agent(AgentId),
    /// One task.
    Task(TaskId),
    /// The newest run: it begins anew with each.
    Run,
}

impl Account {
    /// The account as it is named on the command line.
    pub fn as_named(&self) -> String {
        match self {
            Self::Team => "team".to_owned(),
            Self::Run => "run".to_owned(),
            Self::Agent(agent) => format!("agent:{agent}"),
            Self::Task(task) => format!("task:{task}"),
        }
    }
}

/// As it is named on the command line: `team`, `run`, `agent:NAME` or `task:ID`.
impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |error: BadName| error.to_string();
        match text.split_once(':') {
            Some(("agent", agent)) => agent.parse().map(Self::Agent).map_err(wrong),
            Some(("task", task)) => task.parse().map(Self::Task).map_err(wrong),
            None if text == "team" => Ok(Self::Team),
            None if text == "run" => Ok(Self::Run),
            _ => Err("name team, run, agent:NAME or task:ID".to_owned()),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Team => f.write_str("the team"),
            Self::Agent(agent) => write!(f, "agent {agent}"),
            Self::Task(task) => write!(f, "task {task}"),
            Self::Run => f.write_str("this run"),
        }
    }
}

/// What a budget bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Money.
    Money,
    /// Tokens, read and written.
    Tokens,
    /// Calls to models.
    Turns,
    /// Attempts at tasks.
    Attempts,
    /// Time at work, of all agents together.
    Time,
    /// The clock of a run, however many work.
    Elapsed,
}

impl Resource {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Money => "money",
            Self::Tokens => "tokens",
            Self::Turns => "turns",
            Self::Attempts => "attempts",
            Self::Time => "time at work",
            Self::Elapsed => "time on the clock",
        }
    }

    /// The option by which it is limited on the command line, and what its value is called there.
    pub fn as_option(self) -> (&'static str, &'static str) {
        match self {
            Self::Money => ("--usd", "DOLLARS"),
            Self::Tokens => ("--tokens", "N"),
            Self::Turns => ("--turns", "N"),
            Self::Attempts => ("--attempts", "N"),
            Self::Time => ("--time", "DURATION"),
            Self::Elapsed => ("--elapsed", "DURATION"),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The most that an account may use. What is left out has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Money, in millionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_usd: Option<u64>,
    /// Tokens, read and written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Calls to models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Attempts at tasks. Those of one task are bounded by the task itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    /// Time at work, in milliseconds, of all agents together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// For a run: how long it may take by the clock, in milliseconds. Whoever runs the team heeds it: no rule knows a clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

/// An account got a limit. Names the revision of the account's limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetSet {
    /// The account.
    pub account: Account,
    /// The revision of its limit.
    pub on: Revision,
    /// The bounds.
    #[serde(flatten)]
    pub bounds: Bounds,
}

/// Money, tokens, turns or time were set aside before they are used. Void if they do not fit into what is left of every account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendingReserved {
    /// Who will spend it.
    pub agent: AgentId,
    /// For which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The most that can be used.
    pub upper: Amount,
}

/// What was really used. Always counts; it gives back what was set aside for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendingSettled {
    /// The reservation, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<RecordId>,
    /// Who spent it.
    pub agent: AgentId,
    /// For which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The model, as it is called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// What was used.
    pub actual: Amount,
}
