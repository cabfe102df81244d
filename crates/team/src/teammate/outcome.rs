//! What becomes of an assignment: delivered, judged, failed, handed back or handed out.

use agent_team_core::record::{ReviewGiven, Stage};

use super::Teammate;
use crate::agent::{Answer, Assignment};
use crate::desk::Delivery;
use crate::hooks::{self, Hook};
use crate::progress::Progress;
use crate::purse::UsedUp;
use crate::team_log::{blocking, refusal};
use crate::unjudged::Unjudged;
use crate::{Amount, Claimed, Error, FeedbackCause, Refusal, TaskId, telemetry};

/// What became of an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Delivered, judged or failed: it is in the log.
    Written,
    /// Given back without being done.
    GivenBack,
    /// The claim was lost meanwhile.
    Lost,
    /// Given back, since the agent cannot work any more: no budget is left, or its model refuses it.
    Unable,
    /// A review was given back, since the reviewer could not judge.
    BrokenDown,
}

impl Teammate {
    /// Delivers work: captured as a commit where there is a workspace.
    pub(super) async fn deliver(
        &self,
        claimed: &Claimed,
        assignment: &Assignment,
        answer: Answer,
    ) -> Result<Outcome, Error> {
        let mut commit = None;
        let mut protected = Vec::new();
        if let Some(desk) = self.desk.clone().filter(|_| self.agent.needs_workspace()) {
            let (agent, token) = (self.id.clone(), claimed.token.to_string());
            // It stands in the commit's message.
            let text = self.queue.team_log().secrets().hidden(&answer.text).into_owned();
            let given = assignment.clone();
            let captured = match blocking(move || desk.capture(&agent, &token, &given, &text)).await {
                // Whatever the agent made of its folder, it is this attempt that fails, and not the run.
                Err(Error::Git(error)) => {
                    return self.fail(claimed, format!("its work cannot be captured: {error}"), false).await;
                }
                captured => captured?,
            };
            match captured {
                Delivery::Nothing => {}
                Delivery::Commit(work, touched) => (commit, protected) = (Some(work), touched),
                Delivery::Refused(reason) => return self.fail(claimed, reason, false).await,
            }
        }
        let _untold = self.telling.begin(&assignment.id);
        let (queue, token, agent) = (self.queue.clone(), claimed.token, self.id.clone());
        let text = answer.text;
        let complete = move || queue.complete(token, &agent, text, commit, protected);
        let completed = match self.queue.team_log().hooks(Hook::TaskCompleted) {
            None => self.queue.team_log().write_soon(complete).await,
            Some(_) => blocking(complete).await,
        };
        if let Err(Error::Blocked(blocked)) = completed {
            return self.fail(claimed, blocked.to_string(), false).await;
        }
        let completed = refusal(completed)?;
        if let Err(Refusal::PartsOpen { .. }) = &completed {
            return self.hand_out(claimed).await;
        }
        // Another plan may have taken the place of the approved one meanwhile.
        if let Err(refused @ Refusal::PlanNotApproved { .. }) = &completed {
            return self.fail(claimed, refused.to_string(), false).await;
        }
        self.outcome(
            claimed,
            completed,
            Progress::Delivered { agent: self.id.clone(), task: assignment.id.clone() },
        )
    }

    pub(super) async fn judge(
        &self,
        claimed: &Claimed,
        assignment: &Assignment,
        answer: Answer,
    ) -> Result<Outcome, Error> {
        let Some(delivered) = &assignment.delivered else { return Ok(Outcome::Lost) };
        let _untold = self.telling.begin(&assignment.id);
        let team_log = self.queue.team_log().clone();
        let (by, claim, submission) = (self.id.clone(), claimed.token, delivered.submission);
        let approved = match answer.approved {
            Some(approved) if approved || !answer.text.trim().is_empty() => approved,
            // A reviewer that does not judge, or not why, says nothing about the work.
            _ => return self.fail(claimed, "the reviewer gave no verdict with a reason".into(), false).await,
        };
        let task = assignment.id.clone();
        let given = blocking(move || {
            let body =
                ReviewGiven { claim, submission, approved, feedback: team_log.text(answer.text.clone())? };
            let given = team_log.submit(&by, &body.into())?;
            if !approved {
                hooks::attempt_failed(&team_log, &by, &task, FeedbackCause::Review, &answer.text)?;
            }
            Ok(given)
        })
        .await;
        self.outcome(
            claimed,
            refusal(given)?.map(|_| ()),
            Progress::Reviewed { agent: self.id.clone(), task: assignment.id.clone(), approved },
        )
    }

