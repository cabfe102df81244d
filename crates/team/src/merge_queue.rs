//! The merge queue: one piece of work after the other is tried on what would be merged, and then merged.
//!
//! The order of the steps is what makes it safe, whoever dies between them:
//! 1. read the fence, 2. claim the merging stage, 3. set the fence to the claim, 4. rebase, check, gate, 5. record the
//!    intent, 6. move the branch in one transaction that verifies the fence, 7. record `merged`.
//!
//! Whoever ends a merge claim with an intent first moves the fence, then looks whether the branch holds the commit.

use agent_team_core::machine::Intent;
use agent_team_core::record::{ClaimReleased, MergeIntended, MergeRefused, Merged, RefusalCause, Stage};
use tokio_util::sync::CancellationToken;

use crate::command::Environment;
use crate::desk::Desk;
use crate::git::{self, FenceSet, GitProgram, Landed, Landing, MergeWorktree, Project, Rebased};
use crate::hooks::{self, BeforeMerge, Blocked, Hook};
use crate::judge::{Judge, Judgement};
use crate::outside::new_id;
use crate::team_log::{TeamLog, blocking, refusal};
use crate::{AgentId, ClaimOptions, Error, RecordId, Refusal, TaskId, TaskQueue, telemetry};

/// The number of the merger's folder.
const BENCH: u32 = 0;

/// Merges what waits for it, one piece after the other.
pub(crate) struct Merger {
    pub queue: TaskQueue,
    pub desk: Desk,
    pub by: AgentId,
    pub options: ClaimOptions,
    pub environment: Environment,
    pub stop: CancellationToken,
}

/// What became of one piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing waits.
    Idle,
    /// It is on the branch.
    Merged { task: TaskId, commit: String, branch: String },
    /// The branch holds the same change already, by somebody else's work.
    AddsNothing { task: TaskId, branch: String },
    /// It went back to its author.
    Refused { task: TaskId, cause: RefusalCause, reason: String },
    /// Something moved meanwhile: it is tried again.
    Again { task: TaskId, reason: String },
    /// It cannot be merged anywhere until the user does something.
    Blocked { reason: String },
}

/// What is to be merged, and under which claim.
struct Work {
    task: TaskId,
    token: RecordId,
    commit: String,
    check: Option<String>,
}

impl Merger {
    /// Merges the next piece of work that waits.
    pub async fn turn(&self) -> Result<Turn, Error> {
        let team_log = self.queue.team_log();
        let next = team_log.look(|state| {
            let mut waiting = state.waiting_for(Stage::Merge);
            waiting.find(|task| state.may_merge(task)).map(|task| task.id().clone())
        })?;
        let Some(task) = next else { return Ok(Turn::Idle) };
        let desk = self.desk.clone();
        let (fence, landing) =
            blocking(move || Ok((desk.project.fence(&desk.target)?, desk.landing()?))).await?;
        if let (Landing::Blocked { reason }, ..) = &landing {
            return Ok(Turn::Blocked { reason: reason.clone() });
        }
        let options = ClaimOptions { task: Some(task), ..self.options.clone() };
        // If it is refused, somebody else merges it, or it is not wanted any more.
        let Ok(claimed) = refusal(self.queue.claim_stage(&self.by, Stage::Merge, &options))? else {
            return Ok(Turn::Idle);
        };
        let (task, token) = (claimed.task.id.clone(), claimed.token);
        let Some(commit) = claimed.task.commit.map(|work| work.commit) else {
            return self.release(task, token, None, "there is nothing to merge");
        };
        let desk = self.desk.clone();
        let text = token.to_string();
        let set =
            blocking(move || Ok(desk.project.set_fence(&desk.target, fence.as_deref(), &text)?)).await?;
        if let FenceSet::Moved { .. } = set {
            return self.release(task, token, None, "another merge came in between");
        }
        let work = Work { task, token, commit, check: claimed.task.check };
        let task = work.task.clone();
        telemetry::merge(&task, self.merge(work, landing)).await
    }

