//! A team, as Python's classes `AgentTeam`, `TaskQueue` and `MessageBus` see it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_team::config::Config;
use agent_team::{
    AgentId, AgentJoined, ClaimOptions, Claimed, Durability, Holder, MessageBus, NewMessage, NewTask,
    OwnAgent, Recipient, RecordId, Records, Reporter, Role, Skill, Stop, Surroundings, TaskId, TaskQueue,
    TeamFolder, TeamLog, Teammate, Verdict, Waited, assemble_with, view, with_texts,
};
use pyo3::prelude::*;
use pythonize::{depythonize, pythonize};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bridge::{EventLoop, attached, runtime};
use crate::error::{TeamError, parsed, raised};
use crate::member::Member;

/// How often a wait that blocks looks whether somebody pressed Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What claims were made by: they end with this process, not with the object that Python may forget before.
static HOLDING: Mutex<Vec<TaskQueue>> = Mutex::new(Vec::new());

/// One team: its tasks, its messages, its members.
#[pyclass(frozen)]
pub struct Team {
    queue: TaskQueue,
    bus: MessageBus,
    members: Mutex<Vec<Joining>>,
    is_holding: AtomicBool,
}

/// An agent of this program that works when the team is run.
struct Joining {
    wish: Wish,
    agent: Arc<Py<PyAny>>,
}

/// What is said of a member.
#[derive(Clone, Deserialize)]
struct Wish {
    id: AgentId,
    role: Role,
    #[serde(default)]
    skills: Vec<Skill>,
    #[serde(default)]
    plan: bool,
    #[serde(default)]
    lead: Option<AgentId>,
    #[serde(default)]
    with: Option<String>,
}

/// What is said of a message that is to be sent.
#[derive(Deserialize)]
struct Letter {
    from: AgentId,
    to: Option<String>,
    text: String,
    #[serde(default)]
    task: Option<TaskId>,
    #[serde(default)]
    urgent: bool,
    #[serde(default)]
    asks: bool,
    #[serde(default)]
    reply_to: Option<RecordId>,
}

/// Ends a run, or the work of one agent.
#[pyclass(frozen)]
pub struct Stopper(Stopped);

enum Stopped {
    Run(Stop),
    Agent(Box<Teammate>),
}

#[pymethods]
impl Stopper {
    /// Turns under way are finished.
    fn gently(&self) {
        match &self.0 {
            Stopped::Run(run) => run.gently(),
            Stopped::Agent(agent) => agent.stop(),
        }
    }

    /// Everything is dropped. One agent alone finishes its turn.
    fn at_once(&self) {
        match &self.0 {
            Stopped::Run(run) => run.at_once(),
            Stopped::Agent(agent) => agent.stop(),
        }
    }
}

/// What came of something that runs beside Python, and who is told.
struct Waiting {
    event_loop: Py<PyAny>,
    done: Py<PyAny>,
}

impl Waiting {
    /// Calls it on its loop with what came out: a value, or an exception.
    ///
    /// That is the last that its thread has to do with Python, so that the interpreter may end right after.
    fn tell<T: Serialize>(self, came: &Result<T, agent_team::Error>) {
        let _ = attached(move |py| {
            let outcome = match came {
                Ok(value) => python(py, value),
                Err(error) => Ok(raised(error).into_value(py).into_any()),
            };
            let outcome = outcome.unwrap_or_else(|error| error.into_value(py).into_any());
            // Nobody waits on a loop that is closed.
            let Self { event_loop, done } = self;
            let _ = event_loop.call_method1(py, "call_soon_threadsafe", (done, outcome));
        });
    }
}

/// Does something that may read and write files, while Python's other threads go on.
fn doing<T: Send>(py: Python<'_>, what: impl FnOnce() -> Result<T, agent_team::Error> + Send) -> PyResult<T> {
    py.detach(what).map_err(|error| raised(&error))
}

fn python(py: Python<'_>, value: &impl Serialize) -> PyResult<Py<PyAny>> {
    Ok(pythonize(py, value)?.unbind())
}

