//! How a request leaves: proxies, and where it must not go.

use agent_team::model::{Connection, Message, ModelErrorKind, ModelSpec, TimeLimits, connect};

use crate::fake::{Answer, FakeProvider, Protocol};
use crate::{KEY, ONCE, ask, model, request};

/// What comes of a call to `base_url`, with these variables and a key.
async fn call(base_url: &str, variables: &[(&str, &str)]) -> Result<String, ModelErrorKind> {
    let environment = |name: &str| {
        let variables = variables.iter().chain(&[("ANTHROPIC_API_KEY", KEY)]);
        variables.into_iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
    };
    let spec: ModelSpec = "anthropic:claude-test".parse().unwrap();
    let limits = TimeLimits::default();
    let connection = Connection { base_url: Some(base_url), environment: &environment, limits, retry: ONCE };
    let (result, _) =
        ask(&connect(&spec, &connection).unwrap(), &request(vec![Message::user("Hello.")])).await;
    result.map(|response| response.text()).map_err(|error| error.kind())
}

#[tokio::test]
async fn a_proxy_is_asked_as_the_environment_says() {
    let proxy = FakeProvider::new(Protocol::Anthropic, vec![Answer::text("by proxy")]).await;
    let text = call("http://provider.invalid", &[("http_proxy", proxy.url())]).await;
    assert_eq!(text.unwrap(), "by proxy");
    assert_eq!(proxy.requests()[0].headers["host"], "provider.invalid");
}

#[tokio::test]
async fn loopback_and_what_no_proxy_names_are_not_proxied() {
    let proxy = FakeProvider::new(Protocol::Anthropic, vec![Answer::text("by proxy")]).await;
    let direct = FakeProvider::new(Protocol::Anthropic, vec![Answer::text("direct")]).await;
    assert_eq!(call(direct.url(), &[("all_proxy", proxy.url())]).await.unwrap(), "direct");
    let spared = [("http_proxy", proxy.url()), ("NO_PROXY", "provider.invalid")];
    assert_eq!(call("http://provider.invalid", &spared).await.unwrap_err(), ModelErrorKind::Connection);
    assert!(proxy.requests().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_is_not_asked_again() {
    let fake = FakeProvider::new(Protocol::Anthropic, Vec::new()).await;
    let url = fake.url().replace("http://", "https://");
    assert_eq!(call(&url, &[]).await.unwrap_err(), ModelErrorKind::Unreadable);
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let elsewhere = FakeProvider::new(Protocol::Anthropic, vec![Answer::text("stolen")]).await;
    let location = format!("{}/v1/messages", elsewhere.url());
    let redirect = Answer::status(307, "").header("location", &location);
    let fake = FakeProvider::new(Protocol::Anthropic, vec![redirect]).await;
    let model = model(Protocol::Anthropic, &fake);
    let error = ask(&model, &request(vec![Message::user("Hello.")])).await.0.unwrap_err();
    assert_eq!(error.kind(), ModelErrorKind::Unreadable);
    assert!(elsewhere.requests().is_empty());
}
