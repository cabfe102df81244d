//! `pause`, `resume` and `stop`: hold up, let go on, take away.

use agent_team::{AgentId, TaskQueue};
use clap::Args;
use serde_json::{Value, json};

use super::check_member;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `pause`.
#[derive(Debug, Args)]
#[command(
    about = "Hold up agents, or the whole team",
    long_about = "Hold up agents, or without a name the whole team: they finish their turns, keep what they hold, and do \
                  and take nothing more until `resume`. With the team no check is run and nothing is merged, either. A \
                  run waits meanwhile.",
    after_help = "Examples:\n  agent-team pause worker-1 --reason 'I look at its plan'\n  agent-team pause\n  \
                  agent-team resume"
)]
pub struct Pause {
    /// The agents; all of the team if none is named
    #[arg(value_name = "AGENT")]
    agents: Vec<AgentId>,
    /// Why, for whoever looks
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Pause {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        check_all(&self.agents, &queue, |_| false)?;
        let changed = each(&self.agents, out, ["paused", "was paused already"], |agent| {
            queue.pause(&AgentId::human(), agent, &self.reason)
        })?;
        tell_paused(&queue, &changed, out)
    }
}

/// The arguments of `resume`.
#[derive(Debug, Args)]
#[command(
    about = "Let paused or stopped agents, the team, or the calls to a model go on",
    long_about = "Let agents go on that were paused or stopped, or without a name the team. An agent that is paused by \
                  itself stays so when the team is resumed. With --model, lift a limit that the model's provider told: it \
                  is tried at once by whoever waits for it, in this run or the next one; if the provider refuses again, \
                  that is a new limit.",
    after_help = "Examples:\n  agent-team resume worker-1\n  agent-team resume\n  \
                  agent-team resume --model anthropic:claude-sonnet-5-5"
)]
pub struct Resume {
    /// The agents; the team if none is named
    #[arg(value_name = "AGENT")]
    agents: Vec<AgentId>,
    /// A model whose limit is lifted, as `status` names it; no agent then. May be given several times
    #[arg(long = "model", value_name = "NAME", conflicts_with = "agents")]
    models: Vec<String>,
}

impl Resume {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        if !self.models.is_empty() {
            return lift(&self.models, &queue, out);
        }
        let held_up = queue.get_status()?.paused;
        let is_held_up = |agent: &AgentId| held_up.iter().any(|(whom, _)| whom.as_ref() == Some(agent));
        check_all(&self.agents, &queue, is_held_up)?;
        let changed = each(&self.agents, out, ["goes on", "was not paused"], |agent| {
            queue.resume(&AgentId::human(), agent)
        })?;
        tell_paused(&queue, &changed, out)
    }
}

/// Lifts the limits of models.
fn lift(models: &[String], queue: &TaskQueue, out: &mut Output) -> Result<Exit, Failure> {
    for model in models {
        let was_limited = queue.lift_limit(&AgentId::human(), model)?;
        if !out.is_json() {
            let word = if was_limited { "may be called again" } else { "was not limited" };
            out.line(&format!("{model} {word}"))?;
        }
    }
    if out.is_json() {
        out.json(&json!({ "limited": queue.get_status()?.limited }))?;
    }
    Ok(Exit::Done)
}

/// The arguments of `stop`.
#[derive(Debug, Args)]
#[command(
    about = "Stop agents at once, and take back what they work on",
    long_about = "Stop agents at once. What each works on goes back to the queue, its work so far (under a ref) and its \
                  transcript are kept, and it takes nothing more until `resume`: then it goes on where it was, unless somebody else took the \
                  task.",
    after_help = "Examples:\n  agent-team stop worker-1 --reason 'It deletes tests'\n  agent-team resume worker-1"
)]
pub struct Stop {
    /// The agents
    #[arg(value_name = "AGENT", required = true)]
    agents: Vec<AgentId>,
    /// Why, for whoever looks
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Stop {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        check_all(&self.agents, &queue, |_| false)?;
        let changed = each(&self.agents, out, ["stopped", "was stopped already"], |agent| match agent {
            Some(agent) => queue.stop_agent(&AgentId::human(), agent, &self.reason),
            None => Ok(false),
        })?;
        if out.is_json() {
            out.json(&json!({ "stopped": with_reasons(&queue.stopped()?), "changed": changed }))?;
        }
        Ok(Exit::Done)
    }
}

/// Says for programs who is held up now, stopped agents among them.
fn tell_paused(queue: &TaskQueue, changed: &[String], out: &mut Output) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(&json!({ "paused": with_reasons(&queue.get_status()?.paused), "changed": changed }))?;
    }
    Ok(Exit::Done)
}

fn with_reasons<A: serde::Serialize>(held_up: &[(A, String)]) -> Vec<Value> {
    held_up.iter().map(|(agent, reason)| json!({ "agent": agent, "reason": reason })).collect()
}

/// Refuses all of them if one is wrong: that one is most likely misspelt.
fn check_all(
    agents: &[AgentId],
    queue: &TaskQueue,
    is_meant: impl Fn(&AgentId) -> bool,
) -> Result<(), Failure> {
    let mut unknown = agents.iter().filter(|agent| !is_meant(agent));
    unknown.try_for_each(|agent| check_member(queue, agent))
}

/// Does the same with each agent, or with the team, and says to people what came of it. Gives those with whom it was not so
/// before.
fn each(
    agents: &[AgentId],
    out: &mut Output,
    [done, before]: [&str; 2],
    set: impl Fn(Option<&AgentId>) -> Result<bool, agent_team::Error>,
) -> Result<Vec<String>, Failure> {
    let mut all_changed = Vec::new();
    let whom: Vec<Option<&AgentId>> =
        if agents.is_empty() { vec![None] } else { agents.iter().map(Some).collect() };
    for agent in whom {
        let changed = set(agent)?;
        if !out.is_json() {
            let name = agent.map_or("the team", AgentId::as_str);
            out.line(&format!("{name} {}", if changed { done } else { before }))?;
        }
        all_changed.extend(changed.then(|| agent.map_or("team", AgentId::as_str).to_owned()));
    }
    Ok(all_changed)
}
