//! What Goose is told besides the protocol: where the models are that it is lent, and which one it is to call.
//!
//! Source: Goose's documentation, "Environment variables" and "Supported LLM providers" (`GOOSE_PROVIDER`, `GOOSE_MODEL`,
//! `GOOSE_MODE`, `OPENAI_BASE_URL`, `ANTHROPIC_HOST`, `GOOGLE_HOST`).

use super::driver::{Access, Place};
use crate::command::Environment;

/// What it reads a variable of ours by, where it has another name for it.
const OTHER_NAMES: [(&str, &str); 3] = [
    ("ANTHROPIC_BASE_URL", "ANTHROPIC_HOST"),
    ("GOOGLE_GEMINI_BASE_URL", "GOOGLE_HOST"),
    ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
];

/// Where it is confined: there is no ring of keys, nobody is told how it is used, and no model is asked for a title.
const CONFINED: [(&str, &str); 3] = [
    ("GOOSE_DISABLE_KEYRING", "true"),
    ("GOOSE_TELEMETRY_OFF", "true"),
    ("GOOSE_DISABLE_SESSION_NAMING", "true"),
];

/// What it lacks, if it lacks anything: without a model it ends, and does not say why.
pub(super) fn wants(place: &Place) -> Result<(), &'static str> {
    match place.model.is_some() || place.environment.sandbox().is_none() {
        true => Ok(()),
        false => {
            Err("in a sandbox its own settings are out of reach, so it has to be said which model it calls: \
                      `model = \"openai/gpt-5\"`, say, in its `[[agent]]` of team.toml")
        }
    }
}

/// The environment in which it is started.
pub(super) fn environment(place: &Place) -> Environment {
    let mode = match place.access {
        Access::Work => "approve",
        // It says of no call that this only reads. So it decides that itself, and asks about the others.
        Access::Look => "smart_approve",
    };
    let set = |environment: Environment, (name, value): (&str, &str)| environment.with_own(name, value);
    let environment = place.environment.clone().with_own("GOOSE_MODE", mode);
    // A model is named as with others that know several providers: `openai/gpt-5`.
    let (provider, model) = match place.model.as_deref().map(|model| (model.split_once('/'), model)) {
        Some((Some((provider, model)), _)) => (Some(provider), Some(model)),
        Some((None, model)) => (None, Some(model)),
        None => (None, None),
    };
    let chosen = [("GOOSE_PROVIDER", provider), ("GOOSE_MODEL", model)];
    let chosen = chosen.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let environment = chosen.fold(environment, set);
    if environment.sandbox().is_none() {
        return environment;
    }
    let named = OTHER_NAMES.iter().filter_map(|(ours, its)| Some((*its, place.variable(ours)?)));
    named.chain(CONFINED).fold(environment, set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::driven::fake::Fake;

    #[test]
    fn it_is_told_which_model_of_which_provider_to_call_and_asks_before_it_acts() {
        let fake = Fake::of("goose", "");
        let told = |access, model: Option<&str>, name: &str| {
            let place = Place { model: model.map(str::to_owned), ..fake.place(access) };
            let told = Place { environment: environment(&place), ..place };
            told.variable(name).map(str::to_owned)
        };
        assert_eq!(told(Access::Work, Some("openai/org/m"), "GOOSE_PROVIDER").as_deref(), Some("openai"));
        assert_eq!(told(Access::Work, Some("openai/org/m"), "GOOSE_MODEL").as_deref(), Some("org/m"));
        assert_eq!(told(Access::Work, Some("m"), "GOOSE_MODEL").as_deref(), Some("m"));
        assert_eq!(told(Access::Work, None, "GOOSE_PROVIDER"), None, "by its own settings");
        assert_eq!(told(Access::Work, None, "GOOSE_MODE").as_deref(), Some("approve"));
        assert_eq!(told(Access::Look, None, "GOOSE_MODE").as_deref(), Some("smart_approve"));
    }
}