    async fn merge(&self, work: Work, landing: (Landing, String, String)) -> Result<Turn, Error> {
        let (landing, branch, tip) = landing;
        let desk = self.desk.clone();
        let bench = blocking(move || desk.bench(BENCH)).await?;
        let (on, text, commit) = (bench.clone(), work.token.to_string(), work.commit.clone());
        let old_tip = tip.clone();
        let rebased = blocking(move || Ok(on.rebase(&text, &old_tip, &commit)?)).await?;
        let candidate = match rebased {
            Rebased::Candidate(candidate) => candidate,
            Rebased::Conflict(conflict) => {
                let files = conflict.files.join(", ");
                let output = format!("Conflict in {files}\n{}", conflict.markers);
                let reason = format!("conflict in {files}");
                return self.refuse(&work, RefusalCause::Conflict, reason, output).await;
            }
            // Someone else merged the same change: the target holds the work.
            Rebased::AlreadyThere => return self.intend_and_land(&work, &landing, branch, &tip, &tip).await,
        };
        let gate = self.queue.team_log().look(|state| state.policy().gate.clone())?;
        let judges = [(RefusalCause::Check, work.check.clone()), (RefusalCause::Gate, gate)];
        for (cause, command) in judges {
            let Some(command) = command else { continue };
            let Some(judged) = self.judge(&bench, &candidate, cause, &command, work.token).await? else {
                return self.release(work.task, work.token, None, "stopped");
            };
            if !judged.passed {
                let what = if cause == RefusalCause::Check { "check" } else { "gate" };
                let reason = format!("the {what} does not hold: {}", judged.line());
                return self.refuse(&work, cause, reason, judged.report()).await;
            }
        }
        if let Err(blocked) = self.ask_hook(&work, &branch, &tip, &candidate.commit).await? {
            return self.refuse(&work, RefusalCause::Hook, blocked.to_string(), blocked.to_string()).await;
        }
        if self.stop.is_cancelled() {
            return self.release(work.task, work.token, None, "stopped");
        }
        self.intend_and_land(&work, &landing, branch, &tip, &candidate.commit).await
    }

    /// Asks the user's hook about what would be merged.
    async fn ask_hook(
        &self,
        work: &Work,
        branch: &str,
        tip: &str,
        commit: &str,
    ) -> Result<Result<(), Blocked>, Error> {
        let team_log = self.queue.team_log().clone();
        if team_log.hooks(Hook::BeforeMerge).is_none() {
            return Ok(Ok(()));
        }
        let merge = BeforeMerge {
            by: self.by.clone(),
            task: work.task.clone(),
            commit: commit.to_owned(),
            base: tip.to_owned(),
            branch: branch.to_owned(),
        };
        let stop = self.stop.clone();
        blocking(move || hooks::may_merge(&team_log, merge, &stop)).await
    }

    /// Runs a command on exactly what would be merged.
    async fn judge(
        &self,
        bench: &MergeWorktree,
        candidate: &git::Candidate,
        cause: RefusalCause,
        command: &str,
        token: RecordId,
    ) -> Result<Option<Judgement>, Error> {
        let (on, pristine) = (bench.clone(), candidate.clone());
        blocking(move || Ok(on.reset_pristine(&pristine)?)).await?;
        let environment = bench.environment().into_iter();
        let environment =
            environment.fold(self.environment.clone(), |all, (name, value)| all.with(name, value));
        let limit = self.queue.team_log().look(|state| state.policy().gate_limit_ms)?;
        let name = if cause == RefusalCause::Check { "check" } else { "gate" };
        let folder = self.desk.project.state_folder().join("attempts").join(token.to_string());
        let judge = Judge {
            command,
            folder: bench.path(),
            environment,
            limit: limit.map(std::time::Duration::from_millis),
            output_file: folder.join(format!("{name}.txt")),
        };
        telemetry::judged(name, None, judge.run_under(token, self.queue.team_log(), &self.stop)).await
    }

