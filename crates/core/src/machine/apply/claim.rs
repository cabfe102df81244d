//! Who holds a task: claimed, renewed, given back, expired.

use super::task::fence_moved;
use super::{Meta, Rule};
use crate::id::{AgentId, RecordId};
use crate::machine::fit::Member;
use crate::machine::refusal::{Refusal, Unfit};
use crate::machine::safeguard::Safeguard;
use crate::machine::state::{Death, State};
use crate::machine::task::{Claim, Ending, Failure, Task};
use crate::machine::tasks::Slot;
use crate::machine::transition::{Status, Step, next};
use crate::record::{
    ClaimExpired, ClaimReleased, ClaimRenewed, ExpiryCause, Stage, TaskClaimed, TurnJournalled,
};

/// Takeovers in a row, without progress between, after which a task is put into quarantine.
const TAKEOVERS_MAX: u32 = 3;

impl Rule for TaskClaimed {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let id = || self.task.clone();
        let slot = state.slot_to_claim(&self.task);
        let task =
            slot.and_then(|slot| state.tasks.at(slot)).ok_or_else(|| Refusal::NoSuchTask { task: id() })?;
        if let Some(claim) = task.claim.as_ref().filter(|_| state.keeps(Safeguard::Held)) {
            return Err(Refusal::Held { task: id(), holder: claim.agent.clone(), stage: claim.stage });
        }
        let fits_row = next(task.status, Step::Claimed).is_some() && task.status.stage() == Some(self.stage);
        if !fits_row && state.keeps(Safeguard::ClaimRow) {
            return Err(Refusal::WrongStatus { task: id(), status: task.status });
        }
        if Some(task.revision) != self.on && state.keeps(Safeguard::ClaimRevision) {
            return Err(Refusal::Changed { task: id() });
        }
        if let Some(paused) = state.held_up(&self.agent).filter(|_| state.keeps(Safeguard::Pause)) {
            return Err(Refusal::Paused { agent: paused.cloned() });
        }
        if let Err(reason) = Member::of(state, &self.agent).fits_stage(task, self.stage)
            && state.keeps(safeguard_of(&reason))
        {
            let (agent, stage) = (self.agent.clone(), self.stage);
            return Err(Refusal::NotFitting { task: id(), agent, stage, reason });
        }
        let begins = self.stage == Stage::Work && task.resumed_by(&self.agent).is_none();
        if begins && state.keeps(Safeguard::AttemptBudget) {
            return state.ledger.attempt_fits(&self.agent);
        }
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some(slot) = state.slot_to_claim(&self.task) else { return };
        state.seen.note_claim(meta.id, slot);
        let resumes = state.tasks.at(slot).and_then(|task| task.resumed_by(&self.agent));
        // Seldom: whoever claims is alive.
        if !state.deaths.is_empty() {
            state.deaths.remove(&self.agent);
        }
        if self.stage == Stage::Work {
            state.messages.join_thread(&self.task, &self.agent);
            if resumes.is_none() {
                state.ledger.begin_attempt(&self.agent);
            }
        }
        state.update(slot, |task| {
            task.revision = meta.id;
            task.resume = None;
            task.needs = None;
            if self.stage == Stage::Work {
                task.since_ms = meta.at_ms;
                task.attempt += u32::from(resumes.is_none());
                task.not_before_ms = 0;
                task.submission = None;
                task.approvals.clear();
                task.back_to = None;
                task.handed_out = false;
            }
            task.step(Step::Claimed);
            task.claim = Some(Claim {
                id: meta.id,
                stage: self.stage,
                agent: self.agent,
                holder: self.holder,
                renewal: meta.id,
                at_ms: meta.at_ms,
                turns: 0,
                resumes,
            });
        });
    }
}

impl Rule for ClaimRenewed {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        state.live_claim(self.claim).map(|_| ())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        change_claim(state, self.claim, |claim| claim.renewal = meta.id);
    }
}

impl Rule for TurnJournalled {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        state.live_claim(self.claim).map(|_| ())
    }

    /// A turn is progress, and a sign of life. After a holder that was stuck it makes up for nothing: whoever hangs after each
    /// turn would be taken over without end.
    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, agent)) = holder(state, self.claim) else { return };
        state.update(slot, |task| {
            if !task.was_stuck() {
                task.takeovers = 0;
            }
        });
        change_claim(state, self.claim, |claim| {
            claim.renewal = meta.id;
            claim.turns = claim.turns.max(self.turn);
        });
        super::message::read(state, &agent, &self.read);
    }
}

