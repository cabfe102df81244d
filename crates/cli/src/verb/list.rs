//! `list`: the tasks, one line each.

use agent_team::view::TaskView;
use agent_team::{AgentId, Status};
use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::task_text;

/// The arguments of `list`.
#[derive(Debug, Args)]
#[command(
    about = "List the tasks, one line each",
    long_about = "List the tasks in the order in which they were added: id, status, holder or author, title, and what \
                  it waits for. With --json an array; a text that is too long for the log is given there by its \
                  beginning (`show` has all of it).",
    after_help = "Examples:\n  agent-team list\n  agent-team list --status ready --status blocked\n  \
                  agent-team list --status failed --json | jq -r '.[].id'\n  agent-team list --agent worker-1"
)]
pub struct List {
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
        let tasks = global.open()?.list_tasks()?;
        let tasks: Vec<TaskView> = tasks.into_iter().filter(|task| self.wants(task)).collect();
        if out.is_json() {
            out.json(&tasks.into_iter().map(task_text::in_short).collect::<Vec<_>>())?;
        } else {
            out.table(&tasks.iter().map(task_text::row).collect::<Vec<_>>())?;
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
