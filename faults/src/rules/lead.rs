//! Tasks that a lead hands out in parts, gives up, or plans anew; and for whose team a task is.

use serde_json::Value;

use super::book::{Guard, NoEffect, Rule};
use super::task::{Status, Task};
use super::{Entry, Team};
use crate::log_file::text;

/// How deep tasks are delegated, and how many failures are planned anew, if the policy does not say.
const DEFAULT: u64 = 3;

impl Task {
    /// Whether the task that it is a part of waits for it.
    fn keeps_waiting(&self) -> bool {
        match self.status {
            Status::Completed | Status::Cancelled => false,
            Status::Failed => self.spec["replans"].is_null(),
            _ => true,
        }
    }
}

impl Team {
    /// The delegated tasks that a task is a part of, the nearest first. New ones may be parts of each other.
    fn above(&self, new: &[&Value], spec: &Value) -> Vec<String> {
        let (mut above, mut parent) = (Vec::new(), spec["parent"].as_str());
        // Parents may not be parts of each other, but this log may say so.
        for _ in 0..=self.tasks.len() + new.len() {
            let Some(id) = parent else { break };
            let known = self.tasks.get(id).map(|task| &task.spec);
            let Some(spec) = known.or_else(|| new.iter().find(|spec| spec["id"] == id).copied()) else {
                break;
            };
            above.extend((spec["delegate"] == true).then(|| id.to_owned()));
            parent = spec["parent"].as_str();
        }
        above
    }

    /// The tasks whose accounts a call for one of them touches.
    pub(super) fn charged(&self, task: &str) -> Vec<String> {
        let above = self.tasks.get(task).map(|task| self.above(&[], &task.spec));
        [task.to_owned()].into_iter().chain(above.into_iter().flatten()).collect()
    }

