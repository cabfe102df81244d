//! Records about file reservations: a holder tells the others which files it is about to change.

use serde::{Deserialize, Serialize};

use crate::id::RecordId;

/// The holder of a claim wants files for itself. Void if one of them is reserved under another claim; ends with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesReserved {
    /// The claim.
    pub claim: RecordId,
    /// Files, or folders with a `/` at the end, relative to the project.
    pub paths: Vec<String>,
}

/// The holder needs the files no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesReleased {
    /// The claim.
    pub claim: RecordId,
    /// The same paths; empty for all.
    pub paths: Vec<String>,
}
