//! File reservations.

use super::claim::holder;
use super::{Meta, Rule};
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::State;
use crate::record::{FilesReleased, FilesReserved};

impl Rule for FilesReserved {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        state.live_claim(self.claim)?;
        match state.files.check(self.claim, &self.paths) {
            Err(Refusal::FileReserved { .. }) if !state.keeps(Safeguard::FileOverlap) => Ok(()),
            Err(Refusal::BadPath { .. }) if !state.keeps(Safeguard::FilePath) => Ok(()),
            verdict => verdict,
        }
    }

    fn take_effect(self, state: &mut State, _: &Meta) {
        if let Some((_, agent)) = holder(state, self.claim) {
            state.files.reserve(self.claim, &agent, &self.paths);
        }
    }
}

impl Rule for FilesReleased {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        state.live_claim(self.claim).map(|_| ())
    }

    fn take_effect(self, state: &mut State, _: &Meta) {
        state.files.release(self.claim, &self.paths);
    }
}
