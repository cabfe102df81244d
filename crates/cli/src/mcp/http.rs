//! Sessions over streamable HTTP, on this machine alone: each one is a member of the team.
//!
//! Whoever may connect may act for an agent, so the token in the team's folder must come with each request, and no page in
//! a browser may ask: Host and Origin are checked against the names of this machine.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use agent_team::{TaskQueue, TeamFolder};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Router, serve};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::server::Server;
use super::session::{Session, Wishes};
use crate::exit::{Exit, Failure};
use crate::interrupt::interrupted;
use crate::loopback::{hosts, is_same, listen, new_token, only_here};
use crate::output::Output;

/// The file with the token, in the team's folder.
const TOKEN_FILE: &str = "mcp-token";
/// How long a token is at least.
const TOKEN_LENGTH: usize = 32;

/// The sessions that there are, to be ended with this process.
type Sessions = Arc<Mutex<Vec<Weak<Session>>>>;

/// Serves on an address of this machine, until somebody ends this process.
pub async fn serve_http(
    queue: TaskQueue,
    wishes: Wishes,
    address: SocketAddr,
    out: &mut Output,
) -> Result<Exit, Failure> {
    only_here(address, "--http 127.0.0.1:PORT")?;
    let folder = queue.team_log().folder().ok_or_else(|| Failure::usage("the team has no folder"))?;
    let file = token_file(folder);
    let token = token(&file).map_err(|error| Failure::io(&file.display().to_string(), &error))?;
    let (listener, address) = listen(address).await?;
    let url = format!("http://{address}/mcp");
    out.answer(&json!({ "url": url, "token_file": file }), |out| {
        out.line(&format!("{url}  (bearer token in {})", file.display()))
    })?;
    out.flush()?;
    let sessions = Sessions::default();
    let all = Arc::clone(&sessions);
    let idle = wishes.lease;
    let begin = move || {
        let begun = Session::begin(&queue, wishes.clone());
        let session = begun.map_err(|failure| io::Error::other(failure.words()))?;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&session));
        Ok(Server(session))
    };
    let stop = CancellationToken::new();
    let app = app(begin, address, idle, stop.clone()).layer(from_fn_with_state(Arc::from(token), admit));
    run(listener, app, stop).await?;
    let open: Vec<_> = sessions.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
    for session in open.iter().filter_map(Weak::upgrade) {
        session.end().await;
    }
    Ok(Exit::Interrupted)
}

/// What answers requests, with a server for each session.
pub fn app<S: ServerHandler>(
    begin: impl Fn() -> io::Result<S> + Send + Sync + 'static,
    address: SocketAddr,
    idle: std::time::Duration,
    stop: CancellationToken,
) -> Router {
    let mut sessions = LocalSessionManager::default();
    // A client that says nothing for so long is gone: what it holds is given back.
    sessions.session_config.keep_alive = Some(idle);
    let names = hosts(address);
    let mut config = StreamableHttpServerConfig::default()
        .with_allowed_origins(names.iter().map(|name| format!("http://{name}")))
        .enforce_origin_validation()
        .with_allowed_hosts(names);
    config.cancellation_token = stop;
    let service = StreamableHttpService::new(begin, Arc::new(sessions), config);
    Router::new().route_service("/mcp", service)
}

/// Serves until somebody ends this process.
pub async fn run(listener: TcpListener, app: Router, stop: CancellationToken) -> Result<(), Failure> {
    let served = serve(listener, app).into_future();
    tokio::select! {
        served = served => served.map_err(|error| Failure::io("cannot serve", &error))?,
        () = interrupted() => {}
    }
    stop.cancel();
    Ok(())
}

/// Lets a request pass that has the token.
async fn admit(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if is_same(given.as_bytes(), token.as_bytes()) {
        return next.run(request).await;
    }
    let mut refused = (StatusCode::UNAUTHORIZED, "the bearer token of the team is wanted\n").into_response();
    refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refused
}

/// The file that holds a team's token.
pub fn token_file(folder: &TeamFolder) -> PathBuf {
    folder.root().join(TOKEN_FILE)
}

/// The token of a file that nobody else may read, made if it is not there.
fn token(file: &Path) -> io::Result<String> {
    match fs::symlink_metadata(file) {
        Ok(known) if !known.is_file() || known.mode() & 0o077 != 0 => {
            let words = "others may read it: delete it, and a new one is made";
            return Err(io::Error::new(ErrorKind::PermissionDenied, words));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => make_token(file)?,
        Err(error) => return Err(error),
    }
    let token = fs::read_to_string(file)?.trim().to_owned();
    match token.len() {
        length if length >= TOKEN_LENGTH => Ok(token),
        _ => {
            Err(io::Error::new(ErrorKind::InvalidData, "it holds no token: delete it, and a new one is made"))
        }
    }
}

/// Makes a token, unless somebody else does at the same time. It is whole before it has its name.
fn make_token(file: &Path) -> io::Result<()> {
    let token = new_token()?;
    let begun = file.with_extension(std::process::id().to_string());
    let _ = fs::remove_file(&begun);
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&begun)?;
    written.write_all(token.as_bytes())?;
    written.sync_all()?;
    let linked = fs::hard_link(&begun, file);
    fs::remove_file(&begun)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(TOKEN_FILE);
        let made = token(&file).unwrap();
        assert_eq!((made.len(), token(&file).unwrap()), (64, made.clone()));
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(token(&file).unwrap_err().to_string().contains("others may read it"));
    }
}
