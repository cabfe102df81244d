//! `hand-out`: a lead waits for the parts of its task.

use agent_team::{AgentId, RecordId, TaskId};
use clap::Args;

use super::{tell_task, token};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `hand-out`.
#[derive(Debug, Args)]
#[command(
    about = "Hand a delegated task out in parts",
    long_about = "Hand a delegated task out in parts, which were added with `--parent`. Your claim ends, nobody holds the \
                  task meanwhile, and it is ready for a lead again when all its parts are completed or cancelled: claim \
                  it then, and complete it with the result of the whole.",
    after_help = "Examples:\n  agent-team add 'The API' --id api --delegate\n  \
                  agent-team claim api --as lead-1\n  agent-team add 'GET' --parent api\n  \
                  agent-team hand-out api --as lead-1"
)]
pub struct HandOut {
    /// The task
    id: TaskId,
    /// Who holds it
    #[arg(long = "as", value_name = "NAME")]
    agent: AgentId,
    /// The claim, as `claim` printed it
    #[arg(long, env = "AGENT_TEAM_TOKEN", hide_env_values = true)]
    token: Option<RecordId>,
}

impl HandOut {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        let token = token(&queue, self.token, &self.id, &self.agent)?;
        queue.hand_out(token, &self.agent)?;
        tell_task(&queue, &self.id, out)
    }
}
