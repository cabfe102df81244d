//! `mcp`: lets an agent that drives itself take part, over the Model Context Protocol.

use std::net::SocketAddr;
use std::time::Duration;

use agent_team::{AgentId, Role, Skill};
use clap::Args;

use super::claim::LEASE;
use crate::cli::Global;
use crate::confinement::Commands;
use crate::exit::{Exit, Failure};
use crate::mcp::{Wishes, http, stdio};
use crate::output::Output;
use crate::time::some_time;

const LONG_ABOUT: &str = "\
Serve the team over the Model Context Protocol on standard input and output, for an agent that drives itself: Claude Code, \
Codex, or any other client. One session is one member of the team. Its tools are the verbs: join, claim_task (which waits for \
work), complete_task, send, receive and so on; its resources are the tasks and the log; its prompts teach a role.

The session renews its claims by itself. When it ends, because the client closes it or dies, its claims go back into the queue at \
once, and the agent leaves the team, unless it was a member before.

With --http each session is one member, and ends when it is closed or says nothing for the length of a lease. The bearer token \
is in `.agent-team/mcp-token`, which is made if it is missing.

An agent chooses a name that nobody else has, unless --as gives it one. It is a worker or a specialist; --role makes it a \
reviewer or a lead.";

/// The arguments of `mcp`.
#[derive(Debug, Args)]
#[command(
    about = "Serve the team to an agent over MCP",
    long_about = LONG_ABOUT,
    after_help = "Examples:\n  agent-team mcp\n  agent-team mcp --as critic --role reviewer\n  \
                  agent-team mcp --http 127.0.0.1:4711\n  \
                  claude mcp add team -- agent-team -C ~/project mcp --as ann\n  agent-team join claude --write"
)]
pub struct Mcp {
    /// Who takes part; the agent chooses a name if not said
    #[arg(long = "as", value_name = "NAME")]
    agent: Option<AgentId>,
    /// As what: lead, worker, reviewer or specialist
    #[arg(long)]
    role: Option<Role>,
    /// What it can do that others cannot (repeat it, or separate by commas)
    #[arg(long, value_delimiter = ',')]
    skill: Vec<Skill>,
    /// How long a claim lasts if this process hangs [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = some_time)]
    lease: Option<Duration>,
    /// Serve over HTTP on this address of this machine instead, as in 127.0.0.1:4711; each session is one member
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    #[command(flatten)]
    commands: Commands,
    /// Serve what the conformance suite of MCP asks for, and nothing of the team
    #[cfg(feature = "conformance")]
    #[arg(long, requires = "http", hide = true)]
    fixture: bool,
}

impl Mcp {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open_with_hooks(out)?;
        if self.commands.no_sandbox {
            queue.team_log().set_unconfined();
        }
        let wishes = Wishes {
            name: self.agent,
            role: self.role,
            skills: self.skill,
            lease: self.lease.unwrap_or(LEASE),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::io("cannot serve", &error))?;
        let served = runtime.block_on(async {
            match self.http {
                #[cfg(feature = "conformance")]
                Some(address) if self.fixture => {
                    crate::mcp::fixture::serve(queue, wishes, address, out).await
                }
                Some(address) => http::serve_http(queue, wishes, address, out).await,
                None => stdio::serve(queue, wishes).await,
            }
        });
        // A read of standard input may be under way that nothing ends.
        runtime.shutdown_background();
        served
    }
}
