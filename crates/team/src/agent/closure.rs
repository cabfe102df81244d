//! A function from prompt to text is an agent too.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use super::prompt::Results;
use super::{Agent, AgentError, Answer, Assignment, Context, prompt};
use crate::Stage;

/// An agent made of an async function from prompt to text. The prompt holds the role, the description, each
/// dependency's result, and new messages. The text is the result.
///
/// ```
/// let agent = agent_team::agent::llm_fn(async |prompt: String| {
///     Ok::<_, std::convert::Infallible>(format!("I was asked: {}", prompt.lines().count()))
/// });
/// ```
pub fn llm_fn<F, Fut, E>(function: F) -> Arc<dyn Agent>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, E>> + Send + 'static,
    E: std::fmt::Display,
{
    Arc::new(Closure { function })
}

struct Closure<F> {
    function: F,
}

#[async_trait]
impl<F, Fut, E> Agent for Closure<F>
where
    F: Fn(String) -> Fut + Send + Sync,
    Fut: Future<Output = Result<String, E>> + Send,
    E: std::fmt::Display,
{
    async fn execute_task(&self, task: &Assignment, context: &Context) -> Result<Answer, AgentError> {
        let unread = context.bus.unread_so_far(&context.agent)?;
        let parts = [
            prompt::system(&context.agent, context.role, "", false),
            prompt::task(task, Results::Whole),
            prompt::messages(&unread),
        ];
        context.bus.mark_delivered(&context.agent, unread.iter().map(|message| message.id).collect())?;
        let answer = (self.function)(parts.join("\n")).await;
        let text = answer.map_err(|error| AgentError::Failed(error.to_string()))?;
        context.bus.mark_read(&context.agent, &unread)?;
        Ok(match task.stage {
            Stage::Review => verdict(&text),
            _ => Answer::text(text),
        })
    }

    fn with(&self) -> String {
        "closure".to_owned()
    }
}

/// Reads a verdict from an answer: only one that begins with `APPROVE` approves.
pub(crate) fn verdict(text: &str) -> Answer {
    let first = text.trim_start().trim_start_matches(['*', '#', '`', ' ']);
    Answer::verdict(first.to_ascii_uppercase().starts_with("APPROVE"), text.trim())
}
