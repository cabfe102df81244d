//! wip
use agent_team_core::machine::Intent;
use crate::{Error, TeamLog};
pub(crate) fn fence_off(_: &TeamLog, _: &Intent) -> Result<bool, Error> { Ok(false) }
