//! What the agents of a team are made with: models that are connected, programs that are driven, and what both may use.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use crate::Error;
#[cfg(feature = "drivers")]
use crate::agent::driven::{self, DrivenAgent, Driver, Passages};
use crate::agent::{Agent, ModelAgent};
use crate::assemble::Surroundings;
use crate::config::{AgentConfig, Config};
use crate::model::{Connection, Model, Prices, RetryPolicy, TimeLimits, connect};
use crate::with::{DriverSpec, With};

/// What stands behind an agent.
#[derive(Clone)]
pub(crate) enum Behind {
    Model(Arc<dyn Model>),
    #[cfg(feature = "drivers")]
    Driver(Arc<dyn Driver>, Option<Arc<Passages>>, Option<String>),
}

impl Behind {
    /// What it is called where prices are asked for.
    pub fn name(&self) -> String {
        match self {
            Self::Model(model) => model.name().to_owned(),
            #[cfg(feature = "drivers")]
            Self::Driver(driver, ..) => driver.name(),
        }
    }

    /// Whether models are lent to it, which nobody knows before they are called.
    pub fn is_lent_models(&self) -> bool {
        match self {
            Self::Model(_) => false,
            #[cfg(feature = "drivers")]
            Self::Driver(_, lent, _) => lent.is_some(),
        }
    }
}

/// Makes agents, all in the same way.
#[derive(Clone)]
pub(crate) struct Making {
    config: Arc<Config>,
    prices: Arc<Prices>,
    surroundings: Surroundings,
}

impl Making {
    pub fn of(config: &Config, surroundings: &Surroundings) -> Self {
        Self {
            config: Arc::new(config.clone()),
            prices: Arc::new(config.prices.clone()),
            surroundings: surroundings.clone(),
        }
    }

    /// What a user names, connected if it is a model. `model` is the one that a program is to call which is driven.
    ///
    /// # Errors
    /// When it cannot be connected, or driven as the user has it.
    pub fn connected(&self, with: &With, model: Option<&str>) -> Result<Behind, Error> {
        let input = |error: &dyn std::fmt::Display| Error::Input(error.to_string());
        if let Some(model) = model.filter(|_| !with.takes_model()) {
            return Err(Error::Input(format!(
                "`model = \"{model}\"` says nothing to {with}: it is for claude, codex, gemini, goose, opencode, qwen and acp:, which are driven; any other says its \
                 model in `with`, or in its own settings"
            )));
        }
        match with {
            With::Model(spec) => {
                let environment = self.variables();
                let base_url = self.config.base_url.as_deref();
                let connection = self.connection(base_url, &environment);
                connect(spec, &connection).map(Behind::Model).map_err(|error| input(&error))
            }
            #[cfg(feature = "drivers")]
            With::Driven(spec) => {
                let passages = self.passages(spec)?;
                if passages.is_none() && self.config.sandbox.kind != crate::sandbox::SandboxChoice::None {
                    spec.can_be_confined().map_err(Error::Input)?;
                }
                Ok(Behind::Driver(driven::driver(spec), passages, model.map(str::to_owned)))
            }
            #[cfg(not(feature = "drivers"))]
            With::Driven(spec) => Err(Error::Input(format!(
                "{spec} cannot be driven: this was built without the feature `drivers`"
            ))),
        }
    }

    /// The models that a program is lent, if there are keys for any that it can use.
    #[cfg(feature = "drivers")]
    fn passages(&self, spec: &DriverSpec) -> Result<Option<Arc<Passages>>, Error> {
        let environment = self.variables();
        let connection = self.connection(None, &environment);
        let passages = Passages::of(spec.providers(), &connection);
        let passages = passages.map_err(|error| Error::Input(error.to_string()))?;
        Ok(Some(Arc::new(passages)).filter(|passages| !passages.is_empty()))
    }

    /// An agent, with what `team.toml` says of it, if it is written there.
    pub fn agent(&self, behind: Behind, written: Option<&AgentConfig>) -> Arc<dyn Agent> {
        let instructions = written.and_then(|agent| agent.prompt.clone()).unwrap_or_default();
        let hosts = written.map_or(&[][..], |agent| &agent.hosts);
        let of_all = &self.config.sandbox.hosts;
        match behind {
            Behind::Model(model) => {
                let made = ModelAgent::new(model).prices(self.prices.clone()).instructions(instructions);
                #[cfg(feature = "drivers")]
                let made = match &self.surroundings.relay {
                    Some(keeper) if !hosts.is_empty() => made.hosts([of_all, hosts].concat(), keeper),
                    _ => made,
                };
                let context_tokens = written.and_then(|agent| agent.context_tokens);
                let context_tokens = context_tokens.or(self.config.context_tokens);
                let made = context_tokens.into_iter().fold(made, ModelAgent::context_tokens);
                let answer_tokens = written.and_then(|agent| agent.max_output_tokens);
                let answer_tokens = answer_tokens.or(self.config.max_output_tokens);
                Arc::new(answer_tokens.into_iter().fold(made, ModelAgent::max_output_tokens))
            }
            #[cfg(feature = "drivers")]
            Behind::Driver(driver, passages, model) => {
                let made = DrivenAgent::new(driver).prices(self.prices.clone()).instructions(instructions);
                let made = made.hosts([of_all, hosts].concat());
                let made = self.surroundings.trust.iter().cloned().fold(made, DrivenAgent::trusting);
                let made = model.into_iter().fold(made, DrivenAgent::model);
                let made = passages.into_iter().fold(made, DrivenAgent::lent);
                Arc::new(self.surroundings.relay.iter().fold(made, DrivenAgent::relay))
            }
        }
    }

    fn variables(&self) -> impl Fn(&str) -> Option<String> {
        |name| variable(&self.surroundings.variables, name)
    }

    fn connection<'a>(
        &self,
        base_url: Option<&'a str>,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Connection<'a> {
        let default = RetryPolicy::default();
        let overloaded_for = self.config.overloaded_for.unwrap_or(default.overloaded_for);
        Connection {
            base_url,
            environment,
            limits: TimeLimits::default(),
            retry: RetryPolicy { overloaded_for, ..default },
        }
    }
}

/// A variable of an environment, unless it is empty.
pub(crate) fn variable(environment: &[(OsString, OsString)], name: &str) -> Option<String> {
    let value = environment.iter().find(|(known, _)| known == OsStr::new(name)).map(|(_, value)| value);
    value.map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}
