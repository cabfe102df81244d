//! `cancel`: stops wanting tasks.

use agent_team::{AgentId, TaskId};
use clap::Args;

use super::tell_tasks;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `cancel`.
#[derive(Debug, Args)]
#[command(
    about = "Stop wanting tasks",
    long_about = "Stop wanting tasks. Who works on one loses it: a result that comes later is refused, and kept. What \
                  waits for a cancelled task stays blocked, unless it is cancelled too (--dependents) or the task is \
                  wanted again (`retry`).",
    after_help = "Examples:\n  agent-team cancel parse\n  agent-team cancel parse --dependents"
)]
pub struct Cancel {
    /// The tasks
    #[arg(required = true, value_name = "ID")]
    ids: Vec<TaskId>,
    /// Cancel all tasks that wait for them too, directly or not
    #[arg(long)]
    dependents: bool,
}

impl Cancel {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        let human = AgentId::human();
        let done = self.ids.iter().try_for_each(|id| queue.cancel(&human, id, self.dependents));
        tell_tasks(&queue, &self.ids, done, out)
    }
}
