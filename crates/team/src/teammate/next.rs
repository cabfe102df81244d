//! What an agent takes next, and how it waits for that.

use std::sync::Arc;

use agent_team_core::machine::{Agent, Command, State};
use agent_team_core::record::Stage;
use futures::future::{Either, TryFutureExt};

use super::Teammate;
use crate::hooks::{Again, Hook};
use crate::progress::Progress;
use crate::purse::{Purses, UsedUp};
use crate::task_queue::prospect;
use crate::team_log::{blocking, refusal};
use crate::waiting::{Prospect, Ticket};
use crate::{
    Account, AgentId, ClaimOptions, Claimed, Error, NewMessage, Recipient, Refusal, Role, TaskId, liveness,
};

impl Teammate {
    /// The next assignment; `None` when none will come or it was told to stop.
    pub(super) async fn next(&self) -> Result<Option<Claimed>, Error> {
        let mut called: Option<Ticket> = None;
        let mut is_idle = false;
        loop {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            if let Some(used_up) = self.lacks() {
                self.wait_for_more(used_up).await?;
                continue;
            }
            let mut again = Again::after(self.queue.team_log())?;
            if !self.stays {
                liveness::Observer::new(self.queue.team_log()).expire_dead()?;
            }
            if let Some(duty) = self.duty() {
                Box::pin(self.serve(duty)).await?;
                continue;
            }
            let mut in_sight = false;
            for stage in &self.stages {
                match self.claim(*stage, &mut again).await? {
                    Ok(claimed) => return Ok(Some(claimed)),
                    Err(Refusal::NothingEver { .. }) => {}
                    // Whatever is in the way may pass.
                    Err(_) => in_sight = true,
                }
            }
            if !(in_sight || self.stays) {
                return Ok(None);
            }
            if self.queue.is_kept_from_all(&self.id)? {
                let note =
                    format!("ERROR the hook {} keeps {} from all that is left", Hook::TaskClaimed, self.id);
                self.reporter.report(Progress::Note(note));
                self.leave().await?;
                return Ok(None);
            }
            let work = match self.queue.team_log().hooks(Hook::TaskClaimed) {
                None => Either::Left(self.work().map_ok(Some)),
                // What the hook will say is not foreseen: whatever happens, it is asked again.
                Some(_) => Either::Right(again.news(self.queue.team_log().clone()).map_ok(|()| None)),
            };
            // Only now, so that nobody else is called for what this one could not take.
            drop(called.take());
            if !std::mem::replace(&mut is_idle, true) {
                self.queue.tell_idle(&self.id).await?;
            }
            let look_out = async {
                match self.stays {
                    true => std::future::pending().await,
                    false => liveness::look_out(self.queue.team_log(), |_| ()).await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return Ok(None),
                waited = work => called = waited?,
                waited = self.duty_comes() => waited?,
                looked = look_out => match looked? {},
            }
        }
    }

    /// What keeps this agent from taking anything, where a run has it at work and so watches for the end.
    pub(crate) fn lacks(&self) -> Option<UsedUp> {
        let purses = self.purses.as_ref()?;
        let (known, elapsed) = (purses.lacks(&self.id), purses.elapsed());
        let pays = self.agent.is_metered();
        // What is not known here yet, the claim or the call will say.
        let lacks = self.queue.team_log().look_at_known(|state| match known {
            Some(known) if !known.is_over(state, elapsed) => Some(known),
            _ => UsedUp::look(state, &self.id, pays, elapsed),
        });
        if lacks.is_none() {
            purses.note_filled(&self.id);
        }
        lacks
    }

    /// Waits until there is more of what is used up.
    async fn wait_for_more(&self, used_up: UsedUp) -> Result<(), Error> {
        let Some(purses) = self.purses.clone() else { return Ok(()) };
        purses.warn(self.queue.team_log(), &self.reporter)?;
        purses.note_empty(used_up.clone(), &self.reporter);
        let words = format!("waits: {}", used_up.refusal());
        self.reporter.report(Progress::Activity { agent: self.id.clone(), what: words });
        let (is_own, id) = (matches!(used_up.account, Account::Agent(_)), self.id.clone());
        if is_own {
            self.leave_to_others().await?;
        }
        let more = self.queue.team_log().until(move |state| {
            used_up.is_over(state, purses.elapsed()) || (is_own && !purses.for_others(state, &id).is_empty())
        });
        tokio::select! {
            () = self.stop.cancelled() => Ok(()),
            waited = more => waited,
        }
    }

    /// Only its own budget is used up: what others may do need not wait for it.
    async fn leave_to_others(&self) -> Result<(), Error> {
        let Some(purses) = self.purses.clone() else { return Ok(()) };
        let tasks = self.queue.team_log().look(|state| purses.for_others(state, &self.id))?;
        for task in tasks {
            let (queue, agent) = (self.queue.clone(), self.id.clone());
            let handed = blocking(move || queue.reassign(&agent, &task, None)).await;
            // Whatever became of the task meanwhile, it does not wait for this agent any more.
            let _ = refusal(handed)?;
        }
        Ok(())
    }

    /// Waits until there may be something to take.
    fn work(&self) -> impl Future<Output = Result<Ticket, Error>> + Send + use<> {
        if self.role != Role::Lead {
            return Either::Left(self.queue.work_for(&self.id, self.stages.clone(), self.stays));
        }
        let (agent, stages, stays) = (self.id.clone(), self.stages.clone(), self.stays);
        let purses = self.purses.clone();
        Either::Right(self.queue.team_log().work(move |state, now_ms| {
            let looks = stages.iter().map(|stage| {
                let task =
                    without_reviewer(state, &agent, purses.as_deref()).filter(|_| *stage == Stage::Review);
                if *stage == Stage::Review && task.is_none() {
                    return Prospect::Never;
                }
                let (agent, holder) = (agent.clone(), Arc::default());
                prospect(state, &Command::Claim { agent, task, stage: *stage, holder }, now_ms)
            });
            looks.min().filter(|best| !(stays && *best == Prospect::Never)).unwrap_or(Prospect::Later)
        }))
    }

    async fn claim(&self, stage: Stage, again: &mut Again) -> Result<Result<Claimed, Refusal>, Error> {
        let mut options = ClaimOptions { task: None, holder: self.holder.clone() };
        if stage == Stage::Work {
            let offer = self.queue.claim_aside(&self.id, &options).await?;
            for (blocked, _) in offer.blocked.iter().filter(|(_, times)| *times == 1) {
                let to = Recipient::Agent(self.id.clone());
                let message = NewMessage::new(&AgentId::human(), to, blocked.to_string());
                self.bus.post(NewMessage { task: blocked.task.clone(), ..message })?;
            }
            again.until = offer.until;
            if let Err(Refusal::NothingNow { at_ms, .. }) = &offer.outcome {
                again.at_ms = *at_ms;
            }
            return Ok(offer.outcome);
        }
        if self.role == Role::Lead && stage == Stage::Review {
            options.task = self
                .queue
                .team_log()
                .look(|state| without_reviewer(state, &self.id, self.purses.as_deref()))?;
            if options.task.is_none() {
                let agent = self.id.clone();
                return Ok(Err(Refusal::NothingEver { agent, reason: "reviewers review".into() }));
            }
        }
        refusal(self.queue.claim_stage(&self.id, stage, &options))
    }
}

/// A review that only a lead can make: no reviewer is there that may, since the only one is the author, say, has
/// approved already, or has nothing left to spend.
fn without_reviewer(state: &State, lead: &AgentId, purses: Option<&Purses>) -> Option<TaskId> {
    let has_some = |agent: &AgentId| purses.is_none_or(|purses| purses.allow(state, agent));
    let is_reviewer = |agent: &&Agent| !agent.left && agent.role == Role::Reviewer && has_some(&agent.id);
    let reviewers = || state.agents().filter(is_reviewer);
    let found = state.waiting_for(Stage::Review).find(|task| {
        state.may_review(task, lead) && !reviewers().any(|reviewer| state.may_review(task, &reviewer.id))
    });
    found.map(|task| task.id().clone())
}
