//! `renew`: begins the lease of a claim anew.

use agent_team::{AgentId, RecordId, TaskId};
use clap::Args;

use super::{tell_task, token};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `renew`.
#[derive(Debug, Args)]
#[command(
    about = "Begin the lease of a claim anew",
    long_about = "Say that the holder of a claim is still at work: its lease begins anew, with the same length.",
    after_help = "Examples:\n  agent-team renew parse --as worker-1\n  while sleep 300; do agent-team renew parse --as \
                  worker-1 --token \"$token\" || break; done &"
)]
pub struct Renew {
    /// The task
    id: TaskId,
    /// Who holds it
    #[arg(long = "as", value_name = "NAME")]
    agent: AgentId,
    /// The claim, as `claim` printed it
    #[arg(long, env = "AGENT_TEAM_TOKEN", hide_env_values = true)]
    token: Option<RecordId>,
}

impl Renew {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        queue.renew(token(&queue, self.token, &self.id, &self.agent)?, &self.agent)?;
        tell_task(&queue, &self.id, out)
    }
}
