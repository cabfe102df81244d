//! From a model's name to a model one can call.
//!
//! The environment is handed in as a function, so that nothing here reads the real one.

use std::sync::Arc;
use std::time::Duration;

use super::{Model, ModelSpec, Provider, RetryPolicy, Retrying, Script, ScriptError};

/// What [`connect`] needs besides the model's name.
#[derive(Clone, Copy)]
pub struct Connection<'a> {
    /// Where the provider is found; without it the environment says, or else it is the provider's own address.
    pub base_url: Option<&'a str>,
    /// How environment variables are read.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// How long one call may take.
    pub limits: TimeLimits,
    /// How a failed call is made again.
    pub retry: RetryPolicy,
}

/// How long one call to a model may take, each further try counted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// The whole answer.
    pub overall: Duration,
    /// The first piece of the answer, and the time between two pieces.
    pub idle: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { overall: Duration::from_secs(600), idle: Duration::from_secs(120) }
    }
}

/// A model that cannot be connected to, before any call.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The provider wants a key and there is none.
    #[error("{provider} needs a key: set {variable} in the environment")]
    MissingKey {
        /// The provider.
        provider: &'static str,
        /// The variable that holds the key, or the variables.
        variable: String,
    },
    /// The protocol is known, the server is not.
    #[error(
        "openai-compatible needs to know its server: give a base URL (base_url in team.toml, or OPENAI_BASE_URL \
         in the environment), such as http://127.0.0.1:8080/v1"
    )]
    MissingBaseUrl,
    /// The base URL is none.
    #[error("{url:?} is no base URL: {reason}")]
    BadBaseUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The script cannot be used.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// This program was built without the cargo feature `providers`.
    #[error("this build has no providers of models (cargo feature `providers`); only script:FILE works")]
    NoProviders,
    /// The client for HTTP and TLS cannot be set up.
    #[error("cannot set up the connection to {provider}: {reason}")]
    Client {
        /// The provider.
        provider: &'static str,
        /// Why.
        reason: String,
    },
}

/// Connects to the model that `spec` names. Real providers are called again as the connection's policy says;
/// so is a script, so that a rehearsal can rehearse that too. No call is made yet.
///
/// ```
/// use agent_team::model::{Connection, ConnectError, RetryPolicy, TimeLimits, connect};
///
/// let no_variables = |_: &str| None;
/// let connection = Connection {
///     base_url: None,
///     environment: &no_variables,
///     limits: TimeLimits::default(),
///     retry: RetryPolicy::default(),
/// };
/// # if cfg!(feature = "providers") {
/// let error = connect(&"anthropic:claude-opus-4-5".parse()?, &connection).err().expect("there is no key");
/// assert_eq!(error.to_string(), "anthropic needs a key: set ANTHROPIC_API_KEY in the environment");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`ConnectError`]: no key, no or a bad base URL, a script that cannot be read.
pub fn connect(spec: &ModelSpec, connection: &Connection<'_>) -> Result<Arc<dyn Model>, ConnectError> {
    match spec {
        ModelSpec::Script(file) => Ok(Arc::new(Retrying::new(Script::read(file)?, connection.retry))),
        ModelSpec::Provider(provider, model) => provided(*provider, model, connection),
    }
}

#[cfg(feature = "providers")]
fn provided(
    provider: Provider,
    model: &str,
    connection: &Connection<'_>,
) -> Result<Arc<dyn Model>, ConnectError> {
    let model = super::provider::Provided::new(provider, model, connection)?;
    Ok(Arc::new(Retrying::new(model, connection.retry)))
}

#[cfg(not(feature = "providers"))]
fn provided(_: Provider, _: &str, _: &Connection<'_>) -> Result<Arc<dyn Model>, ConnectError> {
    Err(ConnectError::NoProviders)
}
