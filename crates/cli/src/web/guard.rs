//! Who is let in, and what a page of ours may do.
//!
//! Whoever may ask may steer the team. So each request for something of the team needs the token, in a header that no browser
//! sends by itself; it must name this machine (a name that an attacker points here is another one), and no other page may send
//! it. The page and its files, in which nothing of the team is, are given to the cookie that the first address sets: browsers
//! send cookies to each server of this machine, whatever its port, so that one must be worth nothing to others. What the page
//! may do is bounded by its policy: nothing from elsewhere, and nothing of what it shows is a program.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::refusals;
use crate::loopback::{hosts, is_same};

/// What a page of ours may do: <https://www.w3.org/TR/CSP3/>.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What whoever has no token is told.
const NO_TOKEN: &str =
    "401: this page needs its token. `agent-team web` prints the address with it; open that one.\n";

/// What a request is measured by.
pub struct Guard {
    token: String,
    /// The cookie for the page's files: its name, and what it holds.
    cookie: (String, String),
    hosts: [String; 3],
}

#[derive(Deserialize)]
struct Given {
    token: Option<String>,
}

impl Guard {
    /// Lets in who has this token and asks at this address; who has the other one gets the page's files.
    pub fn new(address: SocketAddr, token: String, for_files: String) -> Self {
        // Cookies know no ports: each server has a name of its own.
        let cookie = (format!("agent-team-{}", address.port()), for_files);
        Self { token, cookie, hosts: hosts(address) }
    }

    /// Whether a request names this machine, and comes from a page of ours or from none.
    fn is_from_here(&self, headers: &HeaderMap) -> bool {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let is_host = |host: &str| self.hosts.iter().any(|known| known == host);
        let origin_is_ours = match text(ORIGIN) {
            Some(origin) => origin.strip_prefix("http://").is_some_and(is_host),
            None => true,
        };
        // Browsers say so where they send no origin; others say nothing.
        let site = text(HeaderName::from_static("sec-fetch-site"));
        let site_is_ours = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
        text(HOST).is_some_and(is_host) && origin_is_ours && site_is_ours
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        bearer.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|given| self.is_token(given))
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (name, held) = &self.cookie;
        pairs.any(|(known, value)| known == name && is_same(value.as_bytes(), held.as_bytes()))
    }

    fn is_token(&self, given: &str) -> bool {
        is_same(given.as_bytes(), self.token.as_bytes())
    }
}

/// Lets a request pass, or says why not.
pub async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let is_question = request.uri().path().starts_with("/api/");
    let mut response = answer(&guard, request, next).await;
    if is_question {
        response = refusals::as_json(response).await;
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn answer(guard: &Guard, request: Request, next: Next) -> Response {
    let headers = request.headers();
    // Somebody may have clicked on the address in another page: whoever has the token in it is let in.
    let given = Query::<Given>::try_from_uri(request.uri()).ok().and_then(|given| given.0.token);
    if request.uri().path() == "/"
        && request.method() == Method::GET
        && given.is_some_and(|given| guard.is_token(&given))
    {
        let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !guard.hosts.iter().any(|known| known == host) {
            return StatusCode::FORBIDDEN.into_response();
        }
        let (name, held) = &guard.cookie;
        let cookie = format!("{name}={held}; Path=/; HttpOnly; SameSite=Strict");
        // The page keeps the token, and takes it out of its address.
        return ([(SET_COOKIE, cookie)], next.run(request).await).into_response();
    }
    if !guard.is_from_here(headers) {
        return (
            StatusCode::FORBIDDEN,
            "403: this is asked from another page, or by another name of this machine\n",
        )
            .into_response();
    }
    let is_file = !request.uri().path().starts_with("/api/");
    let is_let_in = guard.has_token(headers) || is_file && guard.has_cookie(headers);
    if !is_let_in {
        return (StatusCode::UNAUTHORIZED, NO_TOKEN).into_response();
    }
    next.run(request).await
}
