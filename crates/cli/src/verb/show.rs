//! `show`: all that is known of one task.

use agent_team::view::{GateView, TaskView};
use agent_team::{TaskId, WorkCommit};
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{self, Actor, Operation};
use crate::output::{Cell, Output};
use crate::task_text::{self, full};
use crate::time;

/// The arguments of `show`.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[command(
    about = "Show all that is known of a task",
    long_about = Show::ABOUT,
    after_help = "Examples:\n  agent-team show parse\n  agent-team show parse --json | jq -r .result"
)]
#[serde(deny_unknown_fields)]
pub struct Show {
    /// The task
    #[schemars(with = "String")]
    id: TaskId,
}

impl Show {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        operation::look(self, global, out)
    }
}

impl Operation for Show {
    const TOOL: &'static str = "get_task";
    const ABOUT: &'static str = "Show all that is known of a task: every text in full, what it waits for, its attempts, what \
                                 went wrong with them, and results that came too late.";
    const READS: bool = true;

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let task = task_text::in_full(by.queue, by.queue.get_task(&self.id)?);
        out.answer(&task, |out| print(&task, out))?;
        Ok(Exit::Done)
    }
}

/// How many tasks are named in a line.
const NAMES: usize = 20;

/// All that is known of a task whose texts are in full, in lines.
pub fn as_text(task: &TaskView) -> std::io::Result<String> {
    let mut out = Output::kept();
    print(task, &mut out)?;
    Ok(out.into_kept().text)
}

/// Prints all that is known of a task whose texts are in full.
pub(super) fn print(task: &TaskView, out: &mut Output) -> std::io::Result<()> {
    out.line(&format!("{}  {}", task.id, task.title))?;
    out.table(&fields(task))?;
    section(out, "description", &full(&task.description))?;
    for feedback in &task.feedback {
        let reviewer = feedback.reviewer.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let (attempt, agent, cause) = (feedback.attempt, &feedback.agent, feedback.cause.as_str());
        let commit = commit(feedback.commit.as_ref());
        let head = format!("attempt {attempt} by {agent}: {cause}{reviewer}{commit}");
        section(out, &head, &full(&feedback.text))?;
    }
    for late in &task.late {
        section(
            out,
            &format!(
                "late result by {}, {}{}",
                late.agent,
                time::local(late.at_ms),
                commit(late.commit.as_ref())
            ),
            &full(&late.result),
        )?;
    }
    if let Some(result) = &task.result {
        section(out, "result", &full(result))?;
    }
    if let Some(said) = &task.check_output {
        section(out, "its check", &full(said))?;
    }
    if let Some(gate) = &task.gate {
        section(out, "the gate", &gate_words(gate))?;
    }
    Ok(())
}

/// What is known of the gate that a result has still to pass. What it said of an earlier attempt stands at that one.
fn gate_words(gate: &GateView) -> String {
    let not_yet = format!("`{}` has not run on this result: it runs when that is merged", gate.command);
    match gate.refused {
        Some(attempt) => format!("{not_yet}; it refused attempt {attempt}, see there"),
        None => not_yet,
    }
}

/// Where to find the work itself, for who knows git.
fn commit(work: Option<&WorkCommit>) -> String {
    work.map(|work| format!(", commit {}", work.commit)).unwrap_or_default()
}

fn section(out: &mut Output, head: &str, text: &str) -> std::io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.line(&format!("{head}:"))?;
    out.block("  ", text)
}

/// What there is to say in one line each. What is not set is left out.
fn fields(task: &TaskView) -> Vec<Vec<Cell>> {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            rows.push(vec![format!("  {name}").into(), value.into()]);
        }
    };
    add(
        "status",
        Some(format!("{}, since {} ({})", task.status, time::local(task.since_ms), time::ago(task.since_ms))),
    );
    add("waits for", task.waits_for.clone());
    add("remedy", task.remedy.clone());
    add("failed", task.failure.map(|failure| failure.words().to_owned()));
    add("held by", task.agent.as_ref().zip(task.stage).map(|(agent, stage)| format!("{agent} ({stage})")));
    add("token", task.token.map(|token| token.to_string()));
    add("author", task.author.as_ref().map(ToString::to_string));
    add("attempt", attempt(task));
    add("after", Some(names(&task.after)));
    add("before", Some(names(&task.dependents)));
    add("parent", task.parent.as_ref().map(ToString::to_string));
    add("parts", Some(names(&task.parts)));
    add("team", task.team.as_ref().map(ToString::to_string));
    add(
        "plans",
        task.goal.as_ref().map(|goal| if goal.anew { "the goal anew" } else { "the goal" }.to_owned()),
    );
    add("plans anew", task.replans.as_ref().map(ToString::to_string));
    add("planned anew by", task.replan.as_ref().map(ToString::to_string));
    let priority = if task.priority == i32::MAX { "first".to_owned() } else { task.priority.to_string() };
    add("priority", (task.priority != 0).then_some(priority));
    add("role", task.role.map(|role| role.to_string()));
    add("skill", task.skill.as_ref().map(ToString::to_string));
    add("for", task.for_agent.as_ref().map(ToString::to_string));
    add("check", task.check.clone());
    add("time limit", task.time_limit_ms.map(time::short));
    add("review", task_text::review(task));
    add("plan", plan(task));
    add("labels", Some(task.labels.join(", ")));
    add("commit", task.commit.as_ref().map(|commit| commit.commit.clone()));
    add("merged", task.merged.clone());
    add("cost", task_text::cost(task.spent));
    let by = task.asked_by.as_ref().map(|agent| format!(", as {agent} asked")).unwrap_or_default();
    add("added", Some(time::local(task.added_at_ms) + &by));
    for claim in &task.claims {
        let took = time::short(claim.to_ms.saturating_sub(claim.from_ms));
        let what = format!("{} {} for {took}: {}", claim.agent, claim.stage, claim.ending);
        add(&format!("attempt {}", claim.attempt), Some(what));
    }
    rows
}

/// Whether a plan is wanted, who approves it, and how far that is.
fn plan(task: &TaskView) -> Option<String> {
    let wanted =
        task.wants_plan.then(|| format!("must be approved first, by {}", task_text::approvers(task)));
    let newest = task.plan.as_ref().map(|plan| {
        let word = match plan.approved {
            None => "waits to be judged",
            Some(true) => "is approved",
            Some(false) => "was rejected",
        };
        format!("plan {} {word}", plan.round)
    });
    let words: Vec<String> = wanted.into_iter().chain(newest).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// Which attempt is the newest. There may be more than may fail: one that was sent back by a reviewer, or handed on, has not.
fn attempt(task: &TaskView) -> Option<String> {
    let (number, most) = (task.attempt, task.attempts);
    match number {
        0 => None,
        _ if number > most => Some(format!("{number} (failures allowed: {most})")),
        _ => Some(format!("{number} of {most}")),
    }
}

fn names(tasks: &[TaskId]) -> String {
    let first: Vec<&str> = tasks.iter().take(NAMES).map(TaskId::as_str).collect();
    let more = tasks.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    first.join(", ") + &more
}
