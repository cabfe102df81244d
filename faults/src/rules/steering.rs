//! What people do to a team: edits, pauses, who joins and leaves, policies.

use std::collections::{BTreeMap, BTreeSet};

use super::book::{Guard, NoEffect, Rule};
use super::task::{Status, Task};
use super::{Entry, HUMAN, Member, Team};
use crate::log_file::text;

/// Who is paused: agents by name, and the team as the empty name.
#[derive(Debug, Default)]
pub(super) struct Pauses(BTreeMap<String, bool>);

impl Pauses {
    /// Whether anybody is paused.
    pub fn anybody(&self) -> bool {
        self.0.values().any(|paused| *paused)
    }

    /// Whose pause keeps an agent from claiming.
    pub fn holds_up(&self, agent: &str) -> Option<String> {
        // The human has paused it, and means others.
        if agent == HUMAN {
            return None;
        }
        let is_paused = |whom: &str| self.0.get(whom).copied().unwrap_or_default();
        if is_paused("") {
            return Some("the team".into());
        }
        is_paused(agent).then(|| agent.to_owned())
    }
}

impl Team {
    /// Something is set that has one value: whoever sets it names the record that set it last.
    pub(super) fn sets(&mut self, what: &str, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let before = self.set_by.get(what).map(String::as_str);
        guard.must(Rule::Settings, entry.body["on"].as_str() == before, || {
            format!("a {} replaces {}, and not {}", entry.kind, entry.body["on"], before.unwrap_or("nothing"))
        })?;
        self.set_by.insert(what.to_owned(), entry.id.to_owned());
        Ok(())
    }

    pub(super) fn joined(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let agent = text(&entry.body["agent"]);
        if let Some(most) = self.policy["max_agents"].as_u64().filter(|_| agent != HUMAN) {
            let others = |(id, member): &(&String, &Member)| *id != HUMAN && *id != agent && !member.has_left;
            let there = self.members.iter().filter(others).count() as u64;
            guard.must(Rule::AgentCap, self.is_member(agent) || there < most, || {
                format!("{agent} joins, and {there} of {most} agents are there")
            })?;
        }
        let skills =
            entry.body["skills"].as_array().into_iter().flatten().map(|skill| text(skill).to_owned());
        let member = Member {
            role: text(&entry.body["role"]).to_owned(),
            skills: skills.collect(),
            model: text(&entry.body["with"]).to_owned(),
            has_left: false,
            must_plan: entry.body["plan"] == true,
            lead: entry.body["lead"].as_str().map(str::to_owned),
        };
        self.members.insert(agent.to_owned(), member);
        Ok(())
    }

    fn is_member(&self, agent: &str) -> bool {
        self.members.get(agent).is_some_and(|member| !member.has_left)
    }

    pub(super) fn left(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let agent = text(&entry.body["agent"]);
        guard.must(Rule::Members, self.is_member(agent), || format!("{agent} leaves and is no member"))?;
        if let Some(member) = self.members.get_mut(agent) {
            member.has_left = true;
        }
        for _ in 0..self.messages.returned_by(agent) {
            self.book.held(Rule::Returned);
        }
        Ok(())
    }

    pub(super) fn pause(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let agent = text(&entry.body["agent"]);
        let paused = entry.body["paused"] == true;
        if !agent.is_empty() && paused {
            guard.must(Rule::Members, self.is_member(agent), || {
                format!("{agent} is paused and is no member")
            })?;
        }
        self.sets(&format!("pause of {agent}"), entry, guard)?;
        self.pauses.0.insert(agent.to_owned(), paused);
        for task in self.tasks.values_mut() {
            let Some(claim) = &mut task.claim else { continue };
            claim.paused_turns = 0;
            let is_taken = paused && entry.body["release"] == true && claim.agent == agent;
            if is_taken && matches!(claim.stage.as_str(), "work" | "review") {
                task.release(entry.id);
            }
        }
        Ok(())
    }

