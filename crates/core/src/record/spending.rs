//! Records about money and tokens.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Revision;
use crate::id::{AgentId, RecordId, TaskId};

/// An amount of money and tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// An account got a limit. Names the revision of the account's limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetSet {
    /// The account.
    pub account: Account,
    /// The revision of its limit.
    pub on: Revision,
    /// The most money, in millionths of a US dollar; `None` for no limit.
    pub micro_usd: Option<u64>,
    /// The most tokens; `None` for no limit.
    pub tokens: Option<u64>,
    /// The most calls to models; `None` for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
}

/// Money and tokens were set aside before a call. Void if they do not fit into what is left of every account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendingReserved {
    /// Who will spend it.
    pub agent: AgentId,
    /// For which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The most that the call can use.
    pub upper: Amount,
}

/// What a call really used. Always counts; it gives back what was set aside for it.
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
