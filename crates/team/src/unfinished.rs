//! Work that agents of one run leave unfinished: who is still at it, and where it is kept.
//!
//! Whoever makes the next attempt begins with what was kept. A task can change hands faster than the work of the one who
//! lost it is kept, so the next one waits for that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use crate::view::TaskView;
use crate::{AgentId, Ending, RecordId, Stage, TaskId};

/// How long keeping unfinished work may take when a run ends: whoever ends it waits for that.
pub(crate) const KEEP_LIMIT: Duration = Duration::from_secs(10);
/// How long the next attempt waits for the work of the last one at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// Work that was handed back unfinished, and the ref that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptWork {
    /// The task.
    pub task: TaskId,
    /// Who worked on it.
    pub agent: AgentId,
    /// The ref in the project's repository.
    pub reference: String,
    /// The commit that it holds.
    pub commit: String,
}

/// The unfinished work of one run.
#[derive(Default)]
pub(crate) struct Unfinished {
    kept: Mutex<Vec<KeptWork>>,
    at_work: watch::Sender<BTreeSet<RecordId>>,
}

/// Says of a claim, as long as this lives, that its work may still change.
pub(crate) struct AtWork {
    unfinished: Arc<Unfinished>,
    claim: RecordId,
}

impl Unfinished {
    /// Notes where work is kept.
    pub fn keep(&self, kept: KeptWork) {
        self.lock().push(kept);
    }

    /// Where work is kept, the newest of each task.
    pub fn kept(&self) -> Vec<KeptWork> {
        let newest: BTreeMap<TaskId, KeptWork> =
            self.lock().iter().map(|kept| (kept.task.clone(), kept.clone())).collect();
        newest.into_values().collect()
    }

    /// Notes that somebody begins to work under a claim.
    pub fn begin(self: &Arc<Self>, claim: RecordId) -> AtWork {
        self.at_work.send_modify(|at_work| {
            at_work.insert(claim);
        });
        AtWork { unfinished: self.clone(), claim }
    }

    /// Waits until nobody works under a claim any more, and not for ever.
    pub async fn over(&self, claim: RecordId) {
        let mut at_work = self.at_work.subscribe();
        let over = at_work.wait_for(|at_work| !at_work.contains(&claim));
        // Whoever is not done by then is not waited for: what it keeps later is not lost.
        let _ = tokio::time::timeout(PATIENCE, over).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<KeptWork>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.unfinished.at_work.send_modify(|at_work| {
            at_work.remove(&self.claim);
        });
    }
}

/// The claims under which the last attempt at a task may have left unfinished work, the newest first. Nothing of an
/// attempt that was delivered: what is wrong with that goes back to its author with the commit. Of one that failed only
/// what was kept at its very end.
pub(crate) fn left_by(task: &TaskView) -> Vec<RecordId> {
    let mut claims = task.claims.iter().rev().filter(|claim| claim.stage == Stage::Work);
    let Some(last) = claims.next() else { return Vec::new() };
    let before = claims.take_while(|claim| claim.attempt == last.attempt).map(|claim| claim.token);
    match last.ending {
        Ending::Done => Vec::new(),
        Ending::Failed => vec![last.token],
        _ => std::iter::once(last.token).chain(before).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_goes_on_waits_until_the_last_one_is_done_and_for_nobody_else() {
        let unfinished = Arc::new(Unfinished::default());
        let (last, other) = (unfinished.begin(RecordId(1)), unfinished.begin(RecordId(2)));
        let waits = unfinished.over(RecordId(1));
        tokio::pin!(waits);
        assert!(futures::poll!(waits.as_mut()).is_pending());
        drop(last);
        waits.await;
        unfinished.over(RecordId(3)).await;
        drop(other);
    }

    #[test]
    fn a_task_whose_attempt_was_cut_off_has_all_claims_of_that_attempt() {
        let claim = |token, attempt, ending| crate::view::AttemptView {
            token: RecordId(token),
            attempt,
            stage: Stage::Work,
            agent: AgentId::human(),
            ending,
            from_ms: 0,
            to_ms: 0,
        };
        let queue = crate::TaskQueue::in_memory().unwrap();
        let id = queue.add_task("work").unwrap();
        let task = |claims| TaskView { claims, ..queue.get_task(&id).unwrap() };
        let left = |claims| left_by(&task(claims)).iter().map(|id| id.0).collect::<Vec<_>>();
        let before = [claim(1, 1, Ending::Failed), claim(2, 2, Ending::Released)];
        let then = |ending| [&before[..], &[claim(3, 2, ending)]].concat();
        assert_eq!(left(then(Ending::ProcessGone)), [3, 2]);
        assert_eq!(left(then(Ending::Failed)), [3]);
        assert_eq!(left(then(Ending::Done)), [0_u128; 0]);
        assert_eq!(left(Vec::new()), [0_u128; 0]);
    }
}
