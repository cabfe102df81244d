//! Why nobody hears now what is sent somewhere: said before it is sent, to whoever sends it.

use std::fmt;

use agent_team_core::id::{AgentId, HUMAN, TaskId};
use agent_team_core::machine::{State, Status};
use agent_team_core::record::{Recipient, Role};

use super::MessageBus;
use crate::Error;

/// Why nobody hears a message now. It is lost in no case: it waits, comes back, or stands in its thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unheard {
    /// Nobody of this name is in the team now. It waits until somebody is.
    NoAgent(AgentId),
    /// Nobody of this role is in the team now. It waits until somebody is.
    NoRole(Role),
    /// This agent has left, and the sender is an agent, too: it comes back at once.
    ComesBack(AgentId),
    /// The task whose thread it is has ended so.
    Ended(TaskId, Status),
}

impl Unheard {
    /// Whether it waits for somebody to join.
    pub const fn waits_for_member(&self) -> bool {
        matches!(self, Self::NoAgent(_) | Self::NoRole(_))
    }

    /// Whether nobody will read it, unless the task begins anew.
    pub const fn is_for_nobody(&self) -> bool {
        matches!(self, Self::Ended(..))
    }
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAgent(name) => {
                write!(f, "nobody called {name} is in the team now: the message waits")
            }
            Self::NoRole(role) => write!(f, "no {role} is in the team now: the message waits"),
            Self::ComesBack(name) => write!(f, "{name} has left the team: the message comes back to you"),
            Self::Ended(task, Status::Completed) => {
                write!(f, "{task} is completed: nobody works on it any more, or reads this")
            }
            Self::Ended(task, status) => write!(
                f,
                "{task} is {status}: nobody reads this unless somebody lets it begin anew (agent-team retry {task})"
            ),
        }
    }
}

impl MessageBus {
    /// Why nobody hears now what this one sends there; `None` if somebody may.
    ///
    /// ```
    /// use agent_team::{AgentId, MessageBus, Recipient, Unheard};
    ///
    /// let (bus, worker): (_, AgentId) = (MessageBus::in_memory()?, "worker-1".parse()?);
    /// let why = bus.unheard(&AgentId::human(), &Recipient::Agent(worker.clone()))?;
    /// assert_eq!(why, Some(Unheard::NoAgent(worker)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn unheard(&self, from: &AgentId, to: &Recipient) -> Result<Option<Unheard>, Error> {
        self.team_log.look(|state| unheard(state, from, to))
    }
}

fn unheard(state: &State, from: &AgentId, to: &Recipient) -> Option<Unheard> {
    match to {
        Recipient::Agent(name) if name.as_str() == HUMAN || state.is_member(name) => None,
        // What the human says waits until they are back.
        Recipient::Agent(name) if from.as_str() != HUMAN && state.agent(name).is_some() => {
            Some(Unheard::ComesBack(name.clone()))
        }
        Recipient::Agent(name) => Some(Unheard::NoAgent(name.clone())),
        Recipient::Role(role) if state.agents().any(|agent| !agent.left && agent.role == *role) => None,
        Recipient::Role(role) => Some(Unheard::NoRole(*role)),
        Recipient::Task(id) => {
            let task = state.task(id).filter(|task| task.status.is_ended())?;
            Some(Unheard::Ended(id.clone(), task.status))
        }
        Recipient::Everyone => None,
    }
}
