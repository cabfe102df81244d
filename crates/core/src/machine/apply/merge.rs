//! The merge queue: intended, merged, refused.

use super::claim::holder;
use super::judgement::{at_stage, pass, send_back};
use super::task::fence_moved;
use super::{Meta, Rule};
use crate::id::RecordId;
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::State;
use crate::machine::task::Intent;
use crate::machine::tasks::Slot;
use crate::record::{MergeIntended, MergeRefused, Merged, Stage};

impl Rule for MergeIntended {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let (task, _) = at_stage(state, self.claim, Stage::Merge)?;
        fence_moved(state, task, None)
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, _)) = holder(state, self.claim) else { return };
        state.update(slot, |task| {
            task.intent = Some(Box::new(Intent {
                id: meta.id,
                claim: self.claim,
                commit: self.commit,
                old_tip: self.old_tip,
                branch: self.branch,
            }));
        });
    }
}

impl Rule for Merged {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        match with_intent(state, self.intent) {
            Some(_) => Ok(()),
            None => Err(Refusal::NoSuchIntent { intent: self.intent }),
        }
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some(slot) = with_intent(state, self.intent) else { return };
        state.update(slot, |task| {
            task.merged = task.intent.take().map(|intent| intent.commit);
            pass(task, Stage::Merge, meta);
        });
    }
}

/// The task that is about to be merged under an intent. Such a task is held, so there are few to look at.
fn with_intent(state: &State, intent: RecordId) -> Option<Slot> {
    let matches = |id: RecordId| id == intent || !state.keeps(Safeguard::Intent);
    let about_to = |slot: &Slot| {
        let task = state.tasks.at(*slot);
        task.and_then(|task| task.intent.as_ref()).is_some_and(|known| matches(known.id))
    };
    state.held.iter().copied().find(about_to)
}

impl Rule for MergeRefused {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let (task, _) = at_stage(state, self.claim, Stage::Merge)?;
        fence_moved(state, task, self.fenced)
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, _)) = holder(state, self.claim) else { return };
        state.update(slot, |task| {
            task.intent = None;
            send_back(task, self.cause.into(), &self.output, meta);
        });
    }
}
