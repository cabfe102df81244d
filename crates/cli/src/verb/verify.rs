//! `verify`: runs a check that waits to be run.

use agent_team::view::TaskView;
use agent_team::{AgentId, Status, TaskId};
use clap::Args;
use serde_json::json;

use super::complete;
use crate::cli::Global;
use crate::confinement::Commands;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `verify`.
#[derive(Debug, Args)]
#[command(
    about = "Run a check that waits to be run",
    long_about = "Run the check of a task whose result waits for it. `complete` does that by itself; this is for a \
                  check that was interrupted. That of a commit, which a run delivered, is run by `run`. Without an id, runs all checks that wait, and ends at the first that \
                  fails (exit code 3). With --json one object per task; if nothing waits, one whose `id` is null.",
    after_help = "Examples:\n  agent-team verify parse\n  agent-team verify"
)]
pub struct Verify {
    /// The task; all that wait for their check if not said
    id: Option<TaskId>,
    /// Who runs it
    #[arg(long = "as", value_name = "NAME", default_value = "human")]
    agent: AgentId,
    #[command(flatten)]
    commands: Commands,
}

impl Verify {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open_with_hooks(out)?;
        agent_team::Observer::new(queue.team_log()).expire_dead()?;
        let ids = match self.id {
            Some(id) => {
                let task = queue.get_task(&id)?;
                if task.status != Status::Verifying {
                    let status = task.status;
                    return Err(Failure::refused(format!("task `{id}` is {status}, and waits for no check")));
                }
                if task.commit.is_some() {
                    return Err(Failure::refused(agent_team::is_a_commit(&id)));
                }
                vec![id]
            }
            None => {
                let tasks = queue.list_tasks()?.into_iter();
                let is_ours = |task: &TaskView| task.agent.is_none() && task.commit.is_none();
                let waiting = tasks.filter(|task| task.status == Status::Verifying && is_ours(task));
                waiting.map(|task| task.id).collect()
            }
        };
        if ids.is_empty() {
            if out.is_json() {
                out.json(&json!({ "id": null, "status": null, "check": null }))?;
            } else {
                out.line("nothing waits for its check")?;
            }
        }
        let verifier = self.commands.verifier(&queue, &self.agent)?;
        for id in ids {
            complete::verify(&queue, &verifier, &id, out)?;
        }
        Ok(Exit::Done)
    }
}