impl Rule for ClaimReleased {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let (task, _) = state.live_claim(self.claim)?;
        fence_moved(state, task, self.fenced)
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, _)) = holder(state, self.claim) else { return };
        state.update(slot, |task| {
            task.intent = None;
            release(task, meta);
            task.needs = self.needs;
        });
    }
}

impl Rule for ClaimExpired {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let (task, claim) = state.live_claim(self.claim)?;
        if claim.renewal != self.seen && state.keeps(Safeguard::SeenRenewal) {
            return Err(Refusal::Renewed { claim: self.claim });
        }
        fence_moved(state, task, self.fenced)
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, agent)) = holder(state, self.claim) else { return };
        if self.cause == ExpiryCause::ProcessGone
            && let Some(task) = state.tasks.at(slot).map(|task| task.id().clone())
        {
            state.deaths.insert(agent, Death { task, at_ms: meta.at_ms });
        }
        state.update(slot, |task| {
            task.revision = meta.id;
            task.intent = None;
            let Some(claim) = task.end_claim(self.cause.into(), meta.at_ms) else { return };
            let orchestrator_died = self.cause == ExpiryCause::ProcessGone && claim.holder.orchestrated;
            // A reviewer that is gone says nothing against the work. What kills whoever works on it, or whoever runs
            // its check, does.
            let counts = !orchestrator_died && claim.stage != Stage::Review;
            task.takeovers += u32::from(counts);
            if counts && task.takeovers >= TAKEOVERS_MAX && meta.safeguards.on(Safeguard::Quarantine) {
                task.since_ms = meta.at_ms;
                task.step(Step::Exhausted);
                task.failure = Some(Failure::Quarantined);
            } else if claim.stage == Stage::Work {
                task.since_ms = meta.at_ms;
                task.step(Step::GivenBack);
                if orchestrator_died {
                    to_be_resumed(task, claim);
                }
            }
        });
    }
}

/// Which rule keeps an agent from a task.
fn safeguard_of(reason: &Unfit) -> Safeguard {
    match reason {
        Unfit::ForAgent(_) | Unfit::WantsRole(_) | Unfit::WantsSkill(_) | Unfit::NotAWorker(_) => {
            Safeguard::Fit
        }
        Unfit::ForTeam(_) | Unfit::NotOfTeam(_) => Safeguard::Team,
        Unfit::Author => Safeguard::Author,
        Unfit::Approved => Safeguard::SecondApproval,
        Unfit::RoundsOver => Safeguard::ReviewRounds,
        Unfit::NotAReviewer => Safeguard::ReviewerRole,
        Unfit::HumanOnly => Safeguard::HumanOnly,
    }
}

/// Ends a claim before its time. Giving a task back is no failed attempt: the next one goes on where this one stopped.
pub(super) fn release(task: &mut Task, meta: &Meta) {
    task.revision = meta.id;
    let claim = task.end_claim(Ending::Released, meta.at_ms);
    if task.status == Status::Running {
        task.step(Step::GivenBack);
        task.since_ms = meta.at_ms;
        if let Some(claim) = claim.filter(|claim| claim.holder.orchestrated) {
            to_be_resumed(task, claim);
        }
    }
}

/// The same agent goes on where this claim ended, from the newest transcript that holds a turn.
pub(super) fn to_be_resumed(task: &mut Task, claim: Claim) {
    task.resume = Some(claim.resumes.filter(|_| claim.turns == 0).unwrap_or(claim.id));
    task.back_to = Some(claim.agent);
}

/// The task of a claim that is in force, and its holder.
pub(super) fn holder(state: &State, claim: RecordId) -> Option<(Slot, AgentId)> {
    let slot = state.seen.task_of_claim(claim)?;
    let in_force = |live: &&Claim| live.id == claim || !state.keeps(Safeguard::Claim);
    let live = state.tasks.at(slot)?.claim.as_ref().filter(in_force)?;
    Some((slot, live.agent.clone()))
}

fn change_claim(state: &mut State, id: RecordId, change: impl FnOnce(&mut Claim)) {
    let task = state.seen.task_of_claim(id).and_then(|slot| state.tasks.at_mut(slot));
    if let Some(claim) = task.and_then(|task| task.claim.as_mut()).filter(|claim| claim.id == id) {
        change(claim);
    }
}
