//! `hand-out`: a lead waits for the parts of its task.

use agent_team::TaskId;
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;

use super::tell_task;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Holder, Operation};
use crate::output::Output;

/// The arguments of `hand-out`.
#[derive(Debug, Args)]
#[command(
    about = "Hand a delegated task out in parts",
    long_about = HandOutTask::ABOUT,
    after_help = "Examples:\n  agent-team add 'The API' --id api --delegate\n  \
                  agent-team claim api --as lead-1\n  agent-team add 'GET' --parent api\n  \
                  agent-team hand-out api --as lead-1"
)]
pub struct HandOut {
    #[command(flatten)]
    operation: HandOutTask,
    #[command(flatten)]
    holder: Holder,
}

/// Which task is handed out.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOutTask {
    /// The task
    #[schemars(with = "String")]
    id: TaskId,
}

impl HandOut {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        self.holder.perform(self.operation, &global.open()?, out)
    }
}

impl Operation for HandOutTask {
    const TOOL: &'static str = "hand_out";
    const ABOUT: &'static str = "Hand a delegated task out in parts, which were added with it as their parent. Your claim \
                                 ends, nobody holds the task meanwhile, and it is ready for a lead again when all its parts \
                                 are completed or cancelled: claim it then, and complete it with the result of the whole.";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let claim = by.claim(&self.id)?;
        by.queue.hand_out(claim, by.agent()?)?;
        by.ended(claim);
        tell_task(by.queue, &self.id, out)
    }
}
