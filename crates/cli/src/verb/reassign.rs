//! `reassign`: gives a task to another agent.

use agent_team::{AgentId, TaskId};
use clap::Args;

use super::{check_member, tell_task};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `reassign`.
#[derive(Debug, Args)]
#[command(
    about = "Give a task to another agent",
    long_about = "Give a task to another agent, or to anyone who fits. Whoever works on it loses it at once; what it \
                  delivers later is refused, and kept.",
    after_help = "Examples:\n  agent-team reassign parse --to worker-2\n  agent-team reassign parse --to-anyone"
)]
pub struct Reassign {
    /// The task
    id: TaskId,
    /// For whom it is now
    #[arg(long, value_name = "AGENT", required_unless_present = "to_anyone", conflicts_with = "to_anyone")]
    to: Option<AgentId>,
    /// It is for anyone who fits
    #[arg(long)]
    to_anyone: bool,
}

impl Reassign {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        queue.get_task(&self.id)?;
        if let Some(agent) = &self.to {
            check_member(&queue, agent)?;
        }
        queue.reassign(&AgentId::human(), &self.id, self.to.as_ref())?;
        tell_task(&queue, &self.id, out)
    }
}
