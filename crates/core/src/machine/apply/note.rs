//! The team's memory only grows.

use super::{Meta, Rule};
use crate::machine::refusal::Refusal;
use crate::machine::state::{Note, State};
use crate::record::NoteAdded;

impl Rule for NoteAdded {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Self { agent, text, labels, task } = self;
        state.notes.push(Note { id: meta.id, agent, text, labels, task, at_ms: meta.at_ms });
    }
}
