use super::*;
use crate::model::{RetryPolicy, TimeLimits};

/// What comes of a model's name, an explicit base URL and an environment: the URL, and the key.
fn settled(
    provider: Provider,
    base_url: Option<&str>,
    variables: &[(&str, &str)],
) -> Result<(String, Option<String>), String> {
    let environment = |name: &str| {
        variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
    };
    let connection = Connection {
        base_url,
        environment: &environment,
        limits: TimeLimits::default(),
        retry: RetryPolicy::default(),
    };
    let target = target(provider, "m", &connection).map_err(|error| error.to_string())?;
    Ok((target.base_url, target.key.map(|key| key.reveal().to_owned())))
}

#[test]
fn both_forms_of_a_base_url_work() {
    let url = |provider, url| {
        let key = [("ANTHROPIC_API_KEY", "k"), ("OPENAI_API_KEY", "k"), ("GEMINI_API_KEY", "k")];
        settled(provider, Some(url), &key).unwrap().0
    };
    for (provider, given, expected) in [
        (Provider::Anthropic, "http://127.0.0.1:9", "http://127.0.0.1:9/v1/"),
        (Provider::Anthropic, "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/"),
        (Provider::Anthropic, "https://proxy/anthropic/", "https://proxy/anthropic/v1/"),
        (Provider::OpenAi, "http://127.0.0.1:9", "http://127.0.0.1:9/v1/"),
        (Provider::OpenAi, "http://127.0.0.1:9/v1/", "http://127.0.0.1:9/v1/"),
        (Provider::OpenAiCompatible, "https://host/api/openai", "https://host/api/openai/"),
        (Provider::Gemini, "http://127.0.0.1:9", "http://127.0.0.1:9/v1beta/"),
        (Provider::Gemini, "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/"),
        (Provider::Ollama, "http://127.0.0.1:9/v1", "http://127.0.0.1:9/"),
        (Provider::Ollama, "0.0.0.0", "http://127.0.0.1:11434/"),
        (Provider::Ollama, "big-machine:80", "http://big-machine:80/"),
        (Provider::Ollama, "https://big-machine/ollama", "https://big-machine:11434/ollama/"),
    ] {
        assert_eq!(url(provider, given), expected, "{provider:?} {given}");
    }
}

#[test]
fn an_explicit_base_url_wins_over_the_environment() {
    let variables = [("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "http://from-environment")];
    assert_eq!(settled(Provider::Anthropic, None, &variables).unwrap().0, "http://from-environment/v1/");
    let explicit = settled(Provider::Anthropic, Some("http://explicit"), &variables).unwrap();
    assert_eq!(explicit.0, "http://explicit/v1/");
}

#[test]
fn a_missing_key_names_its_variable() {
    let error = |provider| settled(provider, None, &[("ANTHROPIC_API_KEY", " ")]).unwrap_err();
    assert_eq!(error(Provider::Anthropic), "anthropic needs a key: set ANTHROPIC_API_KEY in the environment");
    assert_eq!(error(Provider::OpenAi), "openai needs a key: set OPENAI_API_KEY in the environment");
    assert_eq!(
        error(Provider::Gemini),
        "gemini needs a key: set GEMINI_API_KEY or GOOGLE_API_KEY in the environment"
    );
    assert!(error(Provider::OpenAiCompatible).starts_with("openai-compatible needs to know its server"));
}

#[test]
fn keyless_providers_need_none() {
    assert_eq!(settled(Provider::Ollama, None, &[]).unwrap(), ("http://127.0.0.1:11434/".into(), None));
    let compatible = settled(Provider::OpenAiCompatible, Some("http://127.0.0.1:8080/v1"), &[]);
    assert_eq!(compatible.unwrap(), ("http://127.0.0.1:8080/v1/".into(), None));
}

#[test]
fn openais_key_goes_to_no_server_that_its_owner_did_not_name() {
    let variables = [("OPENAI_API_KEY", "openai"), ("OPENAI_BASE_URL", "http://named/v1")];
    let key = |base_url| settled(Provider::OpenAiCompatible, base_url, &variables).unwrap().1;
    assert_eq!(key(Some("http://elsewhere/v1")), None);
    assert_eq!(key(None).as_deref(), Some("openai"));
    let own = [("OPENAI_COMPATIBLE_API_KEY", "own")];
    let elsewhere = settled(Provider::OpenAiCompatible, Some("http://elsewhere/v1"), &own);
    assert_eq!(elsewhere.unwrap().1.as_deref(), Some("own"));
}

#[test]
fn what_is_no_base_url_is_said() {
    for (url, reason) in [
        ("127.0.0.1:8080", "\"127.0.0.1:8080\" is no base URL: it must begin with http:// or https://"),
        ("http://h:99999", "\"http://h:99999\" is no base URL: invalid port number"),
        ("http://", "\"http://\" is no base URL: it names no host"),
        ("http://h/v1?key=a", "it must have no query, no fragment and no space"),
        ("ftp://user:secret@h/", "\"ftp://h/\" is no base URL: it must begin with http:// or https://"),
    ] {
        let error = settled(Provider::OpenAiCompatible, Some(url), &[]).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_key_is_never_shown() {
    let connection = Connection {
        base_url: None,
        environment: &|_| Some("planted-key".into()),
        limits: TimeLimits::default(),
        retry: RetryPolicy::default(),
    };
    let connection = Connection { base_url: Some("http://h"), ..connection };
    let target = target(Provider::OpenAi, "m", &connection).unwrap();
    assert!(!format!("{target:?}").contains("planted-key"));
}
