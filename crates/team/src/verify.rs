//! The verifying stage: a task's check is run on what was delivered, and on nothing else.

use std::sync::Arc;

use agent_team_core::record::{CheckReported, ClaimReleased, Stage};
use tokio_util::sync::CancellationToken;

use crate::command::Environment;
use crate::desk::{Desk, as_it_is};
use crate::git::{MergeWorktree, Rebased};
use crate::hooks;
use crate::judge::{Judge, Judgement};
use crate::progress::{Progress, Reporter};
use crate::sandbox::Sandbox;
use crate::team_log::{blocking, refusal};
use crate::telling::Telling;
use crate::{
    AgentId, ClaimOptions, Claimed, Error, FeedbackCause, RecordId, Refusal, TaskId, TaskQueue, telemetry,
};

/// Runs the checks of tasks that wait for it.
pub struct Verifier {
    pub(crate) queue: TaskQueue,
    pub(crate) by: AgentId,
    pub(crate) options: ClaimOptions,
    pub(crate) environment: Environment,
    /// The repository, and the number of the folder in which this verifier runs its checks.
    pub(crate) bench: Option<(Desk, u32)>,
    /// Who is told what came of them, before others tell what follows.
    pub(crate) reporter: Reporter,
    pub(crate) telling: Arc<Telling>,
}

/// What became of the wish to run a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Verified {
    /// It ran, and what came out is recorded.
    Reported(TaskId, Judgement),
    /// Nothing waits, someone else runs it, or it is over already.
    NotOurs(Refusal),
    /// It was stopped before it ended. Someone else may run it.
    Stopped,
}

impl Verifier {
    /// A verifier for results that are no commits: checks are run in the team's folder, and those of commits not at all.
    pub fn new(queue: TaskQueue, by: AgentId) -> Self {
        let verifier = Self {
            queue,
            by,
            options: ClaimOptions::default(),
            environment: Environment::of_this_process(),
            bench: None,
            reporter: Reporter::default(),
            telling: Arc::default(),
        };
        verifier.confined(Sandbox::default())
    }

    /// Has checks run in this sandbox, with the team's own things out of their sight.
    #[must_use]
    pub fn confined(mut self, sandbox: Sandbox) -> Self {
        let team_log = self.queue.team_log();
        if sandbox.is_none() {
            team_log.set_unconfined();
        }
        let sandbox = match team_log.folder() {
            Some(folder) => folder.guarded(sandbox),
            None => sandbox,
        };
        self.environment = self.environment.confined(sandbox);
        self
    }

    /// Runs the check of the next task that waits for it, or of a certain one.
    ///
    /// # Errors
    /// When the check cannot be started, or the log cannot be written. The task then waits for another try.
    pub async fn verify(&self, task: Option<TaskId>, stop: &CancellationToken) -> Result<Verified, Error> {
        let (queue, by) = (self.queue.clone(), self.by.clone());
        let options = ClaimOptions { task, ..self.options.clone() };
        let claimed = blocking(move || refusal(queue.claim_stage(&by, Stage::Verify, &options))).await?;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(refused) => return Ok(Verified::NotOurs(refused)),
        };
        let judgement = match self.judge(&claimed, stop).await {
            Ok(Some(judgement)) => judgement,
            stopped_or_broken => {
                self.give_back(claimed.token).await?;
                return stopped_or_broken.map(|_| Verified::Stopped);
            }
        };
        let (team_log, by, claim) = (self.queue.team_log().clone(), self.by.clone(), claimed.token);
        let (said, task) = (judgement.clone(), claimed.task.id.clone());
        let _untold = self.telling.begin(&task);
        let reported = blocking(move || {
            // Of one that held, a reviewer wants to see it too.
            let output = team_log.text(said.report())?;
            let body = CheckReported { claim, passed: said.passed, output };
            let reported = refusal(team_log.submit(&by, &body.into()))?;
            if reported.is_ok() && !said.passed {
                hooks::attempt_failed(&team_log, &by, &task, FeedbackCause::Check, &said.report())?;
            }
            Ok(reported)
        });
        Ok(match reported.await? {
            Ok(_) => {
                let (task, passed, reason) = (claimed.task.id, judgement.passed, judgement.line());
                self.reporter.report(Progress::Checked { task: task.clone(), passed, reason });
                Verified::Reported(task, judgement)
            }
            Err(refused) => Verified::NotOurs(refused),
        })
    }

    async fn give_back(&self, claim: RecordId) -> Result<(), Error> {
        let (team_log, by) = (self.queue.team_log().clone(), self.by.clone());
        let body = ClaimReleased::new(claim, "the check did not run to its end");
        blocking(move || refusal(team_log.submit(&by, &body.into())).map(|_| ())).await
    }

    async fn judge(&self, claimed: &Claimed, stop: &CancellationToken) -> Result<Option<Judgement>, Error> {
        let Some(command) = &claimed.task.check else { return Ok(None) };
        let team_log = self.queue.team_log();
        let limit = team_log.look(|state| state.policy().gate_limit_ms)?;
        let mut environment = self.environment.clone();
        let folder = match &self.bench {
            Some((desk, number)) => {
                let bench = self.prepare(desk, *number, claimed).await?;
                for (name, value) in bench.environment() {
                    environment = environment.with(name, value);
                }
                bench.path().to_owned()
            }
            // Whatever lies there is not what was delivered.
            None if claimed.task.commit.is_some() => return Err(Error::Input(is_a_commit(&claimed.task.id))),
            None => match team_log.folder() {
                Some(folder) => folder.workspace().to_owned(),
                None => std::env::temp_dir(),
            },
        };
        let outputs =
            team_log.folder().map_or_else(std::env::temp_dir, |folder| folder.attempt(claimed.token));
        let judge = Judge {
            command,
            folder: &folder,
            environment,
            limit: limit.map(std::time::Duration::from_millis),
            output_file: outputs.join("check.txt"),
        };
        let judging = judge.run_under(claimed.token, team_log, stop);
        telemetry::judged("check", Some(&claimed.task.id), judging).await
    }

    /// Brings the folder to what was delivered; to the target, if that was no commit.
    async fn prepare(&self, desk: &Desk, number: u32, claimed: &Claimed) -> Result<MergeWorktree, Error> {
        let (desk, work, token) = (desk.clone(), claimed.task.commit.clone(), claimed.token.to_string());
        blocking(move || {
            let bench = desk.bench(number)?;
            match work {
                Some(work) => match bench.rebase(&token, &work.base, &work.commit)? {
                    Rebased::Candidate(_) => {}
                    Rebased::AlreadyThere | Rebased::Conflict(_) => {
                        bench.reset_pristine(&as_it_is(&work.commit))?;
                    }
                },
                None => bench.reset_pristine(&as_it_is(&desk.newest()?))?,
            }
            Ok(bench)
        })
        .await
    }
}