#[pymethods]
impl Team {
    #[new]
    #[pyo3(signature = (folder=None, durability="power"))]
    #[expect(clippy::needless_pass_by_value, reason = "an argument of Python's is made for the call")]
    fn new(py: Python<'_>, folder: Option<PathBuf>, durability: &str) -> PyResult<Self> {
        let durability = match durability {
            "power" => Durability::Power,
            "process" => Durability::Process,
            other => {
                return Err(TeamError::new_err(format!("durability is `power` or `process`, not `{other}`")));
            }
        };
        let log = doing(py, || match &folder {
            Some(folder) => TeamLog::open_or_create(&TeamFolder::of(folder), durability),
            None => TeamLog::in_memory(),
        })?;
        let (queue, bus) = (TaskQueue::over(log.clone()), MessageBus::over(log));
        Ok(Self { queue, bus, members: Mutex::default(), is_holding: AtomicBool::new(false) })
    }

    fn add_task(&self, py: Python<'_>, by: &str, task: &Bound<'_, PyAny>) -> PyResult<String> {
        let (by, task): (AgentId, NewTask) = (parsed(by)?, depythonize(task)?);
        let added = doing(py, || self.queue.add_tasks(&by, std::slice::from_ref(&task)))?;
        Ok(added.first().map(ToString::to_string).unwrap_or_default())
    }

    fn task(&self, py: Python<'_>, id: &str) -> PyResult<Py<PyAny>> {
        let id: TaskId = parsed(id)?;
        let task = doing(py, || self.queue.get_task(&id).map(|task| self.whole(task)))?;
        python(py, &task)
    }

    fn tasks(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let tasks = doing(py, || self.queue.list_tasks())?;
        python(py, &tasks.into_iter().map(|task| self.whole(task)).collect::<Vec<_>>())
    }

    fn status(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        python(py, &doing(py, || self.queue.get_status())?)
    }

    /// The task that an agent should do now, or a certain one; nothing if there is none. With a time it waits for so long.
    #[pyo3(signature = (agent, task=None, lease_ms=None, wait_ms=None))]
    fn claim(
        &self,
        py: Python<'_>,
        agent: &str,
        task: Option<&str>,
        lease_ms: Option<u64>,
        wait_ms: Option<u64>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let agent: AgentId = parsed(agent)?;
        let holder =
            lease_ms.map(|lease_ms| Arc::new(Holder { lease_ms: Some(lease_ms), ..Holder::default() }));
        let options = ClaimOptions { task: task.map(parsed).transpose()?, holder };
        let claimed = match (wait_ms, &options.task) {
            (Some(wait_ms), _) => self.wait_for(py, &agent, &options, Duration::from_millis(wait_ms))?,
            (None, Some(_)) => Some(doing(py, || self.queue.claim(&agent, &options))?),
            (None, None) if lease_ms.is_none() => doing(py, || self.queue.claim_task(&agent))?,
            (None, None) => match py.detach(|| self.queue.claim(&agent, &options)) {
                Ok(claimed) => Some(claimed),
                Err(error) if is_nothing(&error) => None,
                Err(error) => return Err(raised(&error)),
            },
        };
        claimed.map(|claimed| self.given(py, claimed)).transpose()
    }

    fn complete(&self, py: Python<'_>, task: &str, agent: &str, token: &str, result: String) -> PyResult<()> {
        let (task, agent): (TaskId, AgentId) = (parsed(task)?, parsed(agent)?);
        let token = self.token(py, &task, &agent, token)?;
        doing(py, || self.queue.complete(token, &agent, result, None, Vec::new()))
    }

    fn fail(
        &self,
        py: Python<'_>,
        task: &str,
        agent: &str,
        token: &str,
        error: String,
        for_good: bool,
    ) -> PyResult<()> {
        let (task, agent): (TaskId, AgentId) = (parsed(task)?, parsed(agent)?);
        let token = self.token(py, &task, &agent, token)?;
        doing(py, || self.queue.fail(token, &agent, error, for_good))
    }

