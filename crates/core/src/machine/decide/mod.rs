//! `decide`: turns a wish into the records that would fulfil it, judged against the newest state that is known.
//!
//! It may look at the clock (which comes in as an argument) and may choose; whatever it proposes is judged by the same
//! guards that [`State::apply`] asks, so a proposal that a race overtakes is void and is decided again.

mod choose;
mod command;
mod replace;

pub use command::Command;

use std::collections::BTreeMap;

use self::replace::Replacement;
use super::refusal::Refusal;
use super::safeguard::Safeguard;
use super::state::State;
use crate::id::TaskId;
use crate::record::{
    Account, BatchClosed, Body, Bounds, BudgetSet, ClaimExpired, FORMAT, FormatRaised, NEWEST_FORMAT,
    PauseSet, PlanJudged, PolicySet, Revision, TaskAdded, TaskCancelled, TaskClaimed, TaskEdited, TaskFailed,
    TaskGivenUp, TaskReassigned, TaskRetried, TaskSpec,
};

/// The longest backoff, in milliseconds.
const BACKOFF_MS_MAX: u64 = 15 * 60 * 1_000;

/// Decides a command, and raises the log's format where it says what the log cannot say yet. `now_ms` is the time in milliseconds since 1970, for backoffs.
///
/// # Errors
/// The refusal that the newest state gives; nothing is to be written then.
pub fn decide(state: &State, command: &Command, now_ms: u64) -> Result<Vec<Body>, Refusal> {
    let mut bodies = bodies(state, command, now_ms)?;
    let needed = bodies.iter().map(Body::format).max().unwrap_or(FORMAT);
    if needed > state.format {
        bodies.insert(0, FormatRaised { version: needed }.into());
    }
    Ok(bodies)
}

fn bodies(state: &State, command: &Command, now_ms: u64) -> Result<Vec<Body>, Refusal> {
    if let Some(expected) = state.newer_format.filter(|_| state.keeps(Safeguard::OldProgramIsSilent)) {
        return Err(Refusal::WrongFormat { expected, found: NEWEST_FORMAT });
    }
    let body: Body = match command {
        Command::AddTasks { tasks, batch, limits } => {
            let added = add(state, tasks, *batch)?;
            return Ok(limited(state, limits).chain(added).collect());
        }
        Command::ReplaceTask { task, tasks, batch, limits, fenced } => {
            let replacement = Replacement { task, tasks, batch: *batch, limits, fenced: *fenced };
            return replacement.decide(state);
        }
        Command::EditTask { task, change } => {
            TaskEdited { task: task.clone(), on: revision(state, task)?, change: change.clone() }.into()
        }
        Command::RetryTask { task } => TaskRetried { task: task.clone(), on: revision(state, task)? }.into(),
        Command::CancelTask { task, dependents, fenced } => {
            let on = revision(state, task)?;
            TaskCancelled { task: task.clone(), on, dependents: *dependents, fenced: *fenced }.into()
        }
        Command::Claim { agent, task, stage, holder } => {
            let task = choose::task(state, agent, task.as_ref(), *stage, now_ms)?;
            let on = Some(task.revision);
            let (task, agent, holder) = (task.id().clone(), agent.clone(), holder.clone());
            TaskClaimed { task, on, stage: *stage, agent, holder }.into()
        }
        // What was seen comes from the observer: the newest state may hold a renewal that the observer knows nothing of.
        Command::Expire { claim, seen, cause, fenced } => {
            ClaimExpired { claim: *claim, seen: *seen, cause: *cause, fenced: *fenced }.into()
        }
        Command::Fail { claim, error, for_good } => {
            let task = state.live_claim(*claim)?.0;
            let not_before_ms = now_ms.saturating_add(backoff_ms(&task.spec, task.failures));
            TaskFailed { claim: *claim, error: error.clone(), for_good: *for_good, not_before_ms }.into()
        }
        Command::SetPolicy { policy } => {
            PolicySet { on: state.policy_revision, policy: policy.clone() }.into()
        }
        Command::SetBudget { account, bounds } => {
            let on = state.ledger.limit(account).revision;
            BudgetSet { account: account.clone(), on, bounds: *bounds }.into()
        }
        Command::Pause { agent, paused, release, reason } => {
            let known = state.pauses.get(agent);
            let on = known.map(|pause| pause.revision);
            let (paused, release) = (*paused, *release);
            PauseSet { agent: agent.clone(), on, paused, release, reason: reason.clone() }.into()
        }
        Command::Reassign { task, agent, fenced } => {
            let on = revision(state, task)?;
            if let (Some(known), Some(agent)) = (state.task(task), agent) {
                state.could_work_on(known, agent)?;
            }
            TaskReassigned { task: task.clone(), on, agent: agent.clone(), fenced: *fenced }.into()
        }
        Command::GiveUp { task, reason } => {
            TaskGivenUp { task: task.clone(), on: revision(state, task)?, reason: reason.clone() }.into()
        }
        Command::JudgePlan { task, plan, by, approved, feedback } => {
            let known = state.task(task).ok_or_else(|| Refusal::NoSuchTask { task: task.clone() })?;
            let other = || Refusal::OtherPlan { task: task.clone() };
            let waiting = known.plan.as_ref().ok_or_else(other)?;
            PlanJudged {
                task: task.clone(),
                plan: plan.unwrap_or(waiting.id),
                text_hash: waiting.text.hash(),
                by: by.clone(),
                approved: *approved,
                feedback: feedback.clone(),
            }
            .into()
        }
        Command::Record(body) => body.clone(),
    };
    state.judge(&body)?;
    Ok(vec![body])
}

