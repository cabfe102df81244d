//! What somebody can do for a task that waits for what will not happen by itself.

use super::waiting::{is_lost, lacks};
use crate::id::{AgentId, HUMAN};
use crate::machine::{State, Status, Task};
use crate::record::{Account, Resource, Role};

/// The command that lets somebody take it.
fn raise(account: &Account, what: Resource) -> String {
    let (option, value) = what.as_option();
    format!("allow more: agent-team budget {} {option} {value}", account.as_named())
}

/// What somebody can do for a task that waits for what will not happen by itself.
pub(super) fn what_helps(state: &State, task: &Task) -> Option<String> {
    let (id, spec) = (task.id(), &task.spec);
    match task.status {
        Status::Ready => {
            if let Some((account, what)) = lacks(state, task) {
                return Some(raise(&account, what));
            }
            if task.open_plan().is_some() {
                return Some(format!("judge it: agent-team plan show {id}; then agent-team run"));
            }
            let agent = spec.agent.as_ref().or(task.back_to.as_ref());
            if agent.is_some_and(|agent| agent.as_str() == HUMAN) {
                return Some(format!("do it: agent-team claim {id} --as {HUMAN}"));
            }
            let to_another =
                format!("give it to another: agent-team reassign {id} --to AGENT, or --to-anyone");
            let remedy = match agent {
                Some(agent) if state.is_member(agent) => return Some(to_another),
                Some(agent) => format!("{}, or {to_another}", add(state, task, Some(agent))),
                None => add(state, task, None),
            };
            // Those who worked for a run leave with it, and the next one brings them back.
            let is_between_runs = state.runs().last().is_some_and(|run| run.ended.is_some());
            let run =
                if is_between_runs && state.run_brings_back_for(task) { "agent-team run, or " } else { "" };
            Some(format!("{run}{remedy}"))
        }
        Status::Blocked => {
            let needed = spec.after.iter().filter_map(|id| state.task(id));
            let lost = needed.filter(|needed| is_lost(state, needed));
            let lost: Vec<&str> = lost.map(|needed| needed.id().as_str()).collect();
            (!lost.is_empty()).then(|| format!("try again: agent-team retry {}", lost.join(" ")))
        }
        Status::Reviewing => Some(match lacks(state, task) {
            Some((account, what)) => {
                format!("{}, or judge it: agent-team review {id}", raise(&account, what))
            }
            None => format!("judge it: agent-team review {id}"),
        }),
        _ => None,
    }
}

/// The command that brings somebody into the team who can take a task: this agent, or any.
fn add(state: &State, task: &Task, agent: Option<&AgentId>) -> String {
    let spec = &task.spec;
    let known = agent.and_then(|agent| state.agent(agent)).map(|known| known.role);
    let role = spec.role.or(known).filter(|role| *role != Role::Worker);
    let role = role.map(|role| format!(" --role {role}")).unwrap_or_default();
    let skill = spec.skill.as_ref().map(|skill| format!(" --skill {skill}")).unwrap_or_default();
    let lead = spec.team.as_ref().map(|team| format!(" --lead {team}")).unwrap_or_default();
    match agent {
        Some(agent) => format!("add it: agent-team agent add {agent}{role}{skill}{lead}"),
        None => format!("add one: agent-team agent add NAME{role}{skill}{lead}"),
    }
}
