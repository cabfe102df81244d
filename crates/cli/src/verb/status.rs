//! `status`: the team at a glance.

use agent_team::view::{AgentView, BudgetView, GoalView, LimitView, PauseView, StatusView, Waiting};
use agent_team::{AgentId, AgentState, Doing, Observer, RunOutcome, TakenBack, TaskId};
use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{self, Actor, Operation};
use crate::output::{Cell, Output, Paint};
use crate::{task_text, time};

/// The arguments of `status`.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[command(
    about = "Show the team at a glance",
    long_about = "Show the team at a glance: how many tasks there are of each status, who does what, what is stuck \
                  and why, which models may not be called for how long since their provider limits them, and what \
                  was spent. Leases and processes are tested first, and what dead holders held goes \
                  back into the queue.\n\nAn agent works, waits (for its model, for checks and the gate, for a human, for another \
                  agent), is paused, stopped, idle (and why), stuck (no progress for its limit), dead (its process is gone), gone (no \
                  run is alive) or has left; `doing` has the same for programs.\n\nWith --json: `total`, `completed`, `failed`, `running` (up to merging), \
                  `ready`, `blocked` and `cancelled` (they add up), `agents`, `stuck` (with `reason` and `remedy`), \
                  `waiting_for_run` (what a run does, while none is alive), `pauses` (with the command that ends each in `remedy`), `late`, `limited` (models with `until_ms` and `reason`; what has passed is over), `spent`, `budgets`, and \
                  more.",
    after_help = "Examples:\n  agent-team status\n  agent-team status --json | jq .completed"
)]
#[serde(deny_unknown_fields)]
pub struct Status {}

#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    status: &'a StatusView,
    taken_back: &'a [TakenBack],
    /// What each agent does at the moment.
    doing: &'a [AgentState],
    /// Tasks that wait for what a run does, while none is alive.
    waiting_for_run: &'a [Waiting],
    /// What each account may use, and what of it is gone.
    budgets: &'a [BudgetView],
}

impl Status {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        operation::look(self, global, out)
    }
}

impl Operation for Status {
    const TOOL: &'static str = "get_status";
    const ABOUT: &'static str = "Show the team at a glance: how many tasks there are of each status, who does what, what is \
                                 stuck and why, and what was spent.";
    const READS: bool = true;

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let queue = by.queue;
        let taken_back = Observer::new(queue.team_log()).expire_dead()?;
        let (status, doing, budgets) = (queue.get_status()?, queue.agent_states()?, queue.budgets()?);
        let waiting = queue.waiting_for_run()?;
        let value = Json {
            status: &status,
            taken_back: &taken_back,
            doing: &doing,
            waiting_for_run: &waiting,
            budgets: &budgets,
        };
        out.answer(&value, |out| {
            print(&status, &taken_back, &doing, &waiting, out)?;
            let limited = budgets.iter().filter(|budget| budget.used_percent.is_some());
            let row = |budget: &BudgetView| {
                std::iter::once(Cell::painted("budget", None)).chain(super::budget::row(budget)).collect()
            };
            out.table(&limited.map(row).collect::<Vec<Vec<Cell>>>())
        })?;
        Ok(Exit::Done)
    }
}

/// How many tasks that are stuck are named.
const STUCK_SHOWN: usize = 20;

fn print(
    status: &StatusView,
    taken_back: &[TakenBack],
    doing: &[AgentState],
    waiting_for_run: &[Waiting],
    out: &mut Output,
) -> std::io::Result<()> {
    let counts = &status.counts;
    let all = [
        ("total", counts.total, None),
        ("completed", counts.completed, Some(Paint::Good)),
        ("failed", counts.failed, Some(Paint::Bad)),
        ("running", counts.running, Some(Paint::Active)),
        ("ready", counts.ready, None),
        ("blocked", counts.blocked, None),
        ("cancelled", counts.cancelled, None),
    ];
    let count = |(name, count, paint): (&str, u64, Option<Paint>)| {
        vec![name.into(), Cell::painted(count, paint.filter(|_| count > 0))]
    };
    out.table(&all.map(count))?;
    for taken in taken_back {
        let text = format!("taken back  {}  from {}: {}", taken.task, taken.agent, cause(taken));
        out.painted(&text, Some(Paint::Warning))?;
    }
    out.table(&status.agents.iter().map(|view| agent(view, doing)).collect::<Vec<_>>())?;
    if let Some(GoalView { goal, check: Some(check), outcome: Some(outcome) }) = &status.goal
        && outcome == RunOutcome::Unproved.as_str()
    {
        let goal = goal.as_deref().unwrap_or("what the tasks are for");
        out.painted(&format!("NOT PROVED  {goal}: `{check}` failed"), Some(Paint::Bad))?;
    }
    let stuck = status.stuck.iter().take(STUCK_SHOWN).map(|waiting| row("stuck", waiting));
    out.table(&stuck.chain(waiting_for_run.iter().map(|task| row("waits", task))).collect::<Vec<_>>())?;
    let more = status.stuck.len().saturating_sub(STUCK_SHOWN);
    if more > 0 {
        out.painted(&format!("stuck  and {more} more (`agent-team list`)"), Some(Paint::Warning))?;
    }
    // Why somebody is stopped stands in its row.
    let is_stopped =
        |agent: &AgentId| doing.iter().any(|state| state.doing == Doing::Stopped && state.agent == *agent);
    let paused = status.pauses.iter().filter(|pause| !pause.agent.as_ref().is_some_and(is_stopped));
    out.table(&paused.map(pause).collect::<Vec<_>>())?;
    if !status.plans.is_empty() {
        let names: Vec<&str> = status.plans.iter().map(TaskId::as_str).collect();
        let which = if let [one] = names[..] { one } else { "ID" };
        let text =
            format!("plans that wait to be judged  {} (`agent-team plan show {which}`)", names.join(", "));
        out.painted(&text, Some(Paint::Warning))?;
    }
    if !status.questions.is_empty() {
        let text = format!("open questions  {} (`agent-team answer`)", status.questions.len());
        out.painted(&text, Some(Paint::Warning))?;
    }
    for replans in &status.replans {
        let within = replans.within.as_ref().map(|task| format!(" within {task}")).unwrap_or_default();
        out.line(&format!("planned anew  {} of {} failures{within}", replans.used, replans.most))?;
    }
    out.table(&status.limited.iter().filter_map(limited).collect::<Vec<_>>())?;
    if status.late > 0 {
        out.line(&format!("late results  {}", status.late))?;
    }
    if let Some(cost) = task_text::cost(status.spent) {
        out.line(&format!("spent  {cost}"))?;
    }
    Ok(())
}

