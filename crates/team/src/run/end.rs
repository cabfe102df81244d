//! The end of a run: what came of it, in figures and in the lead's words.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use agent_team_core::machine::{State, Task};
use agent_team_core::record::AgentLeft;
use agent_team_core::view::{self, BudgetView, LimitView, StatusView, TaskView};

use super::Run;
use super::over::End;
use super::replan::is_settled;
use crate::agent::{Activity, Context, prompt};
use crate::aside::{Aside, Unsaid};
use crate::git::Landing;
use crate::outside::now_ms;
use crate::progress::Progress;
use crate::purse::still_matters;
use crate::team_log::{blocking, refusal};
use crate::unfinished::KeptWork;
use crate::{AgentId, Error, Judgement, RecordId};

/// How long the lead may take to sum up. The work is done by then, so nothing is lost without it.
const SUMMARY_LIMIT: Duration = Duration::from_secs(300);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every task is completed, or was cancelled.
    Completed,
    /// The same, but the check of the whole goal is red, and nobody plans anew.
    Unproved,
    /// Tasks failed, or wait for something that will not happen by itself.
    Stuck,
    /// A budget is used up: agents have handed back what they worked on.
    OverBudget,
    /// Time was over.
    TimedOut,
    /// Somebody stopped it.
    Interrupted,
    /// Something broke.
    Broken,
}

