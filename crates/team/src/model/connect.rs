//! From a model's name to a model one can call: keys, base URLs and time limits are settled here.
//!
//! The environment is handed in as a function, so that nothing here reads the real one. Keys go into the request's
//! header and nowhere else.

use std::fmt;
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

/// Where a provider is found and what it is shown.
#[derive(Debug)]
#[cfg_attr(not(any(feature = "providers", test)), expect(dead_code, reason = "only the providers read it"))]
pub(super) struct Target {
    pub(super) provider: Provider,
    pub(super) model: String,
    /// With the version (`/v1`) where the protocol has one, and a slash at the end.
    pub(super) base_url: String,
    pub(super) key: Option<Key>,
}

/// A provider's key, which is never shown.
#[derive(Clone)]
pub(super) struct Key(String);

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
/// let error = connect(&"anthropic:claude-opus-4-5".parse()?, &connection).err().expect("there is no key");
/// assert_eq!(error.to_string(), "anthropic needs a key: set ANTHROPIC_API_KEY in the environment");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`ConnectError`]: no key, no or a bad base URL, a script that cannot be read.
pub fn connect(spec: &ModelSpec, connection: &Connection<'_>) -> Result<Arc<dyn Model>, ConnectError> {
    match spec {
        ModelSpec::Script(file) => Ok(Arc::new(Retrying::new(Script::read(file)?, connection.retry))),
        ModelSpec::Provider(provider, model) => provided(target(*provider, model, connection)?, connection),
    }
}

#[cfg(feature = "providers")]
fn provided(target: Target, connection: &Connection<'_>) -> Result<Arc<dyn Model>, ConnectError> {
    let model = super::provider::Provided::new(target, connection.limits, connection.environment)?;
    Ok(Arc::new(Retrying::new(model, connection.retry)))
}

#[cfg(not(feature = "providers"))]
#[expect(clippy::needless_pass_by_value, reason = "the same signature as with the feature")]
fn provided(_: Target, _: &Connection<'_>) -> Result<Arc<dyn Model>, ConnectError> {
    Err(ConnectError::NoProviders)
}

fn target(provider: Provider, model: &str, connection: &Connection<'_>) -> Result<Target, ConnectError> {
    let variable = |names: &[&str]| {
        names.iter().find_map(|name| (connection.environment)(name).filter(|value| !value.trim().is_empty()))
    };
    let explicit_url = connection.base_url.map(str::to_owned);
    let url_is_explicit = explicit_url.is_some();
    let url = explicit_url.or_else(|| variable(base_url_variables(provider)));
    let url = match (url, default_base_url(provider)) {
        (Some(url), _) => url,
        (None, Some(default)) => default.to_owned(),
        (None, None) => return Err(ConnectError::MissingBaseUrl),
    };
    let names = key_variables(provider, url_is_explicit);
    let key = variable(names).map(|key| Key(key.trim().to_owned()));
    if key.is_none() && needs_key(provider) {
        return Err(ConnectError::MissingKey { provider: provider.name(), variable: names.join(" or ") });
    }
    Ok(Target { provider, model: model.to_owned(), base_url: normalized_base_url(provider, &url)?, key })
}

fn needs_key(provider: Provider) -> bool {
    matches!(provider, Provider::Anthropic | Provider::OpenAi | Provider::Gemini)
}

/// The variables that may hold the key. OpenAI's own key goes to another server only if that server, too, was named
/// by OpenAI's variables.
fn key_variables(provider: Provider, url_is_explicit: bool) -> &'static [&'static str] {
    match provider {
        Provider::Anthropic => &["ANTHROPIC_API_KEY"],
        Provider::OpenAi => &["OPENAI_API_KEY"],
        Provider::Gemini => &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        Provider::Ollama => &[],
        Provider::OpenAiCompatible if url_is_explicit => &["OPENAI_COMPATIBLE_API_KEY"],
        Provider::OpenAiCompatible => &["OPENAI_COMPATIBLE_API_KEY", "OPENAI_API_KEY"],
    }
}

fn base_url_variables(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::Anthropic => &["ANTHROPIC_BASE_URL"],
        Provider::OpenAi | Provider::OpenAiCompatible => &["OPENAI_BASE_URL"],
        Provider::Gemini => &["GEMINI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"],
        Provider::Ollama => &["OLLAMA_HOST"],
    }
}

fn default_base_url(provider: Provider) -> Option<&'static str> {
    match provider {
        Provider::Anthropic => Some("https://api.anthropic.com"),
        Provider::OpenAi => Some("https://api.openai.com/v1"),
        Provider::Gemini => Some("https://generativelanguage.googleapis.com"),
        Provider::Ollama => Some("http://127.0.0.1:11434"),
        Provider::OpenAiCompatible => None,
    }
}

/// The base URL as the protocol wants it, whichever of the usual forms was given: with or without the version,
/// with or without a slash at the end, and for Ollama with or without scheme and port.
fn normalized_base_url(provider: Provider, given: &str) -> Result<String, ConnectError> {
    let bad = |reason: &str| ConnectError::BadBaseUrl { url: without_user(given), reason: reason.to_owned() };
    let given = given.trim();
    let (scheme, rest) = match given.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
        None if provider == Provider::Ollama => ("http", given),
        _ => return Err(bad("it must begin with http:// or https://")),
    };
    if rest.contains(['?', '#']) || rest.contains(char::is_whitespace) {
        return Err(bad("it must have no query, no fragment and no space"));
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() {
        return Err(bad("it names no host"));
    }
    let path = path.trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let path = match provider {
        Provider::Anthropic if last != "v1" => joined(path, "v1"),
        Provider::Gemini if !is_version(last) => joined(path, "v1beta"),
        // Others than OpenAI have paths of their own, which are left as they are.
        Provider::OpenAi | Provider::OpenAiCompatible if path.is_empty() => "v1".to_owned(),
        // Ollama serves OpenAI's protocol under /v1, and its own beside it.
        Provider::Ollama => path.strip_suffix("v1").unwrap_or(path).trim_end_matches('/').to_owned(),
        _ => path.to_owned(),
    };
    let host = if provider == Provider::Ollama { ollama_host(host) } else { host.to_owned() };
    let slash = if path.is_empty() { "" } else { "/" };
    Ok(format!("{scheme}://{host}/{path}{slash}"))
}

fn joined(path: &str, version: &str) -> String {
    if path.is_empty() { version.to_owned() } else { format!("{path}/{version}") }
}

/// Whether a path's last segment is a version: `v1`, `v1beta`, `v1alpha`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `OLLAMA_HOST` also tells the server where to listen, so it may be every address, and may leave out the port.
fn ollama_host(host: &str) -> String {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) && !port.is_empty() => (name, port),
        _ => (host, "11434"),
    };
    let name = if name == "0.0.0.0" || name.is_empty() { "127.0.0.1" } else { name };
    format!("{name}:{port}")
}

/// A URL for an error, without the user and password that may stand in it.
pub(super) fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

#[cfg_attr(not(any(feature = "providers", test)), expect(dead_code, reason = "only the providers read it"))]
impl Key {
    /// The key itself, for the one header that it belongs in.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests;
