//! The order of what is told: what follows from a record comes after what that record meant.
//!
//! Whoever fails, judges or delivers says so once it is written, and others begin with what follows as soon as it is written. This
//! is for eyes: nothing depends on it, and nobody waits for it for long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::TaskId;

/// How long somebody waits at most until it was told what came before: a hook may come in between.
const PATIENCE: Duration = Duration::from_millis(200);

/// The tasks of which something is being written that was not told yet, and how often.
#[derive(Default)]
pub(crate) struct Telling(watch::Sender<BTreeMap<TaskId, u32>>);

/// Something that is being written; once this is dropped it was told.
pub(crate) struct Untold {
    telling: Arc<Telling>,
    task: TaskId,
}

impl Telling {
    /// Something of a task is about to be written.
    pub fn begin(self: &Arc<Self>, task: &TaskId) -> Untold {
        self.0.send_modify(|tasks| *tasks.entry(task.clone()).or_default() += 1);
        Untold { telling: self.clone(), task: task.clone() }
    }

    /// Waits until it was told what was written of a task.
    pub async fn until_told(&self, task: &TaskId) {
        let mut tasks = self.0.subscribe();
        let _ = tokio::time::timeout(PATIENCE, tasks.wait_for(|tasks| !tasks.contains_key(task))).await;
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        self.telling.0.send_modify(|tasks| {
            if let Some(count) = tasks.get_mut(&self.task) {
                *count -= 1;
                if *count == 0 {
                    tasks.remove(&self.task);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_follows_waits_until_all_was_told_that_came_before() {
        let telling = Arc::new(Telling::default());
        let (one, two): (TaskId, TaskId) = ("one".parse().unwrap(), "two".parse().unwrap());
        let (first, second) = (telling.begin(&one), telling.begin(&one));
        assert!(telling.until_told(&two).now_or_never().is_some());
        let mut told = Box::pin(telling.until_told(&one));
        drop(first);
        assert!((&mut told).now_or_never().is_none());
        drop(second);
        told.await;
        assert!(telling.until_told(&one).now_or_never().is_some());
    }
}
