//! `list`: the tasks, one line each.

use agent_team::view::TaskView;
use agent_team::{AgentId, Status};
use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::task_text;

/// How many rows a table has if nothing is said: nobody reads more.
const ROWS_MAX: usize = 1_000;

/// The arguments of `list`.
#[derive(Debug, Args)]
#[command(
    about = "List the tasks, one line each",
    long_about = "List the tasks in the order in which they were added: id, status, holder or author, title, and what \
                  it waits for. With --json an array; a text that is too long for the log is given there by its \
                  beginning (`show` has all of it).",
    after_help = "Examples:\n  agent-team list\n  agent-team list --status ready --status blocked\n  \
                  agent-team list --status failed --json | jq -r '.[].id'\n  agent-team list --agent worker-1\n  agent-team list --limit 0"
)]
pub struct List {
    /// At most so many tasks, 0 for all of them [default: 1000 in a table, all with --json]
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Only tasks of this status (repeat it, or separate by commas)
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = parse_status)]
    status: Vec<Status>,
    /// Only tasks with this label (repeat it to ask for several at once)
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Only tasks that this agent holds or has delivered
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentId>,
}

impl List {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let most = match self.limit {
            Some(0) => usize::MAX,
            Some(limit) => limit,
            None if out.is_json() => usize::MAX,
            None => ROWS_MAX,
        };
        // One more than is shown tells whether there are more.
        let mut tasks = global.open()?.find_tasks(most.saturating_add(1), |task| self.wants(task))?;
        let has_more = tasks.len() > most;
        tasks.truncate(most);
        if out.is_json() {
            out.json(&tasks.into_iter().map(task_text::in_short).collect::<Vec<_>>())?;
        } else {
            out.table(&tasks.iter().map(task_text::row).collect::<Vec<_>>())?;
            if has_more {
                out.line(&format!("(only the first {most}; `--limit 0` shows all)"))?;
            }
        }
        Ok(Exit::Done)
    }

    fn wants(&self, task: &TaskView) -> bool {
        let is_agents = |agent| task.agent.as_ref() == Some(agent) || task.author.as_ref() == Some(agent);
        (self.status.is_empty() || self.status.contains(&task.status))
            && self.label.iter().all(|label| task.labels.contains(label))
            && self.agent.as_ref().is_none_or(is_agents)
    }
}

fn parse_status(text: &str) -> Result<Status, String> {
    let known = Status::ALL.into_iter().find(|status| status.as_str() == text);
    known.ok_or_else(|| format!("choose one of {}", Status::ALL.map(Status::as_str).join(", ")))
}
