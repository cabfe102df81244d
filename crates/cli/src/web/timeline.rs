//! Who worked on what and when, and which tasks held up the whole.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use agent_team::view::{self, RowView, StretchView};
use agent_team::{Error, Status, TaskId, TaskQueue};
use serde::Serialize;

use super::waits::Wait;

/// The timeline of a team.
#[derive(Debug, PartialEq, Serialize)]
pub struct Timeline {
    /// When the first work began, in milliseconds since 1970.
    pub from_ms: u64,
    /// When the last one ended.
    pub to_ms: u64,
    /// All work, in the order in which it began.
    pub stretches: Vec<StretchView>,
    /// When agents waited for somebody's word while they held a task, in the order in which it began.
    pub waits: Vec<Wait>,
    /// The critical path: the tasks of which each waited for the one before it, back from what goes on (of several the longest
    /// way), or else ended last.
    pub critical: Vec<TaskId>,
}

impl Timeline {
    /// The timeline of a team as it is, or was, at this time.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn of(queue: &TaskQueue, waits: Vec<Wait>, now_ms: u64) -> Result<Self, Error> {
        let (mut stretches, rows) = queue.team_log().look(|state| {
            let stretches: Vec<StretchView> = state.tasks().flat_map(view::stretches).collect();
            (stretches, view::rows(state))
        })?;
        stretches.sort_by_key(|stretch| stretch.from_ms);
        let ends = stretches.iter().map(|stretch| stretch.to_ms.unwrap_or(now_ms));
        let to_ms = ends.max().unwrap_or(now_ms);
        let from_ms = stretches.first().map_or(to_ms, |first| first.from_ms);
        Ok(Self { from_ms, to_ms, stretches, waits, critical: critical(&rows) })
    }
}

/// The chain of tasks, first to last, in which each was the last that the next one waited for.
fn critical(rows: &[RowView]) -> Vec<TaskId> {
    let done = rows.iter().filter(|row| matches!(row.status, Status::Completed | Status::Failed));
    let ended: BTreeMap<&TaskId, &RowView> = done.map(|row| (&row.id, row)).collect();
    let mut parts: BTreeMap<&TaskId, Vec<&RowView>> = BTreeMap::new();
    for row in ended.values().copied() {
        row.parent.iter().for_each(|parent| parts.entry(parent).or_default().push(row));
    }
    let back_from = |row: &RowView| -> Vec<TaskId> {
        let (mut chain, mut last) = (Vec::new(), Some(row));
        while let Some(row) = last {
            chain.push(row.id.clone());
            let waited_for = row.after.iter().chain(&row.replans).filter_map(|id| ended.get(id).copied());
            let waited_for = waited_for.chain(parts.get(&row.id).into_iter().flatten().copied());
            // A clock that was set back must not lead in a circle; what comes after itself is in no log.
            last = waited_for.max_by_key(|row| (row.since_ms, &row.id)).filter(|_| chain.len() <= rows.len());
        }
        chain.reverse();
        chain
    };
    let is_under_way = |row: &&RowView| {
        matches!(row.status, Status::Running | Status::Verifying | Status::Reviewing | Status::Merging)
    };
    let newest = || ended.values().max_by_key(|row| (row.since_ms, &row.id)).map(|row| back_from(row));
    let under_way = rows.iter().filter(is_under_way).map(|row| (row.since_ms, back_from(row)));
    let longest = under_way.max_by_key(|(since_ms, chain)| (chain.len(), Reverse(*since_ms)));
    longest.map(|(_, chain)| chain).or_else(newest).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use agent_team::{AgentId, NewTask};

    use super::*;

    #[test]
    fn the_critical_path_leads_back_from_the_last_task_over_what_each_waited_for_longest() {
        let queue = TaskQueue::in_memory().unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        let add = |id: &str, after: &[&str]| {
            let after = after.iter().map(|id| id.parse().unwrap()).collect();
            queue.add_task(NewTask { after, ..NewTask::new(id).id(id) }).unwrap();
        };
        add("lexer", &[]);
        add("docs", &[]);
        add("parser", &["lexer"]);
        add("release", &["docs", "parser"]);
        for _ in 0..4 {
            let claimed = queue.claim_task(&worker).unwrap().unwrap();
            queue.complete(claimed.token, &worker, "done", None, Vec::new()).unwrap();
        }
        let timeline = Timeline::of(&queue, Vec::new(), u64::MAX).unwrap();
        assert_eq!(timeline.stretches.len(), 4);
        let path: Vec<_> = timeline.critical.iter().map(TaskId::as_str).collect();
        assert_eq!(path.last(), Some(&"release"));
        assert!(path == ["lexer", "parser", "release"] || path == ["docs", "release"], "{path:?}");
        assert!(timeline.from_ms <= timeline.to_ms);
    }

    #[test]
    fn what_goes_on_ends_the_path_and_what_failed_leads_to_what_plans_it_anew() {
        let row = |id: &str, status, since_ms| RowView { status, since_ms, ..view_of(id) };
        let id = |name: &str| -> TaskId { name.parse().unwrap() };
        let rows = [
            row("first", Status::Completed, 10),
            RowView { after: vec![id("first")], ..row("broken", Status::Failed, 20) },
            RowView { replans: Some(id("broken")), ..row("anew", Status::Completed, 30) },
            RowView { after: vec![id("first")], ..row("long", Status::Running, 11) },
            row("short", Status::Running, 35),
        ];
        assert_eq!(critical(&rows), [id("first"), id("long")]);
        assert_eq!(critical(&rows[..3]), [id("first"), id("broken"), id("anew")]);
        let whole = RowView { delegate: true, ..row("whole", Status::Completed, 50) };
        let part = RowView { parent: Some(id("whole")), ..row("part", Status::Completed, 40) };
        assert_eq!(critical(&[whole, part]), [id("part"), id("whole")]);
    }

    /// A task as it is when it is added.
    fn view_of(id: &str) -> RowView {
        let queue = TaskQueue::in_memory().unwrap();
        queue.add_task(NewTask::new(id).id(id)).unwrap();
        queue.team_log().look(|state| view::rows(state).remove(0)).unwrap()
    }
}
