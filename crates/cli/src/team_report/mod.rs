//! The report of a team: what was asked, who did what, when, what it cost, what failed and why. One that reads it needs nothing else.

mod html;
mod markdown;
mod timeline;

use std::borrow::Cow;
use std::collections::BTreeMap;

use agent_team::view::{StatusView, StretchView, TaskView, Waiting, stretches};
use agent_team::{Amount, Error, Failure, Stage, Status, TaskGraph, TaskQueue, with_texts};

use crate::report::money;
use crate::task_text::{approvers, full, whole};
use crate::time::{local, short};

/// All that a report tells of.
pub struct TeamReport {
    name: String,
    runs: Vec<RunRow>,
    status: StatusView,
    tasks: Vec<TaskView>,
    stretches: Vec<StretchView>,
    questions: Vec<Asked>,
    waiting: Vec<Waiting>,
    graph: TaskGraph,
    now_ms: u64,
}

/// A question, and what was answered.
struct Asked {
    /// Who asked whom, about which task.
    head: String,
    text: String,
    /// Who answered, and what; `None` while nobody has.
    answer: Option<(String, String)>,
}

/// An attempt that came to nothing, and why.
struct Setback<'a> {
    head: String,
    said: Cow<'a, str>,
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
        let in_full = |task: TaskView| {
            with_texts(task, |text| log.read_text(text).unwrap_or_else(|_| text.preview().into_owned()))
        };
        let tasks: Vec<TaskView> = queue.list_tasks()?.into_iter().map(in_full).collect();
        let open = if queue.is_being_run()? { "under way" } else { "cut off" };
        let (runs, stretches, newest_ms, asked) = log.look(|state| {
            let stretches: Vec<StretchView> = state.tasks().flat_map(stretches).collect();
            let ends = stretches.iter().map(|stretch| stretch.to_ms.unwrap_or(stretch.from_ms));
            let newest_ms = ends.max().unwrap_or_default();
            let rows = state.runs().iter().map(|run| {
                let is_on = open == "under way";
                let now_ms = if is_on { now_ms } else { newest_ms.max(run.from_ms) };
                let (outcome, to_ms) = run.ended.clone().unwrap_or_else(|| (open.to_owned(), now_ms));
                RunRow {
                    goal: run.goal.clone(),
                    check: run.check.clone(),
                    began: local(run.from_ms),
                    took: short(to_ms.saturating_sub(run.from_ms)),
                    outcome: outcome.replace('_', " "),
                }
            });
            let messages = state.messages();
            let asked = messages.all().iter().filter(|message| message.asks).map(|asked| {
                let answer =
                    messages.answer_to(asked.id).map(|answer| (answer.from.clone(), answer.text.clone()));
                let about = asked.task.as_ref().map(|task| format!(", about {task}")).unwrap_or_default();
                (format!("{} asked {}{about}", asked.from, asked.to), asked.text.clone(), answer)
            });
            (rows.collect(), stretches, newest_ms, asked.collect::<Vec<_>>())
        })?;
        let questions = asked.into_iter().map(|(head, text, answer)| Asked {
            head,
            text: whole(queue, &text),
            answer: answer.map(|(by, text)| (by.to_string(), whole(queue, &text))),
        });
        let name = log
            .folder()
            .and_then(|folder| folder.workspace().file_name())
            .map_or_else(|| "the team".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(Self {
            name,
            runs,
            status: queue.get_status()?,
            stretches,
            questions: questions.collect(),
            waiting: queue.waiting_for_run()?,
            graph: TaskGraph::of(&tasks),
            tasks,
            // Where nobody is at work any more, nothing goes on until now.
            now_ms: if open == "cut off" { newest_ms } else { now_ms },
        })
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
            (counts.running, "under way"),
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
        for stretch in &self.stretches {
            *work.entry(stretch.agent.as_str()).or_default() += self.took_ms(stretch);
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
                let own = self.stretches.iter().filter(|stretch| stretch.task == view.id);
                at_work(view.spent, own.map(|stretch| self.took_ms(stretch)).sum())
            },
            by: {
                let works = view.claims.iter().rev().find(|claim| claim.stage == Stage::Work);
                let last = works.or(view.claims.last()).map(|claim| &claim.agent);
                let by = view.agent.as_ref().or(view.author.as_ref()).or(last);
                by.map(ToString::to_string).unwrap_or_default()
            },
        })
    }

    /// How long a stretch of work took, or has taken so far, in milliseconds.
    fn took_ms(&self, stretch: &StretchView) -> u64 {
        stretch.to_ms.unwrap_or(self.now_ms).saturating_sub(stretch.from_ms)
    }

    /// The tasks that failed for good, with what went wrong with each attempt.
    fn failed(&self) -> impl Iterator<Item = (&TaskView, &'static str, Vec<Setback<'_>>)> {
        self.tasks.iter().filter_map(|task| Some((task, why(task.failure?), setbacks(task).collect())))
    }

    /// What went wrong with tasks that have not failed, or not yet.
    fn on_the_way(&self) -> impl Iterator<Item = (&TaskView, Vec<Setback<'_>>)> {
        let others = self.tasks.iter().filter(|task| task.failure.is_none());
        others.map(|task| (task, setbacks(task).collect::<Vec<_>>())).filter(|(_, said)| !said.is_empty())
    }

    /// The agents that could do no more, and why.
    fn unable(&self) -> impl Iterator<Item = (&str, &str)> {
        let left = self.status.agents.iter().filter(|agent| !agent.left_because.is_empty());
        left.map(|agent| (agent.id.as_str(), agent.left_because.as_str()))
    }

    /// What came of each task that is completed, and the commit that holds it.
    fn results(&self) -> impl Iterator<Item = (&TaskView, Cow<'_, str>)> {
        let done = self.tasks.iter().filter(|task| task.status == Status::Completed);
        done.filter_map(|task| Some((task, full(task.result.as_ref()?))))
    }

    /// What waits for somebody, a line each: what it is, and what helps.
    fn waits(&self) -> Vec<(String, String)> {
        let asked = self.questions.iter().filter(|asked| asked.answer.is_none());
        let mut waits: Vec<(String, String)> =
            asked.map(|asked| (format!("{}: {}", asked.head, asked.text), String::new())).collect();
        waits.extend(self.tasks.iter().filter_map(|task| {
            let plan = task.plan.as_ref().filter(|plan| plan.approved.is_none())?;
            let words = format!("{}: the plan of {} waits for {}", task.id, plan.author, approvers(task));
            Some((words, format!("agent-team plan show {}", task.id)))
        }));
        waits.extend(self.status.stuck.iter().chain(&self.waiting).map(|waiting| {
            let words = format!("{} is {}, and waits for {}", waiting.task, waiting.status, waiting.reason);
            (words, waiting.remedy.clone().unwrap_or_default())
        }));
        waits
    }
}

/// What was refused of a task, oldest first: attempts, then its newest plan.
fn setbacks(task: &TaskView) -> impl Iterator<Item = Setback<'_>> {
    let attempts = task.feedback.iter().map(|feedback| Setback {
        head: format!("attempt {} by {}: {}", feedback.attempt, feedback.agent, feedback.cause.as_str()),
        said: full(&feedback.text),
    });
    let plan = task.plan.as_ref().filter(|plan| plan.approved == Some(false));
    let plan = plan.map(|plan| Setback {
        head: format!("plan {} of {}: rejected", plan.round, plan.author),
        said: plan.feedback.as_ref().map(full).unwrap_or_default(),
    });
    attempts.chain(plan)
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