    fn release(&self, py: Python<'_>, task: &str, agent: &str, token: &str, reason: &str) -> PyResult<()> {
        let (task, agent): (TaskId, AgentId) = (parsed(task)?, parsed(agent)?);
        let token = self.token(py, &task, &agent, token)?;
        doing(py, || self.queue.release(token, &agent, reason))
    }

    fn renew(&self, py: Python<'_>, task: &str, agent: &str, token: &str) -> PyResult<()> {
        let (task, agent): (TaskId, AgentId) = (parsed(task)?, parsed(agent)?);
        let token = self.token(py, &task, &agent, token)?;
        doing(py, || self.queue.renew(token, &agent))
    }

    fn retry(&self, py: Python<'_>, by: &str, task: &str) -> PyResult<()> {
        let (by, task): (AgentId, TaskId) = (parsed(by)?, parsed(task)?);
        doing(py, || self.queue.retry(&by, &task))
    }

    fn cancel(&self, py: Python<'_>, by: &str, task: &str, dependents: bool) -> PyResult<()> {
        let (by, task): (AgentId, TaskId) = (parsed(by)?, parsed(task)?);
        doing(py, || self.queue.cancel(&by, &task, dependents))
    }

    fn join(&self, py: Python<'_>, member: &Bound<'_, PyAny>) -> PyResult<()> {
        let Wish { id, role, skills, plan, lead, with } = depythonize(member)?;
        doing(py, || self.queue.join(AgentJoined { skills, with, plan, lead, ..AgentJoined::new(id, role) }))
    }

    fn leave(&self, py: Python<'_>, agent: &str) -> PyResult<()> {
        let agent: AgentId = parsed(agent)?;
        doing(py, || self.queue.leave(&agent))
    }

