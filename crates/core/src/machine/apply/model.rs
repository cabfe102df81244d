//! Limits of models only rise: who was told a shorter wait knows less.

use super::{Meta, Rule};
use crate::machine::refusal::Refusal;
use crate::machine::state::{ModelLimit, State};
use crate::record::ModelLimited;

impl Rule for ModelLimited {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Self { model, until_ms, reason } = self;
        if state.limit(&model).is_none_or(|known| known.until_ms < until_ms) {
            state.limits.insert(model, ModelLimit { until_ms, reason, at_ms: meta.at_ms });
        }
    }
}
