//! Runs the commands that judge: a task's check, the team's gate. What they say is fixed in the log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::command::{CommandEnding, CommandSpec, Environment};
use crate::liveness::claim_lost;
use crate::{Error, RecordId, TeamLog};

/// How long a gate or a check may take if nobody says otherwise.
pub const JUDGE_LIMIT: Duration = Duration::from_secs(1_800);

/// What a judging command came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Judgement {
    /// The command.
    pub command: String,
    /// Whether it exited with 0.
    pub passed: bool,
    /// How it ended, in words.
    pub ending: String,
    /// Its exit code; `None` if it was ended.
    pub exit_code: Option<i32>,
    /// What it printed, cut to what a reader can use.
    pub output: String,
    /// The file with all that it printed.
    pub whole_output: Option<PathBuf>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Judgement {
    /// The command and how it ended, in one line.
    pub fn line(&self) -> String {
        let mut lines = self.command.lines();
        let (first, more) = (lines.next().unwrap_or_default(), lines.next().map_or("", |_| " …"));
        format!("`{first}{more}` {}", self.ending)
    }

    /// All that whoever must mend it should know.
    pub fn report(&self) -> String {
        format!("{}\n{}", self.line(), self.output).trim_end().to_owned()
    }
}

/// A command that judges, and where.
#[derive(Debug, Clone)]
pub struct Judge<'a> {
    /// The command.
    pub command: &'a str,
    /// The folder that it judges.
    pub folder: &'a Path,
    /// Its environment.
    pub environment: Environment,
    /// How long it may take; [`JUDGE_LIMIT`] if nothing is said.
    pub limit: Option<Duration>,
    /// Where its whole output goes.
    pub output_file: PathBuf,
}

impl Judge<'_> {
    /// Runs the command; `None` if it was stopped before it had judged.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn run(self, stop: &CancellationToken) -> Result<Option<Judgement>, Error> {
        let mut spec = CommandSpec::new(self.command, self.folder, self.output_file);
        spec.environment = self.environment;
        spec.time_limit = self.limit.unwrap_or(JUDGE_LIMIT);
        let outcome = spec.run(stop).await?;
        if outcome.ending == CommandEnding::Stopped {
            return Ok(None);
        }
        let exit_code = match outcome.ending {
            CommandEnding::Exited(code) => Some(code),
            _ => None,
        };
        Ok(Some(Judgement {
            command: self.command.to_owned(),
            passed: outcome.succeeded(),
            ending: outcome.ending.to_string(),
            exit_code,
            output: outcome.output.text,
            whole_output: outcome.output.whole,
            took_ms: u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX),
        }))
    }

    /// Runs the command as long as a claim is in force: a gate may take long, and others wait behind it.
    pub(crate) async fn run_under(
        self,
        claim: RecordId,
        team_log: &TeamLog,
        stop: &CancellationToken,
    ) -> Result<Option<Judgement>, Error> {
        let stop = stop.child_token();
        let judged = self.run(&stop);
        tokio::pin!(judged);
        tokio::select! {
            judged = &mut judged => return judged,
            () = claim_lost(team_log, claim) => stop.cancel(),
        }
        judged.await
    }
}
