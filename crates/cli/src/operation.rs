//! An operation: what somebody can do to the team or see of it, whether by a verb or by a tool of `agent-team mcp`.
//!
//! It is one struct: the arguments of the verb and the input of the tool, whose fields' comments are the help of the one and
//! the schema of the other. Who acts, and under which claim, is no part of it: a command says so (`--as`, `--token`), a session
//! is one agent and knows its claims. Nothing here is decided: an operation asks the library.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agent_team::{AgentId, Error, RecordId, TaskId, TaskQueue};
use clap::Args;
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Something that can be done at once. What waits is not one of these: it is waited for in two ways.
pub trait Operation: DeserializeOwned + JsonSchema {
    /// The name of its tool, as in the library.
    const TOOL: &'static str;
    /// What it does, in words for whoever may call it.
    const ABOUT: &'static str;
    /// Whether it changes nothing.
    const READS: bool = false;
    /// What an answer that is a list is called, where an object is wanted.
    const LIST: &'static str = "list";

    /// Does it, and tells what came out.
    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure>;
}

/// Who does something, and by which claims.
#[derive(Clone, Copy)]
pub struct Actor<'a> {
    pub queue: &'a TaskQueue,
    agent: Option<&'a AgentId>,
    claims: Claims<'a>,
}

/// How it is known which claim is meant.
#[derive(Clone, Copy)]
enum Claims<'a> {
    /// It was named, or else it is the one that the log has, unless that would be a guess.
    Named(Option<RecordId>),
    /// It is one of those that the session made.
    Held(&'a Held),
}

/// The claims of a session.
#[derive(Debug, Default)]
pub struct Held(Mutex<BTreeMap<TaskId, Hold>>);

#[derive(Debug, Clone, Copy)]
struct Hold {
    claim: RecordId,
    /// Whether the agent has done something by it, and so has heard of it.
    is_known: bool,
}

impl<'a> Actor<'a> {
    /// Somebody who only looks.
    pub fn nobody(queue: &'a TaskQueue) -> Self {
        Self { queue, agent: None, claims: Claims::Named(None) }
    }

    /// Whoever a command names, with the claim that it names.
    pub fn named(queue: &'a TaskQueue, agent: &'a AgentId, token: Option<RecordId>) -> Self {
        Self { queue, agent: Some(agent), claims: Claims::Named(token) }
    }

    /// The agent of a session, once it has joined.
    pub fn session(queue: &'a TaskQueue, agent: Option<&'a AgentId>, held: &'a Held) -> Self {
        Self { queue, agent, claims: Claims::Held(held) }
    }

    /// Who acts.
    pub fn agent(&self) -> Result<&'a AgentId, Failure> {
        let failure =
            || Failure::refused("you are not in the team yet").hint("call `join` with a name first");
        self.agent.ok_or_else(failure)
    }

    /// The claim on a task that is meant.
    pub fn claim(&self, task: &TaskId) -> Result<RecordId, Failure> {
        match self.claims {
            Claims::Named(Some(token)) => Ok(token),
            Claims::Named(None) => self.queue.token_of(task, self.agent()?).map_err(|error| match error {
                Error::Input(message) => {
                    Failure::refused(message).hint("--token or $AGENT_TEAM_TOKEN names the claim")
                }
                error => error.into(),
            }),
            Claims::Held(held) => held.claim(task).ok_or_else(|| {
                Failure::refused(format!("you do not hold task `{task}`")).hint("call `claim_task` first")
            }),
        }
    }

    /// Forgets a claim of a session that has ended.
    pub fn ended(&self, claim: RecordId) {
        if let Claims::Held(held) = self.claims {
            held.remove(claim);
        }
    }

    /// The claim on the only task that a session holds.
    pub fn only_claim(&self) -> Option<RecordId> {
        match self.claims {
            Claims::Named(token) => token,
            Claims::Held(held) => held.only(),
        }
    }
}

impl Held {
    /// Remembers a claim that was just made.
    pub fn insert(&self, task: TaskId, claim: RecordId) {
        self.lock().insert(task, Hold { claim, is_known: false });
    }

    /// Forgets a claim.
    pub fn remove(&self, claim: RecordId) {
        self.lock().retain(|_, hold| hold.claim != claim);
    }

    /// All of them.
    pub fn all(&self) -> Vec<(TaskId, RecordId)> {
        self.lock().iter().map(|(task, hold)| (task.clone(), hold.claim)).collect()
    }

    /// Whether it is held, and the agent has done nothing by it yet.
    pub fn is_unknown(&self, claim: RecordId) -> bool {
        self.lock().values().any(|hold| hold.claim == claim && !hold.is_known)
    }

    fn claim(&self, task: &TaskId) -> Option<RecordId> {
        let mut held = self.lock();
        let hold = held.get_mut(task)?;
        hold.is_known = true;
        Some(hold.claim)
    }

    fn only(&self) -> Option<RecordId> {
        let held = self.lock();
        let mut holds = held.values();
        holds.next().filter(|_| holds.next().is_none()).map(|hold| hold.claim)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TaskId, Hold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a command says who holds a task.
#[derive(Debug, Args)]
pub struct Holder {
    /// Who holds the task
    #[arg(long = "as", value_name = "NAME")]
    pub agent: AgentId,
    /// The claim, as `claim` printed it
    #[arg(long, env = "AGENT_TEAM_TOKEN", hide_env_values = true)]
    pub token: Option<RecordId>,
}

impl Holder {
    /// Does something as this holder.
    pub fn perform(
        &self,
        operation: impl Operation,
        queue: &TaskQueue,
        out: &mut Output,
    ) -> Result<Exit, Failure> {
        operation.perform(&Actor::named(queue, &self.agent, self.token), out)
    }
}

/// Does something that only looks, for a command.
pub fn look(operation: impl Operation, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    operation.perform(&Actor::nobody(&global.open()?), out)
}

/// Reads a value that may be left out from its text, as the command line does.
pub fn parsed_if_any<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}
