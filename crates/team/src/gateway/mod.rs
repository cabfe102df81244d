//! The one way out of the sandbox: a proxy that leads to the hosts that the user named, to the tools of a team, and to models
//! whose key the program behind it does not have.
//!
//! It is found behind a [door](crate::sandbox), or on a port of this machine where there is no sandbox. It speaks
//! HTTP: `CONNECT` and absolute targets (RFC 9110, 9.3.6 and 7.1) for hosts, paths of its own for models.
//! Knows nothing of tasks and budgets: who [lends models](Models) counts.

mod tunnel;
pub(crate) mod usage;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use crate::Error;
use crate::command::Environment;
use crate::sandbox::door::answer_all;
use crate::sandbox::{Answer, Door, HostRule, Sandbox, SandboxKind};

/// The target by which the tools of a team are asked for. No host has this name (RFC 6761, 6.4).
pub(crate) const TOOLS: &str = "team.invalid:1";

/// The variables by which programs know a proxy.
const PROXY_VARIABLES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
/// Those by which they know for whom there is none: whoever listens inside is reached directly.
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];
const INSIDE: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// For whom there is no proxy: the names of this machine mean the inside, but for those that lead out. The proxy itself is found by its
/// address.
fn inside(hosts: &[HostRule]) -> String {
    let [own, names @ ..] = INSIDE;
    let leads_out = |name: &str| hosts.iter().any(|rule| rule.is_for(name));
    let names = names.into_iter().filter(|name| !leads_out(name));
    std::iter::once(own).chain(names).collect::<Vec<_>>().join(",")
}

/// What is answered, in pieces as they come.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;
/// What a program asks.
pub(crate) type Asked = Request<Incoming>;

/// Lends models to a program.
#[async_trait]
pub(crate) trait Models: Send + Sync {
    /// Answers a call.
    async fn call(&self, asked: Asked) -> Response<Body>;
}

/// Serves the tools of a team.
#[async_trait]
pub(crate) trait Tools: Send + Sync {
    /// Serves somebody who has asked for them, until they go away.
    async fn serve(self: Arc<Self>, stream: TokioIo<Upgraded>);
}

/// Where the way out leads.
#[derive(Clone, Default)]
pub(crate) struct Gateway {
    hosts: Arc<[HostRule]>,
    models: Option<Arc<dyn Models>>,
    tools: Option<Arc<dyn Tools>>,
    closed: CancellationToken,
}

/// A way out that is open, until this is dropped.
pub(crate) struct Open {
    /// Where a program finds it.
    pub address: SocketAddr,
    /// The environment of a program that has it.
    pub environment: Environment,
    _listening: Option<AbortOnDropHandle<()>>,
    _open: DropGuard,
}

impl Gateway {
    /// To hosts alone.
    pub fn to(hosts: &[HostRule]) -> Self {
        Self { hosts: hosts.into(), ..Self::default() }
    }

    /// And to models that somebody lends.
    pub fn lending(self, models: Option<Arc<dyn Models>>) -> Self {
        Self { models, ..self }
    }

    /// And to the tools of a team.
    pub fn serving(self, tools: Option<Arc<dyn Tools>>) -> Self {
        Self { tools, ..self }
    }

    /// Opens it for a program: as a door, or on a port of this machine where nothing is confined. `keeper` is the program
    /// that opens doors.
    ///
    /// # Errors
    /// When the sandbox that is wanted can have no door.
    pub async fn open(self, environment: &Environment, keeper: &Path) -> Result<Open, Error> {
        let sandbox = environment.sandbox();
        let open = self.closed.clone().drop_guard();
        if matches!(sandbox.kind()?, SandboxKind::Unconfined | SandboxKind::Around) {
            let broken = |source| Error::Io { verb: "listen on", path: "127.0.0.1".into(), source };
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(broken)?;
            let address = listener.local_addr().map_err(broken)?;
            let listening = tokio::spawn(async move { answer_all(&listener, &self).await });
            let listening = Some(AbortOnDropHandle::new(listening));
            return Ok(Open {
                address,
                environment: environment.clone(),
                _listening: listening,
                _open: open,
            });
        }
        let sandbox = self.behind(sandbox.clone(), keeper);
        sandbox.kind()?;
        let environment = environment.clone().confined(sandbox);
        Ok(Open { address: Door::address(), environment, _listening: None, _open: open })
    }

