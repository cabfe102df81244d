//! The graph of dependencies: what may be added to it.

use std::collections::BTreeMap;

use super::refusal::Refusal;
use super::safeguard::Safeguard;
use super::state::State;
use super::task::Task;
use super::transition::Status;
use crate::id::TaskId;
use crate::record::{MAX_DEPTH_DEFAULT, Role, TaskSpec};
use crate::text::misleads;

// A task must fit into a record of 64 KiB, also when JSON needs two bytes for one, and beside a description.
/// The most tasks that a task may name as dependencies.
const DEPENDENCIES_MAX: usize = 500;
/// What is said to whoever names more.
const TOO_MANY_DEPENDENCIES: &str = "it has more than 500 dependencies: put a task between them";
/// The longest title, in bytes.
const TITLE_BYTES_MAX: usize = 512;
/// The longest check, in bytes.
const CHECK_BYTES_MAX: usize = 4096;
/// The most labels that a task has.
const LABELS_MAX: usize = 32;
/// The longest label, in bytes.
const LABEL_BYTES_MAX: usize = 64;

/// Whether tasks may be added together: every id new, every dependency there or among them, no cycle.
pub(crate) fn check<'a>(
    state: &State,
    specs: impl IntoIterator<Item = &'a TaskSpec, IntoIter: Clone>,
) -> Result<(), Refusal> {
    let specs = specs.into_iter();
    let mut new: BTreeMap<&TaskId, &TaskSpec> = BTreeMap::new();
    for spec in specs.clone() {
        let is_new = !state.tasks.contains(&spec.id);
        if !is_new && state.keeps(Safeguard::TaskId) {
            return Err(Refusal::IdTaken { task: spec.id.clone() });
        }
        if new.insert(&spec.id, spec).is_some() && state.keeps(Safeguard::TaskId) {
            return Err(Refusal::RepeatedId { task: spec.id.clone() });
        }
        if state.keeps(Safeguard::Plausible) {
            plausible(spec)?;
        }
    }
    let missing =
        |safeguard, id: &TaskId| state.keeps(safeguard) && !new.contains_key(id) && !state.tasks.contains(id);
    for spec in specs {
        if let Some(missing) = spec.after.iter().find(|id| missing(Safeguard::Dependency, id)) {
            return Err(Refusal::MissingDependency { task: spec.id.clone(), missing: missing.clone() });
        }
        if let Some(missing) = spec.parent.iter().find(|id| missing(Safeguard::Parent, id)) {
            return Err(Refusal::MissingParent { task: spec.id.clone(), missing: missing.clone() });
        }
    }
    if let Some(tasks) = cycle(&new, |spec| &spec.after).filter(|_| state.keeps(Safeguard::Cycle)) {
        return Err(Refusal::Cycle { tasks });
    }
    let parts = cycle(&new, |spec| spec.parent.as_slice());
    if let Some(tasks) = parts.filter(|_| state.keeps(Safeguard::ParentCycle)) {
        return Err(Refusal::ParentCycle { tasks });
    }
    let is_led = |spec: &&TaskSpec| spec.parent.is_some() || spec.delegate || spec.replans.is_some();
    match new.values().copied().any(|spec| is_led(&spec)) {
        true => led(state, &new),
        false => Ok(()),
    }
}

/// Whether a task may come after others instead of those that it comes after now.
pub(crate) fn check_after(state: &State, task: &Task, after: &[TaskId]) -> Result<(), Refusal> {
    let id = || task.id().clone();
    if after.len() > DEPENDENCIES_MAX && state.keeps(Safeguard::Plausible) {
        return Err(Refusal::BadTask { task: id(), reason: TOO_MANY_DEPENDENCIES.to_owned() });
    }
    let missing = after.iter().find(|needed| !state.tasks.contains(needed));
    if let Some(missing) = missing.filter(|_| state.keeps(Safeguard::Dependency)) {
        return Err(Refusal::MissingDependency { task: id(), missing: missing.clone() });
    }
    let mut chains =
        after.iter().filter_map(|needed| Waits::among(state, &BTreeMap::new()).chain(needed, task.id()));
    match chains.next().filter(|_| state.keeps(Safeguard::Cycle)) {
        Some(chain) => Err(Refusal::Cycle { tasks: chain }),
        None => Ok(()),
    }
}

