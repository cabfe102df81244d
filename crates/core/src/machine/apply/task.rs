//! What those who want tasks done do: add, edit, retry, cancel.

use std::collections::BTreeSet;

use super::{Meta, Rule};
use crate::id::{RecordId, TaskId};
use crate::machine::graph;
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::State;
use crate::machine::task::{Ending, Intent, Task};
use crate::machine::tasks::Slot;
use crate::machine::transition::{Status, Step, next};
use crate::machine::update::unblock;
use crate::record::{BatchClosed, Revision, TaskAdded, TaskCancelled, TaskEdited, TaskRetried, TaskSpec};

impl Rule for TaskAdded {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        match self.batch {
            Some(_) => Ok(()),
            None => graph::check(state, [&*self.task]),
        }
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        match self.batch {
            Some(batch) => state.batches.entry(batch).or_default().push((meta.seq, self.task)),
            None => add(state, [(meta.seq, self.task)], meta),
        }
    }
}

impl Rule for BatchClosed {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let specs = state.batches.get(&self.batch).map_or(&[][..], Vec::as_slice);
        if specs.len() != self.tasks as usize && state.keeps(Safeguard::BatchWhole) {
            let found = u32::try_from(specs.len()).unwrap_or(u32::MAX);
            return Err(Refusal::BatchIncomplete { expected: self.tasks, found });
        }
        graph::check(state, specs.iter().map(|(_, spec)| &**spec))
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let specs = state.batches.remove(&self.batch).unwrap_or_default();
        add(state, specs, meta);
    }
}

/// Adds tasks, each with the place in the order at which it was written. They may refer to each other in any direction.
fn add(state: &mut State, specs: impl IntoIterator<Item = (u64, Box<TaskSpec>)>, meta: &Meta) {
    let specs: Vec<(u64, Box<TaskSpec>)> = specs.into_iter().collect();
    let above = graph::all_above(state, specs.iter().map(|(_, spec)| &**spec));
    let with_above = specs.into_iter().zip(above.into_iter().chain(std::iter::repeat_with(Vec::new)));
    let added: Vec<Slot> = with_above
        .filter_map(|((seq, spec), above)| state.tasks.push(Task { above, ..new_task(spec, seq, meta) }))
        .collect();
    for slot in added {
        let Some(task) = state.tasks.at(slot) else { continue };
        let (id, dependencies) = (task.id().clone(), task.spec.after.clone());
        let (whole, replans) = (task.above.first().cloned(), task.spec.replans.clone());
        if let Some(replan) = replans {
            *state.replans.entry(task.spec.parent.clone()).or_default() += 1;
            let failed = state.tasks.slot(&replan.task).and_then(|failed| state.tasks.at_mut(failed));
            if let Some(failed) = failed {
                failed.replan = Some(id.clone());
            }
        }
        if let Some(whole) = whole.and_then(|whole| state.tasks.slot(&whole))
            && let Some(whole) = state.tasks.at_mut(whole)
        {
            whole.parts.push(id.clone());
            whole.open_parts += 1;
        }
        let mut open = 0;
        for dependency in dependencies {
            let needed = state.tasks.slot(&dependency);
            if let Some(needed) = needed.and_then(|needed| state.tasks.at_mut(needed)) {
                needed.dependents.push(id.clone());
                open += u32::from(needed.status != Status::Completed);
            }
        }
        if let Some(task) = state.tasks.at_mut(slot) {
            task.open_dependencies = open;
            unblock(task);
            state.queue.insert(slot, task);
        }
    }
}

pub(crate) fn new_task(mut spec: Box<TaskSpec>, seq: u64, meta: &Meta) -> Task {
    if spec.after.len() > 1 {
        let mut named = BTreeSet::new();
        spec.after.retain(|dependency| named.insert(dependency.clone()));
    }
    Task {
        spec,
        status: Status::Blocked,
        revision: meta.id,
        added: seq,
        added_at_ms: meta.at_ms,
        since_ms: meta.at_ms,
        open_dependencies: 0,
        dependents: Vec::new(),
        attempt: 0,
        failures: 0,
        conflicts: 0,
        takeovers: 0,
        not_before_ms: 0,
        claim: None,
        past_claims: Vec::new(),
        resume: None,
        back_to: None,
        needs: None,
        submission: None,
        intent: None,
        merged: None,
        feedback: Vec::new(),
        failure: None,
        review: None,
        approvals: Vec::new(),
        review_rounds: 0,
        plan: None,
        above: Vec::new(),
        parts: Vec::new(),
        open_parts: 0,
        handed_out: false,
        replan: None,
    }
}

/// The task of an edit, if it is still what the edit was decided on.
pub(super) fn unchanged<'a>(state: &'a State, task: &TaskId, on: Revision) -> Result<&'a Task, Refusal> {
    let known = state.tasks.get(task).ok_or_else(|| Refusal::NoSuchTask { task: task.clone() })?;
    if Some(known.revision) != on && state.keeps(Safeguard::EditRevision) {
        return Err(Refusal::Changed { task: task.clone() });
    }
    Ok(known)
}

fn allows(state: &State, task: &Task, step: Step) -> Result<(), Refusal> {
    match next(task.status, step) {
        None if state.keeps(Safeguard::EditRow) => {
            Err(Refusal::WrongStatus { task: task.id().clone(), status: task.status })
        }
        _ => Ok(()),
    }
}

