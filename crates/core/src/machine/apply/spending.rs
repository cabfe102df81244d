//! Money, tokens, turns and time: limits, reservations, settlements.

use super::{Meta, Rule};
use crate::id::TaskId;
use crate::machine::ledger::Limit;
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::State;
use crate::record::{BudgetSet, SpendingReserved, SpendingSettled};

impl Rule for BudgetSet {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let stands = state.ledger.limit(&self.account).revision == self.on;
        if stands || !state.keeps(Safeguard::SettingRevision) {
            return Ok(());
        }
        Err(Refusal::SettingChanged { what: format!("the budget of {}", self.account) })
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let limit = Limit { bounds: self.bounds, revision: Some(meta.id) };
        state.ledger.set_limit(&self.account, limit);
    }
}

impl Rule for SpendingReserved {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        if !state.keeps(Safeguard::Budget) {
            return Ok(());
        }
        state.ledger.fits(&self.agent, &charged(state, self.task.as_ref()), self.upper)
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let tasks = charged(state, self.task.as_ref());
        state.ledger.reserve(meta.id, &self.agent, tasks, self.upper);
    }
}

impl Rule for SpendingSettled {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(self, state: &mut State, _: &Meta) {
        if let Some(reservation) = self.reservation {
            state.ledger.give_back(reservation);
        }
        let tasks = charged(state, self.task.as_ref());
        state.ledger.spend(&self.agent, &tasks, &self.model, self.actual);
    }
}

impl State {
    /// Whether what does not fit into a budget now may fit when the calls that are under way have ended: if they use less
    /// than was set aside for them.
    ///
    /// # Errors
    /// The refusal that stands whatever they use.
    pub fn may_fit_later(&self, wish: &SpendingReserved) -> Result<(), Refusal> {
        self.ledger.fits_once_settled(&wish.agent, &charged(self, wish.task.as_ref()), wish.upper)
    }
}

/// The tasks whose accounts a call touches: the one that it is for, and the delegated ones that it is a part of.
fn charged(state: &State, task: Option<&TaskId>) -> Vec<TaskId> {
    let above = task.and_then(|task| state.tasks.get(task)).map_or(&[][..], |task| &task.above);
    task.into_iter().chain(above).cloned().collect()
}
