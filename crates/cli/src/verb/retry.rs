//! `retry`: gives failed or cancelled tasks new attempts.

use agent_team::{AgentId, TaskId};
use clap::Args;

use super::tell_tasks;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `retry`.
#[derive(Debug, Args)]
#[command(
    about = "Give failed or cancelled tasks new attempts",
    long_about = "Give failed or cancelled tasks all their attempts again. What waits for them can go on then.",
    after_help = "Examples:\n  agent-team retry parse\n  \
                  agent-team list --status failed --json | jq -r '.[].id' | xargs agent-team retry"
)]
pub struct Retry {
    /// The tasks
    #[arg(required = true, value_name = "ID")]
    ids: Vec<TaskId>,
}

impl Retry {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        let done = self.ids.iter().try_for_each(|id| queue.retry(&AgentId::human(), id));
        tell_tasks(&queue, &self.ids, done, out)
    }
}
