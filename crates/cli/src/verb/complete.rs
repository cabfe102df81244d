//! `complete`: delivers the result of a task, and runs its check if it has one.

use agent_team::command::CommandEnding;
use agent_team::{
    AgentId, CheckReport, Checked, Error, RecordId, Refusal, Status, TaskId, TaskQueue, run_check,
};
use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{read_text, token};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::interrupt::{self, block_on};
use crate::output::{Output, Paint};
use crate::task_text;

const LONG_ABOUT: &str = "\
Deliver the result of a task. If the task has a check, it is run here and now in the team's folder: when it fails, its \
output is printed, the task goes back into the queue, and the exit code is 3.

The claim is the one that --token names, else $AGENT_TEAM_TOKEN, else the one that the name holds; that is not guessed \
when the name held this task before. A result that comes after its claim was lost is refused (exit code 3) but kept: \
`show` lists it.";

/// The arguments of `complete`.
#[derive(Debug, Args)]
#[command(
    about = "Deliver the result of a task",
    long_about = LONG_ABOUT,
    after_help = "Examples:\n  agent-team complete parse --as worker-1 --result 'The parser is in src/parse.rs'\n  \
                  make report | agent-team complete report --as worker-1 --result - --token \"$token\""
)]
pub struct Complete {
    /// The task
    id: TaskId,
    /// Who did it
    #[arg(long = "as", value_name = "NAME")]
    agent: AgentId,
    /// What came out; - for standard input
    #[arg(long, value_name = "TEXT")]
    result: String,
    /// The claim, as `claim` printed it
    #[arg(long, env = "AGENT_TEAM_TOKEN", hide_env_values = true)]
    token: Option<RecordId>,
}

impl Complete {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        let token = token(&queue, self.token, &self.id, &self.agent)?;
        let delivered = queue.complete(token, &self.agent, read_text(self.result)?, None, Vec::new());
        delivered.map_err(|error| too_late(error, &self.id))?;
        let task = queue.get_task(&self.id)?;
        if task.status == Status::Verifying {
            return verify(&queue, &self.agent, &self.id, out);
        }
        tell(&queue, &self.id, None, out)?;
        Ok(Exit::Done)
    }
}

/// A result whose claim was lost is no result any more, but it is not thrown away either.
fn too_late(error: Error, id: &TaskId) -> Failure {
    let lost = matches!(error.refusal(), Some(Refusal::ClaimLost { .. }));
    let failure = Failure::from(error);
    if lost { failure.hint(format!("the result is kept: `agent-team show {id}` lists it")) } else { failure }
}

/// Runs the check of a task whose result waits for it, and says what came out.
pub fn verify(queue: &TaskQueue, by: &AgentId, id: &TaskId, out: &mut Output) -> Result<Exit, Failure> {
    let Some(folder) = queue.team_log().folder() else { return Ok(Exit::Done) };
    let stop = CancellationToken::new();
    let checked = block_on(async {
        let check = run_check(queue, by, id, folder.workspace(), &stop);
        tokio::pin!(check);
        tokio::select! {
            checked = &mut check => return Ok(checked?),
            () = interrupt::interrupted() => stop.cancel(),
        }
        // The command's processes end, and the claim on the check is given back.
        Ok(check.await?)
    })?;
    match checked {
        Checked::Reported(report) if !report.passed => {
            tell(queue, id, Some(&report), out)?;
            out.flush()?;
            Err(Failure::refused(format!("task `{id}` was refused by its check ({})", report.outcome.ending)))
        }
        Checked::Reported(report) => {
            tell(queue, id, Some(&report), out)?;
            Ok(Exit::Done)
        }
        Checked::NotOurs(_) => {
            tell(queue, id, None, out)?;
            Ok(Exit::Done)
        }
        Checked::Stopped => {
            Err(interrupt::failure().hint(format!("`agent-team verify {id}` runs the check again")))
        }
    }
}

/// Says where the task stands now.
fn tell(
    queue: &TaskQueue,
    id: &TaskId,
    check: Option<&CheckReport>,
    out: &mut Output,
) -> Result<(), Failure> {
    let task = queue.get_task(id)?;
    if out.is_json() {
        let check = check.map(|report| {
            let exit_code = match report.outcome.ending {
                CommandEnding::Exited(code) => Some(code),
                _ => None,
            };
            json!({
                "passed": report.passed,
                "ending": report.outcome.ending.to_string(),
                "exit_code": exit_code,
                "output": report.outcome.output.text,
                "whole_output": report.outcome.output.whole,
            })
        });
        out.json(&json!({ "id": task.id, "status": task.status, "check": check }))?;
        return Ok(());
    }
    if let Some(report) = check.filter(|report| !report.passed) {
        out.painted(&format!("$ {}", report.command), Some(Paint::Faint))?;
        out.block("", &report.outcome.output.text)?;
    }
    out.table(&[task_text::row(&task)])?;
    Ok(())
}
