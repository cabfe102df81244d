//! What is on the branch: each piece of work once, only what was wanted, and the log knows of it.

use agent_team_core::id::TaskId;
use agent_team_core::record::{Body, TaskSubmitted};

use super::{Verdict, Witness, violation};
use crate::git::Commit;

impl Witness {
    /// Somebody moved the branch to a commit that holds a piece of work.
    ///
    /// # Errors
    /// When it was there already, was not wanted, or was never accepted.
    pub fn merged(&mut self, work: &str, task: &TaskId) -> Verdict {
        if self.landed.iter().any(|(known, _)| known == work) {
            return violation("merge", format!("the work {work} on {task} was merged twice"));
        }
        self.landed.push((work.to_owned(), task.clone()));
        if self.is_cancelled(task, usize::MAX) {
            return violation("merge", format!("{task} was merged after it was cancelled"));
        }
        let newest = self.newest_deliveries(task, usize::MAX);
        let holds =
            |delivered: &TaskSubmitted| delivered.commit.as_ref().is_some_and(|commit| commit.commit == work);
        if !newest.is_empty() && !newest.iter().any(|(_, delivered)| holds(delivered)) {
            return violation(
                "merge",
                format!("{work} on {task} was merged and is not what was delivered last"),
            );
        }
        Ok(())
    }

    /// The branch and the log tell the same.
    pub(super) fn judge_branch(&self, branch: &[Commit]) -> Verdict {
        for (work, task) in &self.landed {
            if !branch.iter().any(|commit| commit.work == *work) {
                return violation("merge", format!("the work {work} on {task} is gone from the branch"));
            }
            let known = self
                .about
                .get(task)
                .into_iter()
                .flatten()
                .any(|tag| self.may_stand(*tag) && matches!(self.body(*tag), Some(Body::Merged(_))));
            if !known {
                return violation(
                    "merge",
                    format!("{task} is on the branch, and nobody recorded that it was merged"),
                );
            }
        }
        for (task, tags) in &self.about {
            let merged =
                tags.iter().any(|tag| self.stands(*tag) && matches!(self.body(*tag), Some(Body::Merged(_))));
            if merged && !self.landed.iter().any(|(_, landed)| landed == task) {
                return violation("merge", format!("{task} was recorded as merged and is not on the branch"));
            }
        }
        Ok(())
    }
}
