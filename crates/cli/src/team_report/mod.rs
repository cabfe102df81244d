//! The report of a team: what was asked, who did what, when, what it cost, what failed and why. One that reads it needs nothing else.

mod html;
mod markdown;
mod timeline;

use std::collections::BTreeMap;

use agent_team::view::{StatusView, TaskView};
use agent_team::{Amount, Error, Failure, TaskGraph, TaskQueue, with_texts};

use crate::report::money;
use crate::time::{local, short};

/// All that a report tells of.
pub struct TeamReport {
    name: String,
    runs: Vec<RunRow>,
    status: StatusView,
    tasks: Vec<TaskView>,
    graph: TaskGraph,
}

/// One run of the team.
struct RunRow {
    goal: Option<String>,
    check: Option<String>,
    began: String,
    took: String,
    outcome: String,
}

/// What one agent did.
struct AgentRow {
    name: String,
    role: String,
    with: String,
    completed: u64,
    work_ms: u64,
    spent: Amount,
}

/// What became of one task.
struct TaskRow<'a> {
    view: &'a TaskView,
    work_ms: u64,
    by: String,
}

impl TeamReport {
    /// The report of a team as it is now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn of(queue: &TaskQueue, now_ms: u64) -> Result<Self, Error> {
        let log = queue.team_log();
        let whole = |task: TaskView| {
            with_texts(task, |text| log.read_text(text).unwrap_or_else(|_| text.preview().into_owned()))
        };
        let tasks: Vec<TaskView> = queue.list_tasks()?.into_iter().map(whole).collect();
        let runs = log.look(|state| {
            let rows = state.runs().iter().map(|run| {
                let (outcome, to_ms) = run.ended.clone().unwrap_or_else(|| ("under way".to_owned(), now_ms));
                RunRow {
                    goal: run.goal.clone(),
                    check: run.check.clone(),
                    began: local(run.from_ms),
                    took: short(to_ms.saturating_sub(run.from_ms)),
                    outcome: outcome.replace('_', " "),
                }
            });
            rows.collect()
        })?;
        let name = log
            .folder()
            .and_then(|folder| folder.workspace().file_name())
            .map_or_else(|| "the team".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(Self { name, runs, status: queue.get_status()?, graph: TaskGraph::of(&tasks), tasks })
    }

    /// What was asked for, each goal once.
    fn goals(&self) -> Vec<&str> {
        let mut goals: Vec<&str> = Vec::new();
        for goal in self.runs.iter().filter_map(|run| run.goal.as_deref()) {
            if !goals.contains(&goal) {
                goals.push(goal);
            }
        }
        goals
    }

    /// The whole in one line.
    fn headline(&self) -> String {
        let counts = &self.status.counts;
        let mut words = vec![format!("{} of {} tasks completed", counts.completed, counts.total)];
        for (count, what) in [
            (counts.failed, "failed"),
            (counts.running, "running"),
            (counts.ready, "ready"),
            (counts.blocked, "blocked"),
            (counts.cancelled, "cancelled"),
        ] {
            if count > 0 {
                words.push(format!("{count} {what}"));
            }
        }
        let agents = self.agents().len();
        words.push(format!("{agents} {}", if agents == 1 { "agent" } else { "agents" }));
        let spent = self.status.spent;
        if spent.calls > 0 {
            words.push(format!("{} calls to models, {} tokens", spent.calls, spent.tokens()));
        }
        if spent.micro_usd > 0 {
            words.push(money(spent.micro_usd));
        }
        words.join(", ")
    }

    /// Everybody who has done something, by name.
    fn agents(&self) -> Vec<AgentRow> {
        let mut work: BTreeMap<&str, u64> = BTreeMap::new();
        for attempt in self.tasks.iter().flat_map(|task| &task.claims) {
            let took = attempt.to_ms.saturating_sub(attempt.from_ms);
            *work.entry(attempt.agent.as_str()).or_default() += took;
        }
        let known = self.status.agents.iter().map(|agent| AgentRow {
            name: agent.id.to_string(),
            role: agent.role.to_string(),
            with: agent.with.clone().unwrap_or_default(),
            completed: agent.completed,
            work_ms: at_work(agent.spent, work.remove(agent.id.as_str()).unwrap_or_default()),
            spent: agent.spent,
        });
        let mut rows: Vec<AgentRow> = known.collect();
        // Who claimed tasks without being a member: a shell, a script, the human.
        rows.extend(work.into_iter().filter(|(name, _)| *name != "orchestrator").map(|(name, work_ms)| {
            AgentRow {
                name: name.to_owned(),
                role: String::new(),
                with: String::new(),
                completed: 0,
                work_ms,
                spent: Amount::default(),
            }
        }));
        rows
    }

    fn tasks(&self) -> impl Iterator<Item = TaskRow<'_>> {
        self.tasks.iter().map(|view| TaskRow {
            view,
            work_ms: {
                let held = view.claims.iter().map(|claim| claim.to_ms.saturating_sub(claim.from_ms)).sum();
                at_work(view.spent, held)
            },
            by: {
                let last = view.claims.last().map(|claim| &claim.agent);
                let by = view.agent.as_ref().or(view.author.as_ref()).or(last);
                by.map(ToString::to_string).unwrap_or_default()
            },
        })
    }

    /// The tasks that failed for good, with what was said last.
    fn failed(&self) -> impl Iterator<Item = (&TaskView, &'static str, &str)> {
        self.tasks.iter().filter_map(|task| {
            let failure = task.failure?;
            let said = task.feedback.last();
            let words = said.map_or("", |feedback| match &feedback.text {
                agent_team::Text::Inline(text) => text.as_str(),
                agent_team::Text::Blob(long) => long.head.as_str(),
            });
            Some((task, why(failure), words))
        })
    }
}

/// Why a task failed for good, in words.
fn why(failure: Failure) -> &'static str {
    match failure {
        Failure::Attempts => "All of its attempts failed.",
        Failure::Quarantined => "It was taken over too often without progress.",
        Failure::GivenUp => "Its agent gave up: no attempt can succeed.",
        Failure::Conflicts => "It did not fit onto the target branch too often.",
        Failure::Parts => "A part of it failed.",
    }
}

/// What something cost, in words; nothing if it cost nothing.
fn cost(spent: Amount) -> String {
    if spent.micro_usd == 0 { String::new() } else { money(spent.micro_usd) }
}

/// How long somebody was at work, in milliseconds: what was counted of it, in which nobody waits for another's word. Of those of
/// whom nothing is counted, such as scripts, as long as they held something.
fn at_work(spent: Amount, held_ms: u64) -> u64 {
    if spent.time_ms > 0 { spent.time_ms } else { held_ms }
}
