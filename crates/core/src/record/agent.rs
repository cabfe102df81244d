//! Records about agents.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::id::{AgentId, Skill};

/// What an agent is for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Plans, delegates and synthesises.
    Lead,
    /// Takes any task that wants nobody in particular.
    Worker,
    /// Judges the work of others.
    Reviewer,
    /// Takes the tasks that want one of its skills.
    Specialist,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Lead, Self::Worker, Self::Reviewer, Self::Specialist];

    /// The role as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Worker => "worker",
            Self::Reviewer => "reviewer",
            Self::Specialist => "specialist",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no role: choose lead, worker, reviewer or specialist", .0.escape_debug())]
pub struct NotARole(String);

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| NotARole(text.to_owned()))
    }
}

/// An agent joined, or came back with another role or other skills. The last one counts. Void if the team has as many
/// members as it may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentJoined {
    /// Its name.
    pub agent: AgentId,
    /// What it is for.
    pub role: Role,
    /// What it can do that others cannot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<Skill>,
    /// What stands behind it, for people: `anthropic:claude-…`, `closure`, `shell`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// Whether an orchestrator runs it, so that it is gone when no orchestrator does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orchestrated: bool,
    /// Whether each of its plans must be approved before it may change anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plan: bool,
    /// The lead to whose team it belongs: it takes that team's tasks and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<AgentId>,
    /// Whether somebody added it by hand: each run starts it, until it is dropped. The others are those that a run itself
    /// knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub added: bool,
}

impl AgentJoined {
    /// A member without skills, which nobody runs or has added, and which is in no lead's team.
    pub fn new(agent: AgentId, role: Role) -> Self {
        let skills = Vec::new();
        Self { agent, role, skills, with: None, orchestrated: false, plan: false, lead: None, added: false }
    }
}

/// An agent left. Takes effect on a member; its unread direct mail goes back to the senders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentLeft {
    /// Its name.
    pub agent: AgentId,
    /// Why, where it can do no more: its model does not accept the key, say. For people; no rule reads it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl AgentLeft {
    /// An agent left, and needs no reason.
    pub fn new(agent: AgentId) -> Self {
        Self { agent, reason: String::new() }
    }
}
