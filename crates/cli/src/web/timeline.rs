//! Who worked on what and when, and which tasks held up the whole.

use std::collections::BTreeMap;

use agent_team::view::{self, StretchView};
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
    /// The critical path: the tasks of which each waited for the one before it, back from the one that ended last.
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
fn critical(rows: &[view::RowView]) -> Vec<TaskId> {
    let done = rows.iter().filter(|row| row.status == Status::Completed);
    let ended: BTreeMap<&TaskId, &view::RowView> = done.map(|row| (&row.id, row)).collect();
    let mut chain = Vec::new();
    let mut last = ended.values().max_by_key(|row| (row.since_ms, &row.id)).copied();
    while let Some(row) = last {
        chain.push(row.id.clone());
        let waited_for = row.after.iter().filter_map(|id| ended.get(id).copied());
        // A clock that was set back must not lead in a circle; what comes after itself is in no log.
        last = waited_for.max_by_key(|row| (row.since_ms, &row.id)).filter(|_| chain.len() <= rows.len());
    }
    chain.reverse();
    chain
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
}
