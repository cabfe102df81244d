//! What is known of a model's limits.

use serde::{Deserialize, Serialize};

/// A model may not be called until then, says its provider. Only adds, and a limit only rises.
///
/// Providers limit by model (see docs/models.md), so that is what is named, and not the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLimited {
    /// The model, as spending names it: `anthropic:claude-opus-4-5`.
    pub model: String,
    /// When it may be called again by its writer's clock, in milliseconds since 1970 (UTC).
    pub until_ms: u64,
    /// Why, in the provider's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
