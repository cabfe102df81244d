//! A team, as Python's classes `AgentTeam`, `TaskQueue` and `MessageBus` see it: opening it, its members, running it. What else
//! it can do stands beside this file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_team::command::sweep_with;
use agent_team::{
    AgentId, AgentJoined, Durability, MessageBus, OwnAgent, Progress, Records, Reporter, Role, Skill,
    Surroundings, TaskQueue, Teammate, assemble_with,
};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pythonize::{Depythonizer, pythonize};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::beside::{Stopped, Stopper};
use crate::configured::{Configured, Wanted};
use crate::error::{TeamError, hinted, raised};
use crate::line::{Line, Sender};
use crate::log::Log;
use crate::member::Member;
use crate::opened::Opened;
use crate::process::runtime;

/// One team: its tasks, its messages, its members.
#[pyclass(frozen, module = "agent_team._native")]
pub struct Team {
    queue: TaskQueue,
    bus: MessageBus,
    members: Mutex<Vec<Joining>>,
    pub opened: Arc<Opened>,
    /// The process that opened it.
    process: u32,
}

/// An agent of this program that works when the team is run.
struct Joining {
    wish: Wish,
    agent: Arc<Py<PyAny>>,
}

/// What is said of a member.
#[derive(Clone, Deserialize)]
pub struct Wish {
    pub id: AgentId,
    pub role: Role,
    #[serde(default)]
    pub skills: Vec<Skill>,
    #[serde(default)]
    pub plan: bool,
    #[serde(default)]
    pub lead: Option<AgentId>,
    #[serde(default)]
    pub with: Option<String>,
}

/// Does something that may read and write files, while Python's other threads go on.
pub fn doing<T: Send>(
    py: Python<'_>,
    what: impl FnOnce() -> Result<T, agent_team::Error> + Send,
) -> PyResult<T> {
    py.detach(what).map_err(|error| raised(&error))
}

/// A value as Python has it.
pub fn python(py: Python<'_>, value: &impl Serialize) -> PyResult<Py<PyAny>> {
    Ok(pythonize(py, value)?.unbind())
}

/// A value that Python has said.
pub fn read<T: DeserializeOwned>(value: &Bound<'_, PyAny>) -> PyResult<T> {
    // What is wrong is said of the field that it is wrong with.
    serde_path_to_error::deserialize(&mut Depythonizer::from_object(value)).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.into_inner().to_string());
        let place = if path == "." || error.contains(&format!("`{path}`")) {
            String::new()
        } else {
            format!("{path}: ")
        };
        TeamError::new_err(place + &error)
    })
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
        let opened = doing(py, || match &folder {
            // The program may go elsewhere later.
            Some(folder) => Opened::at(&absolute(folder)?, durability),
            None => Opened::in_memory(),
        })?;
        let (queue, bus) = (TaskQueue::over(opened.log.clone()), MessageBus::over(opened.log.clone()));
        Ok(Self { queue, bus, members: Mutex::default(), opened, process: std::process::id() })
    }

    /// Python's collector finds teams whose agents know them. Those whose agents work are in use.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(members) = self.members.try_lock() else { return Ok(()) };
        let idle = members.iter().filter(|member| Arc::strong_count(&member.agent) == 1);
        idle.map(|member| &*member.agent).try_for_each(|agent| visit.call(agent))
    }

    fn __clear__(&self) {
        if let Ok(mut members) = self.members.try_lock() {
            members.clear();
        }
    }

    /// The folder in which it is, if it is in one, and how durable its log is: what another process needs to open it.
    fn place(&self) -> (Option<PathBuf>, &'static str) {
        let folder = self.queue.team_log().folder().map(|folder| folder.workspace().to_owned());
        (folder, if self.opened.is_power { "power" } else { "process" })
    }

    /// Whether it was opened by this process, and not by one that this was forked from.
    fn is_ours(&self) -> bool {
        self.is_at_home().is_ok()
    }

    /// All that happened, as the log has it, from the first record on.
    fn records(&self, py: Python<'_>) -> PyResult<Log> {
        let folder = self.queue()?.team_log().folder();
        let folder = folder.ok_or_else(|| TeamError::new_err("a team in memory has no log to read"))?;
        doing(py, || Records::open(folder)).map(|records| Log(Mutex::new(records)))
    }

    /// Lets an agent of this program work when the team is run.
    fn add_agent(&self, agent: Py<PyAny>, member: &Bound<'_, PyAny>) -> PyResult<()> {
        let wish: Wish = read(member)?;
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if members.iter().any(|known| known.wish.id == wish.id) {
            return Err(TeamError::new_err(format!("there are two agents called {}", wish.id)));
        }
        members.push(Joining { wish, agent: Arc::new(agent) });
        Ok(())
    }

    /// Begins to run the team, with what is wanted of it, and calls `done` on the loop with what came of it: a report, or an
    /// exception. With a second function that is told what happens meanwhile, or what goes wrong alone.
    #[pyo3(signature = (line, told, wanted, limits_ms, relay=None))]
    fn start(
        &self,
        py: Python<'_>,
        line: &Line,
        told: (Py<PyAny>, Option<Py<PyAny>>, bool),
        wanted: &Bound<'_, PyAny>,
        limits_ms: (Option<u64>, Option<u64>),
        relay: Option<PathBuf>,
    ) -> PyResult<Stopper> {
        let (runtime, queue) = (runtime()?, self.queue()?);
        // How long it may take, and how long turns under way have after that.
        let (timeout_ms, grace_ms) = limits_ms;
        let running = self.opened.running().ok_or_else(|| {
            let words = "this team is being run already, by this process".to_owned();
            hinted(words, "wait for that run, or stop it")
        })?;
        let configured = Configured::of(read::<Wanted>(wanted)?)?;
        let ((done, hears, hears_all), line) = (told, line.sender());
        let reporter = hears.map(|hears| reporter(line.clone(), hears, hears_all)).unwrap_or_default();
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let own: Vec<OwnAgent> = members.iter().map(|member| own(member, &line)).collect();
        drop(members);
        let surroundings = Surroundings::of(std::env::vars_os());
        let trust = configured.trusted(queue.team_log(), !own.is_empty(), &surroundings)?;
        if let Some(command) = &relay {
            sweep_with(command);
        }
        let surroundings = Surroundings { relay, trust, ..surroundings };
        let config = &configured.config;
        let assembled = doing(py, || assemble_with(queue.team_log(), config, own, &surroundings, reporter))?;
        configured.agreed(&assembled.paid_models, self.is_limited(py)?, surroundings.trust.as_ref())?;
        let mut team = assembled.team;
        if let Some(grace_ms) = grace_ms {
            team.grace(Duration::from_millis(grace_ms));
        }
        let stop = team.stop();
        let timeout = timeout_ms.map(Duration::from_millis).or(config.timeout);
        runtime.spawn(async move {
            let report = team.run(timeout).await;
            drop((team, running));
            line.tell(done, report);
        });
        Ok(Stopper(Stopped::Run(stop)))
    }

    /// Lets one agent work by itself, until no work will come or it has done so many tasks; `done` is called with how many. It is a
    /// member of the team meanwhile.
    fn work(
        &self,
        py: Python<'_>,
        line: &Line,
        done: Py<PyAny>,
        agent: Py<PyAny>,
        member: &Bound<'_, PyAny>,
        max_iterations: Option<u64>,
    ) -> PyResult<Stopper> {
        let (runtime, queue) = (runtime()?, self.queue()?);
        let Wish { id, role, skills, plan, lead, with } = read(member)?;
        let line = line.sender();
        let agent = member_of(Arc::new(agent), &line, with.clone());
        let was_there = doing(py, || {
            let was_there = queue.team_log().look(|state| state.is_member(&id))?;
            queue.join(AgentJoined { skills, with, plan, lead, ..AgentJoined::new(id.clone(), role) })?;
            Ok(was_there)
        })?;
        let worker = Teammate::new(id.clone(), role, queue.clone(), self.bus.clone(), agent);
        let (works, queue) = (worker.clone(), queue.clone());
        runtime.spawn(async move {
            let mut done_so_far = works.run_loop(max_iterations).await;
            if !was_there {
                // Whoever has left meanwhile need not leave.
                let left = queue.leave(&id);
                if let Err(error) = left.or_else(|error| error.refusal().map(drop).ok_or(error)) {
                    done_so_far = done_so_far.and(Err(error));
                }
            }
            line.tell(done, done_so_far);
        });
        Ok(Stopper(Stopped::Agent(Box::new(worker))))
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        // What a fork drops is a copy.
        if self.is_at_home().is_ok() {
            self.opened.let_go();
        }
    }
}

