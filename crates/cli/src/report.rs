//! The summary at the end of a run.

use std::collections::BTreeSet;

use agent_team::view::TaskView;
use agent_team::{Amount, Failure as TaskFailure, FeedbackCause, RunOutcome, RunReport};

use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::time::{self, short};

/// How many tasks are named that only wait their turn.
const WAITING_SHOWN: usize = 10;

/// Says what came of a run.
pub fn tell(report: &RunReport, rehearsed: bool, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        out.json(report)?;
        return Ok(());
    }
    let counts = &report.status.counts;
    let outcome = match report.outcome {
        _ if rehearsed => "rehearsed",
        RunOutcome::Completed => "done",
        RunOutcome::Unproved => "NOT PROVED",
        RunOutcome::Stuck => "NOT DONE",
        RunOutcome::OverBudget => "BUDGET USED UP",
        RunOutcome::TimedOut => "TIME OVER",
        RunOutcome::Interrupted => "INTERRUPTED",
        RunOutcome::Broken => "BROKEN",
    };
    let paint = if report.succeeded() { Paint::Good } else { Paint::Bad };
    let mut line = format!("{outcome}: {} of {} tasks completed", counts.completed, counts.total);
    for (count, what) in [
        (counts.failed, "failed"),
        (counts.blocked, "blocked"),
        (counts.ready, "ready"),
        (counts.running, "under way"),
        (counts.cancelled, "cancelled"),
    ] {
        if count > 0 {
            line += &format!(", {count} {what}");
        }
    }
    line += &format!(" in {}", short(report.took_ms));
    let spent = spent(report.status.spent);
    if !spent.is_empty() {
        line += &format!(", {spent}");
    }
    out.painted(&line, Some(paint))?;
    for error in &report.errors {
        out.painted(&format!("ERROR {error}"), Some(Paint::Bad))?;
    }
    tell_open(report, out)?;
    for limit in &report.waited_for {
        let next = time::left(limit.until_ms).map(|left| format!("; the next try would be in {left}"));
        let line = format!(
            "waited for {}, limited by its provider: {}{}",
            limit.model,
            limit.reason,
            next.unwrap_or_default()
        );
        out.painted(&format!("  {line}"), Some(Paint::Warning))?;
    }
    for kept in &report.kept {
        out.line(&format!("  kept {} by {}: {} ({})", kept.task, kept.agent, kept.reference, kept.commit))?;
    }
    if report.outcome == RunOutcome::OverBudget {
        out.table(&report.budgets.iter().map(crate::verb::budget::row).collect::<Vec<_>>())?;
    }
    if let Some(command) = report.go_on.as_ref().filter(|_| report.outcome != RunOutcome::Unproved) {
        out.line(&format!("go on with: {command}"))?;
    }
    if let Some(check) = report.check.as_ref().filter(|check| !check.passed) {
        out.painted(&format!("ERROR the goal is not proved: {}", check.line()), Some(Paint::Bad))?;
        out.block("  ", &check.output)?;
        if let Some(command) = &report.go_on {
            out.line(&format!("add what is missing (agent-team add TITLE), then go on with: {command}"))?;
        }
    }
    if let Some(summary) = &report.summary {
        out.line("")?;
        out.block("", summary.trim())?;
    }
    if let Some(landing) = &report.landing {
        let how = landing.command.as_ref().map(|command| format!("; bring it in with: {command}"));
        out.line(&format!("merged work is on {}{}", landing.branch, how.unwrap_or_default()))?;
    }
    Ok(())
}

