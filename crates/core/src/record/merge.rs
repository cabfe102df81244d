//! Records of the merge queue.
//!
//! The target moves in git, not in the log, so a merge is written twice: what is intended before the ref moves, and
//! what came of it. Whoever ends a claim with an intent first moves the fence ref in git, and names the intent here.

use serde::{Deserialize, Serialize};

use crate::id::RecordId;
use crate::text::Text;

/// The merger is about to move the target. Names its claim; its own id is the intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeIntended {
    /// The claim on the merging stage.
    pub claim: RecordId,
    /// The commit that was tested.
    pub commit: String,
    /// The target's tip that it was tested on.
    pub old_tip: String,
    /// The branch that will move.
    pub branch: String,
}

/// The target holds the work. Names the intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The intent.
    pub intent: RecordId,
}

/// Why work was not merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCause {
    /// It does not fit onto the target.
    Conflict,
    /// The task's check does not hold on what would be merged.
    Check,
    /// The gate does not hold on what would be merged.
    Gate,
    /// The user's hook says no to what would be merged.
    Hook,
}

/// The work cannot be merged as it is: it goes back to its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRefused {
    /// The claim on the merging stage.
    pub claim: RecordId,
    /// Why.
    pub cause: RefusalCause,
    /// The output, for the author.
    pub output: Text,
    /// The merge intent that was fenced off before, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<RecordId>,
}
