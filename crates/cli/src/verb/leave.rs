//! `leave`: lets an agent leave the team.

use agent_team::AgentId;
use clap::Args;
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `leave`.
#[derive(Debug, Args)]
#[command(
    about = "Leave the team",
    long_about = "Leave the team. Messages to the agent alone that it has not read go back to their senders.",
    after_help = "Examples:\n  agent-team leave --as worker-1"
)]
pub struct Leave {
    /// Who leaves
    #[arg(long = "as", value_name = "NAME")]
    agent: AgentId,
}

impl Leave {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        global.open()?.leave(&self.agent)?;
        if out.is_json() {
            out.json(&json!({ "agent": self.agent, "left": true }))?;
        } else {
            out.line(&format!("{} has left the team", self.agent))?;
        }
        Ok(Exit::Done)
    }
}
