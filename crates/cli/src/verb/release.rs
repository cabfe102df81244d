//! `release`: gives a claim back.

use agent_team::{AgentId, RecordId, TaskId};
use clap::Args;

use super::{tell_task, token};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `release`.
#[derive(Debug, Args)]
#[command(
    about = "Give a task back",
    long_about = "Give a task back, so that others can take it at once. It does not count as a failed attempt.",
    after_help = "Examples:\n  agent-team release parse --as worker-1\n  \
                  agent-team release parse --as worker-1 --reason 'out of disk'"
)]
pub struct Release {
    /// The task
    id: TaskId,
    /// Who holds it
    #[arg(long = "as", value_name = "NAME")]
    agent: AgentId,
    /// Why, for people who read the log
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// The claim, as `claim` printed it
    #[arg(long, env = "AGENT_TEAM_TOKEN", hide_env_values = true)]
    token: Option<RecordId>,
}

impl Release {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        let token = token(&queue, self.token, &self.id, &self.agent)?;
        queue.release(token, &self.agent, &self.reason)?;
        tell_task(&queue, &self.id, out)
    }
}
