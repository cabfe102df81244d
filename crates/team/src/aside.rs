//! What an agent is asked outside of any task: to judge a plan, to answer somebody, to sum up.
//!
//! It is steered as a turn of a task is: what was said to it stands in the prompt, an urgent word breaks the call off and it
//! is made anew with that word, a stop ends it. A pause begins no other call, and lets the one under way end.

use std::sync::Arc;

use agent_team_core::machine::State;

use crate::agent::{Agent, Assignment, Context};
use crate::at_duty::AtDuty;
use crate::{AgentMessage, Error, RecordId, TaskId};

/// Why an agent said nothing.
#[derive(Debug)]
pub(crate) enum Unsaid {
    /// It is paused, or was stopped: nobody failed at anything.
    HeldUp,
    /// It could not.
    Failed(String),
}

impl From<Error> for Unsaid {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// An agent that is asked something outside of any task, once or more often.
pub(crate) struct Aside {
    agent: Arc<dyn Agent>,
    context: Context,
    /// The message that it is asked for, which its prompt quotes by itself.
    question: Option<RecordId>,
    /// What it was shown of what others said to it.
    heard: Vec<AgentMessage>,
}

impl Aside {
    pub fn new(agent: Arc<dyn Agent>, context: Context) -> Self {
        Self { agent, context, question: None, heard: Vec::new() }
    }

    /// The same for a message that wants an answer.
    pub fn answering(self, question: RecordId) -> Self {
        Self { question: Some(question), ..self }
    }

    /// Asks it, in one call or as many as urgent words make of it.
    ///
    /// # Errors
    /// Why it said nothing.
    pub async fn ask(&mut self, about: &TaskId, text: &str, doing: &str) -> Result<String, Unsaid> {
        let _seen = AtDuty::begin(self.context.queue.team_log(), &self.context.agent, doing);
        let agent = self.agent.clone();
        loop {
            if self.look(|state, context| state.held_up(&context.agent).is_some())? {
                return Err(Unsaid::HeldUp);
            }
            let new = self.hear()?;
            self.context.activity.is(doing);
            let question = Assignment::question(about.clone(), Context::told(text, &self.heard));
            tokio::select! {
                biased;
                () = self.context.stop.cancelled() => return Err(Unsaid::Failed("it was told to stop".to_owned())),
                stopped = self.stopped() => {
                    stopped?;
                    return Err(Unsaid::HeldUp);
                }
                interrupted = self.interrupted() => {
                    interrupted?;
                    self.context.activity.is("interrupted");
                }
                answer = agent.answer(&question, &self.context) => {
                    let answer = answer.map_err(|error| Unsaid::Failed(error.to_string()))?;
                    self.has_read(&new)?;
                    return Ok(answer);
                }
            }
        }
    }

    fn look<T>(&self, look: impl FnOnce(&State, &Context) -> T) -> Result<T, Error> {
        self.context.queue.team_log().look(|state| look(state, &self.context))
    }

    /// Whether it works on a task meanwhile. What is said to it then is for that task, too: it is read there.
    fn holds_a_task(&self) -> Result<bool, Error> {
        self.look(|state, context| state.held().any(|(_, claim)| claim.agent == context.agent))
    }

    /// Takes what came for it since it was asked last, and says what of that this call reads.
    fn hear(&mut self) -> Result<Vec<AgentMessage>, Error> {
        let (bus, agent) = (&self.context.bus, &self.context.agent);
        let mut unread = bus.unread(agent)?;
        if !self.holds_a_task()? {
            bus.mark_delivered(agent, unread.iter().map(|message| message.id).collect())?;
        }
        unread.retain(|message| Some(message.id) != self.question);
        self.heard
            .extend(unread.iter().filter(|message| !self.has_heard(message.id)).cloned().collect::<Vec<_>>());
        Ok(unread)
    }

    fn has_heard(&self, message: RecordId) -> bool {
        Some(message) == self.question || self.heard.iter().any(|heard| heard.id == message)
    }

    fn has_read(&self, messages: &[AgentMessage]) -> Result<(), Error> {
        if self.holds_a_task()? {
            return Ok(());
        }
        self.context.bus.mark_read(&self.context.agent, messages)
    }

    /// Waits until somebody stops it.
    async fn stopped(&self) -> Result<(), Error> {
        let agent = self.context.agent.clone();
        self.context.queue.team_log().until_word(move |state| state.stopped(&agent).is_some()).await
    }

    /// Waits until somebody says something urgent that it has not been shown.
    async fn interrupted(&self) -> Result<(), Error> {
        let agent = self.context.agent.clone();
        let known: Vec<RecordId> = self.heard.iter().map(|message| message.id).chain(self.question).collect();
        let is_news = move |state: &State| {
            let role = state.agent(&agent).map(|known| known.role);
            let mut unread = state.messages().unread(&agent, role);
            unread.any(|message| message.urgent && !known.contains(&message.id))
        };
        self.context.queue.team_log().until_word(is_news).await
    }
}
