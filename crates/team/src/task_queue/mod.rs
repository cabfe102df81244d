//! The task queue: add, claim, complete, fail. A claim is atomic across processes and survives crashes.

mod claim;
mod hand_in;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, Refusal, decide};
use agent_team_core::record::{Bounds, Holder, TaskSpec};
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
        self.add(
            by,
            tasks,
            |tasks, limits| Command::AddTasks { tasks, batch: new_id(), limits },
            |command| self.team_log.submit(by, command).map(|_| ()),
        )
    }

    /// Adds several tasks in the place of one, all or nothing: what waits for that one waits for all of them instead, and
    /// it is cancelled. A merge of it that is under way is fenced off first.
    ///
    /// # Errors
    /// A refusal as for [`add_tasks`](Self::add_tasks), or when the task is completed.
    pub fn replace_task(&self, by: &AgentId, task: &TaskId, tasks: &[NewTask]) -> Result<Vec<TaskId>, Error> {
        self.replace_task_leaving(by, task, tasks, None)
    }

    /// The same, and the budget of the task is so much from then on.
    pub(crate) fn replace_task_leaving(
        &self,
        by: &AgentId,
        task: &TaskId,
        tasks: &[NewTask],
        budget: Option<Bounds>,
    ) -> Result<Vec<TaskId>, Error> {
        if tasks.is_empty() {
            return Err(Error::Input(format!("no task to take the place of {task}: cancel it instead")));
        }
        let replaces = |tasks, mut limits: Vec<(TaskId, Bounds)>| {
            limits.extend(budget.map(|budget| (task.clone(), budget)));
            Command::ReplaceTask { task: task.clone(), tasks, batch: new_id(), limits, fenced: None }
        };
        self.add(by, tasks, replaces, |command| {
            let with = |fenced| match command.clone() {
                Command::ReplaceTask { task, tasks, batch, limits, .. } => {
                    Command::ReplaceTask { task, tasks, batch, limits, fenced }
                }
                other => other,
            };
            self.ended(by, task, with)
        })
    }

    /// Adds tasks by a command that is made of them.
    pub(crate) fn add(
        &self,
        by: &AgentId,
        tasks: &[NewTask],
        command: impl Fn(Vec<TaskSpec>, Vec<(TaskId, Bounds)>) -> Command,
        submit: impl Fn(&Command) -> Result<(), Error>,
    ) -> Result<Vec<TaskId>, Error> {
        let mut is_asked = false;
        loop {
            let (ids, generated) = self.ids_for(tasks)?;
            let with_ids = tasks.iter().zip(&ids);
            let specs: Result<Vec<TaskSpec>, Error> =
                with_ids.map(|(task, id)| task.spec(&self.team_log, id.clone())).collect();
            let with_budget = tasks.iter().zip(&ids).filter(|(task, _)| !task.budget.is_empty());
            let limits = with_budget.map(|(task, id)| (id.clone(), task.budget.bounds())).collect();
            let command = command(specs?, limits);
            // Nobody is asked about what cannot be added anyway, nor again because of another generated id: a hook that
            // adds a task itself takes one each time.
            match self.team_log.look(|state| decide(state, &command, now_ms()).map(|_| ()))? {
                // A merge is fenced off when it comes to that.
                Ok(()) | Err(Refusal::MergeUnderWay { .. }) => {}
                Err(refused) => return Err(refused.into()),
            }
            if !is_asked {
                hooks::may_add(&self.team_log, by, ids.iter().zip(tasks))?;
                is_asked = true;
            }
            match refusal(submit(&command))? {
                Ok(()) => return Ok(ids),
                // Somebody took a generated id in the meantime: there are more of them.
                Err(Refusal::IdTaken { task }) if generated.contains(&task) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
    }

    /// Whether tasks could be added as they are now, and as what.
    ///
    /// # Errors
    /// As [`add_tasks`](Self::add_tasks).
    pub(crate) fn check_tasks(&self, tasks: &[NewTask]) -> Result<Vec<TaskSpec>, Error> {
        let specs = self.specs(tasks)?;
        let command = Command::AddTasks { tasks: specs.clone(), batch: new_id(), limits: Vec::new() };
        self.team_log.look(|state| decide(state, &command, now_ms()).map(|_| ()))??;
        Ok(specs)
    }

    /// Tasks as they would be added, whether or not they can be.
    pub(crate) fn specs(&self, tasks: &[NewTask]) -> Result<Vec<TaskSpec>, Error> {
        let (ids, _) = self.ids_for(tasks)?;
        tasks.iter().zip(ids).map(|(task, id)| task.spec(&self.team_log, id)).collect()
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
        self.ended(by, task, |fenced| Command::CancelTask { task: task.clone(), dependents, fenced })
    }

    /// Submits a command that ends a task. Merges under way are fenced off first.
    fn ended(
        &self,
        by: &AgentId,
        task: &TaskId,
        command: impl Fn(Option<RecordId>) -> Command,
    ) -> Result<(), Error> {
        // Parts of a delegated task that are about to be merged are fenced off one by one, and cancelled first.
        let in_the_way = |refused: &Refusal| match refused {
            Refusal::MergeUnderWay { task: part, .. } if part != task => Some(part.clone()),
            _ => None,
        };
        loop {
            let refused = match refusal(fenced_off(&self.team_log, by, task, &command))? {
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

#[cfg(test)]
mod tests {
    use agent_team_core::machine::State;

    use super::*;
    use crate::Status;

    fn id(name: &str) -> TaskId {
        name.parse().unwrap()
    }

    /// A queue in which `d1` and `d2` wait for `p`.
    fn two_wait_for_one() -> TaskQueue {
        let queue = TaskQueue::in_memory().unwrap();
        let waits = |name: &str| NewTask::new(name).id(name).after("p");
        queue.add_tasks(&AgentId::human(), &[NewTask::new("p").id("p"), waits("d1"), waits("d2")]).unwrap();
        queue
    }

    fn two_instead() -> [NewTask; 2] {
        [NewTask::new("P2").id("p2"), NewTask::new("P3").id("p3").after("p2")]
    }

    #[test]
    fn what_waits_for_a_replaced_task_waits_for_those_in_its_place_unless_it_has_ended() {
        let (queue, human) = (two_wait_for_one(), AgentId::human());
        queue.cancel(&human, &id("d1"), false).unwrap();

        queue.replace_task(&human, &id("p"), &two_instead()).unwrap();

        assert_eq!(queue.get_task(&id("d2")).unwrap().after, [id("p2"), id("p3")]);
        assert_eq!(queue.get_task(&id("d1")).unwrap().after, [id("p")]);
        assert_eq!(queue.get_task(&id("p")).unwrap().status, Status::Cancelled);
    }

    #[test]
    fn a_task_is_replaced_wholly_or_not_at_all() {
        let (queue, human) = (two_wait_for_one(), AgentId::human());
        let records = || queue.team_log().look(State::records).unwrap();
        let before = records();
        let refused = |tasks: &[NewTask]| {
            let error = queue.replace_task(&human, &id("p"), tasks).unwrap_err();
            error.refusal().unwrap().clone()
        };
        let waits_for_d2 = NewTask::new("P3").id("p3").after("d2");
        let circle = [NewTask::new("P2").id("p2").after("p3"), waits_for_d2];
        assert!(matches!(refused(&circle), Refusal::Cycle { .. }));
        let waits_for_itself = [NewTask::new("P2").id("p2").after("p")];
        assert!(matches!(refused(&waits_for_itself), Refusal::BadTask { .. }));
        let taken = [NewTask::new("P2").id("p2"), NewTask::new("D1 anew").id("d1")];
        assert!(matches!(refused(&taken), Refusal::IdTaken { .. }));
        assert_eq!(records(), before, "nothing is left behind");

        let worker = "worker-1".parse().unwrap();
        queue.claim_task(&worker).unwrap().unwrap();
        queue.complete_task(&id("p"), &worker, "done").unwrap();
        let before = records();
        assert!(matches!(refused(&two_instead()), Refusal::WrongStatus { .. }), "it is done");
        assert_eq!(records(), before);
    }

    #[test]
    fn a_replacement_that_was_overtaken_in_part_is_finished() {
        let (queue, human) = (two_wait_for_one(), AgentId::human());
        queue.add_tasks(&human, &two_instead()).unwrap();
        queue.cancel(&human, &id("p"), false).unwrap();
        let replace = || queue.replace_task(&human, &id("p"), &two_instead());
        replace().unwrap();
        for waiting in ["d1", "d2"] {
            assert_eq!(queue.get_task(&id(waiting)).unwrap().after, [id("p2"), id("p3")]);
        }
        assert!(replace().is_err(), "there is nothing left to do");
    }

    #[test]
    fn a_budget_that_was_divided_before_a_replacement_was_overtaken_is_not_divided_again() {
        let (queue, human) = (two_wait_for_one(), AgentId::human());
        let with = |turns| {
            let budget = crate::TaskBudget { turns: Some(turns), ..crate::TaskBudget::default() };
            two_instead().map(|task| NewTask { budget, ..task })
        };
        let left = |turns| Some(Bounds { calls: Some(turns), ..Bounds::default() });
        let turns_of = |task: &str| {
            let account = crate::Account::Task(id(task));
            queue.team_log().look(|state| state.ledger().limit(&account).bounds.calls).unwrap()
        };
        queue.add_tasks(&human, &with(4)).unwrap();
        // Of 9, 8 were divided, and whoever does it again finds nothing to divide.
        queue.set_budget(&human, &crate::Account::Task(id("p")), left(1).unwrap()).unwrap();
        queue.replace_task_leaving(&human, &id("p"), &with(0), left(1)).unwrap();
        assert_eq!(["p", "p2", "p3"].map(turns_of), [Some(1), Some(4), Some(4)]);
        assert_eq!(queue.get_task(&id("p")).unwrap().status, Status::Cancelled);
    }
}
