//! `web`: a page that shows the team and steers it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::web::{Site, serve};

const LONG_ABOUT: &str = "\
Serve a page that shows the team as it works, and steers it: agents with the last lines of their transcripts, a board, the \
graph of tasks, a timeline with the critical path, costs, messages, the merge queue, plans to approve, changes, and all of \
it as it was at any record of the log. It sends what you would type: say, interrupt, pause, plan approve, retry and so on.

It listens on this machine alone. The address that is printed has a token in it, and whoever has that may steer the team; it is \
another one each time. Nothing is fetched from elsewhere. Ctrl-C ends the page, and the team goes on; it can be opened before \
a run, while one goes on, and after it.

With --log a log is only looked at: of a team that ended, or one that was copied from elsewhere.";

/// The arguments of `web`.
#[derive(Debug, Args)]
#[command(
    about = "Show the team on a page in the browser, and steer it from there",
    long_about = LONG_ABOUT,
    after_help = "Examples:\n  agent-team web\n  agent-team web --port 4747\n  agent-team web --log old/.agent-team/log.jsonl\n  \
                  agent-team web --json | jq -r .url"
)]
pub struct Web {
    /// Listen on this port; a free one if not said
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Look at this log, and change nothing
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

impl Web {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let site = match &self.log {
            Some(log) => Site::of_log(log)?,
            None => Site::of_team(global.open()?)?,
        };
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::io("cannot serve", &error))?;
        let served = runtime.block_on(serve(site, address, out));
        // A page may be listening.
        runtime.shutdown_background();
        served
    }
}
