//! `reserve`: says which files one works on.

use agent_team::{AgentId, RecordId, TaskId};
use clap::Args;
use serde_json::json;

use super::token;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `reserve`.
#[derive(Debug, Args)]
#[command(
    about = "Say which files you work on, or show who works on which",
    long_about = "Say which files or folders you work on, so that others know before they conflict with you. What \
                  somebody else has reserved is not given twice: who has it is told once that you want it, by a message. This is advice: nobody is kept from changing a file, \
                  but both who change one are told. It ends with the claim, or with \
                  --release. Without a task all reservations are shown.",
    after_help = "Examples:\n  agent-team reserve parse src/parse.rs tests/ --as worker-1\n  \
                  agent-team reserve parse src/parse.rs --release --as worker-1\n  agent-team reserve"
)]
pub struct Reserve {
    /// The task that you hold
    #[arg(requires = "paths")]
    id: Option<TaskId>,
    /// Files, or folders with a slash at the end, from the project's root
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Who holds the task
    #[arg(long = "as", value_name = "NAME", requires = "id")]
    agent: Option<AgentId>,
    /// The claim, as `claim` printed it
    #[arg(long, env = "AGENT_TEAM_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<RecordId>,
    /// They are free again
    #[arg(long, requires = "id")]
    release: bool,
}

impl Reserve {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        if let (Some(id), Some(agent)) = (&self.id, &self.agent) {
            let token = token(&queue, self.token, id, agent)?;
            match self.release {
                true => queue.release_files(token, agent, &self.paths)?,
                false => queue.reserve_files(token, agent, &self.paths)?,
            }
        } else if self.id.is_some() {
            return Err(Failure::usage("--as NAME says who holds the task"));
        }
        let files = queue.reservations()?;
        if out.is_json() {
            let files: Vec<_> = files
                .iter()
                .map(|file| json!({ "path": file.path, "agent": file.agent, "token": file.claim }))
                .collect();
            out.json(&files)?;
        } else {
            let rows = files.iter().map(|file| vec![(&file.path).into(), file.agent.as_str().into()]);
            out.table(&rows.collect::<Vec<_>>())?;
        }
        Ok(Exit::Done)
    }
}
