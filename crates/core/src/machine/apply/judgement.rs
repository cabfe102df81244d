//! Results, and what others make of them: submitted, failed, checked, reviewed, too late.

use super::claim::holder;
use super::{Meta, Rule};
use crate::id::{HUMAN, RecordId};
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::{Late, State};
use crate::machine::task::{Claim, Ending, Failure, Feedback, FeedbackCause, Submission, Task};
use crate::machine::transition::Step;
use crate::record::{CheckReported, LateResult, ReviewGiven, Stage, TaskFailed, TaskSubmitted};
use crate::text::Text;

/// Times in a row that work may fail to fit onto the target. A conflict is nobody's failure, but this has an end.
const CONFLICTS_MAX: u32 = 10;

/// A claim that is in force and for a certain stage.
pub(super) fn at_stage(state: &State, claim: RecordId, stage: Stage) -> Result<(&Task, &Claim), Refusal> {
    let (task, live) = state.live_claim(claim)?;
    if live.stage != stage && state.keeps(Safeguard::Stage) {
        return Err(Refusal::WrongStage { task: task.id().clone(), claim, stage: live.stage });
    }
    Ok((task, live))
}

/// The stage is passed: on to the next that the task asks for.
pub(super) fn pass(task: &mut Task, stage: Stage, meta: &Meta) {
    task.revision = meta.id;
    task.since_ms = meta.at_ms;
    task.takeovers = 0;
    task.end_claim(Ending::Done, meta.at_ms);
    task.step(Step::Passed { to: task.after(stage) });
}

/// What was delivered goes back to its author with the reason, or fails for good.
pub(super) fn send_back(task: &mut Task, cause: FeedbackCause, text: &Text, meta: &Meta) {
    task.revision = meta.id;
    task.since_ms = meta.at_ms;
    task.takeovers = 0;
    let judge = task.end_claim(Ending::Failed, meta.at_ms).map(|claim| claim.agent);
    if let Some(submission) = task.submission.take() {
        task.back_to = Some(submission.author.clone()).filter(|_| submission.orchestrated);
        task.feedback.push(Feedback {
            attempt: task.attempt,
            agent: submission.author,
            cause,
            text: text.clone(),
            commit: submission.commit,
            reviewer: judge.filter(|_| cause == FeedbackCause::Review),
        });
    }
    // Where there is an end of the rounds, that is what bounds them.
    let is_round = cause == FeedbackCause::Review && task.spec.review_rounds.is_some();
    if cause == FeedbackCause::Conflict {
        task.conflicts += 1;
    } else if !is_round {
        task.failures += 1;
    }
    give_back_or_fail(task, meta);
}

fn give_back_or_fail(task: &mut Task, meta: &Meta) {
    let ends = |safeguard| meta.safeguards.on(safeguard);
    let failure = if task.conflicts >= CONFLICTS_MAX && ends(Safeguard::Conflicts) {
        Failure::Conflicts
    } else if task.failures >= task.spec.attempts && ends(Safeguard::Attempts) {
        Failure::Attempts
    } else {
        task.step(Step::GivenBack);
        return;
    };
    task.step(Step::Exhausted);
    task.failure = Some(failure);
    task.back_to = None;
}

impl Rule for TaskSubmitted {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let (task, claim) = at_stage(state, self.claim, Stage::Work)?;
        if state.lacks_plan(task, &claim.agent) && state.keeps(Safeguard::PlanFirst) {
            return Err(Refusal::PlanNotApproved { task: task.id().clone() });
        }
        if task.open_parts > 0 && state.keeps(Safeguard::Parts) {
            return Err(Refusal::PartsOpen { task: task.id().clone(), parts: state.first_open_parts(task) });
        }
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, author)) = holder(state, self.claim) else { return };
        state.update(slot, |task| {
            let orchestrated = task.claim.as_ref().is_some_and(|claim| claim.holder.orchestrated);
            let protected = if task.spec.allow_protected { Vec::new() } else { self.protected };
            task.submission = Some(Box::new(Submission {
                id: meta.id,
                author,
                claim: self.claim,
                result: self.result,
                commit: self.commit,
                protected,
                orchestrated,
                check_output: None,
            }));
            pass(task, Stage::Work, meta);
        });
    }
}

impl Rule for TaskFailed {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        at_stage(state, self.claim, Stage::Work).map(|_| ())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, agent)) = holder(state, self.claim) else { return };
        state.update(slot, |task| {
            task.revision = meta.id;
            task.since_ms = meta.at_ms;
            task.end_claim(Ending::Failed, meta.at_ms);
            task.failures += 1;
            let attempt = task.attempt;
            let cause = FeedbackCause::Error;
            let (text, commit, reviewer) = (self.error, None, None);
            task.feedback.push(Feedback { attempt, agent, cause, text, commit, reviewer });
            if self.for_good {
                task.step(Step::Exhausted);
                task.failure = Some(Failure::GivenUp);
            } else {
                task.not_before_ms = self.not_before_ms;
                give_back_or_fail(task, meta);
            }
        });
    }
}

impl Rule for LateResult {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        match state.task_of_claim(self.claim) {
            Some(task) if *task.id() == self.task => Ok(()),
            _ if !state.keeps(Safeguard::LateClaim) => Ok(()),
            _ => Err(Refusal::NoSuchClaim { claim: self.claim }),
        }
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        state.late.push(Late {
            id: meta.id,
            task: self.task,
            claim: self.claim,
            agent: self.agent,
            result: self.result,
            commit: self.commit,
            at_ms: meta.at_ms,
        });
    }
}

impl Rule for CheckReported {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        at_stage(state, self.claim, Stage::Verify).map(|_| ())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, _)) = holder(state, self.claim) else { return };
        state.update(slot, |task| {
            if !self.passed {
                return send_back(task, FeedbackCause::Check, &self.output, meta);
            }
            if let Some(submission) = &mut task.submission {
                submission.check_output = Some(self.output);
            }
            pass(task, Stage::Verify, meta);
        });
    }
}

impl Rule for ReviewGiven {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let (task, _) = at_stage(state, self.claim, Stage::Review)?;
        let current = task.submission.as_ref().map(|submission| submission.id);
        if current != Some(self.submission) && state.keeps(Safeguard::Submission) {
            return Err(Refusal::OtherSubmission { task: task.id().clone() });
        }
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, reviewer)) = holder(state, self.claim) else { return };
        state.update(slot, |task| {
            if !self.approved {
                task.review_rounds += 1;
                return send_back(task, FeedbackCause::Review, &self.feedback, meta);
            }
            task.review = Some(self.feedback);
            // The human's word is enough.
            let suffices = reviewer.as_str() == HUMAN;
            task.approvals.push(reviewer);
            if suffices || task.approvals.len() >= task.spec.reviews as usize {
                return pass(task, Stage::Review, meta);
            }
            task.revision = meta.id;
            task.takeovers = 0;
            task.end_claim(Ending::Done, meta.at_ms);
        });
    }
}