impl RunOutcome {
    /// The outcome as written in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Unproved => "unproved",
            Self::Stuck => "stuck",
            Self::OverBudget => "over_budget",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
            Self::Broken => "broken",
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RunReport {
    /// How it ended.
    pub outcome: RunOutcome,
    /// The team at a glance.
    #[serde(flatten)]
    pub status: StatusView,
    /// The tasks that are neither completed nor cancelled, in the order in which they were added.
    pub unfinished: Vec<TaskView>,
    /// What went wrong beyond single tasks: a budget that is used up, a model that refuses its key.
    pub errors: Vec<String>,
    /// The lead's summing up.
    pub summary: Option<String>,
    /// What the check of the whole goal said.
    pub check: Option<Judgement>,
    /// Where merged work is; `None` if nothing was merged.
    pub landing: Option<Landed>,
    /// What each account may use, and what of it is gone.
    pub budgets: Vec<BudgetView>,
    /// Unfinished work that was handed back or lost when a budget was used up, somebody stopped it, or time was over, and
    /// where it is kept.
    pub kept: Vec<KeptWork>,
    /// The command that goes on, if a budget ended the run or the goal is not proved; its end, `agent-team run`, wants what the command line said
    /// besides.
    pub go_on: Option<String>,
    /// The models that agents waited for when the run ended, since their providers limited them; each with the time of
    /// the next try.
    pub waited_for: Vec<LimitView>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Where merged work is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Landed {
    /// The branch that was asked for.
    pub target: String,
    /// The branch that holds the work.
    pub branch: String,
    /// The command that brings it in, if it gathered beside the target.
    pub command: Option<String>,
}

impl RunReport {
    /// Whether everything that was asked for is done and proved.
    pub fn succeeded(&self) -> bool {
        self.outcome == RunOutcome::Completed
    }
}

impl Run<'_> {
    /// Ends the run: the goal's check, the lead's words, the members' leave. `None` if something can go on meanwhile: then it
    /// has not ended.
    pub(super) async fn report(&self, end: End, started: Instant) -> Result<Option<RunReport>, Error> {
        let End { outcome, limited: waited_for, .. } = end;
        let finished = matches!(outcome, RunOutcome::Completed | RunOutcome::Stuck);
        let proving = outcome == RunOutcome::Completed && !self.team.stop.is_asked();
        let check = if proving { self.prove_goal().await? } else { None };
        let outcome = match &check {
            Some(red) if !red.passed => {
                if self.plan_on(red).await? {
                    return Ok(None);
                }
                RunOutcome::Unproved
            }
            // A proof that was broken off proves nothing.
            None if proving && self.goal.check.is_some() && self.team.stop.is_asked() => {
                RunOutcome::Interrupted
            }
            _ => outcome,
        };
        let used_up = if outcome == RunOutcome::Completed { Vec::new() } else { self.used_up()? };
        let summary = if finished { self.sum_up(check.as_ref()).await } else { None };
        // Of the team that could not go on, and not of one that everybody has left.
        let (stuck, unfinished) = self.team.queue.team_log().look(|state| {
            let mut open: Vec<&Task> = state.tasks().filter(|task| !is_settled(state, task)).collect();
            open.sort_by_key(|task| task.added);
            let unfinished: Vec<TaskView> = open.into_iter().map(|task| view::task(state, task)).collect();
            (view::stuck(state), unfinished)
        })?;
        if !self.ended(&End { outcome, without_agents: end.without_agents, limited: Vec::new() })? {
            return Ok(None);
        }
        // Only then, since nobody could take what came meanwhile.
        if finished {
            self.say_goodbye()?;
        }
        let landing = match self.desk.clone() {
            None => None,
            Some(desk) => {
                let mut tasks = self.team.queue.list_tasks()?.into_iter();
                let merged = tasks.any(|task| task.merged.is_some());
                if merged { Some(blocking(move || where_it_is(&desk)).await?) } else { None }
            }
        };
        let status = StatusView { stuck, ..self.team.queue.get_status()? };
        let ended_it = if outcome == RunOutcome::OverBudget { used_up.as_slice() } else { &[] };
        let (budgets, with_more) = self
            .team
            .queue
            .team_log()
            .look(|state| (view::budgets(state, now_ms()), self.purses.how_to_go_on(state, ended_it)))?;
        // The check stays with the goal.
        let go_on =
            with_more.or_else(|| (outcome == RunOutcome::Unproved).then(|| "agent-team run".to_owned()));
        let is_open = |kept: &KeptWork| unfinished.iter().any(|task| task.id == kept.task);
        let kept = self.unfinished.kept().into_iter().filter(is_open).collect();
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        errors.retain(|error| still_matters(error, &used_up));
        Ok(Some(RunReport {
            outcome,
            status,
            unfinished,
            errors,
            summary,
            check,
            landing,
            budgets,
            kept,
            go_on,
            waited_for,
            took_ms,
        }))
    }

    /// Asks the lead to sum up. That it cannot is no reason to lose the report.
    async fn sum_up(&self, check: Option<&Judgement>) -> Option<String> {
        let lead = self.lead()?;
        let look = |state: &State| state.is_member(&lead.id).then(|| board(state));
        // Who was dropped has no more to say.
        let board = self.team.queue.team_log().look(look).ok()??;
        let text = prompt::synthesis(self.goal.words.as_deref(), &board, check);
        let about = "summary".parse().ok()?;
        let reporter = self.reporter.clone();
        let agent = lead.id.clone();
        let context = Context {
            agent: lead.id.clone(),
            role: lead.role,
            token: RecordId(0),
            queue: self.team.queue.clone(),
            bus: self.team.bus.clone(),
            workspace: None,
            attempt_folder: None,
            environment: self.environment.clone(),
            stop: self.team.stop.gently.clone(),
            activity: Activity::told_to(move |what| {
                reporter.report(Progress::Activity { agent: agent.clone(), what });
            }),
        };
        let mut aside = Aside::new(lead.agent.clone(), context);
        let answer = tokio::select! {
            answer = aside.ask(&about, &text, "sums up") => answer,
            () = tokio::time::sleep(SUMMARY_LIMIT) => {
                Err(Unsaid::Failed(format!("it took longer than {SUMMARY_LIMIT:?}")))
            }
        };
        let why_not = match answer {
            // Whoever was stopped as it spoke has not been heard.
            Ok(words) if !self.is_stopped(&lead.id) => return Some(words),
            Ok(_) | Err(Unsaid::HeldUp) => format!("{} is held up: nobody sums up", lead.id),
            Err(Unsaid::Failed(reason)) => format!("ERROR the lead could not sum up: {reason}"),
        };
        self.reporter.report(Progress::Note(why_not));
        None
    }

    fn is_stopped(&self, agent: &AgentId) -> bool {
        self.team.queue.team_log().look(|state| state.stopped(agent).is_some()).unwrap_or(false)
    }

    /// The members leave; mail that they did not read goes back to its senders.
    fn say_goodbye(&self) -> Result<(), Error> {
        for member in &self.team.members {
            let left = AgentLeft::new(member.id.clone());
            let _ = refusal(self.team.queue.team_log().submit(&self.by, &left.into()))?;
        }
        Ok(())
    }
}

fn where_it_is(desk: &crate::desk::Desk) -> Result<Landed, Error> {
    let (landing, branch, _) = desk.landing()?;
    let command = match landing {
        Landing::Gather { command, .. } => Some(command),
        Landing::BranchOnly | Landing::Checkout { .. } | Landing::Blocked { .. } => None,
    };
    Ok(Landed { target: desk.target.clone(), branch, command })
}

/// All tasks with their results, for the lead.
pub(crate) fn board(state: &State) -> String {
    let mut tasks: Vec<_> = state.tasks().collect();
    tasks.sort_by_key(|task| task.added);
    let lines = tasks.into_iter().map(|task| {
        let view = view::task(state, task);
        let last = task.feedback.last().map(|last| (last.said_by(), last.text.preview()));
        let author = task.submission.as_ref().map(|submission| &submission.author);
        let (why, said) = match (task.result(), view.failure) {
            (Some(result), _) => (String::new(), author.map(|author| (author, result.preview()))),
            (None, Some(failure)) => (format!(" (failed: {})", failure.as_str()), last),
            (None, None) => {
                (view.waits_for.as_ref().map(|what| format!(", waits for {what}")).unwrap_or_default(), None)
            }
        };
        let said = said.map(|(by, text)| format!("\n{}", prompt::quoted(by, &text))).unwrap_or_default();
        format!("- {} [{}{why}] {}{said}", view.id, view.status, prompt::harmless(&view.title))
    });
    lines.collect::<Vec<_>>().join("\n")
}
