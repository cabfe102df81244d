//! `renew`: begins the lease of a claim anew.

use agent_team::TaskId;
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;

use super::tell_task;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Holder, Operation};
use crate::output::Output;

/// The arguments of `renew`.
#[derive(Debug, Args)]
#[command(
    about = "Begin the lease of a claim anew",
    long_about = RenewClaim::ABOUT,
    after_help = "Examples:\n  agent-team renew parse --as worker-1\n  while sleep 300; do agent-team renew parse --as \
                  worker-1 --token \"$token\" || break; done &"
)]
pub struct Renew {
    #[command(flatten)]
    operation: RenewClaim,
    #[command(flatten)]
    holder: Holder,
}

/// Which task's claim is renewed.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewClaim {
    /// The task
    #[schemars(with = "String")]
    id: TaskId,
}

impl Renew {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        self.holder.perform(self.operation, &global.open()?, out)
    }
}

impl Operation for RenewClaim {
    const TOOL: &'static str = "renew_claim";
    const ABOUT: &'static str =
        "Say that the holder of a claim is still at work: its lease begins anew, with the same length.";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        by.queue.renew(by.claim(&self.id)?, by.agent()?)?;
        tell_task(by.queue, &self.id, out)
    }
}
