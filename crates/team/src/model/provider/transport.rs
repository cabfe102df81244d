//! The HTTP client: TLS by ring alone, proxies from the environment that was handed in, no redirects.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, NoProxy, Proxy, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;

use super::target::Target;
use crate::model::ConnectError;

/// How long a connection may take to stand.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// What no proxy is asked for, whatever `NO_PROXY` says.
const LOOPBACK: &str = "localhost,127.0.0.1,::1";

/// A client for the target's base URL.
pub(super) fn client(
    target: &Target,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Client, ConnectError> {
    build(target, environment)
        .map_err(|reason| ConnectError::Client { provider: target.provider.name(), reason })
}

fn build(target: &Target, environment: &dyn Fn(&str) -> Option<String>) -> Result<Client, String> {
    let tls = tls(target.base_url.starts_with("https://")).map_err(|error| error.to_string())?;
    let mut builder = Client::builder()
        .user_agent(concat!("agent-team/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_LIMIT)
        // The key goes to the server that was named and to no other.
        .redirect(redirect::Policy::none())
        .no_proxy();
    for proxy in proxies(environment)? {
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| error.to_string())
}

/// The system's certificates are only read if they are needed, since a small machine may have none.
fn tls(needed: bool) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let mut config = if needed {
        config.with_platform_verifier()?.with_no_client_auth()
    } else {
        config.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The proxies that curl, too, would take from these variables.
fn proxies(environment: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Proxy>, String> {
    let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
    let either = |name: &str| variable(&name.to_lowercase()).or_else(|| variable(&name.to_uppercase()));
    let spared =
        either("no_proxy").map_or_else(|| LOOPBACK.to_owned(), |hosts| format!("{hosts},{LOOPBACK}"));
    let wanted = [
        // In a CGI program HTTP_PROXY is a request's header, so only the lower case counts.
        ("http_proxy", variable("http_proxy"), Proxy::http as fn(String) -> reqwest::Result<Proxy>),
        ("https_proxy", either("https_proxy"), Proxy::https),
        ("all_proxy", either("all_proxy"), Proxy::all),
    ];
    let proxies = wanted.into_iter().filter_map(|(name, url, make)| Some((name, make(url?))));
    proxies
        .map(|(name, proxy)| match proxy {
            Ok(proxy) => Ok(proxy.no_proxy(NoProxy::from_string(&spared))),
            // The URL may hold a password, so it is not shown.
            Err(_) => Err(format!("the variable {name} holds no proxy's URL")),
        })
        .collect()
}
