//! wip
use crate::{Error, TeamLog};
use agent_team_core::machine::Intent;
pub(crate) fn fence_off(_: &TeamLog, _: &Intent) -> Result<bool, Error> {
    Ok(false)
}
