//! How the state changes: a task, and with it everything that is derived from the tasks.

use super::fit::Member;
use super::queue::Queue;
use super::state::State;
use super::task::Task;
use super::tasks::Slot;
use super::transition::{Status, Step};
use crate::id::{AgentId, TaskId};
use crate::record::Stage;

impl State {
    /// The same state, with what is derived from the tasks made anew. Equal to this one, unless the machine has a bug.
    #[must_use]
    pub fn derived_anew(mut self) -> Self {
        self.queue = Queue::default();
        self.held.clear();
        self.replans.clear();
        for slot in self.tasks.slots() {
            let Some(task) = self.tasks.at(slot) else { continue };
            self.queue.insert(slot, task);
            if task.spec.replans.is_some() {
                *self.replans.entry(task.spec.parent.clone()).or_default() += 1;
            }
            if task.claim.is_some() {
                self.held.insert(slot);
            }
        }
        self
    }

    /// Changes a task, and keeps everything that is derived from it in step. The only way to change a task.
    pub(crate) fn update(&mut self, slot: Slot, change: impl FnOnce(&mut Task)) {
        let Change { dependents, part_of } = self.change(slot, change);
        for dependent in dependents {
            let Some(dependent) = self.tasks.slot(&dependent) else { continue };
            self.change(dependent, |task| {
                task.open_dependencies = task.open_dependencies.saturating_sub(1);
                unblock(task);
            });
        }
        if let Some((whole, is_open)) = part_of
            && let Some(whole) = self.tasks.slot(&whole)
        {
            self.change(whole, |task| {
                let open = task.open_parts;
                task.open_parts = if is_open { open.saturating_add(1) } else { open.saturating_sub(1) };
                unblock(task);
            });
        }
    }

    /// Changes one task alone, and says what that means for others.
    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Task)) -> Change {
        let Some(task) = self.tasks.at_mut(slot) else { return Change::default() };
        let claim_before = task.claim.as_ref().map(|claim| claim.id);
        let status_before = task.status;
        let was_open = task.keeps_waiting();
        self.queue.remove(slot, task);
        change(task);
        // Nobody is waited for who is not there, or may not take the task any more.
        let agents = &self.agents;
        let may_take = |id: &AgentId| {
            let member = agents.get(id).filter(|agent| !agent.left);
            member.is_some_and(|agent| Member::from(agent).fits_stage(task, Stage::Work).is_ok())
        };
        if !task.back_to.as_ref().is_none_or(may_take) {
            task.back_to = None;
            // Another one's model may need less.
            task.needs = None;
        }
        self.queue.insert(slot, task);
        let claim_now = task.claim.as_ref().map(|claim| claim.id);
        let completed = task.status == Status::Completed && status_before != Status::Completed;
        let dependents = if completed { task.dependents.clone() } else { Vec::new() };
        let is_open = task.keeps_waiting();
        let part_of =
            task.above.first().filter(|_| was_open != is_open).map(|whole| (whole.clone(), is_open));
        if claim_now.is_some() {
            self.held.insert(slot);
        } else {
            self.held.remove(&slot);
        }
        if let Some(before) = claim_before.filter(|before| claim_now != Some(*before)) {
            self.files.release(before, &[]);
        }
        Change { dependents, part_of }
    }
}

/// What a change of a task means for others.
#[derive(Default)]
struct Change {
    /// The tasks that it kept waiting until now.
    dependents: Vec<TaskId>,
    /// The delegated task that it is a part of, and whether that waits for it now; `None` if nothing changed there.
    part_of: Option<(TaskId, bool)>,
}

/// Makes a blocked task ready when nothing keeps it any more.
pub(crate) fn unblock(task: &mut Task) {
    let parts_are_done = !task.handed_out || task.open_parts == 0;
    if task.status == Status::Blocked && task.open_dependencies == 0 && parts_are_done {
        task.step(Step::Unblocked);
        // Whoever handed it out knows what the parts are for.
        if let Some(resumed) = task.resume.filter(|_| task.handed_out) {
            let claim = task.past_claims.iter().rev().find(|past| past.id == resumed);
            task.back_to = claim.map(|claim| claim.agent.clone());
        }
    }
}
