//! Claiming a task, and waiting until there is one to claim.

use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, Refusal, State, decide};
use agent_team_core::record::{Holder, ProcessId, Stage};
use agent_team_core::view::{TaskView, Waiting, stuck, task as task_view};
use futures::future::Either;
use tokio::time::Instant;

use super::TaskQueue;
use crate::Error;
use crate::hooks::{self, Hook};
use crate::liveness::{self, Observer};
use crate::outside::now_ms;
use crate::team_log::refusal;
use crate::waiting::{Prospect, Ticket};

/// What a claim gives.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Claimed {
    /// The fencing token: whatever the holder does names it.
    pub token: RecordId,
    /// The task.
    #[serde(flatten)]
    pub task: TaskView,
}

/// How a claim is made.
#[derive(Debug, Clone, Default)]
pub struct ClaimOptions {
    /// A certain task; otherwise the best that fits.
    pub task: Option<TaskId>,
    /// How the holder is known to be alive; this process if nothing is said.
    pub holder: Option<Arc<Holder>>,
}

/// What became of a wait for work.
#[derive(Debug, Clone, PartialEq)]
pub enum Waited {
    /// There was something to do.
    Claimed(Box<Claimed>),
    /// None will come, for the reason given.
    NothingEver(String),
    /// Time was over.
    TimedOut,
}

