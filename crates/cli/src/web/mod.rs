//! What `agent-team web` serves: a page that shows the team, as it is and as it was, and sends the commands of the command line.
//!
//! | file | what is in it |
//! |---|---|
//! | `guard` | who is let in, and what a page of it may do |
//! | `assets` | the files of the page |
//! | `site` | the team that is shown, now and at any record of its log |
//! | `painter` | pictures of the team as it changes |
//! | `events` | the changes, as the page hears of them |
//! | `answers` | what the page asks for beyond that, and what it has done |
//! | `record_index` | the records of the log in short, and what each cost |
//! | `timeline` | who worked on what, and what held up the whole |
//! | `waits` | when agents waited for the word of somebody else |
//! | `refusals` | what an answer is that says no |
//! | `search` | words in tasks, messages and transcripts |

mod answers;
mod assets;
mod events;
mod guard;
mod painter;
mod record_index;
mod refusals;
mod search;
mod site;
mod timeline;
mod waits;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;

use crate::exit::{Exit, Failure};
use crate::interrupt::interrupted;
use crate::loopback::{listen, new_token};
use crate::output::Output;
use guard::Guard;
use painter::Painter;
pub use site::Site;

/// Serves a team on an address of this machine, until somebody ends this process.
pub async fn serve(site: Site, address: SocketAddr, out: &mut Output) -> Result<Exit, Failure> {
    let random = || new_token().map_err(|error| Failure::io("no random bytes", &error));
    let (token, for_files) = (random()?, random()?);
    let (listener, address) = listen(address).await?;
    let url = format!("http://{address}/?token={token}");
    out.answer(&json!({ "url": url, "read_only": site.is_read_only() }), |out| {
        out.line(&url)?;
        out.line(
            "Whoever has this address sees the team, and steers it. Ctrl-C ends the page; the team goes on.",
        )
    })?;
    out.flush()?;
    run(listener, app(site, Guard::new(address, token, for_files))).await
}

/// What answers requests.
fn app(site: Site, guard: Guard) -> Router {
    let site = Arc::new(site);
    let painter = Painter::begin(Arc::clone(&site));
    let of_team = Router::new()
        .route("/api/picture", get(answers::picture))
        .route("/api/task/{id}", get(answers::task))
        .route("/api/task/{id}/diff", get(answers::diff))
        .route("/api/message/{id}", get(answers::said))
        .route("/api/transcript/{token}", get(answers::transcript))
        .route("/api/records", get(answers::records))
        .route("/api/timeline", get(answers::timeline))
        .route("/api/cost", get(answers::cost))
        .route("/api/search", get(answers::search))
        .route("/api/do", post(answers::steer))
        .with_state(site);
    Router::new()
        .route("/", get(assets::page))
        .route("/assets/{*name}", get(assets::file))
        .route("/api/events", get(events::events).with_state(painter))
        .merge(of_team)
        .layer(from_fn_with_state(Arc::new(guard), guard::admit))
}

async fn run(listener: TcpListener, app: Router) -> Result<Exit, Failure> {
    // Pages that listen for changes never end by themselves.
    tokio::select! {
        served = axum::serve(listener, app).into_future() => {
            served.map_err(|error| Failure::io("cannot serve", &error))?;
        }
        () = interrupted() => {}
    }
    Ok(Exit::Interrupted)
}
