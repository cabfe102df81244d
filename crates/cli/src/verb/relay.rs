//! `relay`: what an agent that is driven starts as its server for the tools of its team. Not for people.

use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `relay`.
#[derive(Debug, Args)]
#[command(about = "Connect an agent that a run drives with the tools of its team", hide = true)]
pub struct Relay {
    /// Where the run listens
    address: String,
}

impl Relay {
    pub fn run(self, _: &Global, _: &mut Output) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::io("cannot relay", &error))?;
        let relayed = runtime.block_on(agent_team::agent::driven::relay(&self.address));
        // A read of standard input may be under way that nothing ends.
        runtime.shutdown_background();
        relayed?;
        Ok(Exit::Done)
    }
}
