//! Claims that a hook has a say in: a claim that it says no to is given back, and the next task is tried.
//!
//! The hook is asked about a claim that is in the log, and not before, so that each claim is seen once, however many
//! agents want the same task. The claim that is given back is no failed attempt.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_team_core::machine::{Command, State, Task, decide};
use tokio_util::sync::CancellationToken;

use super::{Blocked, Event, Hook, Hooks, Ruling, agent_idle};
use crate::outside::now_ms;
use crate::team_log::{blocking, refusal};
use crate::{AgentId, ClaimOptions, Claimed, Error, Refusal, Stage, TaskId, TaskQueue, TeamLog};

/// How often an agent that is kept from all that is left asks again before it leaves, if nobody else does anything.
const TIMES_MAX: u32 = 5;
/// How many tasks are tried for one claim.
const TRIES_MAX: u32 = 64;

/// What became of the wish for work.
pub(crate) struct Offer {
    pub outcome: Result<Claimed, Refusal>,
    /// What a hook kept the agent from on the way, and how often it did so by now.
    pub blocked: Vec<(Blocked, u32)>,
    /// When a task may be asked for again that the agent was kept from.
    pub until: Option<Instant>,
}

/// When an agent looks again for work that a hook has a say in.
#[derive(Default)]
pub(crate) struct Again {
    /// How many records there were before it looked.
    seen: u64,
    /// When it may ask again for what it was kept from.
    pub until: Option<Instant>,
    /// When a task may be tried again that failed, in milliseconds since 1970.
    pub at_ms: Option<u64>,
}

impl Again {
    /// Before a look for work.
    pub fn after(team_log: &TeamLog) -> Result<Self, Error> {
        match team_log.hooks(Hook::TaskClaimed) {
            Some(_) => Ok(Self { seen: team_log.look(State::records)?, ..Self::default() }),
            None => Ok(Self::default()),
        }
    }

    /// Waits for that moment, or until anything has changed since the look.
    pub async fn news(self, team_log: TeamLog) -> Result<(), Error> {
        let due = self.at_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms())));
        let kept = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let changed = team_log.until(move |state| state.records() != self.seen);
        match [due, kept].into_iter().flatten().min() {
            None => changed.await,
            Some(wait) => tokio::time::timeout(wait, changed).await.unwrap_or(Ok(())),
        }
    }
}

impl Offer {
    fn no(refusal: Refusal) -> Self {
        Self { outcome: Err(refusal), blocked: Vec::new(), until: None }
    }
}

impl TaskQueue {
    /// Claims a task to work on it, as far as the hook lets the agent. Blocks the thread while a hook runs.
    pub(crate) fn claim_work(&self, agent: &AgentId, options: &ClaimOptions) -> Result<Offer, Error> {
        let Some(hooks) = self.team_log().hooks(Hook::TaskClaimed) else {
            let outcome = refusal(self.claim_stage(agent, Stage::Work, options))?;
            return Ok(Offer { outcome, blocked: Vec::new(), until: None });
        };
        self.forget_what_is_over(&hooks)?;
        let mut blocked = Vec::new();
        for _ in 0..TRIES_MAX {
            let barred = hooks.0.blocks.barred(agent);
            let until = barred.values().min().copied();
            let no = |refusal| Offer { until, ..Offer::no(refusal) };
            let task = match self.choose(&hooks, agent, options, &barred)? {
                Ok(task) => task,
                Err(refusal) => return Ok(Offer { blocked, ..no(refusal) }),
            };
            let is_chosen = options.task.is_none() && task.is_some();
            let options = ClaimOptions { task, ..options.clone() };
            let claimed = match refusal(self.claim_stage(agent, Stage::Work, &options))? {
                Ok(claimed) => claimed,
                // Somebody else took it meanwhile.
                Err(_) if is_chosen => continue,
                Err(refusal) => return Ok(Offer { blocked, ..no(refusal) }),
            };
            match self.asked(&hooks, agent, &claimed)? {
                Ok(()) => return Ok(Offer { outcome: Ok(claimed), blocked, until }),
                Err(said) => blocked.push(said),
            }
        }
        Ok(Offer { blocked, ..Offer::no(Refusal::NothingNow { agent: agent.clone(), at_ms: None }) })
    }

    /// Tells the hook that an agent begins to wait.
    pub(crate) async fn tell_idle(&self, agent: &AgentId) -> Result<(), Error> {
        if self.team_log().hooks(Hook::AgentIdle).is_none() {
            return Ok(());
        }
        let (team_log, agent) = (self.team_log().clone(), agent.clone());
        blocking(move || agent_idle(&team_log, &agent)).await
    }

