//! `apply`: one record, in its place in the order, changes the state or is void.
//!
//! Each body has a rule: a guard, which says whether what it names still stands, and an effect, which cannot fail. The
//! guards are the whole of the safety of a team; `decide` asks the same guards.

mod agent;
mod claim;
mod files;
mod judgement;
mod merge;
mod message;
mod spending;
mod task;
mod team;

#[cfg(test)]
pub(crate) use task::new_task;

use super::refusal::Refusal;
use super::safeguard::{Safeguard, Safeguards};
use super::state::State;
use crate::id::RecordId;
use crate::record::{Body, Record};

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It took effect.
    Effective,
    /// What it names did not stand any more, or a guard refused it.
    Void(Refusal),
    /// Its id was there before: it is the same record, and its outcome is that one's.
    Repeated,
    /// It is of a kind or form that this program does not know. It changes nothing.
    Unknown,
}

/// What a rule may know of a record besides its body.
#[derive(Debug, Clone)]
pub(crate) struct Meta {
    pub id: RecordId,
    pub at_ms: u64,
    /// The record's place in the order, from 1.
    pub seq: u64,
    /// What this program heeds.
    pub safeguards: Safeguards,
}

/// How one kind of record takes effect.
pub(crate) trait Rule {
    /// Whether what the record names still stands. Reads nothing but the state.
    fn guard(&self, state: &State) -> Result<(), Refusal>;

    /// What the record changes. Called only after the guard let it through.
    fn take_effect(&self, state: &mut State, meta: &Meta);
}

impl State {
    /// Applies the next record of the log.
    pub fn apply(&mut self, record: &Record) -> Outcome {
        self.records += 1;
        if !self.seen.insert(record.id) && self.keeps(Safeguard::RecordId) {
            return Outcome::Repeated;
        }
        let Some(rule) = rule(&record.body) else { return Outcome::Unknown };
        let verdict = self.right_format(record).and_then(|()| rule.guard(self));
        if let Err(refusal) = verdict {
            self.void.insert(record.id, refusal.clone());
            return Outcome::Void(refusal);
        }
        let (seq, safeguards) = (self.records, self.safeguards);
        let meta = Meta { id: record.id, at_ms: record.at_ms, seq, safeguards };
        rule.take_effect(self, &meta);
        Outcome::Effective
    }

    /// Counts a line of the log that is no record at all. It changes nothing else.
    pub fn skip(&mut self) {
        self.records += 1;
    }

    /// What would become of a body if its record came next.
    pub(crate) fn judge(&self, body: &Body) -> Result<(), Refusal> {
        rule(body).map_or(Ok(()), |rule| rule.guard(self))
    }

    fn right_format(&self, record: &Record) -> Result<(), Refusal> {
        let expected = self.newer_format.unwrap_or(self.format);
        if record.format == expected || !self.keeps(Safeguard::Format) {
            return Ok(());
        }
        Err(Refusal::WrongFormat { expected, found: record.format })
    }
}

/// The rule of a body; `None` for what this program does not know.
fn rule(body: &Body) -> Option<&dyn Rule> {
    Some(match body {
        Body::FormatRaised(body) => body,
        Body::PolicySet(body) => body,
        Body::RunStarted(body) => body,
        Body::RunEnded(body) => body,
        Body::AgentJoined(body) => body,
        Body::AgentLeft(body) => body,
        Body::TaskAdded(body) => body,
        Body::BatchClosed(body) => body,
        Body::TaskEdited(body) => body,
        Body::TaskRetried(body) => body,
        Body::TaskCancelled(body) => body,
        Body::TaskClaimed(body) => body,
        Body::ClaimRenewed(body) => body,
        Body::ClaimReleased(body) => body,
        Body::ClaimExpired(body) => body,
        Body::TurnJournalled(body) => body,
        Body::TaskSubmitted(body) => body,
        Body::TaskFailed(body) => body,
        Body::LateResult(body) => body,
        Body::CheckReported(body) => body,
        Body::ReviewGiven(body) => body,
        Body::MergeIntended(body) => body,
        Body::Merged(body) => body,
        Body::MergeRefused(body) => body,
        Body::MessageSent(body) => body,
        Body::MessagesDelivered(body) => body,
        Body::MessagesRead(body) => body,
        Body::BudgetSet(body) => body,
        Body::SpendingReserved(body) => body,
        Body::SpendingSettled(body) => body,
        Body::FilesReserved(body) => body,
        Body::FilesReleased(body) => body,
        Body::Unknown { .. } | Body::Malformed { .. } => return None,
    })
}
