//! A function from prompt to text is an agent too.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use super::asked_tasks::add;
use super::prompt::Results;
use super::tasks_in_words::{HOW, tasks_in};
use super::{Agent, AgentError, Answer, Assignment, Context, prompt, verdict};
use crate::team_log::blocking;
use crate::{Error, Stage};

/// An agent made of an async function from prompt to text. The prompt holds the role, the description, each
/// dependency's result, and new messages. The text is the result. A lead that is to split a goal or a delegated task answers with
/// the tasks as JSON, `{"tasks": [{"title": "…"}]}`, each as in [`AskedTask`](super::AskedTask).
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
    let function = Arc::new(function);
    agent_fn(move |prompt| {
        let function = function.clone();
        async move { function(prompt).await.map_err(|error| AgentError::Failed(error.to_string())) }
    })
}

/// The same of a function that says itself what its failure means: that no attempt can succeed, say.
///
/// ```
/// use agent_team::agent::{AgentError, agent_fn};
///
/// let agent = agent_fn(async |_| Err(AgentError::GaveUp("there is no printer".into())));
/// ```
pub fn agent_fn<F, Fut>(function: F) -> Arc<dyn Agent>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, AgentError>> + Send + 'static,
{
    Arc::new(Closure { function })
}

/// What a lead is told whose plan was approved and cannot be carried out.
fn not_agreed(fault: &str) -> AgentError {
    AgentError::Failed(format!(
        "your plan was approved, and nothing but what it names may be added; but {fault}. Name the tasks as JSON when you are \
         asked for the plan"
    ))
}

struct Closure<F> {
    function: F,
}

impl<F, Fut> Closure<F>
where
    F: Fn(String) -> Fut + Send + Sync,
    Fut: Future<Output = Result<String, AgentError>> + Send,
{
    /// Adds the tasks of an answer. Who named none that can be added is asked once more.
    async fn planned(&self, context: &Context, prompt: &str, text: String) -> Result<Answer, AgentError> {
        let text = match self.add(context, &text).await? {
            Ok(()) => text,
            Err(fault) => {
                let again = (self.function)(prompt::tasks_wanted(prompt, &text, &fault)).await?;
                self.add(context, &again).await?.map_err(AgentError::Failed)?;
                again
            }
        };
        Ok(Answer::text(text))
    }

    /// Adds the tasks of an answer, or says what is wrong with them. Whoever has added some by itself needs to name none.
    async fn add(&self, context: &Context, text: &str) -> Result<Result<(), String>, AgentError> {
        if !context.has_planned_nothing() {
            return Ok(Ok(()));
        }
        let input = match tasks_in(text) {
            Ok(input) => input,
            Err(fault) => return Ok(Err(format!("you were to name tasks, and {fault}"))),
        };
        let context = context.clone();
        match blocking(move || add(&context, input)).await {
            Ok(_) => Ok(Ok(())),
            Err(error @ (Error::Refused(_) | Error::Input(_) | Error::Name(_))) => Ok(Err(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl<F, Fut> Agent for Closure<F>
where
    F: Fn(String) -> Fut + Send + Sync,
    Fut: Future<Output = Result<String, AgentError>> + Send,
{
    async fn execute_task(&self, task: &Assignment, context: &Context) -> Result<Answer, AgentError> {
        let unread = context.bus.unread_so_far(&context.agent)?;
        let parts = [
            prompt::system(&context.agent, context.role, "", false),
            prompt::task(task, Results::Whole),
            prompt::messages(&unread, Results::Whole),
        ];
        context.bus.mark_delivered(&context.agent, unread.iter().map(|message| message.id).collect())?;
        let mut prompt = parts.join("\n");
        let plans = context.has_planned_nothing();
        if plans {
            prompt += HOW;
        }
        let agreed = task.plan.as_ref().filter(|plan| plans && plan.rejected.is_none());
        let text = match agreed {
            // What was approved is done, and nothing that nobody has seen.
            Some(plan) => plan.text.clone(),
            None => (self.function)(prompt.clone()).await?,
        };
        context.bus.mark_read(&context.agent, &unread)?;
        if plans {
            let planned = match agreed {
                Some(_) => self
                    .add(context, &text)
                    .await?
                    .map(|()| Answer::text(text))
                    .map_err(|fault| not_agreed(&fault)),
                None => self.planned(context, &prompt, text).await,
            }?;
            // It has a delegated task back when the parts are done, however soon that is.
            return if task.delegated { Err(AgentError::Waits) } else { Ok(planned) };
        }
        if context.has_open_parts() {
            return Err(AgentError::Waits);
        }
        if task.stage != Stage::Review {
            return Ok(Answer::text(text));
        }
        let fault = match verdict(&text) {
            Ok(answer) => return Ok(answer),
            Err(fault) => fault,
        };
        let asked = prompt::verdict_wanted(&prompt, &text, &fault);
        Ok(verdict(&(self.function)(asked).await?)?)
    }

    /// Whoever asks has put into the question what was said to the agent.
    async fn answer(&self, question: &Assignment, context: &Context) -> Result<String, AgentError> {
        let system = prompt::system(&context.agent, context.role, "", false);
        let mut prompt = format!("{system}\n{}", prompt::task(question, Results::Whole));
        // Whoever is asked for a plan of tasks names them in it, so that they can be judged.
        if context.has_planned_nothing() {
            prompt += HOW;
        }
        (self.function)(prompt).await
    }

    fn with(&self) -> String {
        "closure".to_owned()
    }
}