    fn send(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<String> {
        let Letter { from, to, text, task, urgent, asks, reply_to } = depythonize(message)?;
        let to: Recipient = to.as_deref().map_or(Ok(Recipient::Everyone), parsed)?;
        let message = NewMessage { task, urgent, asks, reply_to, ..NewMessage::new(&from, to, text) };
        doing(py, || self.bus.post(message)).map(|id| id.to_string())
    }

    fn receive(&self, py: Python<'_>, agent: &str, since: u64) -> PyResult<Py<PyAny>> {
        let agent: AgentId = parsed(agent)?;
        python(py, &doing(py, || self.bus.receive(&agent, since))?)
    }

    fn inbox(&self, py: Python<'_>, agent: &str) -> PyResult<Py<PyAny>> {
        let agent: AgentId = parsed(agent)?;
        python(py, &doing(py, || self.bus.inbox(&agent))?)
    }

    /// The plans that wait to be judged, each with its task.
    fn open_plans(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let plans = doing(py, || {
            let open = self.queue.open_plans()?;
            let log = self.queue.team_log();
            let plan =
                |task: TaskId, plan: view::PlanView| Ok((task, plan.author, log.read_text(&plan.text)?));
            open.into_iter().map(|(task, waits, _)| plan(task, waits)).collect::<Result<Vec<_>, _>>()
        })?;
        python(py, &plans)
    }

    /// What somebody says to the plan that waits at a task.
    fn judge_plan(&self, py: Python<'_>, by: &str, task: &str, approve: bool, words: String) -> PyResult<()> {
        let (by, task): (AgentId, TaskId) = (parsed(by)?, parsed(task)?);
        doing(py, || self.queue.judge_plan(&by, &task, None, verdict(approve, words)))
    }

    /// What somebody says to the result that waits at a task.
    fn review(&self, py: Python<'_>, by: &str, task: &str, approve: bool, words: String) -> PyResult<()> {
        let (by, task): (AgentId, TaskId) = (parsed(by)?, parsed(task)?);
        doing(py, || agent_team::review(&self.queue, &by, &task, None, verdict(approve, words)))
    }

    /// Holds an agent up, or the whole team.
    fn pause(&self, py: Python<'_>, agent: Option<&str>, reason: &str) -> PyResult<bool> {
        let agent: Option<AgentId> = agent.map(parsed).transpose()?;
        doing(py, || self.queue.pause(&AgentId::human(), agent.as_ref(), reason))
    }

    /// Lets an agent go on, or the whole team.
    fn resume(&self, py: Python<'_>, agent: Option<&str>) -> PyResult<bool> {
        let agent: Option<AgentId> = agent.map(parsed).transpose()?;
        doing(py, || self.queue.resume(&AgentId::human(), agent.as_ref()))
    }

    /// Cuts an agent off from what it does: others may take its task.
    fn stop_agent(&self, py: Python<'_>, agent: &str, reason: &str) -> PyResult<bool> {
        let agent: AgentId = parsed(agent)?;
        doing(py, || self.queue.stop_agent(&AgentId::human(), &agent, reason))
    }

    /// All that happened, as the log has it, from the first record on.
    fn records(&self, py: Python<'_>) -> PyResult<Log> {
        let folder = self.queue.team_log().folder();
        let folder = folder.ok_or_else(|| TeamError::new_err("a team in memory has no log to read"))?;
        doing(py, || Records::open(folder)).map(|records| Log(Mutex::new(records)))
    }

    /// Lets an agent of this program work when the team is run.
    fn add_agent(&self, agent: Py<PyAny>, member: &Bound<'_, PyAny>) -> PyResult<()> {
        let wish: Wish = depythonize(member)?;
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if members.iter().any(|known| known.wish.id == wish.id) {
            return Err(TeamError::new_err(format!("there are two agents called {}", wish.id)));
        }
        members.push(Joining { wish, agent: Arc::new(agent) });
        Ok(())
    }

    /// Begins to run the team, with what `team.toml` could say of it, and calls `done` on the loop with what came of it: a
    /// report, or an exception. With a second function that is told what happens meanwhile.
    #[pyo3(signature = (on, told, config, timeout_ms=None, relay=None))]
    fn start(
        &self,
        py: Python<'_>,
        on: (Py<PyAny>, Py<PyAny>),
        told: (Py<PyAny>, Option<Py<PyAny>>),
        config: &Bound<'_, PyAny>,
        timeout_ms: Option<u64>,
        relay: Option<PathBuf>,
    ) -> PyResult<Stopper> {
        let runtime = runtime()?;
        let config: Config = depythonize(config)?;
        let ((event_loop, begin), (done, tell)) = (on, told);
        let waiting = Waiting { event_loop: event_loop.clone_ref(py), done };
        let reporter = tell.map(|tell| reporter(event_loop.clone_ref(py), tell)).unwrap_or_default();
        let on = Arc::new(EventLoop::new(event_loop, begin));
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let own = members.iter().map(|member| own(member, &on)).collect();
        drop(members);
        let surroundings = Surroundings { relay, ..Surroundings::of(std::env::vars_os()) };
        let assembled = doing(py, || {
            let log = self.queue.team_log();
            assemble_with(log, &config, own, &surroundings, reporter)
        })?;
        let team = assembled.team;
        let stop = team.stop();
        let timeout = timeout_ms.map(Duration::from_millis).or(config.timeout);
        runtime.spawn(async move {
            let report = team.run(timeout).await;
            drop(team);
            waiting.tell(&report);
        });
        Ok(Stopper(Stopped::Run(stop)))
    }

    /// Lets one agent work by itself, until no work will come or it has done so many tasks; `done` is called with how many.
    fn work(
        &self,
        py: Python<'_>,
        on: (Py<PyAny>, Py<PyAny>),
        done: Py<PyAny>,
        agent: Py<PyAny>,
        member: &Bound<'_, PyAny>,
        max_iterations: Option<u64>,
    ) -> PyResult<Stopper> {
        let runtime = runtime()?;
        let Wish { id, role, .. } = depythonize(member)?;
        let (event_loop, begin) = on;
        let waiting = Waiting { event_loop: event_loop.clone_ref(py), done };
        let on = Arc::new(EventLoop::new(event_loop, begin));
        let agent = Arc::new(Member { agent: Arc::new(agent), event_loop: on });
        let worker = Teammate::new(id, role, self.queue.clone(), self.bus.clone(), agent);
        let works = worker.clone();
        runtime.spawn(async move { waiting.tell(&works.run_loop(max_iterations).await) });
        Ok(Stopper(Stopped::Agent(Box::new(worker))))
    }
}

impl Team {
    /// The task with all its texts in full.
    fn whole(&self, task: view::TaskView) -> view::TaskView {
        let log = self.queue.team_log();
        with_texts(task, |text| log.read_text(text).unwrap_or_else(|_| text.preview().into_owned()))
    }