/// Whether those that wait for a task may wait for new ones instead, which may not wait for any of them.
pub(crate) fn check_instead(
    state: &State,
    former: &TaskId,
    specs: &[TaskSpec],
    waiting: &[&Task],
) -> Result<(), Refusal> {
    if let Some(spec) = specs.iter().find(|spec| spec.after.contains(former)) {
        let reason = format!("it would wait for {former}, in whose place it comes");
        return Err(Refusal::BadTask { task: spec.id.clone(), reason });
    }
    let too_many = |task: &&&Task| task.spec.after.len() + specs.len() > DEPENDENCIES_MAX;
    if let Some(task) = waiting.iter().find(too_many) {
        let reason = TOO_MANY_DEPENDENCIES.to_owned();
        return Err(Refusal::BadTask { task: task.id().clone(), reason });
    }
    let new: BTreeMap<&TaskId, &TaskSpec> = specs.iter().map(|spec| (&spec.id, spec)).collect();
    let waits = Waits::among(state, &new);
    let mut pairs = specs.iter().flat_map(|spec| waiting.iter().map(move |task| (&spec.id, task.id())));
    match pairs.find_map(|(from, to)| waits.chain(from, to)) {
        Some(tasks) => Err(Refusal::Cycle { tasks }),
        None => Ok(()),
    }
}

/// The delegated tasks that each of these new ones is a part of, the nearest first. None at all if none has a parent.
pub(crate) fn all_above<'a>(
    state: &State,
    specs: impl IntoIterator<Item = &'a TaskSpec, IntoIter: Clone>,
) -> Vec<Vec<TaskId>> {
    let specs = specs.into_iter();
    if specs.clone().all(|spec| spec.parent.is_none()) {
        return Vec::new();
    }
    let new: BTreeMap<&TaskId, &TaskSpec> = specs.clone().map(|spec| (&spec.id, spec)).collect();
    specs.map(|spec| above(state, &new, spec)).collect()
}

/// The delegated tasks that a new one is a part of, the nearest first.
fn above(state: &State, new: &BTreeMap<&TaskId, &TaskSpec>, spec: &TaskSpec) -> Vec<TaskId> {
    let mut above = Vec::new();
    let mut parent = spec.parent.as_ref();
    // Without a safeguard parents may be parts of each other.
    for _ in 0..=new.len() {
        let Some(id) = parent else { break };
        if let Some(spec) = new.get(id) {
            above.extend(spec.delegate.then(|| id.clone()));
            parent = spec.parent.as_ref();
        } else {
            let Some(task) = state.tasks.get(id) else { break };
            above.extend(task.spec.delegate.then(|| id.clone()));
            above.extend(task.above.iter().cloned());
            break;
        }
    }
    above
}

