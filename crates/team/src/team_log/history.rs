//! A team as it was at any record of its log: for those who go back to see how it came about.
//!
//! The log is folded again up to that record; states in between are kept, so that going to and fro is quick. Nothing can be
//! changed in what was.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use agent_team_core::machine::State;
use agent_team_core::record::codec::Decoder;
use agent_team_log::Position;

use super::TeamLog;
use crate::Error;

/// How much of the log is read in one go, in bytes.
const READ_BYTES: usize = 1 << 20;
/// How many states are kept of a log, at most.
const KEPT: u64 = 8;
/// How far apart they are at least, in records: folding so many takes a few milliseconds.
const APART: u64 = 5_000;

/// The past of a team.
///
/// ```
/// use agent_team::{History, TaskQueue};
///
/// let queue = TaskQueue::in_memory()?;
/// queue.add_task("Write it")?;
/// queue.add_task("Test it")?;
/// let history = History::of(queue.team_log());
/// let before = TaskQueue::over(history.at(1)?);
/// assert_eq!(before.list_tasks()?.len(), 1);
/// assert!(before.add_task("Forget it").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct History {
    now: TeamLog,
    kept: Mutex<BTreeMap<u64, Then>>,
}

/// A team at one record.
#[derive(Clone)]
struct Then {
    state: State,
    position: Position,
    at_ms: u64,
}

impl History {
    /// The past of this team.
    pub fn of(now: &TeamLog) -> Self {
        Self { now: now.clone(), kept: Mutex::default() }
    }

    /// The team as it was after so many records; as it is now if there are not that many. What it tells of time (who is
    /// stuck, for how long somebody waits) is as it was when the last of them was written, and who was alive then is not
    /// known.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn at(&self, records: u64) -> Result<TeamLog, Error> {
        let all = self.now.look(State::records)?;
        let records = records.min(all);
        let mut then = self.nearest(records);
        let step = (all / KEPT).max(APART);
        let mut decoder = Decoder::default();
        while then.state.records() < records {
            let batch = self.now.0.log.read(then.position, READ_BYTES)?;
            for record in batch.records() {
                match decoder.decode(record.bytes) {
                    Ok(decoded) => {
                        then.at_ms = decoded.at_ms;
                        then.state.apply(decoded);
                    }
                    Err(_) => then.state.skip(),
                }
                then.position = record.next;
                let folded = then.state.records();
                if folded.is_multiple_of(step) {
                    self.kept().insert(folded, then.clone());
                }
                if folded == records {
                    break;
                }
            }
            if batch.is_last() && then.state.records() < records {
                // It was cut off since it was looked at.
                break;
            }
        }
        Ok(self.now.as_it_was(then.state, then.position, then.at_ms))
    }

    /// The newest state that is known and not too new.
    fn nearest(&self, records: u64) -> Then {
        let kept = self.kept();
        let nearest = kept.range(..=records).next_back().map(|(_, then)| then.clone());
        nearest.unwrap_or_else(|| Then { state: State::new(), position: Position::START, at_ms: 0 })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Then>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // The log has grown, and they stand too close.
        while kept.len() as u64 > 2 * KEPT {
            kept.pop_first();
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgentId, TaskQueue};

    #[test]
    fn a_team_is_seen_as_it_was_at_each_record_and_cannot_be_changed_there() {
        let queue = TaskQueue::in_memory().unwrap();
        let worker: AgentId = "worker-1".parse().unwrap();
        for number in 0..20 {
            queue.add_task(crate::NewTask::new("a").id(format!("t{number}"))).unwrap();
            let token = queue.claim_task(&worker).unwrap().unwrap().token;
            queue.complete(token, &worker, "done", None, Vec::new()).unwrap();
        }
        let now = queue.team_log().look(State::clone).unwrap();
        let history = History::of(queue.team_log());
        assert_eq!(history.at(now.records()).unwrap().look(State::clone).unwrap(), now);
        assert_eq!(history.at(u64::MAX).unwrap().look(State::clone).unwrap(), now);
        let mut before = 0;
        for records in 0..=now.records() {
            let past = TaskQueue::over(history.at(records).unwrap());
            let counts = past.get_status().unwrap().counts;
            assert_eq!(past.team_log().look(State::records).unwrap(), records);
            assert!(counts.completed >= before, "what was done stays done");
            before = counts.completed;
        }
        assert_eq!(before, 20);
        let past = TaskQueue::over(history.at(3).unwrap());
        assert!(matches!(past.add_task("late"), Err(Error::Past { records: 3 })));
        assert_eq!(past.list_tasks().unwrap().len(), 1);
    }
}
