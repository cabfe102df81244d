//! What is wrong between values that are each right: raised at the place of the value that should change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use agent_team_core::record::Role;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::environment::refusal;
use super::error::nearest;
use crate::git::Protected;

/// Something wrong, and the bytes of the text where it is.
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) reason: String,
}

/// A step on the way to a value.
#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Number(usize),
}
use Step::{Key, Number};

/// Finds the first fault of `config`, which was read from `document`.
pub(super) fn check(config: &Config, document: &DeTable<'_>) -> Result<(), Fault> {
    let places = Places(document);
    check_gate(config, &places)?;
    check_environment(config, &places)?;
    check_agents(config, &places)?;
    check_tasks(config, &places)
}

/// Where values stand.
struct Places<'a>(&'a DeTable<'a>);

impl Places<'_> {
    /// The fault `reason` at the end of the way, or as near to it as the text goes.
    fn fault(&self, way: &[Step<'_>], reason: impl Into<String>) -> Fault {
        let mut span = 0..0;
        let mut value: Option<&Spanned<DeValue<'_>>> = None;
        for step in way {
            let next = match (step, value) {
                (Key(key), None) => self.0.get(*key),
                (Key(key), Some(table)) => table.get_ref().get(*key),
                (Number(number), Some(list)) => list.get_ref().get(*number),
                (Number(_), None) => None,
            };
            let Some(next) = next else { break };
            span = next.span();
            value = Some(next);
        }
        Fault { span, reason: reason.into() }
    }
}

fn check_gate(config: &Config, places: &Places<'_>) -> Result<(), Fault> {
    if config.no_gate && config.gate.is_some() {
        return Err(places.fault(&[Key("no_gate")], "there is a gate: leave out `no_gate`, or the gate"));
    }
    for (index, pattern) in config.protect.iter().enumerate() {
        if let Err(error) = Protected::new([pattern.as_str()]) {
            return Err(places.fault(&[Key("protect"), Number(index)], error.to_string()));
        }
    }
    Ok(())
}

fn check_environment(config: &Config, places: &Places<'_>) -> Result<(), Fault> {
    let passed = config.environment.pass.iter().enumerate();
    let passed = passed.map(|(index, name)| (name, [Key("pass"), Number(index)]));
    let set = config.environment.set.keys().map(|name| (name, [Key("set"), Key(name)]));
    match passed.chain(set).find_map(|(name, way)| Some((refusal(name)?, way))) {
        None => Ok(()),
        Some((reason, [table, last])) => Err(places.fault(&[Key("environment"), table, last], reason)),
    }
}

fn check_agents(config: &Config, places: &Places<'_>) -> Result<(), Fault> {
    let mut known = BTreeSet::new();
    for (index, agent) in config.agents.iter().enumerate() {
        if let Some(name) = agent.names.iter().find(|name| !known.insert(*name)) {
            let reason = format!("there is an agent {name} already: every agent needs a name of its own");
            return Err(places.fault(&[Key("agent"), Number(index), Key("name")], reason));
        }
    }
    let leads = config.agents.iter().enumerate().filter(|(_, agent)| agent.role == Role::Lead);
    let mut others = leads.flat_map(|(index, agent)| agent.names.iter().map(move |_| (index, agent))).skip(1);
    if let Some((index, _)) = others.find(|(_, agent)| agent.members.is_empty() || agent.names.len() > 1) {
        return Err(places.fault(
            &[Key("agent"), Number(index), Key("role")],
            "a team has one lead, and there is another: give this one `members` of its own, or make it a worker",
        ));
    }
    check_members(config, places)
}

/// A lead's own team has agents that are there, none of them in another one.
fn check_members(config: &Config, places: &Places<'_>) -> Result<(), Fault> {
    let known: BTreeSet<_> = config.agents.iter().flat_map(|agent| &agent.names).collect();
    let mut taken = BTreeSet::new();
    for (index, agent) in config.agents.iter().enumerate() {
        for (number, member) in agent.members.iter().enumerate() {
            let reason = if agent.role != Role::Lead {
                "only a lead has members".to_owned()
            } else if agent.names.contains(member) {
                format!("{member} cannot be in its own team")
            } else if !known.contains(member) {
                let meant = nearest(member.as_str(), known.iter().map(|name| name.as_str()));
                let hint = meant.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
                format!("there is no agent {member}{hint}")
            } else if !taken.insert(member) {
                format!("{member} is in another team already")
            } else {
                continue;
            };
            let way = [Key("agent"), Number(index), Key("members"), Number(number)];
            return Err(places.fault(&way, reason));
        }
    }
    Ok(())
}

fn check_tasks(config: &Config, places: &Places<'_>) -> Result<(), Fault> {
    let ids: BTreeMap<&str, usize> = config
        .tasks
        .iter()
        .enumerate()
        .rev()
        .filter_map(|(index, task)| Some((task.id.as_deref()?, index)))
        .collect();
    for (index, task) in config.tasks.iter().enumerate() {
        let fault = |way: &[Step<'_>], reason: String| {
            Err(places.fault(&[&[Key("task"), Number(index)], way].concat(), reason))
        };
        if task.title.trim().is_empty() && task.description.trim().is_empty() {
            return fault(&[], "a task needs a title or a description".to_owned());
        }
        if task.check.as_deref().is_some_and(|check| check.trim().is_empty()) {
            return fault(&[Key("check")], "the check is empty: give a command, or leave it out".to_owned());
        }
        if task.attempts == Some(0) {
            return fault(
                &[Key("attempts")],
                "a task without an attempt is never done: give 1 or more".to_owned(),
            );
        }
        if let Some((way, reason)) = bad_name(task) {
            return fault(&way, reason);
        }
        if let Some(id) = task.id.as_deref().filter(|id| ids.get(id) != Some(&index)) {
            return fault(
                &[Key("id")],
                format!("there is a task {id} already: every task needs an id of its own"),
            );
        }
        let named =
            task.after.iter().enumerate().map(|(number, id)| (id, vec![Key("after"), Number(number)]));
        let parent = task.parent.iter().map(|id| (id, vec![Key("parent")]));
        for (id, way) in named.chain(parent) {
            if task.id.as_ref() == Some(id) {
                return fault(&way, format!("task {id} cannot wait for itself"));
            }
            if !ids.contains_key(id.as_str()) {
                let meant = nearest(id, ids.keys().copied());
                let hint = meant.map(|id| format!(", did you mean `{}`?", id.escape_debug()));
                let (id, hint) = (id.escape_debug(), hint.unwrap_or_default());
                return fault(&way, format!("no task here has the id `{id}`{hint}"));
            }
        }
    }
    Ok(())
}

/// The first name of a task that is none.
fn bad_name(task: &crate::NewTask) -> Option<(Vec<Step<'static>>, String)> {
    use agent_team_core::id::{AgentId, BadName, Skill, TaskId};
    fn fault<T: for<'a> TryFrom<&'a str, Error = BadName>>(name: Option<&String>) -> Option<String> {
        Some(T::try_from(name?).err()?.to_string())
    }
    let names = [
        ("id", fault::<TaskId>(task.id.as_ref())),
        ("skill", fault::<Skill>(task.skill.as_ref())),
        ("agent", fault::<AgentId>(task.agent.as_ref())),
        ("team", fault::<AgentId>(task.team.as_ref())),
    ];
    names.into_iter().find_map(|(key, fault)| Some((vec![Key(key)], fault?)))
}