    async fn intend_and_land(
        &self,
        work: &Work,
        landing: &Landing,
        branch: String,
        old: &str,
        new: &str,
    ) -> Result<Turn, Error> {
        let intended = MergeIntended {
            claim: work.token,
            commit: new.to_owned(),
            old_tip: old.to_owned(),
            branch: branch.clone(),
        };
        let team_log = self.queue.team_log();
        let intent = match refusal(team_log.submit(&self.by, &intended.into()))? {
            Ok(written) => written.id(),
            Err(refused) => {
                return Ok(Turn::Again { task: work.task.clone(), reason: refused.to_string() });
            }
        };
        let checkout = match landing {
            Landing::Checkout { path } => Some(path.clone()),
            Landing::Gather { checkout, .. } => checkout.clone(),
            Landing::BranchOnly | Landing::Blocked { .. } => None,
        };
        let (desk, to, text) = (self.desk.clone(), branch.clone(), work.token.to_string());
        let (old, new) = (old.to_owned(), new.to_owned());
        let commit = new.clone();
        let adds_nothing = old == new;
        let landed = blocking(move || {
            if old == new {
                return Ok(Landed::Landed { checkout: None });
            }
            Ok(desk.project.land(&git::Intent {
                target: &desk.target,
                fence: &text,
                branch: &to,
                old: &old,
                new: &new,
                checkout: checkout.as_deref(),
            })?)
        })
        .await?;
        match landed {
            Landed::Landed { .. } => {
                let merged = refusal(team_log.submit(&self.by, &Merged { intent }.into()))?;
                match merged {
                    // Whoever ended the claim meanwhile saw that the branch holds it and recorded so.
                    Ok(_) | Err(Refusal::NoSuchIntent { .. }) if adds_nothing => {
                        Ok(Turn::AddsNothing { task: work.task.clone(), branch })
                    }
                    Ok(_) | Err(Refusal::NoSuchIntent { .. }) => {
                        Ok(Turn::Merged { task: work.task.clone(), commit, branch })
                    }
                    Err(refused) => Err(refused.into()),
                }
            }
            Landed::FenceMoved => self.give_back(work, intent, "the claim was ended").await,
            Landed::TipMoved { .. } => self.give_back(work, intent, "the branch moved").await,
            Landed::CheckoutBusy { reason } => {
                let (desk, why) = (self.desk.clone(), reason.clone());
                blocking(move || Ok(desk.project.gather(&desk.target, &why)?)).await?;
                // It was clean when this work's turn began.
                let reason = format!(
                    "{reason}; somebody changed the project's own folder while it was judged: you, or a check or gate \
                     that writes outside of its folder"
                );
                self.give_back(work, intent, &reason).await
            }
        }
    }

    /// Ends the claim although an intent stands: the fence moves first.
    async fn give_back(&self, work: &Work, intent: RecordId, reason: &str) -> Result<Turn, Error> {
        let (team_log, by, task) = (self.queue.team_log().clone(), self.by.clone(), work.task.clone());
        let fenced = blocking(move || crate::liveness::fence_off(&team_log, &by, &task, intent)).await?;
        self.release(work.task.clone(), work.token, fenced, reason)
    }

    fn release(
        &self,
        task: TaskId,
        claim: RecordId,
        fenced: Option<RecordId>,
        reason: &str,
    ) -> Result<Turn, Error> {
        let body = ClaimReleased { fenced, ..ClaimReleased::new(claim, reason) };
        // If it is lost already, that is what was wanted.
        let _ = refusal(self.queue.team_log().submit(&self.by, &body.into()))?;
        Ok(Turn::Again { task, reason: reason.to_owned() })
    }

    async fn refuse(
        &self,
        work: &Work,
        cause: RefusalCause,
        reason: String,
        output: String,
    ) -> Result<Turn, Error> {
        let (team_log, by, task) = (self.queue.team_log().clone(), self.by.clone(), work.task.clone());
        let body =
            MergeRefused { claim: work.token, cause, output: team_log.text(output.clone())?, fenced: None };
        let refused = blocking(move || {
            let refused = refusal(team_log.submit(&by, &body.into()))?;
            if refused.is_ok() {
                hooks::attempt_failed(&team_log, &by, &task, cause.into(), &output)?;
            }
            Ok(refused)
        });
        match refused.await? {
            Ok(_) => Ok(Turn::Refused { task: work.task.clone(), cause, reason }),
            Err(refused) => Ok(Turn::Again { task: work.task.clone(), reason: refused.to_string() }),
        }
    }
}

/// Makes sure that an intended merge cannot happen any more. Says whether it had happened already.
pub(crate) fn fence_off(team_log: &TeamLog, intent: &Intent) -> Result<bool, Error> {
    let Some(folder) = team_log.folder() else { return Ok(false) };
    let project = Project::discover(&GitProgram::from_process_environment(), folder.workspace())?;
    let target = intent.branch.strip_prefix("agent-team/").unwrap_or(&intent.branch);
    project.move_fence(target, &new_id().to_string())?;
    let happened = project.contains(&intent.branch, &intent.commit)?;
    if happened && let Some(checkout) = project.checkout_of(&intent.branch)? {
        // The merger may have died between the branch and its checkout.
        project.sync_checkout(&checkout.path, &intent.old_tip, &intent.commit)?;
    }
    Ok(happened)
}
