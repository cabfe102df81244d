//! The spans of a team's work: the run, attempts at tasks, checks and gates, merges.

use tracing::field::Empty;
use tracing::{Instrument, Level, Span, event, info_span};

use super::{Backing, INVOKE_AGENT, OTHER, TARGET, is_error, names};
use crate::agent::Assignment;
use crate::judge::Judgement;
use crate::merge_queue::Turn;
use crate::progress::Progress;
use crate::{AgentId, Error, RecordId, Role, RunReport, Stage, TaskId};

/// A run, from its beginning to its report.
pub(crate) async fn run(work: impl Future<Output = Result<RunReport, Error>>) -> Result<RunReport, Error> {
    let span = info_span!(
        target: TARGET,
        "agent_team.run",
        otel.status_code = Empty,
        { names::RUN } = Empty,
        { names::OUTCOME } = Empty,
        { names::ERROR } = Empty,
    );
    let ended = work.instrument(span.clone()).await;
    match &ended {
        Ok(report) => {
            span.record(names::OUTCOME, report.outcome.as_str());
        }
        Err(_) => {
            span.record(names::OUTCOME, "broken");
            is_error(&span, OTHER);
        }
    }
    ended
}

/// Says which run it is, once it has begun.
pub(crate) fn run_began(id: RecordId) {
    Span::current().record(names::RUN, tracing::field::display(id));
}

/// An agent's attempt at a task, or at judging it.
pub(crate) fn attempt(agent: &AgentId, role: Role, with: &str, task: &Assignment, claim: RecordId) -> Span {
    let backing = Backing::of(with);
    info_span!(
        target: TARGET,
        INVOKE_AGENT,
        otel.name = format!("{INVOKE_AGENT} {agent}"),
        otel.status_code = Empty,
        { names::OPERATION } = INVOKE_AGENT,
        { names::PROVIDER } = backing.provider,
        { names::REQUEST_MODEL } = backing.model.filter(|_| backing.provider != OTHER),
        { names::AGENT } = agent.as_str(),
        { names::ROLE } = role.as_str(),
        { names::TASK } = task.id.as_str(),
        { names::STAGE } = task.stage.as_str(),
        { names::ATTEMPT } = i64::from(task.attempt),
        { names::CLAIM } = %claim,
        { names::OUTCOME } = Empty,
        { names::ERROR } = Empty,
    )
}

/// What the attempt under way came to, as it is told.
pub(crate) fn came_to(progress: &Progress, stage: Option<Stage>) {
    let outcome = match progress {
        Progress::Delivered { .. } => "delivered",
        Progress::Reviewed { approved: true, .. } => "approved",
        Progress::Reviewed { approved: false, .. } => "changes_wanted",
        Progress::Failed { .. } => "failed",
        Progress::GaveBack { .. } => "not_judged",
        _ => return,
    };
    attempt_ended(outcome, stage);
}

/// What the attempt under way came to, in one word.
pub(crate) fn attempt_ended(outcome: &'static str, stage: Option<Stage>) {
    Span::current().record(names::OUTCOME, outcome);
    event!(
        target: TARGET,
        Level::INFO,
        { names::ATTEMPTS } = 1_u64,
        { names::OUTCOME } = outcome,
        { names::STAGE } = stage.map(Stage::as_str),
    );
}

/// The attempt under way has failed.
pub(crate) fn failed(error: &'static str) {
    is_error(&Span::current(), error);
}

/// A command that judges: a check or a gate. That it does not hold is no error.
pub(crate) async fn judged(
    what: &str,
    task: Option<&TaskId>,
    judge: impl Future<Output = Result<Option<Judgement>, Error>>,
) -> Result<Option<Judgement>, Error> {
    let span = info_span!(
        target: TARGET,
        "agent_team.judge",
        otel.name = format!("agent_team.{what}"),
        otel.status_code = Empty,
        { names::TASK } = task.map(TaskId::as_str),
        { names::PASSED } = Empty,
        { names::EXIT_CODE } = Empty,
        { names::ERROR } = Empty,
    );
    let judged = judge.instrument(span.clone()).await;
    match &judged {
        Ok(Some(judgement)) => {
            span.record(names::PASSED, judgement.passed);
            span.record(names::EXIT_CODE, judgement.exit_code.map(i64::from));
        }
        // Nobody waits for it any more.
        Ok(None) => is_error(&span, "cut_off"),
        Err(_) => is_error(&span, OTHER),
    }
    judged
}

/// A turn of the merge queue with a task.
pub(crate) async fn merge(
    task: &TaskId,
    turn: impl Future<Output = Result<Turn, Error>>,
) -> Result<Turn, Error> {
    let span = info_span!(
        target: TARGET,
        "agent_team.merge",
        otel.status_code = Empty,
        { names::TASK } = task.as_str(),
        { names::OUTCOME } = Empty,
        { names::ERROR } = Empty,
    );
    let turned = turn.instrument(span.clone()).await;
    let outcome = match &turned {
        Ok(Turn::Merged { .. }) => "merged",
        Ok(Turn::AddsNothing { .. }) => "adds_nothing",
        Ok(Turn::Refused { .. }) => "refused",
        Ok(Turn::Again { .. } | Turn::Blocked { .. } | Turn::Idle) => "tried_again",
        Err(_) => {
            is_error(&span, OTHER);
            "broken"
        }
    };
    span.record(names::OUTCOME, outcome);
    event!(target: TARGET, Level::INFO, { names::MERGES } = 1_u64, { names::OUTCOME } = outcome);
    turned
}
