//! A language model with tools: the built-in coding agent.
//!
//! A turn is one call to the model and the tools that it asked for. Each is in the journal before the next begins, so
//! an attempt that was cut off goes on where it stopped, without paying again.

mod attempt;
mod circles;

#[cfg(feature = "drivers")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::attempt::Attempt;
use super::metered::Meter;
use super::team_tools::with_team_tools;
use super::{Agent, AgentError, Answer, Assignment, Context, compaction, prompt};
use crate::command::Environment;
#[cfg(feature = "drivers")]
use crate::gateway::Gateway;
use crate::model::{Caller, Message, Model, Prices, Request};
#[cfg(feature = "drivers")]
use crate::sandbox::HostRule;
use crate::tools::Toolbox;
use crate::{Role, Stage};

/// Turns that one attempt may take if nobody says otherwise.
const TURNS_MAX: u32 = 200;
/// How long one command may take if nobody says otherwise.
const COMMAND_LIMIT: Duration = Duration::from_secs(600);

/// A language model with the built-in tools.
pub struct ModelAgent {
    model: Arc<dyn Model>,
    prices: Arc<Prices>,
    instructions: String,
    turns_max: u32,
    context_tokens: u64,
    max_output_tokens: Option<u32>,
    command_limit: Duration,
    /// The hosts that its commands may reach where they are confined, and the program that opens the way.
    #[cfg(feature = "drivers")]
    hosts: Option<(Vec<HostRule>, PathBuf)>,
}

impl ModelAgent {
    /// An agent that thinks with a model.
    pub fn new(model: Arc<dyn Model>) -> Self {
        Self {
            context_tokens: compaction::usual_limit(model.name()),
            max_output_tokens: None,
            model,
            prices: Arc::default(),
            instructions: String::new(),
            turns_max: TURNS_MAX,
            command_limit: COMMAND_LIMIT,
            #[cfg(feature = "drivers")]
            hosts: None,
        }
    }

    /// Sets what calls cost.
    #[must_use]
    pub fn prices(mut self, prices: Arc<Prices>) -> Self {
        self.prices = prices;
        self
    }

    /// Sets the hosts that its commands may reach where they are confined, instead of those of all. `keeper` is the command
    /// `agent-team`, which opens the way.
    #[cfg(feature = "drivers")]
    #[must_use]
    pub fn hosts(mut self, hosts: Vec<HostRule>, keeper: impl Into<PathBuf>) -> Self {
        self.hosts = Some((hosts, keeper.into()));
        self
    }

    /// What its commands have around them.
    fn environment(&self, context: &Context) -> Environment {
        let environment = context.environment.clone();
        #[cfg(feature = "drivers")]
        if let Some((hosts, keeper)) = &self.hosts
            && !environment.sandbox().is_none()
        {
            let sandbox = Gateway::to(hosts).behind(environment.sandbox().clone(), keeper);
            return environment.confined(sandbox);
        }
        environment
    }

    /// Adds instructions of one's own to the system prompt.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = instructions.into();
        self
    }

    /// Sets how many turns one attempt may take.
    #[must_use]
    pub fn turns_max(mut self, turns: u32) -> Self {
        self.turns_max = turns;
        self
    }

    /// Sets how large a conversation may become, in tokens, before it is compacted. Without it that depends on the model.
    #[must_use]
    pub fn context_tokens(mut self, tokens: u64) -> Self {
        self.context_tokens = tokens;
        self
    }

    /// Sets how long one answer may become, in tokens; it is cut off there. Without it that is as long as the provider allows,
    /// and 16,384 where a budget is kept, which is the most then.
    #[must_use]
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.max_output_tokens = Some(tokens);
        self
    }

    fn toolbox(context: &Context, stage: Stage) -> Toolbox {
        let lacks_plan = stage == Stage::Work && context.lacks_plan();
        let looks_only =
            stage == Stage::Review || lacks_plan || matches!(context.role, Role::Lead | Role::Reviewer);
        let files = match &context.workspace {
            Some(_) if looks_only => Toolbox::reading(),
            Some(_) => Toolbox::coding(),
            None => Toolbox::new(),
        };
        with_team_tools(files, context, stage, lacks_plan)
    }
}

#[async_trait]
impl Agent for ModelAgent {
    async fn execute_task(&self, task: &Assignment, context: &Context) -> Result<Answer, AgentError> {
        Attempt::begin(self, task, context)?.run().await
    }

    /// One call without tools.
    async fn answer(&self, question: &Assignment, context: &Context) -> Result<String, AgentError> {
        let request = Request {
            system: prompt::system(&context.agent, context.role, &self.instructions, false),
            messages: vec![Message::user(question.description.clone())],
            tools: Vec::new(),
            max_output_tokens: self.max_output_tokens,
            caller: Caller {
                agent: context.agent.to_string(),
                role: context.role.to_string(),
                task: Some(question.id.to_string()),
                attempt: question.attempt,
                ..Caller::default()
            },
        };
        let meter = Meter::new(context.queue.team_log(), self.prices.clone(), &context.agent, None)
            .stopped_by(context.stop.clone());
        let (response, _) = meter.call(self.model.as_ref(), request, &mut |_| {}).await?;
        Ok(response.text())
    }

    fn with(&self) -> String {
        self.model.name().to_owned()
    }

    fn plans(&self) -> bool {
        true
    }

    fn is_metered(&self) -> bool {
        true
    }

    fn needs_workspace(&self) -> bool {
        true
    }
}