    pub(super) fn edited(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = text(&entry.body["task"]);
        let Some(task) = self.tasks.get(name) else {
            return guard.must(Rule::Edits, false, || format!("there is no task {name}"));
        };
        guard.must(Rule::Edits, entry.body["on"] == task.revision.as_str(), || {
            format!("a {} on {name} as it was before {}", entry.kind, task.revision)
        })?;
        let may = match entry.kind {
            // What somebody works on has begun: it waits for nothing any more.
            "task_edited" if entry.body["change"]["after"].is_array() => {
                matches!(task.status, Status::Open | Status::Failed)
            }
            "task_edited" => !matches!(task.status, Status::Completed | Status::Cancelled),
            "task_retried" => matches!(task.status, Status::Failed | Status::Cancelled),
            "task_cancelled" => !matches!(task.status, Status::Completed | Status::Cancelled),
            _ => !task.status.is_ended(),
        };
        guard.must(Rule::EndsOnce, may, || {
            format!("a {} on {name}, which is {:?}", entry.kind, task.status)
        })?;
        if matches!(entry.kind, "task_cancelled" | "task_reassigned") {
            Self::fence_was_moved(task, name, entry, guard)?;
        }
        let named = entry.body["change"]["after"].as_array().into_iter().flatten().map(text);
        let missing = named.into_iter().find(|id| !self.tasks.contains_key(*id));
        guard.must_where(Rule::Dependencies, false, missing.is_none(), || {
            format!("{missing:?} is waited for and not there")
        })?;
        match entry.kind {
            "task_cancelled" => self.cancelled(name, entry, guard)?,
            _ => self.changed(name, entry),
        }
        Ok(())
    }

    fn changed(&mut self, name: &str, entry: Entry<'_>) {
        let Some(task) = self.tasks.get_mut(name) else { return };
        entry.id.clone_into(&mut task.revision);
        match entry.kind {
            "task_edited" => {
                for field in ["priority", "allow_protected", "after"] {
                    if let Some(value) = entry.body["change"].get(field) {
                        task.spec[field] = value.clone();
                    }
                }
            }
            "task_retried" => {
                let (plan, spec) = (task.plan.take(), task.spec.take());
                *task = Task { plan, ..Task::new(entry.id, &spec) };
            }
            _ => {
                task.spec["agent"] = entry.body["agent"].clone();
                task.resumed_by = None;
                if task.status == Status::Running {
                    task.status = Status::Open;
                    task.claim = None;
                }
            }
        }
    }

    fn cancelled(&mut self, name: &str, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let mut doomed = BTreeSet::from([name.to_owned()]);
        let with_dependents = entry.body["dependents"] == true;
        loop {
            let waits = |task: &Task| with_dependents && task.dependencies().any(|id| doomed.contains(id));
            let waiting = self.tasks.iter().filter(|(_, task)| waits(task));
            let parts = doomed.iter().flat_map(|id| self.part_names(id));
            let more: Vec<String> = waiting.map(|(id, _)| id.clone()).chain(parts).collect();
            let known = doomed.len();
            doomed.extend(more);
            if doomed.len() == known {
                break;
            }
        }
        let mut others = doomed.iter().filter(|id| *id != name);
        let merging = others.find(|id| self.tasks.get(*id).is_some_and(|task| task.intent.is_some()));
        guard.must_where(Rule::Fence, false, merging.is_none(), || {
            format!("{merging:?} is about to be merged, and is cancelled with {name}")
        })?;
        for id in doomed {
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            if matches!(task.status, Status::Completed | Status::Cancelled) {
                continue;
            }
            task.claim = None;
            entry.id.clone_into(&mut task.revision);
            task.intent = None;
            task.exhausted = None;
            task.is_handed_out = false;
            task.resumed_by = None;
            task.status = Status::Cancelled;
            self.book.held(Rule::EndsOnce);
        }
        Ok(())
    }
}