    /// The parts of a delegated task.
    fn parts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a String, &'a Task)> {
        let is_part =
            move |task: &Task| self.above(&[], &task.spec).first().is_some_and(|whole| whole == name);
        self.tasks.iter().filter(move |(_, task)| !task.spec["parent"].is_null() && is_part(task))
    }

    /// The names of the parts of a delegated task.
    pub(super) fn part_names(&self, name: &str) -> Vec<String> {
        self.parts(name).map(|(id, _)| id.clone()).collect()
    }

    /// New tasks are parts of what has not ended, not too deep, and plan only such failures anew as they may.
    pub(super) fn may_be_led(&self, specs: &[&Value], guard: &mut Guard) -> Result<(), NoEffect> {
        for spec in specs {
            let id = text(&spec["id"]);
            let above = self.above(specs, spec);
            let depth = above.len() as u64 + u64::from(spec["delegate"] == true);
            let most = self.policy["max_depth"].as_u64().unwrap_or(DEFAULT);
            guard.must_where(Rule::Depth, depth > 0, depth <= most, || {
                format!("{id} is delegated {depth} deep, and {most} is allowed")
            })?;
            let whole = above.first().and_then(|whole| self.tasks.get(whole));
            guard.must_where(
                Rule::EndsOnce,
                false,
                whole.is_none_or(|whole| !whole.status.is_ended()),
                || format!("{id} is a part of what has ended"),
            )?;
            if spec["replans"].is_object() {
                let why = self.why_no_replan(spec, specs.len());
                guard.must(Rule::Replans, why.is_none(), || format!("{id}: {}", why.unwrap_or_default()))?;
            }
        }
        Ok(())
    }

    fn why_no_replan(&self, spec: &Value, together: usize) -> Option<String> {
        let failed_id = text(&spec["replans"]["task"]);
        let Some(failed) = self.tasks.get(failed_id) else { return Some(format!("there is no {failed_id}")) };
        let within = self.planned_within(failed);
        let same_place =
            |task: &&Task| task.spec["replans"].is_object() && task.spec["parent"] == spec["parent"];
        let used = self.tasks.values().filter(same_place).count() as u64;
        let most = self.policy["replans"].as_u64().unwrap_or(DEFAULT);
        if failed.status != Status::Failed || spec["replans"]["failure"] != failed.revision.as_str() {
            Some(format!("{failed_id} has not failed, or is another failure by now"))
        } else if failed.is_planned_anew {
            Some(format!("the failure of {failed_id} was planned anew before"))
        } else if failed.spec["replans"].is_object() {
            Some(format!("{failed_id} was to plan another failure anew"))
        } else if spec["parent"].as_str() != within.as_deref() || together > 1 {
            Some(format!("the failure of {failed_id} is planned anew elsewhere"))
        } else if used >= most {
            Some(format!("{used} of {most} failures were planned anew"))
        } else {
            None
        }
    }

    /// Within what a failure is planned anew: the delegated task that it is a part of, or the root of its parents.
    fn planned_within(&self, failed: &Task) -> Option<String> {
        if let Some(nearest) = self.above(&[], &failed.spec).into_iter().next() {
            return Some(nearest);
        }
        let mut root = failed.spec["parent"].as_str()?;
        for _ in 0..self.tasks.len() {
            match self.tasks.get(root).and_then(|task| task.spec["parent"].as_str()) {
                Some(parent) => root = parent,
                None => break,
            }
        }
        Some(root.to_owned())
    }

    /// New tasks that plan a failure anew: it is planned once.
    pub(super) fn plan_anew(&mut self, spec: &Value) {
        if let Some(failed) = self.tasks.get_mut(text(&spec["replans"]["task"])) {
            failed.is_planned_anew = true;
        }
    }

    /// A delegated task goes on when its parts are done.
    pub(super) fn parts_are_done(&self, name: &str, guard: &mut Guard) -> Result<(), NoEffect> {
        let is_delegated = self.tasks.get(name).is_some_and(|task| task.wants("delegate"));
        if !is_delegated {
            return Ok(());
        }
        let open = self.parts(name).find(|(_, part)| part.keeps_waiting()).map(|(id, _)| id.clone());
        guard.must(Rule::Parts, open.is_none(), || {
            format!("{name} goes on, and its part {} is not done", open.unwrap_or_default())
        })
    }

    pub(super) fn delegated(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = self.holds(entry, Some("work"), guard)?;
        let agent =
            self.tasks.get(&name).and_then(|task| task.claim.as_ref()).map(|claim| claim.agent.clone());
        self.has_plan(&name, agent.as_deref().unwrap_or_default(), guard)?;
        let has_open = self.parts(&name).any(|(_, part)| part.keeps_waiting());
        guard
            .must(Rule::HandedOut, has_open, || format!("{name} is handed out, and no part of it is open"))?;
        let Some(task) = self.tasks.get_mut(&name) else { return Ok(()) };
        task.takeovers = 0;
        task.is_handed_out = true;
        task.release(entry.id);
        Ok(())
    }

    pub(super) fn given_up(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let name = text(&entry.body["task"]);
        let Some(task) = self.tasks.get(name) else {
            return guard.must(Rule::Edits, false, || format!("there is no task {name}"));
        };
        guard.must(Rule::Edits, entry.body["on"] == task.revision.as_str(), || {
            format!("{name} is given up as it was before {}", task.revision)
        })?;
        let waits = task.status == Status::Open
            && task.is_handed_out
            && self.parts(name).any(|(_, part)| part.keeps_waiting());
        let has_failed = self.parts(name).any(|(_, part)| part.status == Status::Failed);
        guard.must(Rule::HandedOut, waits && has_failed, || {
            format!("{name} is given up, and does not wait for a part that failed")
        })?;
        let Some(task) = self.tasks.get_mut(name) else { return Ok(()) };
        entry.id.clone_into(&mut task.revision);
        task.is_handed_out = false;
        task.resumed_by = None;
        task.status = Status::Failed;
        Ok(())
    }

    /// Whether a task is for the team that an agent belongs to.
    pub(super) fn is_for_team_of(&self, agent: &str, task: &Task) -> bool {
        let lead = self.members.get(agent).and_then(|member| member.lead.as_deref());
        match task.named("team") {
            Some(team) => lead == Some(team) || agent == team,
            None => lead.is_none() || task.named("agent").is_some(),
        }
    }
}
