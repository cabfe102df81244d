//! What a program may do when it asks: whatever the agent's folder is for. What it does without asking is for the sandbox.

use super::driver::Access;

/// What a program asks to do, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// To read, to search, or to think.
    Look,
    /// To call a tool of its team: what it may do there is decided there.
    Team,
    /// Anything else: to change files, to run commands, to fetch something.
    Act,
}

impl Wish {
    /// Whether it may.
    pub fn is_allowed(self, access: Access) -> bool {
        access == Access::Work || self != Self::Act
    }
}