/// Sets the limits that do not hold already.
fn limited<'a>(state: &'a State, limits: &'a [(TaskId, Bounds)]) -> impl Iterator<Item = Body> {
    let set = limits.iter().filter_map(|(task, bounds)| {
        let account = Account::Task(task.clone());
        let known = state.ledger.limit(&account);
        (known.bounds != *bounds).then_some((account, known.revision, *bounds))
    });
    set.map(|(account, on, bounds)| BudgetSet { account, on, bounds }.into())
}

fn revision(state: &State, task: &TaskId) -> Result<Revision, Refusal> {
    let known = state.task(task).ok_or_else(|| Refusal::NoSuchTask { task: task.clone() })?;
    Ok(Some(known.revision))
}

fn add(state: &State, tasks: &[TaskSpec], batch: crate::id::RecordId) -> Result<Vec<Body>, Refusal> {
    super::graph::check(state, tasks)?;
    match tasks {
        [] => return Ok(Vec::new()),
        [task] => return Ok(vec![TaskAdded { task: Box::new(task.clone()), batch: None }.into()]),
        _ => {}
    }
    // A writer that was cut off in the middle decides again, and goes on where it stopped.
    let written = state.batches.get(&batch).into_iter().flatten();
    let written: BTreeMap<&TaskId, &TaskSpec> = written.map(|(_, spec)| (&spec.id, &**spec)).collect();
    let missing = tasks.iter().filter(|task| written.get(&task.id) != Some(task));
    let added = |task: &TaskSpec| TaskAdded { task: Box::new(task.clone()), batch: Some(batch) }.into();
    let mut bodies: Vec<Body> = missing.map(added).collect();
    if let Ok(tasks) = u32::try_from(tasks.len()) {
        bodies.push(BatchClosed { batch, tasks }.into());
    }
    Ok(bodies)
}

/// The wait after one more failure: it doubles with each, up to a limit. The first failure waits `backoff_ms`.
fn backoff_ms(spec: &TaskSpec, failures: u32) -> u64 {
    let doubled = spec.backoff_ms.saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX));
    doubled.min(BACKOFF_MS_MAX.max(spec.backoff_ms))
}
