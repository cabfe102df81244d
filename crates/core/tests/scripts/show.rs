//! Compact views of the state.

use agent_team_core::id::{AgentId, TaskId};
use agent_team_core::machine::{Message, State, Task};
use agent_team_core::view;

use crate::command::account;
use crate::parse::{Problem, parse};

pub fn status(state: &State) -> String {
    let counts = state.counts();
    let named = [
        ("completed", counts.completed),
        ("failed", counts.failed),
        ("running", counts.running),
        ("ready", counts.ready),
        ("blocked", counts.blocked),
        ("cancelled", counts.cancelled),
    ];
    let there = named.into_iter().filter(|(_, count)| *count > 0);
    let parts: Vec<String> = there.map(|(name, count)| format!("{count} {name}")).collect();
    format!("{} tasks: {}", counts.total, parts.join(", "))
}

/// A line per task.
pub fn board(state: &State) -> String {
    let mut tasks: Vec<_> = state.tasks().collect();
    tasks.sort_by_key(|task| task.id());
    tasks.into_iter().map(|task| headline(state, task)).collect::<Vec<_>>().join("\n")
}

fn headline(state: &State, task: &Task) -> String {
    let mut line = format!("{} {}", task.id(), task.status);
    if let Some(failure) = task.failure {
        line += &format!(" ({})", failure.as_str());
    }
    if let Some(claim) = &task.claim {
        line += &format!(", {} has {} {}", claim.agent, claim.stage, claim.id);
    }
    match view::waits_for(state, task) {
        Some(reason) => line + &format!(", waits for {reason}"),
        None => line,
    }
}

/// A task with its history.
pub fn task(state: &State, id: &str) -> Result<String, Problem> {
    let id: TaskId = parse(id)?;
    let task = state.task(&id).ok_or("there is no such task")?;
    let mut lines = vec![headline(state, task)];
    lines.push(format!(
        "  attempt {}, {} failures, {} takeovers",
        task.attempt, task.failures, task.takeovers
    ));
    if let Some(resumed) = task.claim.as_ref().and_then(|claim| claim.resumes).or(task.resume) {
        lines.push(format!("  goes on with {resumed}"));
    }
    lines.extend(
        task.submission.as_ref().map(|s| format!("  result by {}: {}", s.author, s.result.preview())),
    );
    if let Some(said) = task.submission.as_ref().and_then(|submission| submission.check_output.as_ref()) {
        lines.extend((!said.is_empty()).then(|| format!("  its check said: {}", said.preview())));
    }
    if let Some(gate) = view::gate(state, task) {
        let refused = gate.refused.map(|attempt| format!(", which refused attempt {attempt}"));
        lines.push(format!("  ahead is the gate `{}`{}", gate.command, refused.unwrap_or_default()));
    }
    lines.extend(task.merged.as_ref().map(|commit| format!("  merged {commit}")));
    for claim in &task.past_claims {
        lines.push(format!("  {} {} by {}: {}", claim.id, claim.stage, claim.agent, claim.ending));
    }
    for feedback in &task.feedback {
        let text = feedback.text.preview();
        lines.push(format!("  attempt {} {}: {text}", feedback.attempt, feedback.cause.as_str()));
    }
    for late in state.late().iter().filter(|late| late.task == id) {
        lines.push(format!("  late from {} under {}: {}", late.agent, late.claim, late.result.preview()));
    }
    Ok(lines.join("\n"))
}

pub fn stuck(state: &State) -> String {
    let lines = view::stuck(state).into_iter();
    lines
        .map(|waiting| {
            let remedy = waiting.remedy.map(|remedy| format!(" ({remedy})")).unwrap_or_default();
            format!("{} waits for {}{remedy}", waiting.task, waiting.reason)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// What an agent has not read, or what came since a place.
pub fn inbox(state: &State, agent: &str, since: Option<u64>) -> Result<String, Problem> {
    let agent: AgentId = parse(agent)?;
    let role = state.agent(&agent).map(|known| known.role);
    let line = |message: &Message| format!("{} {}: {}", message.id, message.from, message.text.preview());
    let lines: Vec<String> = match since {
        Some(seq) => state.messages().since(seq, &agent, role).map(line).collect(),
        None => state.messages().unread(&agent, role).map(line).collect(),
    };
    Ok(lines.join("\n"))
}

/// How far each message came with each reader.
pub fn messages(state: &State) -> String {
    let line = |message: &Message| {
        let view = view::message(state, message);
        let reader = |reader: &view::ReaderView| {
            let receipt = reader.receipt.map_or("queued".to_owned(), |it| format!("{it:?}").to_lowercase());
            format!("{} {receipt}", reader.agent)
        };
        let readers: Vec<String> = view.readers.iter().map(reader).collect();
        let returned = if view.returned { " (returned)" } else { "" };
        format!("{} {} to {}{returned}: {}", view.id, view.from, view.to, readers.join(", "))
    };
    state.messages().all().iter().map(line).collect::<Vec<_>>().join("\n")
}

pub fn ledger(state: &State, accounts: &[String]) -> Result<String, Problem> {
    let line = |text: &String| {
        let account = account(text)?;
        let (spent, reserved) = (state.ledger().spent(&account), state.ledger().reserved(&account));
        Ok(format!(
            "{account}: spent {} and {} tokens, reserved {} and {} tokens",
            spent.micro_usd,
            spent.tokens(),
            reserved.micro_usd,
            reserved.tokens()
        ))
    };
    accounts.iter().map(line).collect::<Result<Vec<_>, Problem>>().map(|lines| lines.join("\n"))
}

/// What each account may use, and what of it is gone.
pub fn budgets(state: &State, now_ms: u64) -> String {
    let line = |budget: view::BudgetView| {
        let nearest = budget.nearest.map(|what| format!(" of {what}")).unwrap_or_default();
        let aside = budget.reserved_percent.filter(|percent| *percent > 0);
        let aside = aside.map(|percent| format!(", {percent} % set aside")).unwrap_or_default();
        let percent = budget
            .used_percent
            .map_or("no limit".to_owned(), |percent| format!("{percent} %{nearest}{aside}"));
        let (attempts, time) = (budget.attempts, budget.spent.time_ms);
        format!("{}: {percent}; {attempts} attempts, {time} ms at work", budget.account)
    };
    view::budgets(state, now_ms).into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// When it was time to warn, and of what there is to warn now.
pub fn warnings(state: &State) -> String {
    let words = |warnings: &mut dyn Iterator<Item = agent_team_core::machine::Warning>| {
        let words =
            warnings.map(|it| format!("{} {} %", it.account, it.percent) + &format!(" of {}", it.what));
        words.collect::<Vec<_>>().join(", ")
    };
    let ledger = state.ledger();
    let were = words(&mut ledger.warnings().iter().cloned());
    format!("warned: {were}\nnow: {}", words(&mut ledger.standing_warnings()))
}

pub fn files(state: &State) -> String {
    let line =
        |held: &agent_team_core::machine::Reservation| format!("{} {} {}", held.path, held.agent, held.claim);
    state.files().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Which models were limited, and until when.
pub fn limits(state: &State) -> String {
    let limited = view::status(state).limited.into_iter();
    let line = |limit: view::LimitView| format!("{} until {}: {}", limit.model, limit.until_ms, limit.reason);
    limited.map(line).collect::<Vec<_>>().join("\n")
}

/// Writes the state down, reads it, and says whether it is the same.
pub fn snapshot(state: &State) -> String {
    let written = state.to_snapshot().unwrap();
    let read = State::from_snapshot(written.into());
    if read.as_ref() == Some(state) { "the same" } else { "different" }.to_owned()
}
