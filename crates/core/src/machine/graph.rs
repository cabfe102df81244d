//! The graph of dependencies: what may be added to it.

use std::collections::BTreeMap;

use super::refusal::Refusal;
use super::safeguard::Safeguard;
use super::state::State;
use crate::id::TaskId;
use crate::record::TaskSpec;
use crate::text::misleads;

// A task must fit into a record of 64 KiB, also when JSON needs two bytes for one, and beside a description.
/// The most tasks that a task may name as dependencies.
const DEPENDENCIES_MAX: usize = 500;
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
    match parts.filter(|_| state.keeps(Safeguard::ParentCycle)) {
        Some(tasks) => Err(Refusal::ParentCycle { tasks }),
        None => Ok(()),
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
        "it has more than 500 dependencies: put a task between them"
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
