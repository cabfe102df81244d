//! All judgements of a suite, several at the same time.

use futures::StreamExt;
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::suite::{Failure, Suite, Verdict};
use crate::Error;

/// What a suite came to.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// How many inputs passed.
    pub passed: usize,
    /// The failures, in the order of the inputs. With [`Suite::together`] one at most, of all inputs.
    pub failures: Vec<Failure>,
    /// Inputs that failed and passed when they were run again.
    pub unsteady: Vec<String>,
    /// Inputs on which the oracle gave no answer, and why.
    pub unjudged: Vec<(String, String)>,
}

/// How far a survey is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SurveyProgress {
    /// How many commands with their inputs were judged.
    pub judged: usize,
    /// Of how many.
    pub total: usize,
    /// How many of them failed.
    pub failed: usize,
}

/// One judgement, and whether it was another one when made again.
enum Judged {
    Once(Verdict),
    Unsteady,
}

impl Suite {
    /// Judges all inputs, at most `jobs` at the same time; `None` if it was stopped. With `twice`, what fails is run
    /// once more at once, and what passes then is unsteady: nobody can mend by it.
    ///
    /// # Errors
    /// When a command cannot be started.
    pub async fn survey(
        &self,
        inputs: &[String],
        jobs: usize,
        twice: bool,
        stop: &CancellationToken,
        mut tell: impl FnMut(SurveyProgress),
    ) -> Result<Option<Survey>, Error> {
        let sets = self.sets(inputs);
        let mut progress = SurveyProgress { total: sets.len(), ..SurveyProgress::default() };
        let mut judged = Vec::with_capacity(sets.len());
        let judging = sets.into_iter().enumerate().map(|(place, set)| async move {
            let verdict = self.judge_steadily(&set, twice, stop).await;
            (place, set, verdict)
        });
        let mut judging = stream::iter(judging).buffer_unordered(jobs.max(1));
        while let Some((place, set, verdict)) = judging.next().await {
            let verdict = verdict?;
            progress.judged += 1;
            progress.failed += usize::from(matches!(verdict, Judged::Once(Verdict::Failed(_))));
            tell(progress);
            judged.push((place, set, verdict));
        }
        if stop.is_cancelled() {
            return Ok(None);
        }
        judged.sort_by_key(|(place, ..)| *place);
        let mut survey = Survey::default();
        for (_, set, verdict) in judged {
            survey.take(set, verdict);
        }
        Ok(Some(survey))
    }

    async fn judge_steadily(
        &self,
        set: &[String],
        twice: bool,
        stop: &CancellationToken,
    ) -> Result<Judged, Error> {
        let first = self.judge(set, stop).await?;
        if !twice || !matches!(first, Verdict::Failed(_)) {
            return Ok(Judged::Once(first));
        }
        Ok(match self.judge(set, stop).await? {
            Verdict::Passed => Judged::Unsteady,
            _ => Judged::Once(first),
        })
    }
}

impl Survey {
    /// Why nothing at all could be judged, if a command cannot be started: what the shell says of it (126 and 127 are its
    /// exit codes for that).
    pub fn not_started(&self) -> Option<&str> {
        let cannot =
            |reason: &&str| ["exit code 126", "exit code 127"].iter().any(|code| reason.contains(code));
        let failures = self.failures.iter().map(|failure| failure.reason.text.as_str());
        let mut reasons = failures.chain(self.unjudged.iter().map(|(_, why)| why.as_str()));
        let first = reasons.next().filter(cannot)?;
        let is_all = self.passed == 0 && self.unsteady.is_empty() && reasons.all(|reason| cannot(&reason));
        is_all.then_some(first)
    }

    fn take(&mut self, set: Vec<String>, verdict: Judged) {
        match verdict {
            Judged::Once(Verdict::Passed) => self.passed += set.len(),
            Judged::Once(Verdict::Failed(failure)) => self.failures.push(failure),
            Judged::Once(Verdict::Unjudged(why)) => {
                self.unjudged.extend(set.into_iter().map(|input| (input, why.clone())));
            }
            Judged::Once(Verdict::Stopped) => {}
            Judged::Unsteady => self.unsteady.extend(set),
        }
    }
}