    fn given(&self, py: Python<'_>, claimed: Claimed) -> PyResult<Py<PyAny>> {
        if !self.is_holding.swap(true, Ordering::Relaxed) {
            HOLDING.lock().unwrap_or_else(PoisonError::into_inner).push(self.queue.clone());
        }
        let Claimed { token, task } = claimed;
        python(py, &Claimed { token, task: self.whole(task) })
    }

    /// The token that was given, or that of the task that the agent claimed by this team.
    fn token(&self, py: Python<'_>, task: &TaskId, agent: &AgentId, token: &str) -> PyResult<RecordId> {
        match token {
            "" => doing(py, || self.queue.token_of(task, agent)),
            token => parsed(token),
        }
    }

    fn wait_for(
        &self,
        py: Python<'_>,
        agent: &AgentId,
        options: &ClaimOptions,
        limit: Duration,
    ) -> PyResult<Option<Claimed>> {
        let runtime = runtime()?;
        let over = std::time::Instant::now() + limit;
        loop {
            let left = over.saturating_duration_since(std::time::Instant::now());
            let wait = async {
                let over = tokio::time::sleep(left.min(LOOK_EVERY));
                self.queue.claim_until(agent, options, over).await
            };
            match doing(py, || runtime.block_on(wait))? {
                Waited::Claimed(claimed) => return Ok(Some(*claimed)),
                Waited::NothingEver(_) => return Ok(None),
                Waited::TimedOut => py.check_signals()?,
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }
}

/// The log of a team, read record by record.
#[pyclass(frozen)]
pub struct Log(Mutex<Records>);

#[pymethods]
impl Log {
    /// The next records, each as a JSON object with its place, its fate and why; none if there are no more for now.
    fn read(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let records = doing(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).read())?;
        let told = records.into_iter().map(|record| {
            json!({
                "seq": record.seq,
                "id": record.id.map(|id| id.to_string()),
                "at_ms": record.at_ms,
                "by": record.by,
                "kind": record.kind,
                "task": record.task,
                "summary": record.summary,
                "fate": record.fate.as_str(),
                "reason": record.fate.reason(),
                "json": record.json,
            })
        });
        python(py, &told.collect::<Vec<_>>())
    }

    /// Waits until there are more, for so long at most; says whether there are.
    fn wait(&self, py: Python<'_>, timeout_ms: u64) -> PyResult<bool> {
        let timeout = Duration::from_millis(timeout_ms);
        doing(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).wait(timeout))
    }
}

/// Whether it only says that there is nothing to claim.
fn is_nothing(error: &agent_team::Error) -> bool {
    use agent_team::Refusal::{NothingEver, NothingNow};
    matches!(error.refusal(), Some(NothingNow { .. } | NothingEver { .. }))
}

fn verdict(approve: bool, words: String) -> Verdict {
    if approve { Verdict::Approved(words) } else { Verdict::ChangesRequested(words) }
}

/// Tells what happens on the loop, as it happens.
fn reporter(event_loop: Py<PyAny>, tell: Py<PyAny>) -> Reporter {
    Reporter::to(move |progress| {
        let _ = attached(|py| {
            // Nobody hears on a loop that is closed.
            let told = python(py, &progress)?;
            event_loop.call_method1(py, "call_soon_threadsafe", (&tell, told))
        });
    })
}

fn own(member: &Joining, event_loop: &Arc<EventLoop>) -> OwnAgent {
    let Wish { id, role, skills, plan, lead, .. } = member.wish.clone();
    let agent = Arc::new(Member { agent: member.agent.clone(), event_loop: event_loop.clone() });
    OwnAgent { id, role, skills, plan, lead, agent }
}
