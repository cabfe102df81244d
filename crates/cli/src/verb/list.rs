//! `list`: the tasks, one line each.

use agent_team::view::TaskView;
use agent_team::{AgentId, Status};
use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{self, Actor, Operation};
use crate::output::Output;
use crate::task_text;

/// How many rows a table has if nothing is said: nobody reads more.
const ROWS_MAX: usize = 1_000;
/// The same for a model, which pays for each.
const TOOL_ROWS_MAX: usize = 100;

/// The arguments of `list`.
#[derive(Debug, Default, Args, Deserialize, JsonSchema)]
#[command(
    about = "List the tasks, one line each",
    long_about = List::LONG_ABOUT,
    after_help = "Examples:\n  agent-team list\n  agent-team list --status ready --status blocked\n  \
                  agent-team list --status failed --json | jq -r '.[].id'\n  agent-team list --agent worker-1\n  agent-team list --limit 0"
)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// At most so many tasks, 0 for all of them [default: 1000 in a table, all with --json]
    #[schemars(description = "At most so many tasks, 0 for all of them; 100 if you leave it out")]
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Only tasks of this status (repeat it, or separate by commas)
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = parse_status)]
    #[serde(default, deserialize_with = "statuses")]
    #[schemars(with = "Vec<String>", description = "Only tasks of one of these statuses")]
    status: Vec<Status>,
    /// Only tasks with this label (repeat it to ask for several at once)
    #[arg(long, value_name = "LABEL")]
    #[serde(default)]
    #[schemars(description = "Only tasks with all of these labels")]
    label: Vec<String>,
    /// Only tasks that this agent holds or has delivered
    #[arg(long, value_name = "NAME")]
    #[schemars(with = "Option<String>")]
    agent: Option<AgentId>,
}

impl List {
    const LONG_ABOUT: &'static str = "List the tasks in the order in which they were added: id, status, holder or author, title, and what it waits for. \
         With --json an array; a text that is too long for the log is given there by its beginning (`show` has all of it).";

    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        operation::look(self, global, out)
    }

    fn wants(&self, task: &TaskView) -> bool {
        let is_agents = |agent| task.agent.as_ref() == Some(agent) || task.author.as_ref() == Some(agent);
        (self.status.is_empty() || self.status.contains(&task.status))
            && self.label.iter().all(|label| task.labels.contains(label))
            && self.agent.as_ref().is_none_or(is_agents)
    }
}

impl Operation for List {
    const TOOL: &'static str = "list_tasks";
    const ABOUT: &'static str = "List the tasks in the order in which they were added: id, status, holder or author, title, \
                                 and what it waits for.";
    const READS: bool = true;
    const LIST: &'static str = "tasks";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        let most = match self.limit {
            Some(0) => usize::MAX,
            Some(limit) => limit,
            None if out.is_json() => usize::MAX,
            None if out.is_kept() => TOOL_ROWS_MAX,
            None => ROWS_MAX,
        };
        // One more than is shown tells whether there are more.
        let mut tasks = by.queue.find_tasks(most.saturating_add(1), |task| self.wants(task))?;
        let has_more = tasks.len() > most;
        tasks.truncate(most);
        let rows: Vec<_> = match out.is_json() {
            true => Vec::new(),
            false => tasks.iter().map(task_text::row).collect(),
        };
        out.answer(&tasks.into_iter().map(task_text::in_short).collect::<Vec<_>>(), |out| {
            out.table(&rows)?;
            if has_more {
                out.line(&format!("(only the first {most}; a limit of 0 shows all)"))?;
            }
            Ok(())
        })?;
        Ok(Exit::Done)
    }
}

fn parse_status(text: &str) -> Result<Status, String> {
    let known = Status::ALL.into_iter().find(|status| status.as_str() == text);
    known.ok_or_else(|| format!("choose one of {}", Status::ALL.map(Status::as_str).join(", ")))
}

fn statuses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Status>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| parse_status(text).map_err(de::Error::custom)).collect()
}
