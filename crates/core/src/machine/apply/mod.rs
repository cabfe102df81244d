//! `apply`: one record, in its place in the order, changes the state or is void.
//!
//! Each body has a rule: a guard, which says whether what it names still stands, and an effect, which cannot fail. The
//! guards are the whole of the safety of a team; `decide` asks the same guards.

mod agent;
mod claim;
mod files;
mod judgement;
mod lead;
mod merge;
mod message;
mod model;
mod note;
mod plan;
mod spending;
mod steering;
mod task;
mod team;

#[cfg(test)]
pub(crate) use task::new_task;

use super::refusal::Refusal;
use super::safeguard::{Safeguard, Safeguards};
use super::state::State;
use crate::id::RecordId;
use crate::record::{Body, FORMAT, Record};

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
trait Rule {
    /// Whether what the record names still stands. Reads nothing but the state.
    fn guard(&self, state: &State) -> Result<(), Refusal>;

    /// What the record changes. Called only after the guard let it through.
    fn take_effect(self, state: &mut State, meta: &Meta);
}

/// Does the same with the body of every kind that this program knows, and something else with what it does not know.
macro_rules! with_rule {
    ($body:expr, $rule:ident => $known:expr, $unknown:expr) => {
        match $body {
            Body::FormatRaised($rule) => $known,
            Body::PolicySet($rule) => $known,
            Body::RunStarted($rule) => $known,
            Body::RunEnded($rule) => $known,
            Body::AgentJoined($rule) => $known,
            Body::AgentLeft($rule) => $known,
            Body::TaskAdded($rule) => $known,
            Body::BatchClosed($rule) => $known,
            Body::TaskEdited($rule) => $known,
            Body::TaskRetried($rule) => $known,
            Body::TaskCancelled($rule) => $known,
            Body::TaskReassigned($rule) => $known,
            Body::TaskDelegated($rule) => $known,
            Body::TaskGivenUp($rule) => $known,
            Body::PlanSubmitted($rule) => $known,
            Body::PlanJudged($rule) => $known,
            Body::PauseSet($rule) => $known,
            Body::NoteAdded($rule) => $known,
            Body::TaskClaimed($rule) => $known,
            Body::ClaimRenewed($rule) => $known,
            Body::ClaimReleased($rule) => $known,
            Body::ClaimExpired($rule) => $known,
            Body::TurnJournalled($rule) => $known,
            Body::TaskSubmitted($rule) => $known,
            Body::TaskFailed($rule) => $known,
            Body::LateResult($rule) => $known,
            Body::CheckReported($rule) => $known,
            Body::ReviewGiven($rule) => $known,
            Body::MergeIntended($rule) => $known,
            Body::Merged($rule) => $known,
            Body::MergeRefused($rule) => $known,
            Body::MessageSent($rule) => $known,
            Body::MessagesDelivered($rule) => $known,
            Body::MessagesRead($rule) => $known,
            Body::BudgetSet($rule) => $known,
            Body::SpendingReserved($rule) => $known,
            Body::SpendingSettled($rule) => $known,
            Body::ModelLimited($rule) => $known,
            Body::FilesReserved($rule) => $known,
            Body::FilesReleased($rule) => $known,
            Body::Unknown { .. } | Body::Malformed { .. } => $unknown,
        }
    };
}

impl State {
    /// Applies the next record of the log.
    pub fn apply(&mut self, record: Record) -> Outcome {
        self.records += 1;
        if !self.seen.insert(record.id) && self.keeps(Safeguard::RecordId) {
            return Outcome::Repeated;
        }
        let Record { id, format, at_ms, body, .. } = record;
        if body.format() > FORMAT && format < body.format() {
            return Outcome::Unknown;
        }
        with_rule!(body, rule => self.follow(rule, id, format, at_ms), Outcome::Unknown)
    }

    fn follow(&mut self, rule: impl Rule, id: RecordId, format: u32, at_ms: u64) -> Outcome {
        let verdict = self.right_format(format).and_then(|()| rule.guard(self));
        if let Err(refusal) = verdict {
            self.void.insert(id, refusal.clone());
            return Outcome::Void(refusal);
        }
        let meta = Meta { id, at_ms, seq: self.records, safeguards: self.safeguards };
        rule.take_effect(self, &meta);
        Outcome::Effective
    }

    /// Counts a line of the log that is no record at all. It changes nothing else.
    pub fn skip(&mut self) {
        self.records += 1;
    }

    /// What would become of a body if its record came next.
    pub(crate) fn judge(&self, body: &Body) -> Result<(), Refusal> {
        with_rule!(body, rule => rule.guard(self), Ok(()))
    }

    fn right_format(&self, found: u32) -> Result<(), Refusal> {
        let expected = self.newer_format.unwrap_or(self.format);
        if found == expected || !self.keeps(Safeguard::Format) {
            return Ok(());
        }
        Err(Refusal::WrongFormat { expected, found })
    }
}
