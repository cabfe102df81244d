//! Sums of tokens: programs tell what they used since they began, or since they told it last.

use crate::model::Usage;

/// Both together.
pub(super) fn plus(one: Usage, other: Usage) -> Usage {
    by(u64::saturating_add, one, other)
}

/// What came to a sum since.
pub(super) fn minus(sum: Usage, before: Usage) -> Usage {
    by(u64::saturating_sub, sum, before)
}

fn by(count: fn(u64, u64) -> u64, one: Usage, other: Usage) -> Usage {
    Usage {
        input_tokens: count(one.input_tokens, other.input_tokens),
        cached_tokens: count(one.cached_tokens, other.cached_tokens),
        cache_write_tokens: count(one.cache_write_tokens, other.cache_write_tokens),
        output_tokens: count(one.output_tokens, other.output_tokens),
    }
}
