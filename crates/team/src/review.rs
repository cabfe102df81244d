//! The reviewing stage: someone other than the author judges what was delivered.

use agent_team_core::id::{AgentId, HUMAN, RecordId, TaskId};
use agent_team_core::machine::Refusal;
use agent_team_core::record::{ClaimReleased, ReviewGiven, Stage};

use crate::hooks;
use crate::task_queue::{ClaimOptions, TaskQueue};
use crate::team_log::refusal;
use crate::wanted;
use crate::{Error, FeedbackCause};

/// What a reviewer says of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is good. The words are for people.
    Approved(String),
    /// It goes back to its author, who is told why.
    ChangesRequested(String),
}

/// Gives a verdict on what was delivered for a task: claims its reviewing stage, and ends it. The human's goes before that of an
/// agent which has the review and has not said it yet. `read` is the attempt whose
/// result was read; without it the verdict is on whatever waits.
///
/// # Errors
/// A refusal when the task waits for no review, another result waits than was read, another reviewer has it, or `by` may not
/// review it. An input error when it is sent back without a word.
pub fn review(
    queue: &TaskQueue,
    by: &AgentId,
    task: &TaskId,
    read: Option<u32>,
    verdict: Verdict,
) -> Result<(), Error> {
    if let Verdict::ChangesRequested(words) = &verdict {
        wanted::wanted(words, wanted::CHANGE)?;
    }
    let claim = take(queue, by, task)?;
    let known = queue.team_log().look(|state| {
        let known = state.task(task)?;
        known.submission.as_ref().map(|submission| (submission.id, known.attempt))
    })?;
    // From here on nobody can deliver another one.
    let meant = known.filter(|(_, attempt)| read.is_none_or(|read| read == *attempt));
    let Some((submission, _)) = meant else {
        let body = ClaimReleased::new(claim, "another result waits than the one that was read");
        queue.team_log().submit(by, &body.into())?;
        return Err(Refusal::OtherSubmission { task: task.clone() }.into());
    };
    let (approved, words) = match verdict {
        Verdict::Approved(words) => (true, words),
        Verdict::ChangesRequested(words) => (false, words),
    };
    let feedback = queue.team_log().text(words.clone())?;
    queue.team_log().submit(by, &ReviewGiven { claim, submission, approved, feedback }.into())?;
    match approved {
        true => Ok(()),
        false => hooks::attempt_failed(queue.team_log(), by, task, FeedbackCause::Review, &words),
    }
}

/// How often the human asks for a review that agents take one after another.
const TRIES_MAX: usize = 100;

/// Claims the reviewing stage of a task. The human's word is enough, so the human waits for no agent that is about to say its own.
fn take(queue: &TaskQueue, by: &AgentId, task: &TaskId) -> Result<RecordId, Error> {
    let options = ClaimOptions { task: Some(task.clone()), holder: None };
    let claim = || queue.claim_stage(by, Stage::Review, &options).map(|claimed| claimed.token);
    for _ in 0..TRIES_MAX {
        match claim() {
            Err(Error::Refused(Refusal::Held { stage: Stage::Review, holder, .. }))
                if by.as_str() == HUMAN && holder.as_str() != HUMAN =>
            {
                let held = queue.team_log().look(|state| {
                    let claim = state.task(task)?.claim.as_ref()?;
                    (claim.stage == Stage::Review && claim.agent == holder).then_some(claim.id)
                })?;
                if let Some(held) = held {
                    // If it ended meanwhile, that is what was wanted.
                    let body = ClaimReleased::new(held, "the human reviews it");
                    let _ = refusal(queue.team_log().submit(by, &body.into()))?;
                }
            }
            claimed => return claimed,
        }
    }
    claim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgentJoined, NewTask, Role, Status};

    #[test]
    fn the_human_sends_back_and_approves_and_an_author_does_neither() {
        let queue = TaskQueue::in_memory().unwrap();
        let id =
            queue.add_task(NewTask { backoff_ms: Some(0), ..NewTask::new("Write it").review(true) }).unwrap();
        let (worker, human) = ("worker-1".parse().unwrap(), AgentId::human());
        let deliver = || {
            queue.claim_task(&worker).unwrap().unwrap();
            queue.complete_task(&id, &worker, "done").unwrap();
        };
        deliver();
        let own = review(&queue, &worker, &id, None, Verdict::Approved(String::new())).unwrap_err();
        assert!(matches!(own.refusal(), Some(Refusal::NotFitting { .. })), "{own}");
        let wordless = review(&queue, &human, &id, Some(1), Verdict::ChangesRequested(" ".into()));
        assert!(matches!(wordless, Err(Error::Input(_))), "{wordless:?}");
        review(&queue, &human, &id, Some(1), Verdict::ChangesRequested("Too short.".into())).unwrap();
        assert_eq!(queue.get_task(&id).unwrap().feedback[0].text.preview(), "Too short.");
        deliver();
        let of_the_first =
            review(&queue, &human, &id, Some(1), Verdict::Approved(String::new())).unwrap_err();
        assert!(matches!(of_the_first.refusal(), Some(Refusal::OtherSubmission { .. })), "{of_the_first}");
        review(&queue, &human, &id, Some(2), Verdict::Approved(String::new())).unwrap();
        assert_eq!(queue.get_task(&id).unwrap().status, Status::Completed);
    }

    #[test]
    fn the_human_waits_for_no_reviewer_and_for_no_pause() {
        let queue = TaskQueue::in_memory().unwrap();
        let reviewed = NewTask { backoff_ms: Some(0), ..NewTask::new("Write it").review(true) };
        let id = queue.add_task(reviewed).unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        let (one, other): (AgentId, AgentId) = ("reviewer-1".parse().unwrap(), "reviewer-2".parse().unwrap());
        for reviewer in [&one, &other] {
            queue.join(AgentJoined::new(reviewer.clone(), Role::Reviewer)).unwrap();
        }
        let deliver = || {
            queue.claim_task(&worker).unwrap().unwrap();
            queue.complete_task(&id, &worker, "done").unwrap();
        };
        let options = ClaimOptions { task: Some(id.clone()), holder: None };
        let approve = |by: &AgentId| review(&queue, by, &id, None, Verdict::Approved(String::new()));
        deliver();
        let claim = queue.claim_stage(&one, Stage::Review, &options).unwrap().token;
        let held = approve(&other).unwrap_err();
        assert!(matches!(held.refusal(), Some(Refusal::Held { .. })), "another agent waits: {held}");
        let no = Verdict::ChangesRequested("Too short.".into());
        review(&queue, &AgentId::human(), &id, None, no).unwrap();
        let late = queue.team_log().look(|state| state.live_claim(claim).map(|_| ())).unwrap();
        assert!(matches!(late, Err(Refusal::ClaimLost { .. })), "{late:?}");

        deliver();
        queue.claim_stage(&one, Stage::Review, &options).unwrap();
        queue.pause(&AgentId::human(), None, "I look at it myself").unwrap();
        approve(&AgentId::human()).unwrap();
        assert_eq!(queue.get_task(&id).unwrap().status, Status::Completed);
    }
}
