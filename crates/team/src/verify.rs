//! The verifying stage: a task's check is run on what was delivered, and on nothing else.

use agent_team_core::record::{CheckReported, ClaimReleased, Stage};
use tokio_util::sync::CancellationToken;

use crate::command::Environment;
use crate::desk::{Desk, as_it_is};
use crate::git::{MergeWorktree, Rebased};
use crate::judge::{Judge, Judgement};
use crate::team_log::{blocking, refusal};
use crate::{AgentId, ClaimOptions, Claimed, Error, TaskId, TaskQueue};

/// Runs the checks of tasks that wait for it.
pub struct Verifier {
    pub(crate) queue: TaskQueue,
    pub(crate) by: AgentId,
    pub(crate) options: ClaimOptions,
    pub(crate) environment: Environment,
    /// The repository, and the number of the folder in which this verifier runs its checks.
    pub(crate) bench: Option<(Desk, u32)>,
}

/// A check that was run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// The task.
    pub task: TaskId,
    /// What the check said.
    #[serde(flatten)]
    pub judgement: Judgement,
}

impl Verifier {
    /// A verifier for results that are no commits: checks are run in the team's folder.
    pub fn new(queue: TaskQueue, by: AgentId) -> Self {
        let environment = Environment::of_this_process();
        Self { queue, by, options: ClaimOptions::default(), environment, bench: None }
    }

    /// Runs the check of the next task that waits for it, or of a certain one; `None` if none waits, somebody else
    /// runs it, or it was stopped.
    ///
    /// # Errors
    /// When the check cannot be started, or the log cannot be written.
    pub async fn verify(
        &self,
        task: Option<TaskId>,
        stop: &CancellationToken,
    ) -> Result<Option<Verified>, Error> {
        let (queue, by) = (self.queue.clone(), self.by.clone());
        let options = ClaimOptions { task, ..self.options.clone() };
        let claimed = blocking(move || refusal(queue.claim_stage(&by, Stage::Verify, &options))).await?;
        let Ok(claimed) = claimed else { return Ok(None) };
        let judgement = self.judge(&claimed, stop).await?;
        let (team_log, by, claim) = (self.queue.team_log().clone(), self.by.clone(), claimed.token);
        let Some(judgement) = judgement else {
            let body = ClaimReleased { claim, reason: "stopped".into(), fenced: None };
            blocking(move || refusal(team_log.submit(&by, &body.into())).map(|_| ())).await?;
            return Ok(None);
        };
        let said = judgement.clone();
        let reported = blocking(move || {
            let output = team_log.text(said.output)?;
            let body = CheckReported { claim, passed: said.passed, output };
            refusal(team_log.submit(&by, &body.into()))
        });
        Ok(reported.await?.is_ok().then_some(Verified { task: claimed.task.id, judgement }))
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
        judge.run_under(claimed.token, team_log, stop).await
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
                None => bench.reset_pristine(&as_it_is(&desk.landing()?.2))?,
            }
            Ok(bench)
        })
        .await
    }
}
