//! Which server a model is asked from, and by which key.
//!
//! Nothing is connected here, and the environment is the one that was handed in. A key goes into the request's header
//! and nowhere else.

use std::fmt;

use crate::model::{ConnectError, Connection, Provider};

/// Where a provider is found and what it is shown.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) provider: Provider,
    pub(super) model: String,
    /// With the version (`/v1`) where the protocol has one, and a slash at the end.
    pub(super) base_url: String,
    pub(super) key: Option<Key>,
    /// The host and the port of the base URL.
    server: Option<(String, u16)>,
}

/// A provider's key, which is never shown.
#[derive(Clone)]
pub(super) struct Key(String);

/// Settles where `model` of `provider` is found and by which key.
pub(super) fn target(
    provider: Provider,
    model: &str,
    connection: &Connection<'_>,
) -> Result<Target, ConnectError> {
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
    let base_url = normalized_base_url(provider, &url)?;
    let server = reqwest::Url::parse(&base_url).ok();
    let server = server.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    Ok(Target { provider, model: model.to_owned(), base_url, key, server })
}

impl Target {
    /// The host and the port of the server.
    pub(super) fn server(&self) -> Option<(&str, u16)> {
        self.server.as_ref().map(|(host, port)| (host.as_str(), *port))
    }
}

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
    let url = format!("{scheme}://{host}/{path}{slash}");
    reqwest::Url::parse(&url).map_err(|error| bad(&error.to_string()))?;
    Ok(url)
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

#[cfg(test)]
mod tests;
