//! Agents that hold something and get nowhere: nudged, then interrupted, then taken over.
//!
//! Progress is what an agent writes into its transcript, or a turn in the log. Whoever waits for somebody (an approval,
//! an answer, to be resumed, a model that is limited) is not stuck.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use agent_team_core::machine::{Claim, Command, State, Task};
use agent_team_core::record::{ExpiryCause, Stage};

use super::Run;
use crate::agent::{Line, TRANSCRIPT};
use crate::progress::Progress;
use crate::team_log::refusal;
use crate::work_time::waits_for_a_word;
use crate::{AgentId, Error, NewMessage, Recipient, RecordId, TaskId, format_duration};

/// After this time without progress an agent is nudged, if nobody says otherwise; after twice as long it is interrupted,
/// after three times its task goes to somebody else. Longer than any of its commands may take.
const STUCK_AFTER: Duration = Duration::from_secs(15 * 60);

/// What is known of the progress under each claim.
#[derive(Default)]
pub(super) struct Watched(BTreeMap<RecordId, Progressing>);

struct Progressing {
    /// The last that was seen of it.
    renewal: RecordId,
    written: Option<SystemTime>,
    since: Instant,
    warnings: u32,
}

/// A claim of this run, as far as it matters here.
struct Held {
    task: TaskId,
    agent: AgentId,
    claim: RecordId,
    renewal: RecordId,
    root: RecordId,
    waits: bool,
}

impl Held {
    fn of(state: &State, task: &Task, claim: &Claim) -> Self {
        Self {
            task: task.id().clone(),
            agent: claim.agent.clone(),
            claim: claim.id,
            renewal: claim.renewal,
            root: claim.resumes.unwrap_or(claim.id),
            waits: waits_for_a_word(state, task, &claim.agent),
        }
    }
}

/// When the transcript in an attempt's folder was last written.
fn written_at(attempt: &Path) -> Option<SystemTime> {
    std::fs::metadata(attempt.join(TRANSCRIPT)).ok()?.modified().ok()
}

impl Run<'_> {
    /// Looks who makes no progress, and does something about it.
    pub(super) fn look_who_is_stuck(&self, watched: &mut Watched) -> Result<(), Error> {
        let team_log = self.team.queue.team_log();
        let held: Vec<Held> = team_log.look(|state| {
            let ours = state.held().filter(|(_, claim)| claim.holder == self.holder);
            let ours = ours.filter(|(_, claim)| matches!(claim.stage, Stage::Work | Stage::Review));
            ours.map(|(task, claim)| Held::of(state, task, claim)).collect()
        })?;
        watched.0.retain(|claim, _| held.iter().any(|held| held.claim == *claim));
        let limit = self.team.options.stuck_after.unwrap_or(STUCK_AFTER);
        for held in held {
            let attempt = team_log.folder().map(|folder| folder.attempt(held.root));
            let written = attempt.as_deref().and_then(written_at);
            // What it was told is no progress of its own.
            let is_told = || matches!(attempt.as_deref().and_then(Line::last_of), Some(Line::Told { .. }));
            // Of an agent without a transcript nobody sees what it does, so that it is left alone unless asked for.
            if written.is_none() && self.team.options.stuck_after.is_none() {
                continue;
            }
            let fresh = || Progressing { renewal: held.renewal, written, since: Instant::now(), warnings: 0 };
            let known = watched.0.entry(held.claim).or_insert_with(fresh);
            let waits = held.waits || team_log.governor().holds_up(&held.agent);
            if waits || known.renewal != held.renewal || (known.written != written && !is_told()) {
                *known = fresh();
                continue;
            }
            let idle = known.since.elapsed();
            if idle >= limit * (known.warnings + 1) {
                known.warnings += 1;
                self.act_on(&held, known.warnings, idle)?;
            }
        }
        Ok(())
    }

    fn act_on(&self, held: &Held, warnings: u32, idle: Duration) -> Result<(), Error> {
        let idle = format_duration(Duration::from_secs(idle.as_secs()));
        let (agent, task) = (&held.agent, &held.task);
        if warnings < 3 {
            let text = format!(
                "You made no progress on {task} for {idle}. Go on another way, ask for what you need, or give up with the \
                 reason."
            );
            let message = NewMessage::new(&self.by, Recipient::Agent(agent.clone()), text);
            let urgent = warnings == 2;
            self.team.bus.post(NewMessage { urgent, task: Some(task.clone()), ..message })?;
            let what = if urgent { "is interrupted" } else { "is nudged" };
            self.reporter
                .report(Progress::Note(format!("{agent} made no progress on {task} for {idle} and {what}")));
            return Ok(());
        }
        let command = Command::Expire {
            claim: held.claim,
            seen: held.renewal,
            cause: ExpiryCause::Stuck,
            fenced: None,
        };
        if refusal(self.team.queue.team_log().submit(&self.by, &command))?.is_ok() {
            let note =
                format!("ERROR {agent} made no progress on {task} for {idle}: the task is taken from it");
            self.reporter.report(Progress::Note(note));
        }
        Ok(())
    }
}