/// Whether new tasks may be parts of what they are parts of, be delegated, and plan anew what they do.
fn led(state: &State, new: &BTreeMap<&TaskId, &TaskSpec>) -> Result<(), Refusal> {
    let most = state.policy.max_depth.unwrap_or(MAX_DEPTH_DEFAULT);
    let above: BTreeMap<&TaskId, Vec<TaskId>> =
        new.values().map(|spec| (&spec.id, above(state, new, spec))).collect();
    for spec in new.values() {
        let above = above.get(&spec.id).map_or(&[][..], Vec::as_slice);
        let depth = above.len() + usize::from(spec.delegate);
        if depth > most as usize && state.keeps(Safeguard::Depth) {
            return Err(Refusal::TooDeep { task: spec.id.clone(), most });
        }
        let whole = above.first().and_then(|whole| state.tasks.get(whole));
        if let Some(whole) =
            whole.filter(|whole| whole.status.is_ended() && state.keeps(Safeguard::EditEnded))
        {
            return Err(Refusal::WrongStatus { task: whole.id().clone(), status: whole.status });
        }
        if spec.replans.is_some() && state.keeps(Safeguard::Replan) {
            may_replan(state, spec, new.len())?;
        }
    }
    // A delegated task waits for its parts, so a part that waits for it would wait for ever.
    let waits = Waits::among(state, new);
    let mut parts = above.iter().filter_map(|(id, above)| Some((*id, above.first()?)));
    match parts.find_map(|(id, whole)| waits.chain(id, whole)).filter(|_| state.keeps(Safeguard::Cycle)) {
        Some(tasks) => Err(Refusal::Cycle { tasks }),
        None => Ok(()),
    }
}

/// Whether a task may plan anew what it says: a failure that nobody planned anew yet, if any may be.
fn may_replan(state: &State, spec: &TaskSpec, together: usize) -> Result<(), Refusal> {
    let Some(replan) = &spec.replans else { return Ok(()) };
    let no = |reason: String| Err(Refusal::NoReplan { task: replan.task.clone(), reason });
    let Some(failed) = state.tasks.get(&replan.task) else {
        return Err(Refusal::NoSuchTask { task: replan.task.clone() });
    };
    let within = state.planned_within(failed);
    let (used, most) = (state.replans(within.as_ref()), state.replans_max());
    if failed.status != Status::Failed || failed.revision != replan.failure {
        no("it has changed in the meantime".to_owned())
    } else if let Some(replan) = &failed.replan {
        no(format!("{replan} was added for it already"))
    } else if failed.spec.replans.is_some() {
        no("it was to plan another failure anew".to_owned())
    } else if spec.parent != within || together > 1 {
        no("that is planned by a task of its own, at the place of the failure".to_owned())
    } else if used >= most {
        no(format!("{used} of {most} failures have been planned anew"))
    } else {
        Ok(())
    }
}

/// Who waits for whom, among the tasks that are there and those that would be added.
struct Waits<'a> {
    state: &'a State,
    new: &'a BTreeMap<&'a TaskId, &'a TaskSpec>,
    /// The new parts of delegated tasks.
    parts: BTreeMap<TaskId, Vec<TaskId>>,
}

impl<'a> Waits<'a> {
    fn among(state: &'a State, new: &'a BTreeMap<&'a TaskId, &'a TaskSpec>) -> Self {
        let mut parts: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
        for spec in new.values() {
            if let Some(whole) = above(state, new, spec).into_iter().next() {
                parts.entry(whole).or_default().push(spec.id.clone());
            }
        }
        Self { state, new, parts }
    }

    /// The tasks that one waits for, directly: its dependencies, and its parts if it is delegated.
    fn for_others(&self, id: &TaskId) -> Vec<TaskId> {
        let known = self.state.tasks.get(id);
        let after = self.new.get(id).map(|spec| &spec.after).or_else(|| known.map(|task| &task.spec.after));
        let parts = known.map(|task| &task.parts).into_iter().chain(self.parts.get(id)).flatten();
        after.into_iter().flatten().chain(parts).cloned().collect()
    }

    /// How one task waits for another, if it does: from the first to the last, each waiting for the next.
    fn chain(&self, from: &TaskId, to: &TaskId) -> Option<Vec<TaskId>> {
        if from == to {
            return Some(vec![from.clone()]);
        }
        let mut waited_for_by: BTreeMap<TaskId, TaskId> = BTreeMap::new();
        let mut open = vec![from.clone()];
        while let Some(id) = open.pop() {
            for needed in self.for_others(&id) {
                if needed == *from || waited_for_by.contains_key(&needed) {
                    continue;
                }
                waited_for_by.insert(needed.clone(), id.clone());
                if needed == *to {
                    let mut chain = vec![needed];
                    while let Some(earlier) = chain.last().and_then(|last| waited_for_by.get(last)) {
                        chain.push(earlier.clone());
                    }
                    chain.reverse();
                    return Some(chain);
                }
                open.push(needed);
            }
        }
        None
    }
}

