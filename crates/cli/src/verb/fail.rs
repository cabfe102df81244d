//! `fail`: says that an attempt failed.

use agent_team::TaskId;
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{read_text, tell_task};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Holder, Operation};
use crate::output::Output;

/// The arguments of `fail`.
#[derive(Debug, Args)]
#[command(
    about = "Say that an attempt failed",
    long_about = FailTask::ABOUT,
    after_help = "Examples:\n  agent-team fail parse --as worker-1 --error 'the grammar is ambiguous'\n  \
                  make 2>&1 | agent-team fail build --as worker-1 --error -\n  \
                  agent-team fail parse --as worker-1 --error 'it cannot be done' --for-good"
)]
pub struct Fail {
    #[command(flatten)]
    operation: FailTask,
    #[command(flatten)]
    holder: Holder,
}

/// Which attempt failed, and why.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailTask {
    /// The task
    #[schemars(with = "String")]
    id: TaskId,
    /// Why; - for standard input
    #[arg(long, value_name = "TEXT")]
    #[schemars(description = "Why")]
    error: String,
    /// No attempt can succeed: do not try again
    #[arg(long)]
    #[serde(default)]
    for_good: bool,
}

impl Fail {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open_with_hooks(out)?;
        let error = read_text(self.operation.error)?;
        self.holder.perform(FailTask { error, ..self.operation }, &queue, out)
    }
}

impl Operation for FailTask {
    const TOOL: &'static str = "fail_task";
    const ABOUT: &'static str = "Say that an attempt failed, and why: the next attempt is told. It is tried again after a \
                                 wait that doubles each time, as long as attempts remain.";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let claim = by.claim(&self.id)?;
        by.queue.fail(claim, by.agent()?, self.error, self.for_good)?;
        by.ended(claim);
        tell_task(by.queue, &self.id, out)
    }
}
