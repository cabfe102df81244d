//! What somebody has said to an agent, read or not.

use super::{MessageBus, role};
use crate::{AgentId, AgentMessage, Error};

impl MessageBus {
    /// What one has said to another since then, in milliseconds since 1970, oldest first, read or not.
    pub(crate) fn said(
        &self,
        from: &AgentId,
        to: &AgentId,
        since_ms: u64,
    ) -> Result<Vec<AgentMessage>, Error> {
        self.whole(self.team_log.look(|state| {
            let all = state.messages().since(0, to, role(state, to));
            all.filter(|message| message.from == *from && message.at_ms >= since_ms).cloned().collect()
        })?)
    }
}
