//! The moments at which hooks are asked, apart from claims: what they are told, and what their no means.
//!
//! All of these block the thread while a hook runs, and do nothing where there is none.

use agent_team_core::record::WorkCommit;
use tokio_util::sync::CancellationToken;

use super::event::task_of;
use super::{BeforeMerge, Blocked, Event, Hook, Ruling};
use crate::{
    AgentId, Error, FeedbackCause, MessageBus, NewTask, Recipient, RecordId, Status, TaskId, TeamLog,
};

/// Whether tasks may be added, all of them.
pub(crate) fn may_add<'a>(
    team_log: &TeamLog,
    by: &AgentId,
    tasks: impl Iterator<Item = (&'a TaskId, &'a NewTask)>,
) -> Result<(), Error> {
    if team_log.hooks(Hook::TaskAdded).is_none() {
        return Ok(());
    }
    for (id, task) in tasks {
        ask(team_log, &Event::about_new(team_log, by, id, task, None))?;
    }
    Ok(())
}

/// Whether a task may be added by which a failure is put to a lead, or why not.
pub(crate) fn may_plan_anew(
    team_log: &TeamLog,
    by: &AgentId,
    (id, task): (&TaskId, &NewTask),
    failed: &TaskId,
    stop: &CancellationToken,
) -> Result<(), Blocked> {
    let Some(hooks) = team_log.hooks(Hook::TaskAdded) else { return Ok(()) };
    let event = Event::about_new(team_log, by, id, task, Some(failed));
    match hooks.ask(&event, stop) {
        Ruling::Pass => Ok(()),
        Ruling::Block(feedback) => Err(Blocked { hook: event.event, task: Some(id.clone()), feedback }),
    }
}

/// Whether a result may be delivered. Nobody is asked about one that comes too late.
pub(crate) fn may_complete(
    team_log: &TeamLog,
    claim: RecordId,
    agent: &AgentId,
    result: &str,
    commit: Option<&WorkCommit>,
) -> Result<(), Error> {
    if team_log.hooks(Hook::TaskCompleted).is_none() {
        return Ok(());
    }
    let Some(task) = task_of(team_log, claim)? else { return Ok(()) };
    let event = Event::about(Hook::TaskCompleted, team_log, agent, &task)?;
    let commit = commit.cloned();
    let (commit, base) = commit.map(|work| (work.commit, work.base)).unzip();
    ask(team_log, &Event { result: Some(result.to_owned()), commit, base, ..event })
}

/// Whether a plan may be submitted. That it may approves nothing: somebody still has to judge it. Nobody is asked about
/// one that comes too late.
pub(crate) fn may_submit_plan(
    team_log: &TeamLog,
    claim: RecordId,
    agent: &AgentId,
    plan: &str,
) -> Result<(), Error> {
    if team_log.hooks(Hook::PlanSubmitted).is_none() {
        return Ok(());
    }
    let Some(task) = task_of(team_log, claim)? else { return Ok(()) };
    let event = Event::about(Hook::PlanSubmitted, team_log, agent, &task)?;
    ask(team_log, &Event { plan: Some(plan.to_owned()), ..event })
}

/// Tells that a plan was judged. It cannot be undone, so a no is only noted.
pub(crate) fn plan_judged(
    team_log: &TeamLog,
    by: &AgentId,
    task: &TaskId,
    approved: bool,
    words: &str,
) -> Result<(), Error> {
    if team_log.hooks(Hook::PlanJudged).is_none() {
        return Ok(());
    }
    let event = Event::about(Hook::PlanJudged, team_log, by, task)?;
    let (approved, feedback) = (Some(approved), Some(words.to_owned()).filter(|words| !words.is_empty()));
    tell(team_log, task, &Event { approved, feedback, ..event });
    Ok(())
}

/// Tells that an attempt failed. It cannot be undone, so a no is only noted. A conflict with what others merged is no
/// failed attempt, unless it was one too many.
pub(crate) fn attempt_failed(
    team_log: &TeamLog,
    agent: &AgentId,
    task: &TaskId,
    cause: FeedbackCause,
    error: &str,
) -> Result<(), Error> {
    if team_log.hooks(Hook::TaskFailed).is_none() {
        return Ok(());
    }
    if cause == FeedbackCause::Conflict && !has_failed(team_log, task)? {
        return Ok(());
    }
    let event = Event::about(Hook::TaskFailed, team_log, agent, task)?;
    tell(team_log, task, &Event { cause: Some(cause), error: Some(error.to_owned()), ..event });
    Ok(())
}

/// Tells that a task failed for good because it was taken from too many holders that died, if it did.
pub(crate) fn quarantined(team_log: &TeamLog, agent: &AgentId, task: &TaskId) -> Result<(), Error> {
    if team_log.hooks(Hook::TaskFailed).is_none() || !has_failed(team_log, task)? {
        return Ok(());
    }
    let error = format!("{agent} is gone, as others before that held it");
    attempt_failed(team_log, agent, task, FeedbackCause::Error, &error)
}

fn has_failed(team_log: &TeamLog, task: &TaskId) -> Result<bool, Error> {
    team_log.look(|state| state.task(task).is_some_and(|task| task.status == Status::Failed))
}

/// Tells that an agent has nothing to do. A no becomes a message to it.
pub(crate) fn agent_idle(team_log: &TeamLog, agent: &AgentId) -> Result<(), Error> {
    let Some(hooks) = team_log.hooks(Hook::AgentIdle) else { return Ok(()) };
    let event = Event::new(Hook::AgentIdle, team_log, agent);
    if let Ruling::Block(feedback) = hooks.ask(&event, &CancellationToken::new()) {
        let bus = MessageBus::over(team_log.clone());
        bus.send(&AgentId::human(), Recipient::Agent(agent.clone()), feedback)?;
    }
    Ok(())
}

/// Whether a candidate may be merged, or why not.
pub(crate) fn may_merge(
    team_log: &TeamLog,
    merge: BeforeMerge,
    stop: &CancellationToken,
) -> Result<Result<(), Blocked>, Error> {
    let Some(hooks) = team_log.hooks(Hook::BeforeMerge) else { return Ok(Ok(())) };
    let BeforeMerge { by, task, commit, base, branch } = merge;
    let event = Event::about(Hook::BeforeMerge, team_log, &by, &task)?;
    let event = Event { commit: Some(commit), base: Some(base), branch: Some(branch), ..event };
    Ok(match hooks.ask(&event, stop) {
        Ruling::Pass => Ok(()),
        Ruling::Block(feedback) => Err(Blocked { hook: event.event, task: Some(task), feedback }),
    })
}

/// Tells the hook of an event what has happened; its no is only noted.
fn tell(team_log: &TeamLog, task: &TaskId, event: &Event) {
    let Some(hooks) = team_log.hooks(event.event) else { return };
    if let Ruling::Block(feedback) = hooks.ask(event, &CancellationToken::new()) {
        hooks.note(format!("the hook {} says of {task}: {feedback}", event.event));
    }
}

/// Asks the hook of an event; its no is an error to whoever wanted something.
fn ask(team_log: &TeamLog, event: &Event) -> Result<(), Error> {
    let Some(hooks) = team_log.hooks(event.event) else { return Ok(()) };
    match hooks.ask(event, &CancellationToken::new()) {
        Ruling::Pass => Ok(()),
        Ruling::Block(feedback) => {
            Err(Blocked { hook: event.event, task: event.id.clone(), feedback }.into())
        }
    }
}
