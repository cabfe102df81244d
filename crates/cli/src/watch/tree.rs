//! Tasks as a tree to look at: each stands once, below the task that it is a part of or that it waited for longest. What else it
//! waits for is written beside it.
//!
//! It is made once for each change of the log; folding makes the rows anew and looks at the open part alone.

use std::collections::{BTreeMap, BTreeSet};

use agent_team::view::RowView;
use agent_team::{Status, TaskId};

/// The tasks and what stands below each.
#[derive(Debug, Default)]
pub struct Tree {
    roots: Vec<usize>,
    children: Vec<Vec<usize>>,
    /// What waits for each task.
    pub dependents: Vec<Vec<usize>>,
    /// How many tasks stand below each, at whatever depth, and how many of them are completed.
    below: Vec<(usize, usize)>,
    /// How many tasks must be completed before each, one after the other.
    pub layers: Vec<usize>,
}

/// A row of the tree as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The task, by place.
    pub task: usize,
    /// How deep it stands.
    pub depth: usize,
    /// In which of the depths above it a line goes on past it; a bit for each.
    pub lines: u64,
    /// Whether nothing follows it below the same task.
    pub is_last: bool,
    /// Whether something stands below it.
    pub has_children: bool,
}

impl Tree {
    /// The tree of tasks, which `places` finds by their ids.
    pub fn of(tasks: &[RowView], places: &BTreeMap<TaskId, usize>) -> Self {
        let place = |id: &TaskId| places.get(id).copied();
        let mut dependents = vec![Vec::new(); tasks.len()];
        let mut open: Vec<usize> = Vec::with_capacity(tasks.len());
        for (task, row) in tasks.iter().enumerate() {
            let needed: BTreeSet<usize> = row.after.iter().filter_map(place).collect();
            open.push(needed.len());
            for needed in needed {
                if let Some(dependents) = dependents.get_mut(needed) {
                    dependents.push(task);
                }
            }
        }
        // In the order of what waits for what, each task after all that it waits for.
        let mut layers = vec![0; tasks.len()];
        let mut ordered: Vec<usize> = (0..tasks.len()).filter(|task| open.get(*task) == Some(&0)).collect();
        let mut next = 0;
        while let Some(task) = ordered.get(next).copied() {
            next += 1;
            let layer = layers.get(task).copied().unwrap_or(0) + 1;
            for dependent in dependents.get(task).into_iter().flatten() {
                if let (Some(known), Some(left)) = (layers.get_mut(*dependent), open.get_mut(*dependent)) {
                    *known = layer.max(*known);
                    *left -= 1;
                    if *left == 0 {
                        ordered.push(*dependent);
                    }
                }
            }
        }
        let above: Vec<Option<usize>> = tasks.iter().map(|row| above(row, &place, &layers)).collect();
        let mut tree =
            Self { children: vec![Vec::new(); tasks.len()], dependents, layers, ..Self::default() };
        for (task, above) in above.iter().enumerate() {
            match above.and_then(|above| tree.children.get_mut(above)) {
                Some(children) => children.push(task),
                None => tree.roots.push(task),
            }
        }
        tree.count(tasks);
        tree
    }

    /// How many tasks stand below one, and how many of them are completed.
    pub fn below(&self, task: usize) -> (usize, usize) {
        self.below.get(task).copied().unwrap_or_default()
    }

    /// The rows, of which those below a folded task are left out.
    pub fn rows(&self, tasks: &[RowView], folded: &BTreeSet<TaskId>) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut stack: Vec<(usize, usize, u64, bool)> = Vec::new();
        let push = |stack: &mut Vec<_>, children: &[usize], depth: usize, lines: u64| {
            let last = children.len().saturating_sub(1);
            stack.extend(children.iter().enumerate().rev().map(|(n, task)| (*task, depth, lines, n == last)));
        };
        push(&mut stack, &self.roots, 0, 0);
        while let Some((task, depth, lines, is_last)) = stack.pop() {
            let children = self.children.get(task).map(Vec::as_slice).unwrap_or_default();
            rows.push(Row { task, depth, lines, is_last, has_children: !children.is_empty() });
            let is_folded = !folded.is_empty() && tasks.get(task).is_some_and(|row| folded.contains(&row.id));
            if !is_folded {
                let goes_on = if is_last || depth == 0 || depth > 63 { 0 } else { 1 << depth };
                push(&mut stack, children, depth + 1, lines | goes_on);
            }
        }
        rows
    }

    /// Counts what is below each task, the deepest first.
    fn count(&mut self, tasks: &[RowView]) {
        let mut ordered = self.roots.clone();
        let mut next = 0;
        while let Some(task) = ordered.get(next).copied() {
            ordered.extend(self.children.get(task).into_iter().flatten());
            next += 1;
        }
        self.below = vec![(0, 0); tasks.len()];
        for task in ordered.into_iter().rev() {
            let (mut all, mut done) = (0, 0);
            for child in self.children.get(task).into_iter().flatten() {
                let (below, completed) = self.below(*child);
                let is_done = tasks.get(*child).is_some_and(|row| row.status == Status::Completed);
                all += below + 1;
                done += completed + usize::from(is_done);
            }
            if let Some(below) = self.below.get_mut(task) {
                *below = (all, done);
            }
        }
    }
}

/// The task below which one stands: what it waits for in the deepest layer, or what it is a part of. What waits for the last of
/// a task's parts stands with them.
fn above(row: &RowView, place: &impl Fn(&TaskId) -> Option<usize>, layers: &[usize]) -> Option<usize> {
    let needed = row.after.iter().filter_map(place);
    // Of several, the first: as the user wrote them.
    let deepest = needed.rev().max_by_key(|needed| layers.get(*needed).copied());
    // A part waits for nothing of its parent, and a loop of parents and dependencies would be no tree.
    deepest.or_else(|| row.parent.as_ref().filter(|_| row.after.is_empty()).and_then(place))
}
