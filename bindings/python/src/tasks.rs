//! The tasks: adding, claiming, delivering, changing them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_team::{
    AgentId, ClaimOptions, Claimed, Holder, NewTask, RecordId, TaskChange, TaskGraph, TaskId, TaskQueue,
    Waited, view, with_texts,
};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use crate::beside::{Stopper, wait_beside};
use crate::checks;
use crate::error::{parsed, raised};
use crate::graph::Graph;
use crate::line::Line;
use crate::process::runtime;
use crate::team::{Team, doing, python, read};

/// How often a wait that blocks looks whether somebody pressed Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is to change of a task; what is not said stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    title: Option<String>,
    description: Option<String>,
    priority: Option<i32>,
    allow_protected: Option<bool>,
    after: Option<Vec<TaskId>>,
}

#[pymethods]
impl Team {
    /// Adds tasks, all of them or none.
    fn add_tasks(&self, py: Python<'_>, by: &str, tasks: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
        let (by, tasks): (AgentId, Vec<NewTask>) = (parsed(by)?, read(tasks)?);
        let queue = self.queue()?;
        Ok(named(&doing(py, || queue.add_tasks(&by, &tasks))?))
    }

    /// Puts tasks into the place of one.
    fn replace(
        &self,
        py: Python<'_>,
        by: &str,
        task: &str,
        tasks: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<String>> {
        let (by, task): (AgentId, TaskId) = (parsed(by)?, parsed(task)?);
        let (tasks, queue): (Vec<NewTask>, _) = (read(tasks)?, self.queue()?);
        Ok(named(&doing(py, || queue.replace_task(&by, &task, &tasks))?))
    }

    fn task(&self, py: Python<'_>, id: &str) -> PyResult<Py<PyAny>> {
        let (id, queue): (TaskId, _) = (parsed(id)?, self.queue()?);
        let task = doing(py, || queue.get_task(&id).map(|task| whole(queue, task)))?;
        python(py, &task)
    }

    fn tasks(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let queue = self.queue()?;
        let tasks = doing(py, || queue.list_tasks())?;
        python(py, &tasks.into_iter().map(|task| whole(queue, task)).collect::<Vec<_>>())
    }

    /// The tasks and what they wait for, as they are now.
    fn graph(&self, py: Python<'_>) -> PyResult<Graph> {
        let queue = self.queue()?;
        doing(py, || Ok(Graph(TaskGraph::of(&queue.list_tasks()?))))
    }

    fn status(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let queue = self.queue()?;
        python(py, &doing(py, || queue.get_status())?)
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
        let (agent, queue): (AgentId, _) = (parsed(agent)?, self.queue()?);
        let options = options(task, lease_ms)?;
        self.opened.hold();
        let claimed = match wait_ms {
            Some(wait_ms) => wait_for(py, queue, &agent, &options, Duration::from_millis(wait_ms))?,
            None => match py.detach(|| queue.claim(&agent, &options)) {
                Ok(claimed) => Some(claimed),
                Err(error) if is_nothing(&error) && options.task.is_none() => None,
                Err(error) => return Err(raised(&error)),
            },
        };
        claimed.map(|claimed| python(py, &given(queue, claimed))).transpose()
    }

    /// The same beside Python: waits until there is one, or none will come, and calls `done` with it or nothing.
    #[pyo3(signature = (line, done, agent, task=None, lease_ms=None, wait_ms=None))]
    fn claim_when_ready(
        &self,
        line: &Line,
        done: Py<PyAny>,
        agent: &str,
        task: Option<&str>,
        lease_ms: Option<u64>,
        wait_ms: Option<u64>,
    ) -> PyResult<Stopper> {
        let (agent, queue): (AgentId, _) = (parsed(agent)?, self.queue()?.clone());
        let options = options(task, lease_ms)?;
        self.opened.hold();
        wait_beside(line, done, move |stopped| async move {
            let limit = async {
                match wait_ms {
                    Some(wait_ms) => sleep(Duration::from_millis(wait_ms)).await,
                    None => std::future::pending().await,
                }
            };
            let over = async {
                tokio::select! {
                    () = limit => {}
                    () = stopped.notified() => {}
                }
            };
            Ok(match queue.claim_until(&agent, &options, over).await? {
                Waited::Claimed(claimed) => Some(given(&queue, *claimed)),
                Waited::NothingEver(_) | Waited::TimedOut => None,
            })
        })
    }

    /// Delivers a result, and gives the task as it is then.
    fn complete(
        &self,
        py: Python<'_>,
        task: &str,
        agent: &str,
        token: &str,
        result: String,
        is_confined: bool,
    ) -> PyResult<Py<PyAny>> {
        let (task, agent): (TaskId, AgentId) = (parsed(task)?, parsed(agent)?);
        let (token, queue) = (self.token(py, &task, &agent, token)?, self.queue()?);
        if doing(py, || queue.get_task(&task))?.check.is_some() {
            checks::can_be_run(py, queue, is_confined)?;
        }
        let delivered = doing(py, || {
            queue.complete(token, &agent, result, None, Vec::new())?;
            queue.get_task(&task).map(|task| whole(queue, task))
        })?;
        python(py, &delivered)
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
        let (token, queue) = (self.token(py, &task, &agent, token)?, self.queue()?);
        doing(py, || queue.fail(token, &agent, error, for_good))
    }

    fn release(&self, py: Python<'_>, task: &str, agent: &str, token: &str, reason: &str) -> PyResult<()> {
        let (task, agent): (TaskId, AgentId) = (parsed(task)?, parsed(agent)?);
        let (token, queue) = (self.token(py, &task, &agent, token)?, self.queue()?);
        doing(py, || queue.release(token, &agent, reason))
    }

    fn renew(&self, py: Python<'_>, task: &str, agent: &str, token: &str) -> PyResult<()> {
        let (task, agent): (TaskId, AgentId) = (parsed(task)?, parsed(agent)?);
        let (token, queue) = (self.token(py, &task, &agent, token)?, self.queue()?);
        doing(py, || queue.renew(token, &agent))
    }

    fn retry(&self, py: Python<'_>, by: &str, task: &str) -> PyResult<()> {
        let (by, task, queue): (AgentId, TaskId, _) = (parsed(by)?, parsed(task)?, self.queue()?);
        doing(py, || queue.retry(&by, &task))
    }

    fn cancel(&self, py: Python<'_>, by: &str, task: &str, dependents: bool) -> PyResult<()> {
        let (by, task, queue): (AgentId, TaskId, _) = (parsed(by)?, parsed(task)?, self.queue()?);
        doing(py, || queue.cancel(&by, &task, dependents))
    }

    /// Changes a task's words, its priority, or what it waits for.
    fn edit(&self, py: Python<'_>, by: &str, task: &str, change: &Bound<'_, PyAny>) -> PyResult<()> {
        let (by, task, queue): (AgentId, TaskId, _) = (parsed(by)?, parsed(task)?, self.queue()?);
        let Change { title, description, priority, allow_protected, after } = read(change)?;
        doing(py, || {
            let description = description.map(|text| queue.team_log().text(text)).transpose()?;
            queue.edit(&by, &task, TaskChange { title, description, priority, allow_protected, after })
        })
    }

    /// Gives a task to an agent, or to anyone.
    #[pyo3(signature = (by, task, agent=None))]
    fn reassign(&self, py: Python<'_>, by: &str, task: &str, agent: Option<&str>) -> PyResult<()> {
        let (by, task): (AgentId, TaskId) = (parsed(by)?, parsed(task)?);
        let (agent, queue): (Option<AgentId>, _) = (agent.map(parsed).transpose()?, self.queue()?);
        doing(py, || queue.reassign(&by, &task, agent.as_ref()))
    }

    /// Says which files a holder works on, or that they are free again.
    #[expect(clippy::needless_pass_by_value, reason = "an argument of Python's is made for the call")]
    fn reserve_files(
        &self,
        py: Python<'_>,
        task: &str,
        agent: &str,
        token: &str,
        paths: Vec<String>,
        are_free: bool,
    ) -> PyResult<()> {
        let (task, agent): (TaskId, AgentId) = (parsed(task)?, parsed(agent)?);
        let (token, queue) = (self.token(py, &task, &agent, token)?, self.queue()?);
        doing(py, || match are_free {
            true => queue.release_files(token, &agent, &paths),
            false => queue.reserve_files(token, &agent, &paths),
        })
    }

    /// Who works on which files.
    fn reservations(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let queue = self.queue()?;
        let files = doing(py, || queue.reservations())?;
        let told = files.iter();
        let told = told.map(|file| json!({ "path": file.path, "agent": file.agent, "token": file.claim }));
        python(py, &told.collect::<Vec<_>>())
    }
}

impl Team {
    /// The token that was given, or that of the task that the agent claimed by this team.
    pub fn token(&self, py: Python<'_>, task: &TaskId, agent: &AgentId, token: &str) -> PyResult<RecordId> {
        let queue = self.queue()?;
        match token {
            "" => doing(py, || queue.token_of(task, agent)),
            token => parsed(token),
        }
    }
}

fn options(task: Option<&str>, lease_ms: Option<u64>) -> PyResult<ClaimOptions> {
    let holder = lease_ms.map(|lease_ms| Arc::new(Holder { lease_ms: Some(lease_ms), ..Holder::default() }));
    Ok(ClaimOptions { task: task.map(parsed).transpose()?, holder })
}

/// Waits for a task, in this thread.
fn wait_for(
    py: Python<'_>,
    queue: &TaskQueue,
    agent: &AgentId,
    options: &ClaimOptions,
    limit: Duration,
) -> PyResult<Option<Claimed>> {
    let runtime = runtime()?;
    let over = Instant::now() + limit;
    loop {
        let left = over.saturating_duration_since(Instant::now());
        let wait = async {
            let over = sleep(left.min(LOOK_EVERY));
            queue.claim_until(agent, options, over).await
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

/// What was claimed, with all its texts in full.
fn given(queue: &TaskQueue, claimed: Claimed) -> Claimed {
    let Claimed { token, task } = claimed;
    Claimed { token, task: whole(queue, task) }
}

/// The task with all its texts in full.
fn whole(queue: &TaskQueue, task: view::TaskView) -> view::TaskView {
    let log = queue.team_log();
    with_texts(task, |text| log.read_text(text).unwrap_or_else(|_| text.preview().into_owned()))
}

/// Whether it only says that there is nothing to claim.
fn is_nothing(error: &agent_team::Error) -> bool {
    use agent_team::Refusal::{NothingEver, NothingNow};
    matches!(error.refusal(), Some(NothingNow { .. } | NothingEver { .. }))
}

fn named(tasks: &[TaskId]) -> Vec<String> {
    tasks.iter().map(ToString::to_string).collect()
}
