//! Coding agents that people already use, as members of a team: each brings its own model and its own tools, and is driven by
//! what it is told.
//!
//! A [`Driver`] knows how one program talks. What it is told, what of its words is the result, and how it is steered and
//! counted, is the same for all and decided here.

mod acp;
mod attempt;
mod claude;
mod codex;
mod driver;
mod exec;
#[cfg(test)]
mod fake;
mod goose;
mod known;
mod lending;
mod lines;
mod opencode;
mod permission;
mod program;
mod reach;
#[cfg(test)]
mod recorded;
mod scribe;
mod server;
mod steering;
mod usage;
mod words;

use std::path::PathBuf;
use std::sync::{Arc, Once};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use self::acp::Acp;
use self::attempt::Attempt;
pub use self::claude::Claude;
pub use self::codex::Codex;
pub use self::driver::{Access, Conversation, Done, Driver, DriverError, Heard, Place};
pub use self::exec::Exec;
use self::known::Known;
pub use self::lending::Passages;
use self::reach::Reach;
pub use self::server::{TeamServer, relay};
pub use self::steering::{More, MoreWords, Steering};
use super::metered::Meter;
use super::{Agent, AgentError, Answer, Assignment, Context, prompt};
use crate::model::Prices;
use crate::sandbox::HostRule;
use crate::trust::Trust;
use crate::{DriverSpec, Error};

/// The driver of an agent as a user names it.
pub fn driver(spec: &DriverSpec) -> Arc<dyn Driver> {
    let name = spec.to_string();
    let shell = |command: &String| vec!["sh".to_owned(), "-c".to_owned(), command.clone()];
    match spec {
        DriverSpec::Known(known) => Arc::new(Known::new(*known)),
        DriverSpec::Headless(agent) => known::headless(*agent, name).into(),
        DriverSpec::Acp(command) => Arc::new(Acp::new(name, shell(command)).telling_model()),
        DriverSpec::Exec(command) => Arc::new(Exec::new(name, shell(command))),
    }
}

/// An agent that is driven.
pub struct DrivenAgent {
    driver: Arc<dyn Driver>,
    prices: Arc<Prices>,
    instructions: String,
    /// The program by which it reaches the tools of its team.
    relay: Option<PathBuf>,
    /// The hosts that it may reach where it is confined.
    hosts: Vec<HostRule>,
    /// The models that are lent to it.
    passages: Option<Arc<Passages>>,
    /// The one that it is to call.
    model: Option<String>,
    /// What the user trusts of the settings that repositories hold for it.
    trust: Option<Trust>,
    /// Whether the user was told what it does not see.
    told: Once,
}

impl DrivenAgent {
    /// An agent behind a driver. Without a [relay](Self::relay) it has no tools of the team: its last words are its result.
    pub fn new(driver: Arc<dyn Driver>) -> Self {
        Self {
            driver,
            prices: Arc::default(),
            instructions: String::new(),
            relay: None,
            hosts: Vec::new(),
            passages: None,
            model: None,
            trust: None,
            told: Once::new(),
        }
    }

    /// Sets what its turns cost, by the name of its driver.
    #[must_use]
    pub fn prices(mut self, prices: Arc<Prices>) -> Self {
        self.prices = prices;
        self
    }

    /// Adds instructions of one's own to what it is told first.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = instructions.into();
        self
    }

    /// Sets the program whose `relay ADDRESS` connects it with the tools of its team: the command `agent-team`.
    #[must_use]
    pub fn relay(mut self, program: impl Into<PathBuf>) -> Self {
        self.relay = Some(program.into());
        self
    }

    /// Sets the hosts that it may reach where it is confined. It needs a [relay](Self::relay).
    #[must_use]
    pub fn hosts(mut self, hosts: Vec<HostRule>) -> Self {
        self.hosts = hosts;
        self
    }

    /// Sets the model that it is to call, by its own name for it.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Lends it the models of providers: it finds them by the variables that their own programs read, and their keys stay
    /// here. It needs a [relay](Self::relay).
    #[must_use]
    pub fn lent(mut self, passages: Arc<Passages>) -> Self {
        self.passages = Some(passages);
        self
    }

    /// Lets it see the settings of a repository that the user trusts. Others are hidden from it; without this, all are.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Whether it has the tools of its team.
    fn has_tools(&self) -> bool {
        self.relay.is_some() && self.driver.takes_tools()
    }

    fn meter(&self, context: &Context, task: Option<crate::TaskId>) -> Meter {
        Meter::new(context.queue.team_log(), self.prices.clone(), &context.agent, task)
            .stopped_by(context.stop.clone())
    }
}

#[async_trait]
impl Agent for DrivenAgent {
    async fn execute_task(&self, task: &Assignment, context: &Context) -> Result<Answer, AgentError> {
        Attempt::begin(self, task, context)?.run().await
    }

    /// A conversation of its own, in which it can look and change nothing.
    async fn answer(&self, question: &Assignment, context: &Context) -> Result<String, AgentError> {
        // Where it works on nothing there is nothing to look at.
        let scratch = tempfile::tempdir();
        let broken = |source| Error::Io { verb: "make a folder in", path: std::env::temp_dir(), source };
        let scratch = scratch.map_err(broken)?;
        let reach = Reach::begin(self, context, None, None).await?;
        let place = Place {
            folder: context.workspace.clone().unwrap_or_else(|| scratch.path().to_owned()),
            environment: reach.environment(Access::Look),
            access: Access::Look,
            team: None,
            model: self.model.clone(),
        };
        let words = prompt::system(&context.agent, context.role, &self.instructions, false);
        let words = format!("{words}\n{}", question.description);
        let meter = self.meter(context, None);
        let turn = reach.begin_turn(&meter, &self.driver.name()).await?;
        let mut conversation = self.driver.begin(&place, None).await?;
        let (mut said, mut used) = (String::new(), None);
        let mut hear = |heard| match heard {
            Heard::Text(text) => said += &text,
            // What it says before it looks is not its answer yet.
            Heard::Calls { .. } => said.clear(),
            Heard::Used(usage) => used = Some(usage),
            _ => {}
        };
        let mut steering = Steering::by(CancellationToken::new());
        let done = conversation.say(&words, &mut hear, &mut steering).await;
        conversation.end().await;
        reach.settled().await;
        turn.end(used.unwrap_or_default())?;
        if let Some(refused) = reach.refused() {
            return Err(refused);
        }
        if let Some(why) = reach.failed() {
            return Err(AgentError::Failed(why));
        }
        match done? {
            Done::Refused => Err(AgentError::Failed(format!("it refused: {said}"))),
            _ => Ok(said),
        }
    }

    fn with(&self) -> String {
        self.driver.name()
    }

    /// By a tool of the team's, if it has those.
    fn plans(&self) -> bool {
        self.has_tools()
    }

    fn is_metered(&self) -> bool {
        true
    }

    fn needs_workspace(&self) -> bool {
        true
    }
}

impl From<DriverError> for AgentError {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Start { .. } | DriverError::NotLoggedIn { .. } => Self::Unable(error.to_string()),
            DriverError::Ended { .. } | DriverError::Failed { .. } => Self::Failed(error.to_string()),
        }
    }
}
