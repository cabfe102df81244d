//! What holds of every fold, whatever is folded.

use agent_team_core::machine::{Outcome, State};
use agent_team_core::record::{Record, codec};

use crate::invariants;

/// Folds records, once straight and once over a snapshot taken after `cut` of them.
pub struct Fold {
    state: State,
    other: State,
    cut: u64,
}

impl Fold {
    pub fn new(cut: u8) -> Self {
        Self { state: State::new(), other: State::new(), cut: cut.into() }
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Applies a record to both, and its own bytes where it has any to one.
    pub fn apply(&mut self, record: &Record) -> Outcome {
        self.snapshot();
        let read = codec::encode(record).map(|bytes| codec::decode(&bytes).unwrap());
        let outcome = self.state.apply(record.clone());
        assert_eq!(self.other.apply(read.unwrap_or_else(|_| record.clone())), outcome);
        outcome
    }

    /// Counts a line that is no record.
    pub fn skip(&mut self) {
        self.snapshot();
        self.state.skip();
        self.other.skip();
    }

    fn snapshot(&mut self) {
        if self.state.records() == self.cut {
            invariants::check(&self.state);
            self.other = State::from_snapshot(self.other.to_snapshot().unwrap().into()).unwrap();
        }
    }

    /// Both are the same, and what must always hold does.
    pub fn end(self) {
        invariants::check(&self.state);
        assert_eq!(self.other.fingerprint(), self.state.fingerprint());
        assert_eq!(self.other.to_snapshot().unwrap(), self.state.to_snapshot().unwrap());
        assert!(self.other == self.state, "a fold over a snapshot is the straight fold");
    }
}