impl TaskQueue {
    /// Gives the agent the best task that fits it, or `None` if there is none now. The claim lives as long as this
    /// process.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn claim_task(&self, agent: &AgentId) -> Result<Option<Claimed>, Error> {
        match refusal(self.claim(agent, &ClaimOptions::default()))? {
            Ok(claimed) => Ok(Some(claimed)),
            Err(Refusal::NothingNow { .. } | Refusal::NothingEver { .. }) => Ok(None),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Claims a task. Holders that are gone are found out first.
    ///
    /// # Errors
    /// A refusal: [`Refusal::NothingNow`], [`Refusal::NothingEver`], or why a certain task cannot be had.
    /// [`Error::Blocked`] when a hook keeps the agent from what there is. [`Error::Process`] when the holder's process has
    /// ended: nothing is claimed for it.
    pub fn claim(&self, agent: &AgentId, options: &ClaimOptions) -> Result<Claimed, Error> {
        let has_looked = self.look_who_is_gone()?;
        let claimed = match self.claim_once(agent, options) {
            // What is there may be held by somebody who died since the last look.
            Err(Error::Refused(_)) if !has_looked => {
                Observer::new(&self.team_log).expire_dead()?;
                self.claim_once(agent, options)
            }
            claimed => claimed,
        };
        let refused = claimed.as_ref().err().and_then(Error::refusal);
        if matches!(refused, Some(Refusal::NothingNow { .. } | Refusal::NothingEver { .. })) {
            hooks::agent_idle(&self.team_log, agent)?;
        }
        claimed
    }

    fn claim_once(&self, agent: &AgentId, options: &ClaimOptions) -> Result<Claimed, Error> {
        let offer = self.claim_work(agent, options)?;
        let blocked = offer.blocked.into_iter().next_back();
        offer.outcome.map_err(|refused| blocked.map_or(refused.into(), |(blocked, _)| blocked.into()))
    }

    /// Takes back what holders hold that are gone, unless this was done a moment ago; says whether it was done now.
    fn look_who_is_gone(&self) -> Result<bool, Error> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|at| at.elapsed() < liveness::INTERVAL) {
            return Ok(false);
        }
        *looked = Some(Instant::now());
        drop(looked);
        Observer::new(&self.team_log).expire_dead()?;
        Ok(true)
    }

    /// Claims a task, or a later stage of one, without looking who is gone.
    pub(crate) fn claim_stage(
        &self,
        agent: &AgentId,
        stage: Stage,
        options: &ClaimOptions,
    ) -> Result<Claimed, Error> {
        let holder = match &options.holder {
            Some(holder) => {
                liveness::must_live(&self.team_log, holder)?;
                Arc::clone(holder)
            }
            None => self.this_process()?,
        };
        let command = Command::Claim { agent: agent.clone(), task: options.task.clone(), stage, holder };
        let (token, task) = self.team_log.submit_and_look(agent, &command, |state, written| {
            let task = state.task_of_claim(written.id());
            (written.id(), task.map(|task| task_view(state, task)))
        })?;
        let task = task.ok_or(Refusal::NoSuchClaim { claim: token })?;
        let key = (task.id.clone(), agent.clone());
        self.mine.lock().unwrap_or_else(PoisonError::into_inner).insert(key, token);
        Ok(Claimed { token, task })
    }

    /// A holder that lives as long as this process.
    ///
    /// # Errors
    /// When the process cannot announce itself.
    pub fn this_process(&self) -> Result<Arc<Holder>, Error> {
        if let Some(holder) = self.this_process.get() {
            return Ok(Arc::clone(holder));
        }
        let presence = self.team_log.presence()?;
        let (presence, process) = presence.map(|(name, identity)| (name, process_id(identity))).unzip();
        let holder = Arc::new(Holder { process, presence, ..Holder::default() });
        Ok(Arc::clone(self.this_process.get_or_init(|| holder)))
    }

    /// Waits for a task that fits the agent, or for a certain one, while it may still come.
    ///
    /// # Errors
    /// When the log cannot be read or written, or a certain task was asked for and cannot be had. [`Error::Process`] when the
    /// holder's process ends meanwhile.
    pub async fn claim_when_ready(
        &self,
        agent: &AgentId,
        options: &ClaimOptions,
        timeout: Option<Duration>,
    ) -> Result<Waited, Error> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        self.claim_until(agent, options, sleep_until(deadline)).await
    }

    /// The same until `over` completes, which ends the wait as [`Waited::TimedOut`]. Whoever may be told to stop waiting waits
    /// so: a claim that is being made is made to its end and given, where dropping the future could leave it behind.
    ///
    /// # Errors
    /// As [`claim_when_ready`](Self::claim_when_ready).
    pub async fn claim_until(
        &self,
        agent: &AgentId,
        options: &ClaimOptions,
        over: impl Future<Output = ()> + Send,
    ) -> Result<Waited, Error> {
        let mut over = std::pin::pin!(over);
        Observer::new(&self.team_log).expire_dead()?;
        let mut called: Option<Ticket> = None;
        let mut is_idle = false;
        loop {
            // Whenever anything changes, a certain task is looked at: why it cannot be had may be of any kind. So is what
            // there is if a hook has a say in it.
            let certain = match options.task.is_some() || self.team_log.hooks(Hook::TaskClaimed).is_some() {
                true => {
                    let seen = self.team_log.look(State::records)?;
                    Some(self.team_log.until(move |state| state.records() != seen))
                }
                false => None,
            };
            let mut at_ms = None;
            let offer = self.claim_aside(agent, options).await?;
            match offer.outcome {
                Ok(claimed) => return Ok(Waited::Claimed(Box::new(claimed))),
                Err(Refusal::NothingEver { reason, .. }) => return Ok(Waited::NothingEver(reason)),
                Err(Refusal::WrongStatus { task, status }) if !status.is_ended() => {
                    if let Some(reason) = self.why_stuck(&task)? {
                        return Ok(Waited::NothingEver(reason));
                    }
                }
                Err(Refusal::BackingOff { wait_ms, .. }) => at_ms = Some(now_ms().saturating_add(wait_ms)),
                // Whoever waits for work is called when a backoff is over; whoever waits for any news is not.
                Err(Refusal::NothingNow { at_ms: due_ms, .. }) => {
                    at_ms = due_ms.filter(|_| certain.is_some());
                }
                Err(Refusal::Held { .. }) => {}
                Err(refused) => return Err(refused.into()),
            }
            let wake =
                at_ms.map(|at_ms| Instant::now() + Duration::from_millis(at_ms.saturating_sub(now_ms())));
            let wake = [wake, offer.until.map(Instant::from_std)].into_iter().flatten().min();
            let news = match certain {
                Some(changed) => Either::Left(async { changed.await.map(|()| None) }),
                None => {
                    let work = self.work_for(agent, vec![Stage::Work], false);
                    Either::Right(async { work.await.map(Some) })
                }
            };
            // Only now, so that nobody else is called for what this one could not take.
            drop(called.take());
            if !std::mem::replace(&mut is_idle, true) {
                self.tell_idle(agent).await?;
            }
            tokio::select! {
                waited = news => called = waited?,
                looked = liveness::look_out(&self.team_log, |_| ()) => match looked? {},
                watched = liveness::watch(&self.team_log, options.holder.as_deref()) => match watched? {},
                () = sleep_until(wake) => {}
                () = &mut over => return Ok(Waited::TimedOut),
            }
        }
    }

    /// Waits until there may be something for an agent to take at one of these stages. One that stays is not called
    /// when nothing will come.
    pub(crate) fn work_for(
        &self,
        agent: &AgentId,
        stages: Vec<Stage>,
        stays: bool,
    ) -> impl Future<Output = Result<Ticket, Error>> + Send + use<> {
        let holder = Arc::new(Holder::default());
        let command =
            |stage| Command::Claim { agent: agent.clone(), task: None, stage, holder: holder.clone() };
        let commands: Vec<Command> = stages.into_iter().map(command).collect();
        self.team_log.work(move |state, now_ms| {
            let looks = commands.iter().map(|command| prospect(state, command, now_ms));
            looks.min().filter(|best| !(stays && *best == Prospect::Never)).unwrap_or(Prospect::Later)
        })
    }

    /// Why a task waits for something that will not happen by itself, if it does.
    fn why_stuck(&self, task: &TaskId) -> Result<Option<String>, Error> {
        let stuck = self.team_log.look(stuck)?.into_iter().find(|waiting| waiting.task == *task);
        Ok(stuck.map(|Waiting { status, reason, remedy, .. }| {
            let remedy = remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
            format!("task `{task}` is {status} and waits for {reason}{remedy}")
        }))
    }
}

/// What there is for one who would make a claim.
pub(crate) fn prospect(state: &State, claim: &Command, now_ms: u64) -> Prospect {
    match decide(state, claim, now_ms) {
        Ok(_) => Prospect::Now,
        Err(Refusal::NothingNow { at_ms: Some(at_ms), .. }) => Prospect::At(at_ms),
        Err(Refusal::NothingEver { .. }) => Prospect::Never,
        // Whatever is in the way may pass.
        Err(_) => Prospect::Later,
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

pub(crate) fn process_id(identity: agent_team_log::ProcessIdentity) -> ProcessId {
    ProcessId {
        machine: identity.machine,
        boot: identity.boot,
        namespace: identity.pid_namespace,
        pid: identity.pid,
        start: identity.start,
    }
}
