//! The task queue: add, claim, complete, fail. A claim is atomic across processes and survives crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, FeedbackCause, Refusal, State, decide};
use agent_team_core::record::{
    ClaimReleased, ClaimRenewed, Holder, LateResult, ProcessId, Stage, TaskDelegated, TaskSpec,
    TaskSubmitted, WorkCommit,
};
use agent_team_core::text::Text;
use agent_team_core::view::{TaskView, Waiting, stuck, task as task_view};

use futures::future::Either;
use tokio::time::Instant;

use crate::Error;
use crate::folder::TeamFolder;
use crate::hooks::{self, Hook};
use crate::liveness::{self, Observer};
use crate::new_task::NewTask;
use crate::outside::{new_id, now_ms};
use crate::steering::fenced_off;
use crate::team_log::{Durability, TeamLog, refusal};
use crate::waiting::{Prospect, Ticket};

/// The tasks of a team, for any number of processes at once.
///
/// ```
/// use agent_team::{NewTask, TaskQueue};
///
/// let queue = TaskQueue::in_memory()?;
/// queue.add_task("Research the problem space")?;
/// let worker = "worker-1".parse()?;
/// let claimed = queue.claim_task(&worker)?.ok_or("nothing to do")?;
/// queue.complete_task(&claimed.task.id, &worker, "It is large.")?;
/// assert_eq!(queue.get_status()?.counts.completed, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TaskQueue {
    team_log: TeamLog,
    /// The claims that were made through this queue, so that an agent's name is enough to complete its task.
    mine: Arc<Mutex<BTreeMap<(TaskId, AgentId), RecordId>>>,
    /// When this queue last looked whose holders are gone.
    looked: Arc<Mutex<Option<Instant>>>,
    /// How this process holds what it claims.
    this_process: Arc<OnceLock<Arc<Holder>>>,
}

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
    /// The queue of the team in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the log cannot be made or read.
    pub fn new(workspace: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = TeamFolder::of(workspace.as_ref());
        Ok(Self::over(TeamLog::open_or_create(&folder, Durability::default())?))
    }

    /// A queue in this process's memory.
    ///
    /// # Errors
    /// None that happen.
    pub fn in_memory() -> Result<Self, Error> {
        Ok(Self::over(TeamLog::in_memory()?))
    }

    /// The queue of a team log.
    pub fn over(team_log: TeamLog) -> Self {
        Self { team_log, mine: Arc::default(), looked: Arc::default(), this_process: Arc::default() }
    }

    /// The log behind it.
    pub fn team_log(&self) -> &TeamLog {
        &self.team_log
    }

    /// Adds a task.
    ///
    /// # Errors
    /// A refusal when its id is taken, or a dependency does not exist.
    pub fn add_task(&self, task: impl Into<NewTask>) -> Result<TaskId, Error> {
        let mut ids = self.add_tasks(&AgentId::human(), &[task.into()])?;
        ids.pop().ok_or_else(|| Error::Input("no task was added".into()))
    }

    /// Adds several tasks, all or none. They may refer to each other in any direction.
    ///
    /// # Errors
    /// A refusal that names what is wrong: a cycle, a missing or a repeated id.
    pub fn add_tasks(&self, by: &AgentId, tasks: &[NewTask]) -> Result<Vec<TaskId>, Error> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let mut is_asked = false;
        loop {
            let (ids, generated) = self.ids_for(tasks)?;
            let with_ids = tasks.iter().zip(&ids);
            let specs: Result<Vec<TaskSpec>, Error> =
                with_ids.map(|(task, id)| task.spec(&self.team_log, id.clone())).collect();
            let with_budget = tasks.iter().zip(&ids).filter(|(task, _)| !task.budget.is_empty());
            let limits = with_budget.map(|(task, id)| (id.clone(), task.budget.bounds())).collect();
            let command = Command::AddTasks { tasks: specs?, batch: new_id(), limits };
            // Nobody is asked about what cannot be added anyway, nor again because of another generated id: a hook that
            // adds a task itself takes one each time.
            self.team_log.look(|state| decide(state, &command, now_ms()).map(|_| ()))??;
            if !is_asked {
                hooks::may_add(&self.team_log, by, ids.iter().zip(tasks))?;
                is_asked = true;
            }
            match refusal(self.team_log.submit(by, &command))? {
                Ok(_) => return Ok(ids),
                // Somebody took a generated id in the meantime: there are more of them.
                Err(Refusal::IdTaken { task }) if generated.contains(&task) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
    }

    /// Whether tasks could be added as they are now.
    ///
    /// # Errors
    /// As [`add_tasks`](Self::add_tasks).
    pub(crate) fn check_tasks(&self, tasks: &[NewTask]) -> Result<(), Error> {
        let (ids, _) = self.ids_for(tasks)?;
        let with_ids = tasks.iter().zip(ids);
        let specs: Result<Vec<TaskSpec>, Error> =
            with_ids.map(|(task, id)| task.spec(&self.team_log, id)).collect();
        let command = Command::AddTasks { tasks: specs?, batch: new_id(), limits: Vec::new() };
        self.team_log.look(|state| decide(state, &command, now_ms()).map(|_| ()))??;
        Ok(())
    }

    /// The ids that tasks have or get, and which of them were made up: `t1`, `t2`, … as far as they are free.
    fn ids_for(&self, tasks: &[NewTask]) -> Result<(Vec<TaskId>, BTreeSet<TaskId>), Error> {
        let given: BTreeSet<&str> = tasks.iter().filter_map(|task| task.id.as_deref()).collect();
        self.team_log.look(|state| {
            let mut next = state.counts().total;
            let mut generated = BTreeSet::new();
            let mut free = || loop {
                next += 1;
                let id: TaskId = format!("t{next}").parse()?;
                if state.task(&id).is_none() && !given.contains(id.as_str()) {
                    return Ok::<TaskId, Error>(id);
                }
            };
            let mut ids = Vec::with_capacity(tasks.len());
            for task in tasks {
                match &task.id {
                    Some(id) => ids.push(id.parse()?),
                    None => {
                        let id: TaskId = free()?;
                        generated.insert(id.clone());
                        ids.push(id);
                    }
                }
            }
            Ok((ids, generated))
        })?
    }

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
    /// [`Error::Blocked`] when a hook keeps the agent from what there is.
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
            Some(holder) => Arc::clone(holder),
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
    /// When the log cannot be read or written, or a certain task was asked for and cannot be had.
    pub async fn claim_when_ready(
        &self,
        agent: &AgentId,
        options: &ClaimOptions,
        timeout: Option<Duration>,
    ) -> Result<Waited, Error> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
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
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Waited::TimedOut);
            }
            let wake =
                at_ms.map(|at_ms| Instant::now() + Duration::from_millis(at_ms.saturating_sub(now_ms())));
            let wake = [wake, deadline, offer.until.map(Instant::from_std)].into_iter().flatten().min();
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
                () = sleep_until(wake) => {}
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

    /// Delivers the result of a task that the agent claimed through this queue.
    ///
    /// # Errors
    /// A refusal when the claim is lost: the result is kept as a late one then.
    pub fn complete_task(
        &self,
        task: &TaskId,
        agent: &AgentId,
        result: impl Into<String>,
    ) -> Result<(), Error> {
        let token = self.token_of(task, agent)?;
        self.complete(token, agent, result, None, Vec::new())?;
        self.mine.lock().unwrap_or_else(PoisonError::into_inner).remove(&(task.clone(), agent.clone()));
        Ok(())
    }

    /// Delivers a result under a claim.
    ///
    /// # Errors
    /// A refusal when the claim is lost: the result is kept as a late one then.
    pub fn complete(
        &self,
        token: RecordId,
        agent: &AgentId,
        result: impl Into<String>,
        commit: Option<WorkCommit>,
        protected: Vec<String>,
    ) -> Result<(), Error> {
        let result = result.into();
        hooks::may_complete(&self.team_log, token, agent, &result, commit.as_ref())?;
        let result = self.team_log.text(result)?;
        let body = TaskSubmitted { claim: token, result: result.clone(), commit: commit.clone(), protected };
        match refusal(self.team_log.submit(agent, &body.into()))? {
            Ok(_) => Ok(()),
            Err(refused) => {
                if let Refusal::ClaimLost { task, .. } = &refused {
                    self.keep_late(task.clone(), token, agent, result, commit)?;
                }
                Err(refused.into())
            }
        }
    }

    /// Keeps a result that came after its claim was lost. Keeping it twice is keeping it once.
    fn keep_late(
        &self,
        task: TaskId,
        claim: RecordId,
        agent: &AgentId,
        result: Text,
        commit: Option<WorkCommit>,
    ) -> Result<(), Error> {
        let known = self.team_log.look(|state| {
            let mut late = state.late().iter();
            late.any(|late| late.claim == claim && late.result == result && late.commit == commit)
        })?;
        if !known {
            let body = LateResult { task, claim, agent: agent.clone(), result, commit };
            self.team_log.submit(agent, &body.into())?;
        }
        Ok(())
    }

    /// Says that the agent could not do a task that it claimed through this queue.
    ///
    /// # Errors
    /// A refusal when the claim is lost.
    pub fn fail_task(&self, task: &TaskId, agent: &AgentId, error: impl Into<String>) -> Result<(), Error> {
        let token = self.token_of(task, agent)?;
        self.fail(token, agent, error, false)
    }

    /// Says that an attempt failed, or that no attempt can succeed.
    ///
    /// # Errors
    /// A refusal when the claim is lost.
    pub fn fail(
        &self,
        token: RecordId,
        agent: &AgentId,
        error: impl Into<String>,
        for_good: bool,
    ) -> Result<(), Error> {
        let reason = error.into();
        let error = self.team_log.text(reason.clone())?;
        let fail = Command::Fail { claim: token, error, for_good };
        let task = self.team_log.submit_and_look(agent, &fail, |state, _| {
            state.task_of_claim(token).map(|task| task.id().clone())
        })?;
        match task {
            Some(task) => hooks::attempt_failed(&self.team_log, agent, &task, FeedbackCause::Error, &reason),
            None => Ok(()),
        }
    }

    /// Says that the holder of a claim is still at work.
    ///
    /// # Errors
    /// A refusal when the claim is lost.
    pub fn renew(&self, token: RecordId, agent: &AgentId) -> Result<(), Error> {
        self.team_log.submit(agent, &ClaimRenewed { claim: token }.into())?;
        Ok(())
    }

    /// Gives a claim back. The task is ready for others; it is no failed attempt.
    ///
    /// # Errors
    /// A refusal when the claim is lost.
    pub fn release(&self, token: RecordId, agent: &AgentId, reason: &str) -> Result<(), Error> {
        let body = ClaimReleased::new(token, reason);
        self.team_log.submit(agent, &body.into())?;
        Ok(())
    }

    /// Gives a failed or cancelled task new attempts.
    ///
    /// # Errors
    /// A refusal when it is neither.
    pub fn retry(&self, by: &AgentId, task: &TaskId) -> Result<(), Error> {
        self.team_log.submit(by, &Command::RetryTask { task: task.clone() })?;
        Ok(())
    }

    /// Hands a delegated task out in parts: the claim ends, and the task is ready again when they are done.
    ///
    /// # Errors
    /// A refusal when the claim is over, or no part is to be waited for.
    pub fn hand_out(&self, claim: RecordId, agent: &AgentId) -> Result<(), Error> {
        self.team_log.submit(agent, &TaskDelegated { claim }.into())?;
        Ok(())
    }

    /// Stops wanting a task, and with `dependents` all that wait for it. A merge under way is fenced off first.
    ///
    /// # Errors
    /// A refusal when it is completed.
    pub fn cancel(&self, by: &AgentId, task: &TaskId, dependents: bool) -> Result<(), Error> {
        let cancel = |fenced| Command::CancelTask { task: task.clone(), dependents, fenced };
        // Parts of a delegated task that are about to be merged are fenced off one by one, and cancelled first.
        let in_the_way = |refused: &Refusal| match refused {
            Refusal::MergeUnderWay { task: part, .. } if part != task => Some(part.clone()),
            _ => None,
        };
        loop {
            let refused = match refusal(fenced_off(&self.team_log, by, task, cancel))? {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            let Some(part) = in_the_way(&refused) else { return Err(refused.into()) };
            let cancel = |fenced| Command::CancelTask { task: part.clone(), dependents: false, fenced };
            // If it was merged meanwhile, it is in nobody's way any more.
            let _ = refusal(fenced_off(&self.team_log, by, &part, cancel))?;
        }
    }

    /// The claim that the agent has on a task: the one made through this queue, or else the one in the log, unless
    /// that would be a guess since this name held the task before.
    ///
    /// # Errors
    /// A refusal when it has none, an input error when it would be a guess.
    pub fn token_of(&self, task: &TaskId, agent: &AgentId) -> Result<RecordId, Error> {
        let key = (task.clone(), agent.clone());
        if let Some(token) = self.mine.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(*token);
        }
        self.team_log.look(|state| token_in_log(state, task, agent))?
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

fn token_in_log(state: &State, task: &TaskId, agent: &AgentId) -> Result<RecordId, Error> {
    let known = state.task(task).ok_or_else(|| Refusal::NoSuchTask { task: task.clone() })?;
    let past = || known.past_claims.iter().filter(|past| past.agent == *agent && past.stage == Stage::Work);
    let held = known.claim.as_ref().filter(|claim| claim.agent == *agent);
    match (held, past().next_back()) {
        (Some(claim), None) => Ok(claim.id),
        (Some(_), Some(_)) => Err(Error::Input(format!(
            "{agent} held task `{task}` before, so it is not certain which claim is meant: give its token"
        ))),
        (None, Some(past)) => Ok(past.id),
        (None, None) => match &known.claim {
            Some(claim) => {
                let (holder, stage) = (claim.agent.clone(), claim.stage);
                Err(Refusal::Held { task: task.clone(), holder, stage }.into())
            }
            None => Err(Refusal::WrongStatus { task: task.clone(), status: known.status }.into()),
        },
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
