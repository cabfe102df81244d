//! Held up, let go on, given to another.

use super::claim;
use super::task::{fence_moved, unchanged};
use super::{Meta, Rule};
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::{Pause, State};
use crate::machine::task::Ending;
use crate::machine::tasks::Slot;
use crate::machine::transition::{Status, Step};
use crate::record::{PauseSet, Stage, TaskReassigned};

impl Rule for PauseSet {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let known = state.pauses.get(&self.agent);
        if known.map(|pause| pause.revision) != self.on && state.keeps(Safeguard::SettingRevision) {
            let what = self.agent.as_ref().map_or("the team".to_owned(), |agent| format!("agent {agent}"));
            return Err(Refusal::SettingChanged { what });
        }
        match &self.agent {
            // Who has left is let go on all the same: it may come back with the next run.
            Some(agent) if self.paused && state.keeps(Safeguard::Membership) && !state.is_member(agent) => {
                Err(Refusal::NoSuchAgent { agent: agent.clone() })
            }
            _ => Ok(()),
        }
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Self { agent, on: _, paused, release, reason } = self;
        let held = |slot: &Slot| {
            let claim = state.tasks.at(*slot).and_then(|task| task.claim.as_ref())?;
            let is_agents = Some(&claim.agent) == agent.as_ref();
            (is_agents && matches!(claim.stage, Stage::Work | Stage::Review)).then_some(*slot)
        };
        let released: Vec<Slot> =
            if paused && release { state.held.iter().filter_map(held).collect() } else { Vec::new() };
        for slot in released {
            state.update(slot, |task| claim::release(task, meta));
        }
        state.pauses.insert(
            agent,
            Pause { paused, stopped: paused && release, revision: meta.id, reason, at_ms: meta.at_ms },
        );
    }
}

impl Rule for TaskReassigned {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let task = unchanged(state, &self.task, self.on)?;
        if task.status.is_ended() && state.keeps(Safeguard::EditEnded) {
            return Err(Refusal::WrongStatus { task: self.task.clone(), status: task.status });
        }
        fence_moved(state, task, self.fenced)
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some(slot) = state.tasks.slot(&self.task) else { return };
        state.update(slot, |task| {
            task.revision = meta.id;
            task.spec.agent = self.agent;
            // Another agent cannot go on with the transcript of the one that had it.
            task.resume = None;
            task.back_to = None;
            // Its model may need less.
            task.needs = None;
            if task.status == Status::Running {
                task.end_claim(Ending::Reassigned, meta.at_ms);
                task.step(Step::GivenBack);
                task.since_ms = meta.at_ms;
            }
        });
    }
}
