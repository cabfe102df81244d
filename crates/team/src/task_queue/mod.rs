//! The task queue: add, claim, complete, fail. A claim is atomic across processes and survives crashes.

mod claim;
mod hand_in;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, Refusal, decide};
use agent_team_core::record::{Holder, TaskSpec};
use tokio::time::Instant;

pub use self::claim::{ClaimOptions, Claimed, Waited};
pub(crate) use self::claim::{process_id, prospect};
use crate::Error;
use crate::folder::TeamFolder;
use crate::hooks;
use crate::new_task::NewTask;
use crate::outside::{new_id, now_ms};
use crate::steering::fenced_off;
use crate::team_log::{Durability, TeamLog, refusal};

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

    /// Gives a failed or cancelled task new attempts.
    ///
    /// # Errors
    /// A refusal when it is neither.
    pub fn retry(&self, by: &AgentId, task: &TaskId) -> Result<(), Error> {
        self.team_log.submit(by, &Command::RetryTask { task: task.clone() })?;
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
}
