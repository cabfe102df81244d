//! The verifying stage: runs a task's check on what was delivered, and records what came out.
//!
//! The command is the one that stands in the log, never one that the result brought along.

use std::path::Path;
use std::time::Duration;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::Refusal;
use agent_team_core::record::{CheckReported, Stage};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::command::{CommandEnding, CommandOutcome, CommandSpec};
use crate::task_queue::{ClaimOptions, TaskQueue};
use crate::team_log::refusal;

/// What became of the wish to run a check.
#[derive(Debug, Clone)]
pub enum Checked {
    /// It ran, and what came out is recorded.
    Reported(CheckReport),
    /// Someone else runs it, or it is over already.
    NotOurs(Refusal),
    /// It was stopped before it ended. Someone else may run it.
    Stopped,
}

/// A check that ran.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// The command.
    pub command: String,
    /// Whether it held: the command exited with 0.
    pub passed: bool,
    /// How it ended, how long it took, and what it printed.
    pub outcome: CommandOutcome,
}

/// Runs the check of a task whose result waits for it, in `folder`, as the agent `by`.
///
/// The claim on the verifying stage lives as long as this process. What the check prints goes to the attempt's folder,
/// and what is worth reading of it into the record, where the next attempt finds it.
///
/// # Errors
/// When the command cannot be started, or the log cannot be read or written. The task then waits for another check.
pub async fn run_check(
    queue: &TaskQueue,
    by: &AgentId,
    task: &TaskId,
    folder: &Path,
    stop: &CancellationToken,
) -> Result<Checked, Error> {
    let options = ClaimOptions { task: Some(task.clone()), holder: None };
    let claimed = match refusal(queue.claim_stage(by, Stage::Verify, &options))? {
        Ok(claimed) => claimed,
        Err(refused) => return Ok(Checked::NotOurs(refused)),
    };
    let Some(command) = claimed.task.check else {
        queue.release(claimed.token, by, "the task has no check")?;
        return Ok(Checked::NotOurs(Refusal::WrongStatus {
            task: task.clone(),
            status: claimed.task.status,
        }));
    };
    let outcome = match spec(queue, &command, folder, claimed.token)?.run(stop).await {
        Ok(outcome) if outcome.ending != CommandEnding::Stopped => outcome,
        stopped_or_broken => {
            queue.release(claimed.token, by, "the check did not run to its end")?;
            return Ok(stopped_or_broken.map(|_| Checked::Stopped)?);
        }
    };
    report(queue, by, claimed.token, command, outcome)
}

fn spec(queue: &TaskQueue, command: &str, folder: &Path, token: RecordId) -> Result<CommandSpec, Error> {
    let state_folder = queue.team_log().folder().map(|team| team.attempt(token));
    let output_folder = state_folder.unwrap_or_else(|| std::env::temp_dir().join(token.to_string()));
    let mut spec = CommandSpec::new(command, folder, output_folder.join("check.txt"));
    let limit_ms = queue.team_log().look(|state| state.policy().gate_limit_ms)?;
    spec.time_limit = limit_ms.map_or(CommandSpec::TIME_LIMIT, Duration::from_millis);
    Ok(spec)
}

fn report(
    queue: &TaskQueue,
    by: &AgentId,
    claim: RecordId,
    command: String,
    outcome: CommandOutcome,
) -> Result<Checked, Error> {
    let passed = outcome.succeeded();
    let text = if passed {
        outcome.output.text.clone()
    } else {
        format!("$ {command}\n{}[{}]\n", outcome.output.text, outcome.ending)
    };
    let output = queue.team_log().text(text)?;
    match refusal(queue.team_log().submit(by, &CheckReported { claim, passed, output }.into()))? {
        Ok(_) => Ok(Checked::Reported(CheckReport { command, passed, outcome })),
        Err(refused) => Ok(Checked::NotOurs(refused)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewTask, Status};

    async fn deliver(check: &str, stop: &CancellationToken) -> (Checked, Status, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let queue = TaskQueue::new(folder.path()).unwrap();
        let id = queue.add_task(NewTask::new("Write it").check(check)).unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        queue.claim_task(&worker).unwrap().unwrap();
        queue.complete_task(&id, &worker, "done").unwrap();
        let checked = run_check(&queue, &worker, &id, folder.path(), stop).await.unwrap();
        let again = run_check(&queue, &worker, &id, folder.path(), &CancellationToken::new()).await.unwrap();
        assert_eq!(matches!(checked, Checked::Stopped), matches!(again, Checked::Reported(_)));
        (checked, queue.get_task(&id).unwrap().status, folder)
    }

    #[tokio::test]
    async fn a_check_that_holds_completes_the_task_and_one_that_fails_gives_it_back() {
        let go = CancellationToken::new();
        let (checked, status, _folder) = deliver("test -d .agent-team", &go).await;
        assert!(matches!(checked, Checked::Reported(report) if report.passed));
        assert_eq!(status, Status::Completed);
        let (checked, status, _folder) = deliver("echo three is missing; exit 7", &go).await;
        let Checked::Reported(report) = checked else { panic!("not reported") };
        assert_eq!((report.passed, report.outcome.ending), (false, CommandEnding::Exited(7)));
        assert!(report.outcome.output.text.contains("three is missing"));
        assert_eq!(status, Status::Ready);
    }

    #[tokio::test]
    async fn a_check_that_was_stopped_can_be_run_again() {
        let stop = CancellationToken::new();
        stop.cancel();
        let (checked, status, _folder) = deliver("true", &stop).await;
        assert!(matches!(checked, Checked::Stopped));
        assert_eq!(status, Status::Completed);
    }
}
