//! The way to the collector: HTTP by the client that models are called with, and what is said when that leads nowhere.
//!
//! It runs on a thread of its own, so that no run ever waits for it. A collector that is not there, is slow or answers
//! errors is told once, without its URL, which may hold a password.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::redirect;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::runtime::Handle;

use super::settings::Settings;

/// The largest answer of a collector that is read, in bytes: it says how much was taken.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What stands for an answer when nothing is to be tried again.
const NOT_AGAIN: u16 = 400;

/// Sends what is exported.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    runtime: Handle,
    complaint: Arc<Complaint>,
}

/// What is said of a collector, once.
pub struct Complaint {
    tell: Box<dyn Fn(&str) + Send + Sync>,
    is_told: AtomicBool,
    /// Whether what is sent now is the last.
    is_ending: AtomicBool,
}

impl Complaint {
    /// Nothing to complain of yet.
    pub fn to(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { tell: Box::new(tell), is_told: AtomicBool::new(false), is_ending: AtomicBool::new(false) }
    }

    /// From now on nothing is tried again.
    pub fn is_ending(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Says what the collector does, in words that follow its name, if nothing was said before.
    pub fn say(&self, what: &str) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            (self.tell)(what);
        }
    }
}

impl Client {
    /// A client for the collectors of these settings.
    pub fn new(
        settings: &Settings,
        limit: Duration,
        runtime: Handle,
        complaint: Arc<Complaint>,
    ) -> Result<Self, String> {
        let is_encrypted = settings.ways().any(|way| way.is_encrypted);
        let tls = tls(is_encrypted).map_err(|error| error.to_string())?;
        let builder = reqwest::Client::builder()
            .user_agent(concat!("agent-team/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls)
            .timeout(limit)
            // What its headers hold goes to the collector that was named and to no other.
            .redirect(redirect::Policy::none());
        let is_near = settings.ways().all(|way| way.is_near);
        let builder = if is_near { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| error.without_url().to_string())?;
        Ok(Self { http, runtime, complaint })
    }
}

/// The system's certificates are only read if they are needed, since a small machine may have none.
fn tls(needed: bool) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let mut config = match needed {
        true => config.with_platform_verifier()?.with_no_client_auth(),
        false => config.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.runtime.spawn(send(self.http.clone(), request)).await?;
        match &sent {
            Ok(response) if response.status().is_success() => return sent.map_err(HttpError::from),
            Ok(response) => self.complaint.say(&format!("answers {}", response.status())),
            Err(error) if error.is_timeout() => self.complaint.say("does not answer in time"),
            Err(error) if error.is_connect() => self.complaint.say("cannot be reached"),
            Err(_) => self.complaint.say("breaks off"),
        }
        if self.complaint.is_ending.load(Ordering::Relaxed) {
            return Ok(Response::builder().status(NOT_AGAIN).body(Bytes::new())?);
        }
        sent.map_err(HttpError::from)
    }
}

async fn send(http: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
    let mut answer = http.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + piece.len() <= ANSWER_BYTES_MAX {
            body.extend_from_slice(&piece);
        }
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Without what its headers hold.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}
