//! `sweep`: ends what another `agent-team` left running when that was killed. Not for people.

use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `sweep`.
#[derive(Debug, Args)]
#[command(
    about = "End what an agent-team that is killed leaves running, as it tells on standard input",
    hide = true
)]
pub struct Sweep;

impl Sweep {
    pub fn run(self, _: &Global, _: &mut Output) -> Result<Exit, Failure> {
        let told = std::io::stdin().lock();
        agent_team::command::sweep(told).map_err(|error| Failure::io("standard input", &error))?;
        Ok(Exit::Done)
    }
}