/// A task that waits, and what somebody can do about it.
fn row(how: &str, waiting: &Waiting) -> Vec<Cell> {
    vec![
        Cell::painted(how, Some(Paint::Warning)),
        waiting.task.as_str().into(),
        waiting.status.into(),
        format!("waits for {}", waiting.reason).into(),
        Cell::painted(waiting.remedy.as_deref().unwrap_or_default(), Some(Paint::Faint)),
    ]
}

fn agent(agent: &AgentView, doing: &[AgentState]) -> Vec<Cell> {
    let holds: Vec<String> = agent.holds.iter().map(|(task, stage)| format!("{task} ({stage})")).collect();
    let state = doing.iter().find(|state| state.agent == agent.id);
    let does = match state.map(|state| (state.doing, &state.words)) {
        Some((Doing::Left, words)) if !agent.left_because.is_empty() => {
            Cell::painted(words, Some(Paint::Bad))
        }
        Some((Doing::Left, _)) | None => Cell::painted("left", Some(Paint::Faint)),
        Some((Doing::Idle, why)) => Cell::painted(format!("idle: {why}"), Some(Paint::Faint)),
        Some((Doing::Gone, words)) => Cell::painted(words, Some(Paint::Faint)),
        Some((Doing::Working, _)) if holds.len() > 1 => holds.join(", ").into(),
        Some((doing, words)) => Cell::painted(words, paint(doing)),
    };
    let unread =
        if agent.unread > 0 && !agent.left { format!("{} unread", agent.unread) } else { String::new() };
    vec![
        "agent".into(),
        agent.id.as_str().into(),
        agent.role.into(),
        does,
        format!("{} completed", agent.completed).into(),
        unread.into(),
        task_text::cost(agent.spent).unwrap_or_default().into(),
    ]
}

fn paint(doing: Doing) -> Option<Paint> {
    match doing {
        Doing::Working | Doing::WaitingForModel => Some(Paint::Active),
        Doing::WaitingForHuman | Doing::Stuck | Doing::Paused | Doing::Stopped => Some(Paint::Warning),
        Doing::Dead => Some(Paint::Bad),
        Doing::WaitingForGate | Doing::WaitingForAgent | Doing::Idle | Doing::Gone | Doing::Left => None,
    }
}

/// Who is held up, and the command that lets it go on.
fn pause(pause: &PauseView) -> Vec<Cell> {
    let why = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
    let how = if pause.stopped { "stopped" } else { "paused" };
    vec![
        Cell::painted(how, Some(Paint::Warning)),
        format!("{}{why}", pause.agent.as_ref().map_or("the team", AgentId::as_str)).into(),
        Cell::painted(&pause.remedy, Some(Paint::Faint)),
    ]
}

/// A limit that is not over.
fn limited(limit: &LimitView) -> Option<Vec<Cell>> {
    let left = time::left(limit.until_ms)?;
    Some(vec![
        Cell::painted("limited", Some(Paint::Warning)),
        limit.model.as_str().into(),
        format!("no calls for {left}, until {}", time::local(limit.until_ms)).into(),
        limit.reason.as_str().into(),
        Cell::painted(format!("agent-team resume --model {}", limit.model), Some(Paint::Faint)),
    ])
}

fn cause(taken: &TakenBack) -> &'static str {
    match taken.cause {
        agent_team::ExpiryCause::Lease => "its lease is over",
        agent_team::ExpiryCause::ProcessGone => "its process is gone",
        agent_team::ExpiryCause::Stuck => "it made no progress",
    }
}
