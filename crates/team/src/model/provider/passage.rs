//! A provider to whom programs' own calls are passed on, with the key that they do not have.
//!
//! What a call says and what is answered is the program's concern, and passes through as it is. Read are the model's name,
//! how long the answer may become, and what it used.

use std::fmt;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;

use super::target::{self, Key, Target};
use super::{failure, transport};
use crate::model::{ConnectError, Connection, ModelError, Provider};

/// Headers of a program's call that are passed on: what it says of itself stays here, and so do its keys.
const PASSED_ON: [&str; 6] =
    ["accept", "anthropic-beta", "anthropic-version", "content-type", "openai-beta", "x-goog-api-client"];

/// The way to a provider.
pub(crate) struct Passage {
    target: Target,
    client: Client,
}

/// A call of a program.
#[derive(Debug, Clone)]
pub(crate) struct RawCall {
    pub method: Method,
    /// What follows the version in its path, with the query: `messages?beta=true`.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Passage {
    /// The way to a provider of whom the environment has a key.
    ///
    /// # Errors
    /// When it has none, or its base URL is none.
    pub fn to(provider: Provider, connection: &Connection<'_>) -> Result<Self, ConnectError> {
        let target = target::target(provider, "", connection)?;
        let client = transport::client(&target, connection.environment)?;
        Ok(Self { target, client })
    }

    /// The host and the port of the provider.
    pub fn server(&self) -> Option<(&str, u16)> {
        self.target.server()
    }

    /// Passes a call on, and gives the beginning of the answer, whatever its status.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn send(&self, call: &RawCall, model: &str) -> Result<Response, ModelError> {
        let url = format!("{}{}", self.target.base_url, call.path);
        let mut headers: HeaderMap = call
            .headers
            .iter()
            .filter(|(name, _)| PASSED_ON.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if let Some((name, value)) = self.key() {
            headers.insert(name, value);
        }
        let request = self.client.request(call.method.clone(), url).headers(headers).body(call.body.clone());
        request.send().await.map_err(|error| failure::of_network(model, &self.target, &error))
    }

    /// The same in words of an error, of an answer that is none.
    pub fn refused(&self, model: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ModelError {
        failure::of_status(model, &self.target, status, headers, &String::from_utf8_lossy(body))
    }

    /// An answer that ended in its middle.
    pub fn broken(&self, model: &str, error: &reqwest::Error) -> ModelError {
        failure::of_network(model, &self.target, error)
    }

    fn key(&self) -> Option<(HeaderName, HeaderValue)> {
        let key = self.target.key.as_ref().map(Key::reveal)?;
        let (name, value) = match self.target.provider {
            Provider::Anthropic => ("x-api-key", key.to_owned()),
            Provider::Gemini => ("x-goog-api-key", key.to_owned()),
            Provider::OpenAi | Provider::OpenAiCompatible | Provider::Ollama => {
                ("authorization", format!("Bearer {key}"))
            }
        };
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_static(name), value))
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Passage").field("target", &self.target).finish_non_exhaustive()
    }
}

/// Sets how long the answer of a call may become at most, in tokens; what is shorter stays.
pub(crate) fn bound_answer(provider: Provider, path: &str, body: &mut Value, most: u32) {
    let Some(fields) = body.as_object_mut() else { return };
    let (fields, name) = match provider {
        Provider::Anthropic => {
            // Thoughts are a part of the answer, and may not be as long as all of it.
            let thoughts = fields.get_mut("thinking").and_then(|thinking| thinking.get_mut("budget_tokens"));
            if let Some(thoughts) = thoughts.filter(|thoughts| thoughts.as_u64() >= Some(most.into())) {
                *thoughts = (most / 2).into();
            }
            (fields, "max_tokens")
        }
        Provider::Gemini => {
            let config =
                fields.entry("generationConfig").or_insert_with(|| Value::Object(serde_json::Map::new()));
            let Some(config) = config.as_object_mut() else { return };
            (config, "maxOutputTokens")
        }
        _ if path.starts_with("responses") => (fields, "max_output_tokens"),
        _ if fields.contains_key("max_tokens") => (fields, "max_tokens"),
        _ => (fields, "max_completion_tokens"),
    };
    let is_less = |known: &Value| known.as_u64().is_some_and(|known| known <= most.into());
    if !fields.get(name).is_some_and(is_less) {
        fields.insert(name.to_owned(), most.into());
    }
}
