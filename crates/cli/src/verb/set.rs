//! `set`: changes a task.

use agent_team::{AgentId, TaskChange, TaskId};
use clap::Args;

use super::{read_text, tell_task};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `set`.
#[derive(Debug, Args)]
#[command(
    about = "Change a task's priority, title, text or dependencies",
    long_about = "Change a task that is not done yet. Whoever works on it keeps it, and sees new words with the next \
                  attempt; `say task:ID` tells them at once.",
    after_help = "Examples:\n  agent-team set parse --priority 5\n  agent-team set parse --title 'Parse headers only'\n  \
                  agent-team set parse --description - < parse.md\n  agent-team set report --after parse --after print"
)]
pub struct Set {
    /// The task
    id: TaskId,
    /// Higher goes first
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// One line for people
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// The whole text for whoever does it; - for standard input
    #[arg(long, short, value_name = "TEXT")]
    description: Option<String>,
    /// Whether it may change the files that the team protects
    #[arg(long, value_name = "BOOL")]
    allow_protected: Option<bool>,
    /// A task that must be completed first, in the place of those before (repeat it, or separate by commas; '' for none)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    after: Option<Vec<String>>,
}

impl Set {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        let description = self.description.map(read_text).transpose()?;
        let ids = |ids: Vec<String>| -> Result<Vec<TaskId>, Failure> {
            let named = ids.iter().filter(|id| !id.is_empty());
            named.map(|id| id.parse().map_err(|error| Failure::usage(format!("--after: {error}")))).collect()
        };
        let after = self.after.map(ids);
        let change = TaskChange {
            title: self.title,
            description: description.map(|text| queue.team_log().text(text)).transpose()?,
            priority: self.priority,
            allow_protected: self.allow_protected,
            after: after.transpose()?,
        };
        if change == TaskChange::default() {
            return Err(Failure::usage("say what is to change").hint("`agent-team help set` shows what can"));
        }
        queue.edit(&AgentId::human(), &self.id, change)?;
        tell_task(&queue, &self.id, out)
    }
}
