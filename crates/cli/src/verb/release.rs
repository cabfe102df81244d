//! `release`: gives a claim back.

use agent_team::TaskId;
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;

use super::tell_task;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Holder, Operation};
use crate::output::Output;

/// The arguments of `release`.
#[derive(Debug, Args)]
#[command(
    about = "Give a task back",
    long_about = ReleaseTask::ABOUT,
    after_help = "Examples:\n  agent-team release parse --as worker-1\n  \
                  agent-team release parse --as worker-1 --reason 'out of disk'"
)]
pub struct Release {
    #[command(flatten)]
    operation: ReleaseTask,
    #[command(flatten)]
    holder: Holder,
}

/// Which task is given back.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseTask {
    /// The task
    #[schemars(with = "String")]
    id: TaskId,
    /// Why, for people who read the log
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    #[serde(default)]
    reason: String,
}

impl Release {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        self.holder.perform(self.operation, &global.open()?, out)
    }
}

impl Operation for ReleaseTask {
    const TOOL: &'static str = "release_task";
    const ABOUT: &'static str =
        "Give a task back, so that others can take it at once. It does not count as a failed attempt.";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let claim = by.claim(&self.id)?;
        by.queue.release(claim, by.agent()?, &self.reason)?;
        by.ended(claim);
        tell_task(by.queue, &self.id, out)
    }
}
