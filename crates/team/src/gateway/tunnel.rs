//! Ways to hosts that the user has named, and to no others.

use std::io;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};

use super::{Asked, Body, empty, refusal};
use crate::sandbox::HostRule;

/// How long a host may take to be reached.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Leads to the host that is asked for, whatever is said there.
pub(super) async fn connect(hosts: &[HostRule], asked: Asked) -> Response<Body> {
    let mut stream = match reach(hosts, asked.uri(), 443).await {
        Ok(stream) => stream,
        Err(refused) => return refused,
    };
    tokio::spawn(async move {
        if let Ok(asking) = hyper::upgrade::on(asked).await {
            // Either may go away when it likes.
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(asking), &mut stream).await;
        }
    });
    Response::new(empty())
}

/// Passes on a request for which no secret way is wanted.
pub(super) async fn forward(hosts: &[HostRule], mut asked: Asked) -> Response<Body> {
    if asked.uri().scheme_str() != Some("http") {
        return refusal(StatusCode::BAD_REQUEST, "what is not http:// is asked for by CONNECT");
    }
    let stream = match reach(hosts, asked.uri(), 80).await {
        Ok(stream) => stream,
        Err(refused) => return refused,
    };
    let broken = |error: hyper::Error| refusal(StatusCode::BAD_GATEWAY, &error.to_string());
    let (mut sender, connection) = match http1::handshake(TokioIo::new(stream)).await {
        Ok(made) => made,
        Err(error) => return broken(error),
    };
    tokio::spawn(connection);
    let uri = std::mem::take(asked.uri_mut());
    if let Some(host) = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        asked.headers_mut().insert(HOST, host);
    }
    // These are between the program and this proxy (RFC 9110, 7.6.1).
    for name in ["connection", "proxy-authorization", "proxy-connection"] {
        asked.headers_mut().remove(name);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *asked.uri_mut() = path.parse().unwrap_or_default();
    match sender.send_request(asked).await {
        Ok(answer) => answer.map(|body| body.map_err(io::Error::other).boxed_unsync()),
        Err(error) => broken(error),
    }
}

async fn reach(hosts: &[HostRule], uri: &Uri, usual_port: u16) -> Result<TcpStream, Response<Body>> {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(usual_port);
    let Some(rule) = hosts.iter().find(|rule| rule.allows(host, port)) else {
        return Err(refusal(
            StatusCode::FORBIDDEN,
            &format!(
                "{host}:{port} is none of the hosts that commands may reach: whoever wants it there names it by `hosts` below \
                 [sandbox] in team.toml"
            ),
        ));
    };
    let reached = tokio::time::timeout(CONNECT_LIMIT, reach_by(rule, host, port)).await;
    match reached.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => Ok(stream),
        Err(error) => {
            let status = match error.kind() {
                io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
                _ => StatusCode::BAD_GATEWAY,
            };
            Err(refusal(status, &format!("cannot reach {host}:{port}: {error}")))
        }
    }
}

async fn reach_by(rule: &HostRule, host: &str, port: u16) -> io::Result<TcpStream> {
    let name = host.trim_matches(['[', ']']);
    let addresses: Vec<_> = lookup_host((name, port)).await?.collect();
    let mut last = io::Error::new(
        io::ErrorKind::PermissionDenied,
        "its name leads to this machine, or to one beside it: whoever wants that names the address itself",
    );
    for address in addresses.into_iter().filter(|address| rule.reaches(address.ip())) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
