//! `fail`: says that an attempt failed.

use agent_team::{AgentId, RecordId, TaskId};
use clap::Args;

use super::{read_text, tell_task, token};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `fail`.
#[derive(Debug, Args)]
#[command(
    about = "Say that an attempt failed",
    long_about = "Say that an attempt failed, and why: the next attempt is told. It is tried again after a wait that \
                  doubles each time, as long as attempts remain.",
    after_help = "Examples:\n  agent-team fail parse --as worker-1 --error 'the grammar is ambiguous'\n  \
                  make 2>&1 | agent-team fail build --as worker-1 --error -\n  \
                  agent-team fail parse --as worker-1 --error 'it cannot be done' --for-good"
)]
pub struct Fail {
    /// The task
    id: TaskId,
    /// Who tried
    #[arg(long = "as", value_name = "NAME")]
    agent: AgentId,
    /// Why; - for standard input
    #[arg(long, value_name = "TEXT")]
    error: String,
    /// No attempt can succeed: do not try again
    #[arg(long)]
    for_good: bool,
    /// The claim, as `claim` printed it
    #[arg(long, env = "AGENT_TEAM_TOKEN", hide_env_values = true)]
    token: Option<RecordId>,
}

impl Fail {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open_with_hooks(out)?;
        let token = token(&queue, self.token, &self.id, &self.agent)?;
        queue.fail(token, &self.agent, read_text(self.error)?, self.for_good)?;
        tell_task(&queue, &self.id, out)
    }
}