/// A claim with a merge intent ends only after its fence was moved.
pub(super) fn fence_moved(state: &State, task: &Task, fenced: Option<RecordId>) -> Result<(), Refusal> {
    match task.intent.as_deref() {
        Some(Intent { id, .. }) if fenced != Some(*id) && state.keeps(Safeguard::FenceMoved) => {
            Err(Refusal::MergeUnderWay { task: task.id().clone(), intent: *id })
        }
        _ => Ok(()),
    }
}

impl Rule for TaskEdited {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let task = unchanged(state, &self.task, self.on)?;
        let fault = self.change.title.as_deref().and_then(graph::title_fault);
        if let Some(fault) = fault.filter(|_| state.keeps(Safeguard::Plausible)) {
            return Err(Refusal::BadTask { task: self.task.clone(), reason: fault.to_owned() });
        }
        let ended = matches!(task.status, Status::Completed | Status::Cancelled);
        // What somebody works on has begun: it waits for nothing any more.
        let rewired = self.change.after.as_ref();
        let begun = rewired.is_some() && task.status.is_active();
        if (ended || begun) && state.keeps(Safeguard::EditEnded) {
            return Err(Refusal::WrongStatus { task: self.task.clone(), status: task.status });
        }
        rewired.map_or(Ok(()), |after| graph::check_after(state, task, after))
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let change = self.change;
        let Some(slot) = state.tasks.slot(&self.task) else { return };
        let after = change.after.map(|after| rewire(state, slot, after));
        state.update(slot, |task| {
            task.revision = meta.id;
            if let Some((after, open)) = after {
                task.spec.after = after;
                task.open_dependencies = open;
                if open > 0 && task.status == Status::Ready {
                    task.step(Step::Waits);
                    task.back_to = None;
                }
                unblock(task);
            }
            let spec = &mut task.spec;
            spec.title = change.title.unwrap_or_else(|| std::mem::take(&mut spec.title));
            spec.description = change.description.unwrap_or_else(|| std::mem::take(&mut spec.description));
            spec.priority = change.priority.unwrap_or(spec.priority);
            spec.allow_protected = change.allow_protected.unwrap_or(spec.allow_protected);
        });
    }
}

/// Tells those that a task waits for, and waited for until now. Gives what it waits for, each once, and how many of them
/// are not completed.
fn rewire(state: &mut State, slot: Slot, mut after: Vec<TaskId>) -> (Vec<TaskId>, u32) {
    let mut named = BTreeSet::new();
    after.retain(|dependency| named.insert(dependency.clone()));
    let Some(task) = state.tasks.at(slot) else { return (after, 0) };
    let (id, before) = (task.id().clone(), task.spec.after.clone());
    for former in before.iter().filter_map(|former| state.tasks.slot(former)).collect::<Vec<_>>() {
        if let Some(former) = state.tasks.at_mut(former) {
            former.dependents.retain(|dependent| *dependent != id);
        }
    }
    let mut open = 0;
    for needed in after.iter().filter_map(|needed| state.tasks.slot(needed)).collect::<Vec<_>>() {
        if let Some(needed) = state.tasks.at_mut(needed) {
            needed.dependents.push(id.clone());
            open += u32::from(needed.status != Status::Completed);
        }
    }
    (after, open)
}

impl Rule for TaskRetried {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        allows(state, unchanged(state, &self.task, self.on)?, Step::Retried)
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some(slot) = state.tasks.slot(&self.task) else { return };
        state.update(slot, |task| {
            task.revision = meta.id;
            task.since_ms = meta.at_ms;
            task.step(Step::Retried);
            task.needs = None;
            task.failures = 0;
            task.conflicts = 0;
            task.takeovers = 0;
            task.not_before_ms = 0;
            task.failure = None;
            task.resume = None;
            task.submission = None;
            task.approvals.clear();
            task.review_rounds = 0;
            task.handed_out = false;
            task.replan = None;
            unblock(task);
        });
    }
}

/// What is cancelled with a task, as far as it can be: the parts of a delegated one, and if it is wished for all that
/// wait for it, directly or not. Those that were cancelled before are passed through: what waits for them waits for
/// this one too.
fn doomed(state: &State, root: &TaskId, dependents: bool) -> Vec<TaskId> {
    let mut found = BTreeSet::from([root.clone()]);
    let mut open = vec![root];
    while let Some(task) = open.pop().and_then(|id| state.tasks.get(id)) {
        let waiting = task.dependents.iter().filter(|_| dependents);
        open.extend(waiting.chain(&task.parts).filter(|id| found.insert((*id).clone())));
    }
    let can_be =
        |id: &TaskId| state.tasks.get(id).is_some_and(|task| next(task.status, Step::Cancelled).is_some());
    found.into_iter().filter(can_be).collect()
}

impl Rule for TaskCancelled {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let task = unchanged(state, &self.task, self.on)?;
        allows(state, task, Step::Cancelled)?;
        fence_moved(state, task, self.fenced)?;
        // Only parts can be about to be merged: what waits for a task that is not done has not begun.
        let mut others = doomed(state, &self.task, self.dependents).into_iter().filter(|id| *id != self.task);
        others.try_for_each(|id| match state.tasks.get(&id) {
            Some(task) => fence_moved(state, task, None),
            None => Ok(()),
        })
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let doomed = doomed(state, &self.task, self.dependents);
        for slot in doomed.iter().filter_map(|id| state.tasks.slot(id)).collect::<Vec<_>>() {
            state.update(slot, |task| {
                task.revision = meta.id;
                task.since_ms = meta.at_ms;
                task.end_claim(Ending::Cancelled, meta.at_ms);
                task.intent = None;
                task.resume = None;
                task.back_to = None;
                task.failure = None;
                task.handed_out = false;
                task.step(Step::Cancelled);
            });
        }
    }
}
