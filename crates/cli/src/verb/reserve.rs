//! `reserve`: says which files one works on.

use agent_team::{AgentId, RecordId, TaskId};
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Operation};
use crate::output::Output;

/// The arguments of `reserve`.
#[derive(Debug, Args)]
#[command(
    about = "Say which files you work on, or show who works on which",
    long_about = ReserveFiles::ABOUT,
    after_help = "Examples:\n  agent-team reserve parse src/parse.rs tests/ --as worker-1\n  \
                  agent-team reserve parse src/parse.rs --release --as worker-1\n  agent-team reserve"
)]
pub struct Reserve {
    #[command(flatten)]
    operation: ReserveFiles,
    /// Who holds the task
    #[arg(long = "as", value_name = "NAME", requires = "id")]
    agent: Option<AgentId>,
    /// The claim, as `claim` printed it
    #[arg(long, env = "AGENT_TEAM_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<RecordId>,
}

/// Which files are meant.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReserveFiles {
    /// The task that you hold
    #[arg(requires = "paths")]
    #[schemars(with = "Option<String>")]
    id: Option<TaskId>,
    /// Files, or folders with a slash at the end, from the project's root
    #[arg(value_name = "PATH")]
    #[serde(default)]
    paths: Vec<String>,
    /// They are free again
    #[arg(long, requires = "id")]
    #[serde(default)]
    release: bool,
}

impl Reserve {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        match &self.agent {
            Some(agent) => self.operation.perform(&Actor::named(&queue, agent, self.token), out),
            None if self.operation.id.is_some() => Err(Failure::usage("--as NAME says who holds the task")),
            None => self.operation.perform(&Actor::nobody(&queue), out),
        }
    }
}

impl Operation for ReserveFiles {
    const TOOL: &'static str = "reserve_files";
    const ABOUT: &'static str = "Say which files or folders you work on, so that others know before they conflict with you. \
                                 What somebody else has reserved is not given twice: who has it is told once that you want it, by a \
                                 message. This is advice: nobody is kept from changing a file, but both who change one are told. It ends with the claim, or with \
                                 `release`. Without a task all reservations are shown.";
    const LIST: &'static str = "files";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        if let Some(id) = &self.id {
            let (token, agent) = (by.claim(id)?, by.agent()?);
            match self.release {
                true => by.queue.release_files(token, agent, &self.paths)?,
                false => by.queue.reserve_files(token, agent, &self.paths)?,
            }
        }
        let files = by.queue.reservations()?;
        let value = files
            .iter()
            .map(|file| json!({ "path": file.path, "agent": file.agent, "token": file.claim }))
            .collect::<Vec<_>>();
        let rows = files.iter().map(|file| vec![(&file.path).into(), file.agent.as_str().into()]);
        out.answer(&value, |out| out.table(&rows.collect::<Vec<_>>()))?;
        Ok(Exit::Done)
    }
}
