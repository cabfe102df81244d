//! Tasks in the place of another: added, waited for and the other one cancelled by one batch of records.
//!
//! Everything is judged on one state before anything is written, so that a refusal leaves nothing behind.

use std::collections::BTreeSet;

use super::{add, limited, revision};
use crate::id::{RecordId, TaskId};
use crate::machine::graph;
use crate::machine::refusal::Refusal;
use crate::machine::state::State;
use crate::machine::task::Task;
use crate::machine::transition::Status;
use crate::record::{Body, Bounds, TaskCancelled, TaskChange, TaskEdited, TaskSpec};

/// What is to take a task's place.
pub(super) struct Replacement<'a> {
    pub task: &'a TaskId,
    pub tasks: &'a [TaskSpec],
    pub batch: RecordId,
    pub limits: &'a [(TaskId, Bounds)],
    pub fenced: Option<RecordId>,
}

impl Replacement<'_> {
    /// The records that put it there.
    pub fn decide(&self, state: &State) -> Result<Vec<Body>, Refusal> {
        let on = revision(state, self.task)?;
        let known =
            state.tasks.get(self.task).ok_or_else(|| Refusal::NoSuchTask { task: self.task.clone() })?;
        // A writer whose records were overtaken in part goes on with the rest.
        let missing: Vec<TaskSpec> =
            self.tasks.iter().filter(|task| !is_there(state, task)).cloned().collect();
        // What is divided was divided before the parts were there, and is taken from the task after that: one that is
        // interrupted in between, and does it again, divides the same once more, and nothing of what is left then.
        let (own, parts): (Vec<_>, Vec<_>) =
            self.limits.iter().cloned().partition(|(task, _)| task == self.task);
        let mut bodies: Vec<Body> = Vec::new();
        if !missing.is_empty() {
            bodies.extend(limited(state, &parts));
        }
        bodies.extend(add(state, &missing, self.batch)?);
        let waiting: Vec<&Task> = known
            .dependents
            .iter()
            .filter_map(|id| state.tasks.get(id))
            .filter(|task| !matches!(task.status, Status::Completed | Status::Cancelled))
            .collect();
        let ids: Vec<&TaskId> = self.tasks.iter().map(|task| &task.id).collect();
        graph::check_instead(state, self.task, self.tasks, &waiting)?;
        bodies.extend(waiting.into_iter().map(|task| waits_for_these(task, self.task, &ids)));
        bodies.extend(limited(state, &own));
        if known.status != Status::Cancelled || bodies.is_empty() {
            let cancelled: Body =
                TaskCancelled { task: self.task.clone(), on, dependents: false, fenced: self.fenced }.into();
            state.judge(&cancelled)?;
            bodies.push(cancelled);
        }
        Ok(bodies)
    }
}

fn is_there(state: &State, wanted: &TaskSpec) -> bool {
    state.tasks.get(&wanted.id).is_some_and(|known| *known.spec == *wanted)
}

/// Lets a task wait for others instead of one.
fn waits_for_these(task: &Task, former: &TaskId, ids: &[&TaskId]) -> Body {
    let kept: Vec<&TaskId> = task.spec.after.iter().filter(|needed| *needed != former).collect();
    let mut named = BTreeSet::new();
    let after = kept.into_iter().chain(ids.iter().copied()).filter(|id| named.insert(*id)).cloned().collect();
    let change = TaskChange { after: Some(after), ..TaskChange::default() };
    TaskEdited { task: task.id().clone(), on: Some(task.revision), change }.into()
}