impl Team {
    /// Its tasks, in the process that opened it.
    pub fn queue(&self) -> PyResult<&TaskQueue> {
        self.is_at_home().map(|()| &self.queue)
    }

    /// Its messages, in the process that opened it.
    pub fn bus(&self) -> PyResult<&MessageBus> {
        self.is_at_home().map(|()| &self.bus)
    }

    /// Its claims are those of the process that opened it, whoever else has a copy of its memory.
    fn is_at_home(&self) -> PyResult<()> {
        match self.process == std::process::id() {
            true => Ok(()),
            false => Err(hinted(
                "this team was opened by the process that this one was forked from".to_owned(),
                "open it anew here: a process has its own claims",
            )),
        }
    }
}

fn absolute(folder: &Path) -> Result<PathBuf, agent_team::Error> {
    let wrong = |error| agent_team::Error::Input(format!("{}: {error}", folder.display()));
    std::path::absolute(folder).map_err(wrong)
}

fn own(member: &Joining, line: &Sender) -> OwnAgent {
    let Wish { id, role, skills, plan, lead, with } = member.wish.clone();
    OwnAgent { id, role, skills, plan, lead, agent: member_of(member.agent.clone(), line, with) }
}

fn member_of(agent: Arc<Py<PyAny>>, line: &Sender, with: Option<String>) -> Arc<Member> {
    let with = with.unwrap_or_else(|| "python".to_owned());
    Arc::new(Member { agent, line: line.clone(), with })
}

/// Tells what happens on the loop, as it happens: all of it, or what went wrong alone.
fn reporter(line: Sender, hears: Py<PyAny>, hears_all: bool) -> Reporter {
    let hears = Arc::new(hears);
    Reporter::to(move |progress| {
        let went_wrong = match &progress {
            Progress::Failed { .. } | Progress::Refused { .. } | Progress::Checked { passed: false, .. } => {
                true
            }
            Progress::Note(text) => text.starts_with("ERROR") || text.starts_with("WARNING"),
            _ => false,
        };
        if hears_all || went_wrong {
            line.hear(&hears, progress);
        }
    })
}