/// Why the check of a commit is not run in the team's folder.
pub fn is_a_commit(task: &TaskId) -> String {
    format!(
        "what was delivered for {task} is a commit, and its check is run on exactly that: by `agent-team run`"
    )
}

#[cfg(test)]
mod tests {
    use agent_team_core::record::WorkCommit;

    use super::*;
    use crate::{NewTask, Status};

    async fn deliver(check: &str, stop: &CancellationToken) -> (Verified, Status, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let queue = TaskQueue::new(folder.path()).unwrap();
        let id = queue.add_task(NewTask::new("Write it").check(check)).unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        queue.claim_task(&worker).unwrap().unwrap();
        queue.complete_task(&id, &worker, "done").unwrap();
        let verifier = Verifier::new(queue.clone(), worker);
        let checked = verifier.verify(Some(id.clone()), stop).await.unwrap();
        let again = verifier.verify(Some(id.clone()), &CancellationToken::new()).await.unwrap();
        assert_eq!(checked == Verified::Stopped, matches!(again, Verified::Reported(..)));
        (checked, queue.get_task(&id).unwrap().status, folder)
    }

    #[tokio::test]
    async fn a_check_that_holds_completes_the_task_and_one_that_fails_gives_it_back() {
        let go = CancellationToken::new();
        let (checked, status, _folder) = deliver("test -d .agent-team", &go).await;
        assert!(matches!(checked, Verified::Reported(_, judgement) if judgement.passed));
        assert_eq!(status, Status::Completed);
        let (checked, status, _folder) = deliver("echo three is missing; exit 7", &go).await;
        let Verified::Reported(_, judgement) = checked else { panic!("not reported") };
        assert_eq!((judgement.passed, judgement.exit_code), (false, Some(7)));
        assert!(judgement.output.contains("three is missing"));
        assert_eq!(status, Status::Ready);
    }

    #[tokio::test]
    async fn the_check_of_a_commit_is_not_run_on_what_lies_in_the_teams_folder() {
        let folder = tempfile::tempdir().unwrap();
        let queue = TaskQueue::new(folder.path()).unwrap();
        let id = queue.add_task(NewTask::new("Write it").check("true")).unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        let token = queue.claim_task(&worker).unwrap().unwrap().token;
        let commit = WorkCommit { commit: "c0ffee".into(), base: "ba5e".into(), files: 1 };
        queue.complete(token, &worker, "done", Some(commit), Vec::new()).unwrap();
        let refused =
            Verifier::new(queue.clone(), worker).verify(Some(id.clone()), &CancellationToken::new()).await;
        assert!(
            refused.unwrap_err().to_string().contains("is a commit, and its check is run on exactly that")
        );
        assert_eq!(queue.get_task(&id).unwrap().status, Status::Verifying);
    }

    #[tokio::test]
    async fn a_check_that_was_stopped_can_be_run_again() {
        let stop = CancellationToken::new();
        stop.cancel();
        let (checked, status, _folder) = deliver("true", &stop).await;
        assert_eq!(checked, Verified::Stopped);
        assert_eq!(status, Status::Completed);
    }
}
