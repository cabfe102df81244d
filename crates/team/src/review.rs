//! The reviewing stage: someone other than the author judges what was delivered.

use agent_team_core::id::{AgentId, TaskId};
use agent_team_core::machine::Refusal;
use agent_team_core::record::{ClaimReleased, ReviewGiven, Stage};

use crate::hooks;
use crate::task_queue::{ClaimOptions, TaskQueue};
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

/// Gives a verdict on what was delivered for a task: claims its reviewing stage, and ends it. `read` is the attempt whose
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
    let options = ClaimOptions { task: Some(task.clone()), holder: None };
    let claim = queue.claim_stage(by, Stage::Review, &options)?.token;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewTask, Status};

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
}
