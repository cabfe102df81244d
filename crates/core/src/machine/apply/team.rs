//! The team as a whole: format, policy, runs.

use super::{Meta, Rule};
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::{Run, State};
use crate::record::{FORMAT, FormatRaised, NEWEST_FORMAT, PolicySet, RunEnded, RunStarted};

impl Rule for FormatRaised {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let expected = state.newer_format.unwrap_or(state.format).saturating_add(1);
        if self.version < expected && state.keeps(Safeguard::FormatRises) {
            return Err(Refusal::WrongFormat { expected, found: self.version });
        }
        Ok(())
    }

    fn take_effect(self, state: &mut State, _: &Meta) {
        // What came in a version that is not known may have changed anything: from there on nothing is sure.
        let is_known = self.version == NEWEST_FORMAT && state.newer_format.is_none();
        if !is_known && self.version > FORMAT && state.keeps(Safeguard::NewerFormat) {
            state.newer_format = Some(self.version);
        } else {
            state.format = self.version;
        }
    }
}

impl Rule for PolicySet {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        if self.on == state.policy_revision || !state.keeps(Safeguard::SettingRevision) {
            return Ok(());
        }
        Err(Refusal::SettingChanged { what: "the policy".into() })
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        state.policy = self.policy;
        state.policy_revision = Some(meta.id);
    }
}

impl Rule for RunStarted {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        state.ledger.begin_run();
        state.runs.push(Run {
            id: meta.id,
            process: self.process,
            goal: self.goal,
            rehearsal: self.rehearsal,
            budget: self.budget,
            budgets: self.budgets,
            check: self.check,
            from_ms: meta.at_ms,
            ended: None,
        });
    }
}

impl Rule for RunEnded {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        if let Some(run) = state.runs.iter_mut().rev().find(|run| run.id == self.run) {
            run.ended = Some((self.outcome, meta.at_ms));
        }
    }
}