    /// The sandbox of commands that have it as a door.
    pub fn behind(self, sandbox: Sandbox, keeper: &Path) -> Sandbox {
        let leads_to_hosts = !self.hosts.is_empty();
        let inside = inside(&self.hosts);
        let mut door = Door::new(keeper, Arc::new(self));
        if leads_to_hosts {
            let proxy = format!("http://{}", Door::address());
            door = PROXY_VARIABLES.iter().fold(door, |door, name| door.known_by(name, &proxy));
            door = NO_PROXY_VARIABLES.iter().fold(door, |door, name| door.known_by(name, &inside));
        }
        sandbox.with_door(door)
    }

    async fn serve(&self, connection: TcpStream) {
        let reply = |asked: Asked| async move { Ok::<_, Infallible>(self.reply(asked).await) };
        let served = http1::Builder::new()
            .serve_connection(TokioIo::new(connection), service_fn(reply))
            .with_upgrades();
        tokio::select! {
            // Who goes away in the middle is served no more, and nobody needs to know.
            _ = served => {}
            () = self.closed.cancelled() => {}
        }
    }

    async fn reply(&self, asked: Asked) -> Response<Body> {
        if asked.method() == Method::CONNECT {
            return match asked.uri().authority().map(hyper::http::uri::Authority::as_str) {
                Some(TOOLS) => self.reply_with_tools(asked),
                Some(_) => tunnel::connect(&self.hosts, asked).await,
                None => refusal(StatusCode::BAD_REQUEST, "CONNECT wants a host and a port"),
            };
        }
        match (asked.uri().authority().is_some(), &self.models) {
            (true, _) => tunnel::forward(&self.hosts, asked).await,
            (false, Some(models)) => models.call(asked).await,
            (false, None) => {
                refusal(StatusCode::NOT_FOUND, "this proxy leads to hosts, and has nothing of its own")
            }
        }
    }

    fn reply_with_tools(&self, asked: Asked) -> Response<Body> {
        let Some(tools) = self.tools.clone() else {
            return refusal(StatusCode::NOT_FOUND, "there are no tools of a team here");
        };
        let closed = self.closed.clone();
        tokio::spawn(async move {
            if let Ok(stream) = hyper::upgrade::on(asked).await {
                tokio::select! {
                    () = tools.serve(TokioIo::new(stream)) => {}
                    () = closed.cancelled() => {}
                }
            }
        });
        Response::new(empty())
    }
}

impl Answer for Gateway {
    fn answer(&self, connection: TcpStream) {
        let gateway = self.clone();
        tokio::spawn(async move { gateway.serve(connection).await });
    }
}

/// An answer that says why there is none.
pub(crate) fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let mut refusal = Response::new(whole(format!("agent-team: {why}\n")));
    *refusal.status_mut() = status;
    refusal
}

/// A body in one piece.
pub(crate) fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

fn empty() -> Body {
    whole(Bytes::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_this_machine_that_leads_out_is_asked_of_the_proxy() {
        let inside =
            |hosts: &[&str]| inside(&hosts.iter().map(|host| host.parse().unwrap()).collect::<Vec<_>>());
        assert_eq!(inside(&["docs.rs"]), "127.0.0.1,localhost,::1");
        assert_eq!(inside(&["docs.rs", "localhost:8080"]), "127.0.0.1,::1");
        assert_eq!(inside(&["127.0.0.1:8080"]), "127.0.0.1,localhost,::1");
    }
}