/// What is wrong with a title, if anything is.
pub(crate) fn title_fault(title: &str) -> Option<&'static str> {
    if title.trim().is_empty() {
        Some("its title is empty")
    } else if title.len() > TITLE_BYTES_MAX {
        Some("its title is longer than 512 bytes: put the rest into the description")
    } else if misleads(title) {
        Some("its title must be one line without control characters")
    } else {
        None
    }
}

fn plausible(spec: &TaskSpec) -> Result<(), Refusal> {
    let check = spec.check.as_deref();
    let bad_label = |label: &String| label.is_empty() || label.len() > LABEL_BYTES_MAX || misleads(label);
    let reason = if let Some(fault) = title_fault(&spec.title) {
        fault
    } else if spec.attempts == 0 {
        "it needs at least one attempt"
    } else if spec.after.len() > DEPENDENCIES_MAX {
        TOO_MANY_DEPENDENCIES
    } else if spec.is_planning() && spec.role != Some(Role::Lead) {
        "a task that is delegated, or plans a goal or a failure anew, is for a lead: give it the role `lead`"
    } else if check.is_some_and(|check| check.trim().is_empty()) {
        "its check is empty"
    } else if check.is_some_and(|check| check.len() > CHECK_BYTES_MAX) {
        "its check is longer than 4096 bytes: put it into a file of the project"
    } else if check.is_some_and(|check| check.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'))) {
        "its check holds control characters"
    } else if spec.time_limit_ms == Some(0) {
        "its time limit is 0"
    } else if spec.labels.len() > LABELS_MAX {
        "it has more than 32 labels"
    } else if spec.labels.iter().any(bad_label) {
        "a label must have 1 to 64 bytes and no control characters"
    } else {
        return Ok(());
    };
    Err(Refusal::BadTask { task: spec.id.clone(), reason: reason.to_owned() })
}

/// A cycle among new tasks, each naming the next. Tasks that exist cannot be part of one: they know none of these.
///
/// Depth-first search with a stack of its own, since a chain may be longer than the thread's stack.
fn cycle(
    new: &BTreeMap<&TaskId, &TaskSpec>,
    named_by: impl Fn(&TaskSpec) -> &[TaskId],
) -> Option<Vec<TaskId>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        OnPath,
        Done,
    }
    let names_new = |spec: &&TaskSpec| named_by(spec).iter().any(|id| new.contains_key(id));
    if !new.values().any(names_new) {
        return None;
    }
    let mut marks: BTreeMap<&TaskId, Mark> = BTreeMap::new();
    for start in new.values() {
        if marks.contains_key(&start.id) {
            continue;
        }
        let mut path = vec![(*start, named_by(start).iter())];
        marks.insert(&start.id, Mark::OnPath);
        while let Some((spec, rest)) = path.last_mut() {
            let Some(dependency) = rest.next() else {
                marks.insert(&spec.id, Mark::Done);
                path.pop();
                continue;
            };
            match marks.get(dependency) {
                Some(Mark::Done) => {}
                Some(Mark::OnPath) => {
                    let from = path.iter().position(|(spec, _)| spec.id == *dependency).unwrap_or(0);
                    return Some(path.iter().skip(from).map(|(spec, _)| spec.id.clone()).collect());
                }
                None => {
                    if let Some(spec) = new.get(dependency) {
                        marks.insert(&spec.id, Mark::OnPath);
                        path.push((spec, named_by(spec).iter()));
                    }
                }
            }
        }
    }
    None
}
