//! Limits of models rise, since who was told a shorter wait knows less; until somebody who knows better lifts them.

use super::{Meta, Rule};
use crate::machine::refusal::Refusal;
use crate::machine::state::{ModelLimit, State};
use crate::record::ModelLimited;

impl Rule for ModelLimited {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Self { model, until_ms, reason, lifted } = self;
        let known_ms = state.limit(&model).map(|known| known.until_ms);
        if lifted {
            // A later one was not known to whoever lifted this one.
            if known_ms.is_some_and(|known_ms| known_ms <= until_ms) {
                state.limits.remove(&model);
            }
        } else if known_ms.is_none_or(|known_ms| known_ms < until_ms) {
            state.limits.insert(model, ModelLimit { until_ms, reason, at_ms: meta.at_ms });
        }
    }
}
