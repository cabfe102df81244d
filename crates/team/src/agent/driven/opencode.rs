//! What OpenCode is told besides the protocol: where the models are that it is lent, and which one it is to call.
//!
//! Source: OpenCode's documentation, "Config" and "CLI" (`OPENCODE_CONFIG_CONTENT`, `provider.*.options.baseURL`,
//! `experimental.mcp_timeout`, `OPENCODE_DISABLE_*`):
//! it reads no variable of a provider for that.

use serde_json::{Map, json};

use super::driver::{Access, Place};
use crate::command::Environment;

/// Where its providers are lent: the name that it has for each, the variable by which others find it, and what follows.
const PROVIDERS: [(&str, &str, &str); 3] = [
    ("anthropic", "ANTHROPIC_BASE_URL", "/v1"),
    ("openai", "OPENAI_BASE_URL", ""),
    ("google", "GOOGLE_GEMINI_BASE_URL", "/v1beta"),
];

/// What it would fetch at its start, and wait for: where it is confined it reaches none of it.
const FETCHES: [&str; 3] =
    ["OPENCODE_DISABLE_AUTOUPDATE", "OPENCODE_DISABLE_LSP_DOWNLOAD", "OPENCODE_DISABLE_MODELS_FETCH"];

/// How long a tool of the team may take, in milliseconds: some wait for people. Else it gives up after a minute.
const TOOL_LIMIT_MS: u64 = 24 * 60 * 60 * 1_000;

/// The environment in which it is started.
pub(super) fn environment(place: &Place) -> Environment {
    let lent: Map<_, _> = PROVIDERS
        .iter()
        .filter_map(|(provider, variable, version)| {
            let url = format!("{}{version}", place.variable(variable)?);
            let mut lent = json!({"options": {"baseURL": url}});
            // It knows the models that there were when it was built, and waits without end for another one.
            if let Some((of, model)) = place.model.as_deref().and_then(|model| model.split_once('/'))
                && of == *provider
            {
                lent["models"] = json!({model: {}});
            }
            Some(((*provider).to_owned(), lent))
        })
        .collect();
    let mut config = Map::new();
    if !lent.is_empty() {
        config.insert("provider".to_owned(), lent.into());
    }
    if place.team.is_some() {
        config.insert("experimental".to_owned(), json!({"mcp_timeout": TOOL_LIMIT_MS}));
    }
    if place.access == Access::Look {
        // By itself it runs and writes without asking.
        let asks =
            ["bash", "edit", "external_directory", "webfetch"].map(|act| (act.to_owned(), json!("ask")));
        config.insert("permission".to_owned(), Map::from_iter(asks).into());
    }
    config.extend(place.model.as_ref().map(|model| ("model".to_owned(), json!(model))));
    let mut environment = place.environment.clone();
    if !config.is_empty() {
        let config = serde_json::Value::Object(config).to_string();
        environment = environment.with_own("OPENCODE_CONFIG_CONTENT", &config);
    }
    if environment.sandbox().is_none() {
        return environment;
    }
    FETCHES.iter().fold(environment, |environment, name| environment.with_own(name, "1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::driven::fake::Fake;

    #[test]
    fn it_is_told_where_its_models_are_and_which_to_call() {
        let fake = Fake::of("opencode", "");
        let place = Place { team: None, ..fake.place(Access::Work) };
        let told = |place: &Place| {
            let environment = environment(place);
            let content = environment.iter().find(|(name, _)| *name == "OPENCODE_CONFIG_CONTENT");
            content.map(|(_, content)| content.to_str().unwrap().to_owned())
        };
        assert_eq!(told(&place), None, "its own login and settings");
        let looks = told(&Place { access: Access::Look, ..place.clone() }).unwrap();
        assert!(looks.contains(r#""bash":"ask""#) && looks.contains(r#""edit":"ask""#), "{looks}");
        let environment =
            place.environment.clone().with_own("ANTHROPIC_BASE_URL", "http://127.0.0.1:3128/anthropic");
        let place = Place { environment, model: Some("anthropic/claude-sonnet-4-5".into()), ..place };
        let config: serde_json::Value = serde_json::from_str(&told(&place).unwrap()).unwrap();
        let anthropic = json!({
            "options": {"baseURL": "http://127.0.0.1:3128/anthropic/v1"},
            "models": {"claude-sonnet-4-5": {}},
        });
        let expected = json!({"model": "anthropic/claude-sonnet-4-5", "provider": {"anthropic": anthropic}});
        assert_eq!(config, expected);
    }
}
