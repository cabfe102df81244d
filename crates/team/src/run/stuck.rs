//! Agents that hold something and get nowhere: nudged, then interrupted, then taken over.
//!
//! Progress is what an agent writes into its transcript, or a turn in the log; after an interrupt only a call that ended,
//! since a turn may begin again what was interrupted. Whoever waits for somebody (an approval, an answer, to be resumed, a
//! model that is limited) is not stuck.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use agent_team_core::machine::{Claim, Command, State, Task};
use agent_team_core::record::{ExpiryCause, Stage};

use super::Run;
use crate::agent::{Journal, Line, TRANSCRIPT};
use crate::progress::Progress;
use crate::team_log::refusal;
use crate::work_time::waits_for_a_word;
use crate::{AgentId, Error, NewMessage, Recipient, RecordId, TaskId, format_duration};

/// After this time without progress an agent is nudged, if nobody says otherwise; after twice as long it is interrupted,
/// after three times its task goes to somebody else. Longer than any of its commands may take.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(15 * 60);
/// The warning that interrupts; the one after it is the takeover.
const INTERRUPTS_AT: u32 = 2;

/// What is known of the progress under each claim.
#[derive(Default)]
pub(super) struct Watched(BTreeMap<RecordId, Progressing>);

struct Progressing {
    /// The last that was seen of it.
    renewal: RecordId,
    written: Option<SystemTime>,
    since: Instant,
    /// When something is done about it next.
    due: Instant,
    warnings: u32,
    /// How many of its calls had ended when it was interrupted.
    ended_calls: usize,
}

impl Progressing {
    /// Whether what was seen of it now is progress.
    fn goes_on(&self, attempt: Option<&Path>) -> bool {
        self.warnings < INTERRUPTS_AT
            || attempt.is_some_and(|attempt| ended_calls(attempt) > self.ended_calls)
    }
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

/// How many calls of the agent have ended, by the transcript in an attempt's folder.
fn ended_calls(attempt: &Path) -> usize {
    let lines = Journal::read(&attempt.join(TRANSCRIPT)).unwrap_or_default();
    lines.iter().filter(|line| matches!(line, Line::ToolResult { .. })).count()
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
            let is_told =
                || matches!(attempt.as_deref().and_then(Line::last_step), Some((Line::Told { .. }, _)));
            // Of an agent without a transcript nobody sees what it does, so that it is left alone unless asked for.
            if written.is_none() && self.team.options.stuck_after.is_none() {
                continue;
            }
            let now = Instant::now();
            let fresh = || Progressing {
                renewal: held.renewal,
                written,
                since: now,
                due: now + limit,
                warnings: 0,
                ended_calls: 0,
            };
            let known = watched.0.entry(held.claim).or_insert_with(fresh);
            let is_limited = team_log.governor().holds_up(&held.agent);
            let has_acted = known.renewal != held.renewal || (known.written != written && !is_told());
            if held.waits || ((is_limited || has_acted) && known.goes_on(attempt.as_deref())) {
                *known = fresh();
            } else if is_limited || has_acted {
                // It has the same time for what it began after the interrupt, and no second warning.
                *known = Progressing { renewal: held.renewal, written, due: now + limit, ..*known };
            } else if now >= known.due {
                known.due += limit;
                known.warnings += 1;
                if known.warnings == INTERRUPTS_AT {
                    known.ended_calls = attempt.as_deref().map(ended_calls).unwrap_or_default();
                }
                let (warnings, idle) = (known.warnings, known.since.elapsed());
                self.act_on(&held, warnings, idle)?;
            }
        }
        Ok(())
    }

    fn act_on(&self, held: &Held, warnings: u32, idle: Duration) -> Result<(), Error> {
        let idle = format_duration(Duration::from_secs(idle.as_secs()));
        let (agent, task) = (&held.agent, &held.task);
        if warnings <= INTERRUPTS_AT {
            let text = format!(
                "You made no progress on {task} for {idle}. Go on another way, ask for what you need, or give up with the \
                 reason."
            );
            let message = NewMessage::new(&self.by, Recipient::Agent(agent.clone()), text);
            let urgent = warnings == INTERRUPTS_AT;
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
