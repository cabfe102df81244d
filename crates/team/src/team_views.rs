//! What can be seen of a team's tasks, now and as they change.

use agent_team_core::machine::Refusal;
use agent_team_core::view::{StatusView, TaskView, status, task as task_view};
use futures::stream::{self, Stream};

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
        let view = self.team_log().look(|state| state.task(task).map(|known| task_view(state, known)))?;
        view.ok_or_else(|| Refusal::NoSuchTask { task: task.clone() }.into())
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
        self.team_log().look(|state| {
            let views = state.tasks().map(|task| task_view(state, task));
            views.filter(is_wanted).take(most).collect()
        })
    }
}