/// Says which tasks are not done and why, and what helps.
fn tell_open(report: &RunReport, out: &mut Output) -> Result<(), Failure> {
    let stopped =
        matches!(report.outcome, RunOutcome::Interrupted | RunOutcome::TimedOut | RunOutcome::OverBudget);
    // What only waits for others may be thousands of tasks, and the first ones say it all.
    let (waiting, telling): (Vec<&TaskView>, Vec<&TaskView>) =
        report.unfinished.iter().partition(|task| waits(task));
    let more = waiting.len().saturating_sub(WAITING_SHOWN);
    let mut remedies = BTreeSet::new();
    for task in telling.into_iter().chain(waiting.into_iter().take(WAITING_SHOWN)) {
        // What was only not reached is no error; running it again goes on with it.
        let is_error = task.failure.is_some() || !stopped;
        let mark = if is_error { "ERROR" } else { "  open" };
        out.painted(&format!("{mark} {}", unfinished(task)), is_error.then_some(Paint::Bad))?;
        if task.feedback.last().is_some_and(|last| last.commit.is_some()) {
            out.line(&format!("  what was changed: agent-team diff {}", task.id))?;
        }
        let stuck = report.status.stuck.iter().find(|waiting| waiting.task == task.id);
        let remedy = stuck.and_then(|waiting| waiting.remedy.as_deref());
        // What helps many is said once.
        if let Some(remedy) = remedy.filter(|remedy| remedies.insert(*remedy)) {
            out.line(&format!("  {remedy}"))?;
        }
        if let Some(plan) = task.plan.as_ref().filter(|plan| plan.approved.is_none()) {
            let id = &task.id;
            let line = format!("plan of {} waits to be judged: agent-team plan show {id}", plan.author);
            out.painted(&format!("  {line}; the next run goes on with the verdict"), Some(Paint::Warning))?;
        }
    }
    if more > 0 {
        out.line(&format!("  … and {more} more that wait: agent-team list --status ready,blocked"))?;
    }
    let questions = report.status.questions.len();
    if questions > 0 {
        let what = if questions == 1 {
            "1 question waits".to_owned()
        } else {
            format!("{questions} questions wait")
        };
        out.painted(&format!("  {what} for an answer: agent-team answer"), Some(Paint::Warning))?;
    }
    Ok(())
}

/// Whether a task only waits its turn: it has not failed, and nobody is to judge its plan.
fn waits(task: &TaskView) -> bool {
    let is_judged = task.plan.as_ref().is_none_or(|plan| plan.approved.is_some());
    task.failure.is_none() && is_judged && task.attempt == 0
}

/// Why a task is not done, in one line.
fn unfinished(task: &TaskView) -> String {
    let said = || task.feedback.last().map(|last| last.text.preview().into_owned());
    let last = match task.failure {
        Some(TaskFailure::Quarantined) => task.claims.last().map(|last| last.ending.to_string()),
        _ => said(),
    };
    let reason = match (&task.failure, &task.waits_for) {
        (Some(failure), _) => format!("failed ({}): {}", failure.as_str(), last.unwrap_or_default()),
        (None, Some(what)) => format!("{}: waits for {what}", task.status),
        (None, None) => task.status.to_string(),
    };
    // What a check or a gate says last says most.
    let judged = task
        .feedback
        .last()
        .is_some_and(|last| matches!(last.cause, FeedbackCause::Check | FeedbackCause::Gate));
    let mut lines = reason.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let end = lines.next_back().filter(|_| judged && task.failure.is_some());
    let end = end.map(|line| format!(": {}", line.trim())).unwrap_or_default();
    format!("{} {first}{end}", task.id)
}

/// Millionths of a dollar as dollars, to the nearest cent.
pub fn money(micro_usd: u64) -> String {
    let cents = micro_usd.saturating_add(5_000) / 10_000;
    format!("${}.{:02}", cents / 100, cents % 100)
}

/// Tokens and money, in words.
pub fn spent(amount: Amount) -> String {
    let tokens = amount.tokens();
    if tokens == 0 {
        return String::new();
    }
    if amount.micro_usd == 0 {
        return format!("{tokens} tokens");
    }
    format!("{tokens} tokens, {}", money(amount.micro_usd))
}