    /// Claims work; away from the threads that serve everyone if a hook is asked.
    pub(crate) async fn claim_aside(&self, agent: &AgentId, options: &ClaimOptions) -> Result<Offer, Error> {
        if self.team_log().hooks(Hook::TaskClaimed).is_none() {
            return self.claim_work(agent, options);
        }
        let (queue, agent, options) = (self.clone(), agent.clone(), options.clone());
        let offer = blocking(move || queue.claim_work(&agent, &options)).await?;
        for (blocked, _) in offer.blocked.iter().filter(|(_, times)| *times == 1) {
            self.team_log().hooks(blocked.hook).inspect(|hooks| hooks.note(blocked.to_string()));
        }
        Ok(offer)
    }

    /// Asks about a claim; one that is not let is given back.
    fn asked(
        &self,
        hooks: &Hooks,
        agent: &AgentId,
        claimed: &Claimed,
    ) -> Result<Result<(), (Blocked, u32)>, Error> {
        let task = &claimed.task.id;
        let event = Event::about(Hook::TaskClaimed, self.team_log(), agent, task)?;
        match hooks.ask(&event, &CancellationToken::new()) {
            Ruling::Pass => {
                hooks.0.blocks.forget(|_, over| over == task);
                Ok(Ok(()))
            }
            Ruling::Block(feedback) => {
                let times = hooks.0.blocks.block(agent, task);
                // If it is lost already, that is what was wanted.
                let _ = refusal(self.release(claimed.token, agent, &format!("the hook {}", event.event)))?;
                Ok(Err((Blocked { hook: event.event, task: Some(task.clone()), feedback }, times)))
            }
        }
    }

    /// The task to claim: the best of those that the agent is not kept from, in the order in which they would be given
    /// out. `None` leaves the choice to the claim.
    fn choose(
        &self,
        hooks: &Hooks,
        agent: &AgentId,
        options: &ClaimOptions,
        barred: &BTreeMap<TaskId, Instant>,
    ) -> Result<Result<Option<TaskId>, Refusal>, Error> {
        let nothing = || Refusal::NothingNow { agent: agent.clone(), at_ms: None };
        let blocked = hooks.0.blocks.tasks();
        match &options.task {
            Some(task) if barred.contains_key(task) => return Ok(Err(nothing())),
            Some(task) => return Ok(Ok(Some(task.clone()))),
            None if blocked.is_empty() => return Ok(Ok(None)),
            None => {}
        }
        self.team_log().look(|state| {
            let claim = |task| claim(agent, task);
            match next(state, agent, |task| barred.contains_key(task), &blocked) {
                Some(task) => Ok(Some(task)),
                None => Err(decide(state, &claim(None), now_ms()).err().unwrap_or_else(nothing)),
            }
        })
    }

    /// Forgets those who were kept from tasks that nobody will take any more. One that somebody holds just now may be given back
    /// at once, since the hook says no to that one as well.
    fn forget_what_is_over(&self, hooks: &Hooks) -> Result<(), Error> {
        self.team_log().look(|state| {
            let is_over = |task: &TaskId| state.task(task).is_none_or(|task| task.status.is_ended());
            hooks.0.blocks.forget(|_, task| is_over(task));
        })
    }

    /// Whether an agent is kept from all that is left for it, again and again, while nobody else does anything that
    /// could change that.
    pub(crate) fn is_kept_from_all(&self, agent: &AgentId) -> Result<bool, Error> {
        let Some(hooks) = self.team_log().hooks(Hook::TaskClaimed) else { return Ok(false) };
        let (refused, blocked) = (hooks.0.blocks.barred_often(agent, TIMES_MAX), hooks.0.blocks.tasks());
        if refused.is_empty() {
            return Ok(false);
        }
        let later = [Stage::Verify, Stage::Review, Stage::Merge];
        self.team_log().look(|state| {
            state.held().next().is_none()
                && later.iter().all(|stage| state.waiting_for(*stage).next().is_none())
                // Another agent may have been asked about one all the time.
                && next(state, agent, |task| refused.contains(task), &blocked).is_none()
        })
    }
}

fn claim(agent: &AgentId, task: Option<TaskId>) -> Command {
    Command::Claim { agent: agent.clone(), task, stage: Stage::Work, holder: Arc::default() }
}

/// The first task that the agent may take and is not kept from. One that an agent of this process was kept from went
/// back to that agent, and is for everybody all the same. Last comes what others cannot take who had it.
fn next(
    state: &State,
    agent: &AgentId,
    is_barred: impl Fn(&TaskId) -> bool,
    blocked: &BTreeSet<TaskId>,
) -> Option<TaskId> {
    let is_own =
        |task: &Task| task.back_to.as_ref().is_none_or(|other| other == agent) || blocked.contains(task.id());
    let is_free = |task: &&Task| !is_barred(task.id()) && (is_own(task) || state.is_free_of_its_author(task));
    let mut ready: Vec<&Task> = state.ready().flatten().filter(is_free).collect();
    ready.sort_by_key(|task| (!is_own(task), Reverse(task.spec.priority), task.added));
    let may_be_had = |task: &&Task| decide(state, &claim(agent, Some(task.id().clone())), now_ms()).is_ok();
    ready.into_iter().find(may_be_had).map(|task| task.id().clone())
}
