//! What can be seen of a team's tasks, now and as they change.

use agent_team_core::machine::{Refusal, State, Status, Task};
use agent_team_core::record::Stage;
use agent_team_core::view::{StatusView, TaskView, Waiting, status, task as task_view, waits_for};
use futures::stream::{self, Stream};

use crate::agent_state::is_run;
use crate::{Error, TaskId, TaskQueue};

impl TaskQueue {
    /// The team at a glance. Who is gone is found out by [`Observer`](crate::Observer), and not here.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn get_status(&self) -> Result<StatusView, Error> {
        self.team_log().look(status)
    }

    /// The team at a glance, now and whenever something has changed. Ends after an error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use agent_team::TaskQueue;
    /// use futures::StreamExt;
    ///
    /// let queue = TaskQueue::in_memory()?;
    /// let mut changes = std::pin::pin!(queue.status_stream());
    /// assert_eq!(changes.next().await.ok_or("it ended")??.counts.total, 0);
    /// queue.add_task("Say hello")?;
    /// assert_eq!(changes.next().await.ok_or("it ended")??.counts.total, 1);
    /// # Ok(()) }
    /// ```
    pub fn status_stream(&self) -> impl Stream<Item = Result<StatusView, Error>> + Send + use<> {
        stream::unfold(Some((self.clone(), None)), |state| async move {
            let (queue, seen) = state?;
            if let Some(seen) = seen
                && let Err(error) = queue.team_log().until(move |state| state.records() != seen).await
            {
                return Some((Err(error), None));
            }
            match queue.team_log().look(|state| (status(state), state.records())) {
                Ok((status, seen)) => Some((Ok(status), Some((queue, Some(seen))))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// One task.
    ///
    /// # Errors
    /// A refusal when there is none of this id.
    pub fn get_task(&self, task: &TaskId) -> Result<TaskView, Error> {
        let view = self.team_log().look(|state| {
            let known = state.task(task)?;
            Some((task_view(state, known), what_runs_do(state, known)))
        })?;
        let (mut view, remedy) = view.ok_or_else(|| Refusal::NoSuchTask { task: task.clone() })?;
        if remedy.is_some() && !is_run(self.team_log())? {
            view.remedy = view.remedy.or(remedy);
        }
        Ok(view)
    }

    /// The tasks that wait for what a run does, while none is alive: their checks, their turns to be merged. In the order in
    /// which they were added, each with the command that does it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn waiting_for_run(&self) -> Result<Vec<Waiting>, Error> {
        if is_run(self.team_log())? {
            return Ok(Vec::new());
        }
        self.team_log().look(|state| {
            let stages = [Stage::Verify, Stage::Merge].into_iter();
            let mut tasks: Vec<&Task> = stages.flat_map(|stage| state.waiting_for(stage)).collect();
            tasks.sort_by_key(|task| task.added);
            let waiting = tasks.into_iter().filter_map(|task| {
                let (remedy, reason) = (what_runs_do(state, task)?, waits_for(state, task)?);
                Some(Waiting { task: task.id().clone(), status: task.status, reason, remedy: Some(remedy) })
            });
            waiting.collect()
        })
    }

    /// All tasks, in the order in which they were added.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn list_tasks(&self) -> Result<Vec<TaskView>, Error> {
        self.find_tasks(usize::MAX, |_| true)
    }

    /// The first tasks that are wanted, at most so many, in the order in which they were added. Those that come after
    /// the last one are not looked at.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn find_tasks(
        &self,
        most: usize,
        is_wanted: impl Fn(&TaskView) -> bool,
    ) -> Result<Vec<TaskView>, Error> {
        let is_run = is_run(self.team_log())?;
        self.team_log().look(|state| {
            let views = state.tasks().map(|task| {
                let view = task_view(state, task);
                let remedy = if is_run { None } else { what_runs_do(state, task) };
                TaskView { remedy: view.remedy.or(remedy), ..view }
            });
            views.filter(is_wanted).take(most).collect()
        })
    }
}

/// What somebody can do for a task that waits for what a run does, should none be alive; `None` for every other one.
fn what_runs_do(state: &State, task: &Task) -> Option<String> {
    let waits = task.claim.is_none() && state.pauses().all(|(agent, _)| agent.is_some());
    // A commit is checked where it is put onto the newest tip, and not in the team's folder.
    let is_commit = task.submission.as_ref().is_some_and(|given| given.commit.is_some());
    match task.status {
        Status::Verifying if waits && !is_commit => {
            Some(format!("agent-team verify {}, or agent-team run", task.id()))
        }
        Status::Verifying if waits => Some("agent-team run".to_owned()),
        Status::Merging if waits && state.may_merge(task) => Some("agent-team run".to_owned()),
        _ => None,
    }
}
