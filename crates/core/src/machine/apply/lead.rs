//! What leads do: hand a task out in parts, give it up, plan a failure anew.

use super::judgement::at_stage;
use super::task::unchanged;
use super::{Meta, Rule};
use crate::id::TaskId;
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::State;
use crate::machine::task::{Ending, Failure, Feedback, FeedbackCause, Task};
use crate::machine::transition::{Status, Step};
use crate::machine::update::unblock;
use crate::record::{REPLANS_DEFAULT, Stage, TaskDelegated, TaskGivenUp};

/// How many open parts a refusal names.
const NAMED_MAX: usize = 5;

impl Rule for TaskDelegated {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let (task, claim) = at_stage(state, self.claim, Stage::Work)?;
        if state.lacks_plan(task, &claim.agent) && state.keeps(Safeguard::PlanFirst) {
            return Err(Refusal::PlanNotApproved { task: task.id().clone() });
        }
        if task.open_parts == 0 && state.keeps(Safeguard::HandedOut) {
            return Err(Refusal::NoOpenPart { task: task.id().clone() });
        }
        Ok(())
    }

    /// Nobody holds it while its parts are done, so whoever leads can do something else, or die.
    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, _)) = super::claim::holder(state, self.claim) else { return };
        state.update(slot, |task| {
            task.revision = meta.id;
            task.since_ms = meta.at_ms;
            task.takeovers = 0;
            task.handed_out = true;
            let claim = task.end_claim(Ending::Done, meta.at_ms);
            task.step(Step::Waits);
            if let Some(claim) = claim.filter(|claim| claim.holder.orchestrated) {
                super::claim::to_be_resumed(task, claim);
                // It goes back when it is ready.
                task.back_to = None;
            }
            unblock(task);
        });
    }
}

impl Rule for TaskGivenUp {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let task = unchanged(state, &self.task, self.on)?;
        if !(task.status == Status::Blocked && task.handed_out) && state.keeps(Safeguard::EditRow) {
            return Err(Refusal::WrongStatus { task: self.task.clone(), status: task.status });
        }
        if state.failed_parts(task).next().is_none() && state.keeps(Safeguard::HandedOut) {
            return Err(Refusal::NoFailedPart { task: self.task.clone() });
        }
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some(slot) = state.tasks.slot(&self.task) else { return };
        state.update(slot, |task| {
            task.revision = meta.id;
            task.since_ms = meta.at_ms;
            let attempt = task.attempt;
            if let Some(agent) = task.past_claims.last().map(|claim| claim.agent.clone()) {
                let (cause, text) = (FeedbackCause::Error, self.reason);
                task.feedback.push(Feedback { attempt, agent, cause, text, commit: None, reviewer: None });
            }
            task.handed_out = false;
            task.resume = None;
            task.back_to = None;
            task.step(Step::Exhausted);
            task.failure = Some(Failure::Parts);
        });
    }
}

impl State {
    /// The parts of a delegated task that failed for good, and for which it waits.
    pub fn failed_parts<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = &'a Task> {
        self.parts(task).filter(|part| part.status == Status::Failed && part.keeps_waiting())
    }

    /// The parts of a delegated task, in the order in which they were added.
    pub fn parts<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = &'a Task> {
        task.parts.iter().filter_map(|id| self.tasks.get(id))
    }

    /// The first of those for which it waits.
    pub(super) fn first_open_parts(&self, task: &Task) -> Vec<TaskId> {
        self.parts(task)
            .filter(|part| part.keeps_waiting())
            .take(NAMED_MAX)
            .map(|part| part.id().clone())
            .collect()
    }

    /// Within what a failure of a task is planned anew: the delegated task that it is a part of, or else the task at the
    /// root of its parents, such as the plan of a goal.
    pub fn planned_within(&self, task: &Task) -> Option<TaskId> {
        if let Some(nearest) = task.above.first() {
            return Some(nearest.clone());
        }
        let mut root = task.spec.parent.as_ref()?;
        // Without a safeguard parents may be parts of each other.
        for _ in 0..self.tasks.len() {
            match self.tasks.get(root).and_then(|task| task.spec.parent.as_ref()) {
                Some(parent) => root = parent,
                None => break,
            }
        }
        Some(root.clone())
    }

    /// How many failures were planned anew within a task, or outside of any.
    pub fn replans(&self, within: Option<&TaskId>) -> u32 {
        self.replans.get(&within.cloned()).copied().unwrap_or(0)
    }

    /// The tasks within which failures were planned anew, each with their number.
    pub fn all_replans(&self) -> impl Iterator<Item = (Option<&TaskId>, u32)> {
        self.replans.iter().map(|(within, count)| (within.as_ref(), *count))
    }

    /// How many failures may be planned anew within one task.
    pub fn replans_max(&self) -> u32 {
        self.policy.replans.unwrap_or(REPLANS_DEFAULT)
    }
}
