//! What comes from outside the core: the time, and new ids.

use std::time::{SystemTime, UNIX_EPOCH};

use agent_team_core::id::RecordId;

/// The time in milliseconds since 1970 (UTC). No rule reads it.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A new id: UUID version 7, so that ids sort by time.
pub(crate) fn new_id() -> RecordId {
    RecordId(agent_team_log::unique_id().as_u128())
}