    pub(super) async fn fail(
        &self,
        claimed: &Claimed,
        reason: String,
        for_good: bool,
    ) -> Result<Outcome, Error> {
        telemetry::failed(if for_good { "gave_up" } else { "failed" });
        let _untold = self.telling.begin(&claimed.task.id);
        let (queue, token, agent) = (self.queue.clone(), claimed.token, self.id.clone());
        let (by, task, why) = (self.id.clone(), claimed.task.id.clone(), reason.clone());
        let told = reason.clone();
        if claimed.task.stage == Some(Stage::Review) {
            // A reviewer that breaks down says nothing about the work.
            let progress = Progress::GaveBack { agent: by, task, reason: why };
            let released = blocking(move || queue.release(token, &agent, &reason)).await;
            let outcome = self.outcome(claimed, refusal(released)?, progress)?;
            if outcome != Outcome::Written {
                return Ok(outcome);
            }
            self.tell_that_it_judged_not(&claimed.task.id, &told)?;
            return Ok(Outcome::BrokenDown);
        }
        let failed = blocking(move || queue.fail(token, &agent, reason, for_good)).await;
        self.outcome(claimed, refusal(failed)?, Progress::Failed { agent: by, task, reason: why })
    }

    /// Says it of each result once, however often this agent takes the review again.
    fn tell_that_it_judged_not(&self, task: &TaskId, reason: &str) -> Result<(), Error> {
        let result = self.queue.team_log().look(|state| Some(state.task(task)?.submission.as_ref()?.id))?;
        match result {
            Some(result) if self.tried_in_vain(result, 1) == 1 => {
                self.tell_unjudged(task, &Unjudged::Result(result), reason)
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn give_back(&self, claimed: &Claimed, reason: &str) -> Result<Outcome, Error> {
        let (queue, token, agent) = (self.queue.clone(), claimed.token, self.id.clone());
        let reason = reason.to_owned();
        let released = blocking(move || queue.release(token, &agent, &reason)).await;
        Ok(refusal(released)?.map_or(Outcome::Lost, |()| Outcome::GivenBack))
    }

    /// A budget is used up: the work so far is kept, the task goes back, and the agent waits for more.
    pub(super) async fn over_budget(
        &self,
        claimed: &Claimed,
        refused: Refusal,
        upper: Amount,
    ) -> Result<Outcome, Error> {
        let used_up = UsedUp::of(&self.id, &refused, upper);
        let (Some(purses), Some(used_up)) = (&self.purses, used_up) else {
            return self.unable(claimed, refused.to_string()).await;
        };
        purses.warn(self.queue.team_log(), &self.reporter)?;
        purses.note_empty(used_up, &self.reporter);
        self.hand_back(claimed, &refused.to_string(), None).await
    }

    /// The budget of the task itself is used up: its work so far is kept, and it waits until there is enough for the next
    /// step. The agent does what else there is.
    pub(super) async fn over_task_budget(
        &self,
        claimed: &Claimed,
        refused: Refusal,
        upper: Amount,
    ) -> Result<Outcome, Error> {
        if let Some(purses) = &self.purses {
            purses.warn(self.queue.team_log(), &self.reporter)?;
            purses.tell_used_up(&refused, self.queue.team_log(), &self.reporter)?;
        }
        self.hand_back(claimed, &refused.to_string(), Some(upper)).await
    }

    /// The agent has split its task, and has it back when the parts are done.
    pub(super) async fn hand_out(&self, claimed: &Claimed) -> Result<Outcome, Error> {
        let (queue, agent, claim) = (self.queue.clone(), self.id.clone(), claimed.token);
        let handed_out = blocking(move || queue.hand_out(claim, &agent)).await;
        // The last part may have been done meanwhile: then it goes on at once.
        if let Err(Refusal::NoOpenPart { .. }) = refusal(handed_out)? {
            return self.give_back(claimed, "its parts are done").await;
        }
        let note = format!("{} handed out {} and waits for its parts", self.id, claimed.task.id);
        self.reporter.report(Progress::Note(note));
        Ok(Outcome::GivenBack)
    }

    /// The agent can do nothing more, whatever the task.
    pub(super) async fn unable(&self, claimed: &Claimed, reason: String) -> Result<Outcome, Error> {
        self.reporter.report(Progress::Note(format!("ERROR {} takes nothing more: {reason}", self.id)));
        self.hand_back(claimed, &reason, None).await?;
        let _ = self.unable.set(reason);
        Ok(Outcome::Unable)
    }

    pub(super) fn outcome(
        &self,
        claimed: &Claimed,
        written: Result<(), Refusal>,
        progress: Progress,
    ) -> Result<Outcome, Error> {
        match written {
            Ok(()) => {
                telemetry::came_to(&progress, claimed.task.stage);
                self.reporter.report(progress);
                Ok(Outcome::Written)
            }
            Err(Refusal::ClaimLost { .. } | Refusal::NoSuchClaim { .. }) => Ok(Outcome::Lost),
            Err(refused) => {
                let (agent, task) = (self.id.clone(), claimed.task.id.clone());
                self.reporter.report(Progress::Failed { agent, task, reason: refused.to_string() });
                Err(refused.into())
            }
        }
    }
}
