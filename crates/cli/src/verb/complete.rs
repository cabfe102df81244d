//! `complete`: delivers the result of a task, and runs its check if it has one.

use agent_team::{
    AgentId, Error, Judgement, RecordId, Refusal, Status, TaskId, TaskQueue, Verified, Verifier,
};
use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::read_text;
use crate::cli::Global;
use crate::confinement::Commands;
use crate::exit::{Exit, Failure};
use crate::interrupt::{self, block_on};
use crate::operation::Actor;
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
    #[command(flatten)]
    commands: Commands,
}

impl Complete {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open_with_hooks(out)?;
        let by = Actor::named(&queue, &self.agent, self.token);
        // A claim that would be a guess is told before a text is waited for.
        by.claim(&self.id)?;
        // So is a check that could not be run.
        let is_checked = queue.get_task(&self.id)?.check.is_some();
        let verifier = is_checked.then(|| self.commands.verifier(&queue, &self.agent)).transpose()?;
        let status = deliver(&by, &self.id, read_text(self.result)?)?;
        if let Some(verifier) = verifier.filter(|_| status == Status::Verifying) {
            return verify(&queue, &verifier, &self.id, out);
        }
        tell(&queue, &self.id, None, out)?;
        Ok(Exit::Done)
    }
}

/// Delivers a result, and says where the task stands then.
pub fn deliver(by: &Actor<'_>, id: &TaskId, result: String) -> Result<Status, Failure> {
    let claim = by.claim(id)?;
    let delivered = by.queue.complete(claim, by.agent()?, result, None, Vec::new());
    let lost = |error: &Error| matches!(error.refusal(), Some(Refusal::ClaimLost { .. }));
    if delivered.as_ref().map_or_else(lost, |()| true) {
        by.ended(claim);
    }
    delivered.map_err(|error| too_late(error, id))?;
    Ok(by.queue.get_task(id)?.status)
}

/// A result whose claim was lost is no result any more, but it is not thrown away either.
fn too_late(error: Error, id: &TaskId) -> Failure {
    let lost = matches!(error.refusal(), Some(Refusal::ClaimLost { .. }));
    let failure = Failure::from(error);
    if lost { failure.hint(format!("the result is kept: `agent-team show {id}` lists it")) } else { failure }
}

/// Runs the check of a task whose result waits for it, and says what came out.
pub fn verify(
    queue: &TaskQueue,
    verifier: &Verifier,
    id: &TaskId,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let stop = CancellationToken::new();
    let verified = block_on(async {
        let check = verifier.verify(Some(id.clone()), &stop);
        tokio::pin!(check);
        tokio::select! {
            verified = &mut check => return Ok(verified?),
            () = interrupt::interrupted() => stop.cancel(),
        }
        // The command's processes end, and the claim on the check is given back.
        Ok(check.await?)
    })?;
    tell_verified(queue, id, verified, out)
}

/// Says what came out of the check of a task.
pub fn tell_verified(
    queue: &TaskQueue,
    id: &TaskId,
    verified: Verified,
    out: &mut Output,
) -> Result<Exit, Failure> {
    match verified {
        Verified::Reported(_, judgement) => {
            tell(queue, id, Some(&judgement), out)?;
            if judgement.passed {
                return Ok(Exit::Done);
            }
            out.flush()?;
            Err(Failure::refused(format!("task `{id}` was refused by its check ({})", judgement.ending)))
        }
        Verified::NotOurs(_) => {
            tell(queue, id, None, out)?;
            Ok(Exit::Done)
        }
        Verified::Stopped => {
            Err(interrupt::failure().hint(format!("`agent-team verify {id}` runs the check again")))
        }
    }
}

/// Says where the task stands now.
pub fn tell(
    queue: &TaskQueue,
    id: &TaskId,
    check: Option<&Judgement>,
    out: &mut Output,
) -> Result<(), Failure> {
    let task = queue.get_task(id)?;
    let value = json!({ "id": task.id, "status": task.status, "check": check });
    out.answer(&value, |out| {
        if let Some(judgement) = check.filter(|judgement| !judgement.passed) {
            out.painted(&format!("$ {}", judgement.command), Some(Paint::Faint))?;
            out.block("", &judgement.output)?;
        }
        out.table(&[task_text::row(&task)])
    })?;
    Ok(())
}
