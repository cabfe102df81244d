//! What the end that an agent gave its attempt, by a tool, means for its task.

use super::{AgentError, Answer, Assignment, Context, verdict};
use crate::Stage;
use crate::tools::Ending;

/// Answers in a row that may do nothing before the attempt fails.
pub(super) const IDLE_ANSWERS_MAX: u32 = 3;

/// The answer, or why there is none.
pub(super) fn of(ending: Ending, task: &Assignment, context: &Context) -> Result<Answer, AgentError> {
    match ending {
        // A lead has seen how its team stands: another attempt would see the same.
        Ending::GaveUp { reason } if context.leading().is_some() || context.plans_on() => {
            Err(AgentError::GaveUp(format!("the lead gave up: {reason}")))
        }
        Ending::GaveUp { reason } => Err(AgentError::Failed(format!("the agent gave up: {reason}"))),
        Ending::Waits => Err(AgentError::Waits),
        Ending::Stopped => Err(AgentError::Stopped),
        Ending::Judged { approved, feedback } => Ok(Answer::verdict(approved, feedback)),
        Ending::Finished { result } => answer(&result, task),
    }
}

/// The result, or a reviewer's verdict. One that gives none has failed at the review, and says nothing of the work.
pub(super) fn answer(text: &str, task: &Assignment) -> Result<Answer, AgentError> {
    if task.stage != Stage::Review {
        return Ok(Answer::text(text));
    }
    Ok(verdict(text)?)
}
