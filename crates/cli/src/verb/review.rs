//! `review`: approves a result, or sends it back.

use agent_team::{AgentId, Refusal, TaskId, Verdict, review};
use clap::Args;

use super::{read_text, tell_task};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `review`.
#[derive(Debug, Args)]
#[command(
    about = "Approve a result, or send it back",
    long_about = "Approve the result of a task that waits for a review, or send it back to its author with what is to \
                  be changed. Reviewers, the lead and the human may do so, but never the author; a change to protected \
                  files is for the human.",
    after_help = "Examples:\n  agent-team review parse --approve\n  agent-team review parse --reject 'the empty file is \
                  not handled'\n  agent-team join --as critic --role reviewer && agent-team review parse --as critic \
                  --approve"
)]
pub struct Review {
    /// The task
    id: TaskId,
    /// Who reviews
    #[arg(long = "as", value_name = "NAME", default_value = "human")]
    agent: AgentId,
    /// It is good, with a word to whoever reads it if you like
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "", required_unless_present = "reject")]
    approve: Option<String>,
    /// It goes back, and this is what is to be changed; - for standard input
    #[arg(long, value_name = "TEXT", conflicts_with = "approve")]
    reject: Option<String>,
}

impl Review {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open_with_hooks(out)?;
        let verdict = match self.reject {
            Some(text) => Verdict::ChangesRequested(read_text(text)?),
            None => Verdict::Approved(self.approve.unwrap_or_default()),
        };
        review(&queue, &self.agent, &self.id, verdict).map_err(|error| {
            let unfit = matches!(error.refusal(), Some(Refusal::NotFitting { .. }));
            let failure = Failure::from(error);
            if unfit { failure.hint("`agent-team review` without --as is the human's") } else { failure }
        })?;
        tell_task(&queue, &self.id, out)
    }
}
