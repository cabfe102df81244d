//! What an agent leaves unfinished: kept under a ref of the project, and told.
//!
//! One way for all that ends an attempt before its time: a budget, the end of the run, a time limit, a claim that is
//! lost. Only who is told to drop everything at once leaves its work in its folder, where it goes on.

use std::time::Duration;

use agent_team_core::record::{ClaimReleased, Stage};

use super::Teammate;
use super::outcome::Outcome;
use crate::desk::Kept;
use crate::progress::Progress;
use crate::team_log::{blocking, refusal};
use crate::unfinished::{KEEP_LIMIT, KeptWork, left_by};
use crate::{Amount, Claimed, Error};

impl Teammate {
    /// Gives a task back with its work so far kept; for want of a budget of the task itself, if it is said what the next
    /// step needs.
    pub(super) async fn hand_back(
        &self,
        claimed: &Claimed,
        reason: &str,
        needs: Option<Amount>,
    ) -> Result<Outcome, Error> {
        let kept = self.keep_work(claimed).await?;
        let reason = format!("{reason}{kept}");
        let (team_log, agent) = (self.queue.team_log().clone(), self.id.clone());
        let body = ClaimReleased { needs, ..ClaimReleased::new(claimed.token, reason.clone()) };
        let released = refusal(blocking(move || team_log.submit(&agent, &body.into())).await)?;
        let outcome = released.map_or(Outcome::Lost, |_| Outcome::GivenBack);
        match outcome {
            Outcome::GivenBack => {
                let (agent, task) = (&self.id, &claimed.task.id);
                self.reporter.report(Progress::Note(format!("{agent} hands back {task}: {reason}")));
            }
            _ => self.tell_lost(claimed, &kept),
        }
        Ok(outcome)
    }

    /// The task went to somebody else, or nobody wants it any more: the work so far is kept.
    pub(super) async fn lost(&self, claimed: &Claimed) -> Result<Outcome, Error> {
        let kept = self.keep_work(claimed).await?;
        self.tell_lost(claimed, &kept);
        Ok(Outcome::Lost)
    }

    /// The attempt is cut off, and has failed: the work so far is kept.
    pub(super) async fn fail_unfinished(
        &self,
        claimed: &Claimed,
        reason: &str,
        for_good: bool,
    ) -> Result<Outcome, Error> {
        let kept = self.keep_work(claimed).await?;
        self.fail(claimed, format!("{reason}{kept}"), for_good).await
    }

    fn tell_lost(&self, claimed: &Claimed, kept: &str) {
        if !kept.is_empty() {
            let (agent, task) = (&self.id, &claimed.task.id);
            self.reporter.report(Progress::Note(format!("{agent} has lost {task}{kept}")));
        }
    }

    /// The claims whose unfinished work is to be gone on with, the newest first, when nobody works under them any more.
    pub(super) async fn left_by_the_last_attempt(&self, claimed: &Claimed) -> Vec<String> {
        let left = left_by(&claimed.task);
        if let (Some(unfinished), Some(last)) = (&self.unfinished, left.first()) {
            tokio::select! {
                () = unfinished.over(*last) => {}
                () = self.abort.cancelled() => {}
            }
        }
        left.iter().map(ToString::to_string).collect()
    }

    /// Keeps what lies in the workspace under a ref, and says in words where.
    async fn keep_work(&self, claimed: &Claimed) -> Result<String, Error> {
        let is_work = claimed.task.stage != Some(Stage::Review);
        let Some(desk) = self.desk.clone().filter(|_| is_work && self.agent.needs_workspace()) else {
            return Ok(String::new());
        };
        // The end of a run is waited for; else only the agent itself waits, which may not touch its folder meanwhile.
        let limit: Option<Duration> = self.stop.is_cancelled().then_some(KEEP_LIMIT);
        let (agent, token) = (self.id.clone(), claimed.token.to_string());
        let (task, title) = (claimed.task.id.clone(), claimed.task.title.clone());
        let keep = blocking(move || desk.keep(&agent, &token, task.as_str(), &title, limit));
        let kept = tokio::select! {
            biased;
            () = self.at_once.cancelled() => return Ok(String::new()),
            kept = keep => match kept {
                Err(Error::Git(error)) => Kept::InFolder(error.to_string()),
                kept => kept?,
            },
        };
        Ok(match kept {
            Kept::Nothing => String::new(),
            Kept::InFolder(reason) => {
                let reason = reason.lines().next().unwrap_or_default();
                format!("; its work so far is only in its folder: {reason}")
            }
            Kept::Commit { reference, commit } => {
                let words = format!("; its work so far is kept as {reference}");
                if let Some(unfinished) = &self.unfinished {
                    let (task, agent) = (claimed.task.id.clone(), self.id.clone());
                    unfinished.keep(KeptWork { task, agent, reference, commit });
                }
                words
            }
        })
    }
}
