//! What is known of a model's limits.

use serde::{Deserialize, Serialize};

/// A model may not be called until then, says its provider; or it may be called again, says somebody. Only adds, and a limit
/// rises until somebody lifts it.
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
    /// Whether somebody lifts what is known of the model's limit: all of it that ends at `until_ms` or before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lifted: bool,
}
