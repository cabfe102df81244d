//! The graph of dependencies: what may be added to it.

use std::collections::BTreeMap;

use super::refusal::Refusal;
use super::state::State;
use crate::id::TaskId;
use crate::record::TaskSpec;

/// The most tasks a task may name as dependencies. More of them would not fit into one record.
const DEPENDENCIES_MAX: usize = 500;

/// Whether tasks may be added together: every id new, every dependency there or among them, no cycle.
pub(crate) fn check(state: &State, specs: &[TaskSpec]) -> Result<(), Refusal> {
    let mut new: BTreeMap<&TaskId, &TaskSpec> = BTreeMap::new();
    for spec in specs {
        let task = spec.id.clone();
        if state.tasks.contains_key(&task) {
            return Err(Refusal::IdTaken { task });
        }
        if new.insert(&spec.id, spec).is_some() {
            return Err(Refusal::RepeatedId { task });
        }
        plausible(spec)?;
    }
    let exists = |id: &TaskId| new.contains_key(id) || state.tasks.contains_key(id);
    for spec in specs {
        if let Some(missing) = spec.after.iter().find(|id| !exists(id)) {
            return Err(Refusal::MissingDependency { task: spec.id.clone(), missing: missing.clone() });
        }
        if let Some(missing) = spec.parent.iter().find(|id| !exists(id)) {
            return Err(Refusal::MissingParent { task: spec.id.clone(), missing: missing.clone() });
        }
    }
    match cycle(&new) {
        Some(tasks) => Err(Refusal::Cycle { tasks }),
        None => Ok(()),
    }
}

fn plausible(spec: &TaskSpec) -> Result<(), Refusal> {
    let reason = if spec.title.trim().is_empty() {
        "its title is empty"
    } else if spec.attempts == 0 {
        "it needs at least one attempt"
    } else if spec.after.len() > DEPENDENCIES_MAX {
        "it has more than 500 dependencies: put a task between them"
    } else if spec.check.as_ref().is_some_and(|check| check.trim().is_empty()) {
        "its check is empty"
    } else {
        return Ok(());
    };
    Err(Refusal::BadTask { task: spec.id.clone(), reason: reason.to_owned() })
}

/// A cycle among new tasks, each waiting for the next. Tasks that exist cannot be part of one: they know none of these.
///
/// Depth-first search with a stack of its own, since a chain may be longer than the thread's stack.
fn cycle(new: &BTreeMap<&TaskId, &TaskSpec>) -> Option<Vec<TaskId>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        OnPath,
        Done,
    }
    let mut marks: BTreeMap<&TaskId, Mark> = BTreeMap::new();
    for start in new.values() {
        if marks.contains_key(&start.id) {
            continue;
        }
        let mut path = vec![(*start, start.after.iter())];
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
                        path.push((spec, spec.after.iter()));
                    }
                }
            }
        }
    }
    None
}
