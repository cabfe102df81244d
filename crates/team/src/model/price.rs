//! What tokens cost, so that a team can report and bound what it spends.
//!
//! Integers throughout: a price is micro-dollars for a million tokens, a cost is micro-dollars, rounded up. A model
//! that the table does not know has no cost, rather than a wrong one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Usage;

/// The price of a million tokens, in micro-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "WrittenPrice")]
pub struct Price {
    /// For tokens read.
    pub input_microdollars: u64,
    /// For tokens read from the provider's cache.
    pub cached_microdollars: u64,
    /// For tokens read and written to the provider's cache.
    pub cache_write_microdollars: u64,
    /// For tokens written.
    pub output_microdollars: u64,
}

/// Prices by model: those known here, and the user's, which go first.
///
/// A key is a model's name, with its provider (`anthropic:claude-opus-4-5`) or, in the user's table, without. It
/// also fits that name with a date or `latest` behind it; a key that ends in `*` fits every name that begins so.
/// Of several that fit the longest counts.
///
/// ```
/// use agent_team::model::{Prices, Usage};
///
/// let usage = Usage { input_tokens: 1_000_000, ..Usage::default() };
/// let prices = Prices::default();
/// assert_eq!(prices.cost("anthropic:claude-sonnet-4-5-20250929", usage), Some(3_000_000));
/// assert_eq!(prices.cost("ollama:qwen3:8b", usage), Some(0));
/// assert_eq!(prices.cost("openai:a-model-of-tomorrow", usage), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Prices {
    by_model: BTreeMap<String, Price>,
}

/// A price as a user writes it: US dollars for a million tokens.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Price")]
struct WrittenPrice {
    /// For tokens read.
    input: f64,
    /// Without it, tokens from a cache cost what others cost.
    cached: Option<f64>,
    /// Without it, tokens written to a cache cost what others cost.
    cache_write: Option<f64>,
    /// For tokens written.
    output: f64,
}

/// List prices in US dollars for a million tokens (input, from cache, into cache, output), without batch or long-context rates.
/// As LiteLLM's list gave them on 27 November 2026 (`model_prices_and_context_window.json`, release 1.110.2); of models that
/// were withdrawn before, as anthropic.com/pricing, openai.com/api/pricing and ai.google.dev/pricing did at the end of 2025.
const KNOWN: [(&str, f64, f64, f64, f64); 76] = [
    ("anthropic:claude-3-5-haiku", 0.8, 0.08, 1.0, 4.0),
    ("anthropic:claude-3-7-sonnet", 3.0, 0.3, 3.75, 15.0),
    ("anthropic:claude-fable-5", 10.0, 1.0, 12.5, 50.0),
    ("anthropic:claude-fable-5-1", 10.0, 0.25, 12.5, 50.0),
    ("anthropic:claude-haiku-4-5", 1.0, 0.1, 1.25, 5.0),
    ("anthropic:claude-haiku-5-5", 0.1, 0.01, 0.125, 0.5),
    ("anthropic:claude-opus-4", 15.0, 1.5, 18.75, 75.0),
    ("anthropic:claude-opus-4-0", 15.0, 1.5, 18.75, 75.0),
    ("anthropic:claude-opus-4-1", 15.0, 1.5, 18.75, 75.0),
    ("anthropic:claude-opus-4-5", 5.0, 0.5, 6.25, 25.0),
    ("anthropic:claude-opus-4-6", 5.0, 0.5, 6.25, 25.0),
    ("anthropic:claude-opus-4-7", 5.0, 0.5, 6.25, 25.0),
    ("anthropic:claude-opus-4-8", 5.0, 0.5, 6.25, 25.0),
    ("anthropic:claude-opus-5", 5.0, 0.5, 6.25, 25.0),
    ("anthropic:claude-opus-5-5", 4.0, 0.2, 5.0, 20.0),
    ("anthropic:claude-sonnet-4", 3.0, 0.3, 3.75, 15.0),
    ("anthropic:claude-sonnet-4-0", 3.0, 0.3, 3.75, 15.0),
    ("anthropic:claude-sonnet-4-5", 3.0, 0.3, 3.75, 15.0),
    ("anthropic:claude-sonnet-4-6", 3.0, 0.3, 3.75, 15.0),
    ("anthropic:claude-sonnet-5", 2.0, 0.2, 2.5, 10.0),
    ("anthropic:claude-sonnet-5-5", 2.0, 0.1, 2.5, 10.0),
    ("openai:gpt-4.1", 2.0, 0.5, 2.0, 8.0),
    ("openai:gpt-4.1-mini", 0.4, 0.1, 0.4, 1.6),
    ("openai:gpt-4.1-nano", 0.1, 0.025, 0.1, 0.4),
    ("openai:gpt-4o", 2.5, 1.25, 2.5, 10.0),
    ("openai:gpt-4o-mini", 0.15, 0.075, 0.15, 0.6),
    ("openai:gpt-5", 1.25, 0.125, 1.25, 10.0),
    ("openai:gpt-5-codex", 1.25, 0.125, 1.25, 10.0),
    ("openai:gpt-5-mini", 0.25, 0.025, 0.25, 2.0),
    ("openai:gpt-5-nano", 0.05, 0.005, 0.05, 0.4),
    ("openai:gpt-5-pro", 15.0, 15.0, 15.0, 120.0),
    ("openai:gpt-5.1", 1.25, 0.125, 1.25, 10.0),
    ("openai:gpt-5.1-codex", 1.25, 0.125, 1.25, 10.0),
    ("openai:gpt-5.2", 1.75, 0.175, 1.75, 14.0),
    ("openai:gpt-5.2-pro", 21.0, 21.0, 21.0, 168.0),
    ("openai:gpt-5.3-codex", 1.75, 0.175, 1.75, 14.0),
    ("openai:gpt-5.4", 2.5, 0.25, 2.5, 15.0),
    ("openai:gpt-5.4-mini", 0.75, 0.075, 0.75, 4.5),
    ("openai:gpt-5.4-nano", 0.2, 0.02, 0.2, 1.25),
    ("openai:gpt-5.4-pro", 30.0, 30.0, 30.0, 180.0),
    ("openai:gpt-5.5", 5.0, 0.5, 5.0, 30.0),
    ("openai:gpt-5.5-pro", 30.0, 30.0, 30.0, 180.0),
    ("openai:gpt-5.6", 4.0, 0.4, 5.0, 20.0),
    ("openai:gpt-5.6-luna", 0.2, 0.02, 0.25, 1.2),
    ("openai:gpt-5.6-sol", 4.0, 0.4, 5.0, 20.0),
    ("openai:gpt-5.6-terra", 2.0, 0.2, 2.5, 12.0),
    ("openai:gpt-6-astra", 10.0, 1.0, 12.5, 50.0),
    ("openai:gpt-6-luna", 0.1, 0.01, 0.125, 0.5),
    ("openai:gpt-6-sol", 2.0, 0.2, 2.5, 10.0),
    ("openai:gpt-6.1-sol", 2.0, 0.1, 2.5, 10.0),
    ("openai:gpt-6.1-terra", 1.0, 0.05, 1.25, 5.0),
    ("openai:o3", 2.0, 0.5, 2.0, 8.0),
    ("openai:o3-mini", 1.1, 0.55, 1.1, 4.4),
    ("openai:o3-pro", 20.0, 20.0, 20.0, 80.0),
    ("openai:o4-mini", 1.1, 0.275, 1.1, 4.4),
    ("gemini:gemini-2.0-flash", 0.1, 0.025, 0.1, 0.4),
    ("gemini:gemini-2.0-flash-lite", 0.075, 0.075, 0.075, 0.3),
    ("gemini:gemini-2.5-flash", 0.3, 0.03, 0.3, 2.5),
    ("gemini:gemini-2.5-flash-lite", 0.1, 0.01, 0.1, 0.4),
    ("gemini:gemini-2.5-pro", 1.25, 0.125, 1.25, 10.0),
    ("gemini:gemini-3-flash-preview", 0.5, 0.05, 0.5, 3.0),
    ("gemini:gemini-3-pro-preview", 2.0, 0.2, 2.0, 12.0),
    ("gemini:gemini-3.1-flash-lite", 0.25, 0.025, 0.25, 1.5),
    ("gemini:gemini-3.1-pro-preview", 2.0, 0.2, 2.0, 12.0),
    ("gemini:gemini-3.5-flash", 1.5, 0.15, 1.5, 9.0),
    ("gemini:gemini-3.5-flash-lite", 0.3, 0.03, 0.3, 2.5),
    ("gemini:gemini-3.6-flash", 0.75, 0.075, 0.75, 3.75),
    ("gemini:gemini-3.7-flash", 0.75, 0.075, 0.75, 3.75),
    ("gemini:gemini-3.8-flash", 0.75, 0.075, 0.75, 3.75),
    ("gemini:gemini-4-argon", 2.0, 0.1, 2.0, 10.0),
    ("gemini:gemini-4-hydrogen", 1.5, 0.075, 1.5, 7.5),
    ("gemini:gemini-flash-latest", 0.75, 0.075, 0.75, 3.75),
    ("gemini:gemini-flash-lite-latest", 0.3, 0.03, 0.3, 2.5),
    ("gemini:gemini-pro-latest", 2.0, 0.2, 2.0, 12.0),
    // What runs on one's own machine, and what does not run at all.
    ("ollama:*", 0.0, 0.0, 0.0, 0.0),
    ("script", 0.0, 0.0, 0.0, 0.0),
];

impl Prices {
    /// The same with the price of one more model, or another price for one that was known.
    #[must_use]
    pub fn with(mut self, model: impl Into<String>, price: Price) -> Self {
        self.by_model.insert(model.into(), price);
        self
    }

    /// The prices that the user has set, by the names of models or what these begin with.
    pub fn set(&self) -> impl Iterator<Item = (&str, Price)> {
        self.by_model.iter().map(|(name, price)| (name.as_str(), *price))
    }

    /// What `usage` of the model `name` (as [`Model::name`](super::Model::name) gives it) costs, in micro-dollars,
    /// rounded up; `None` if the model's price is not known.
    pub fn cost(&self, name: &str, usage: Usage) -> Option<u64> {
        self.price(name).map(|price| price.cost(usage))
    }

    /// The price of the model `name`, if it is known.
    pub fn price(&self, name: &str) -> Option<Price> {
        let bare = name.split_once(':').map_or(name, |(_, model)| model);
        let users = self.by_model.iter().filter(|(key, _)| fits(key, name) || fits(key, bare));
        let known = || KNOWN.iter().filter(|(key, ..)| fits(key, name)).max_by_key(|(key, ..)| key.len());
        users.max_by_key(|(key, _)| key.len()).map(|(_, price)| *price).or_else(|| {
            known().and_then(|&(_, input, cached, cache_write, output)| {
                let (cached, cache_write) = (Some(cached), Some(cache_write));
                Price::try_from(WrittenPrice { input, cached, cache_write, output }).ok()
            })
        })
    }
}

impl Price {
    /// What `usage` costs, in micro-dollars, rounded up.
    pub fn cost(&self, usage: Usage) -> u64 {
        let cache_tokens = usage.cached_tokens.saturating_add(usage.cache_write_tokens);
        let fresh_tokens = usage.input_tokens.saturating_sub(cache_tokens);
        let parts = [
            (fresh_tokens, self.input_microdollars),
            (usage.cached_tokens, self.cached_microdollars),
            (usage.cache_write_tokens, self.cache_write_microdollars),
            (usage.output_tokens, self.output_microdollars),
        ];
        let for_a_million: u128 =
            parts.into_iter().map(|(tokens, price)| u128::from(tokens) * u128::from(price)).sum();
        u64::try_from(for_a_million.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

impl TryFrom<WrittenPrice> for Price {
    type Error = &'static str;

    fn try_from(written: WrittenPrice) -> Result<Self, Self::Error> {
        Ok(Self {
            input_microdollars: microdollars(written.input)?,
            cached_microdollars: microdollars(written.cached.unwrap_or(written.input))?,
            cache_write_microdollars: microdollars(written.cache_write.unwrap_or(written.input))?,
            output_microdollars: microdollars(written.output)?,
        })
    }
}

/// Whether a price's key means the model `name`.
fn fits(key: &str, name: &str) -> bool {
    if let Some(start) = key.strip_suffix('*') {
        return name.starts_with(start);
    }
    let Some(rest) = name.strip_prefix(key) else {
        return false;
    };
    let dated = |rest: &str| rest.len() >= 6 && rest.chars().all(|c| c.is_ascii_digit() || c == '-');
    rest.is_empty() || rest == "-latest" || rest.strip_prefix(['-', '@']).is_some_and(dated)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
fn microdollars(dollars: f64) -> Result<u64, &'static str> {
    if (0.0..=1e9).contains(&dollars) {
        Ok((dollars * 1e6).round() as u64)
    } else {
        Err("a price is US dollars for a million tokens, from 0 to a billion")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLION: Usage =
        Usage { input_tokens: 1_000_000, cached_tokens: 0, cache_write_tokens: 0, output_tokens: 0 };

    #[test]
    fn cached_tokens_are_part_of_the_input() {
        let usage =
            Usage { input_tokens: 10_000, cached_tokens: 9_000, output_tokens: 500, ..Usage::default() };
        // 1,000 at 3 dollars, 9,000 at 0.30, 500 at 15, for a million each.
        assert_eq!(Prices::default().cost("anthropic:claude-sonnet-4-5", usage), Some(3_000 + 2_700 + 7_500));
    }

    #[test]
    fn writing_anthropics_cache_costs_a_quarter_more() {
        let usage = Usage { input_tokens: 10_000, cache_write_tokens: 8_000, ..Usage::default() };
        assert_eq!(Prices::default().cost("anthropic:claude-haiku-4-5", usage), Some(2_000 + 10_000));
    }

    #[test]
    fn a_fraction_of_a_microdollar_is_rounded_up() {
        let usage = Usage { input_tokens: 1, ..Usage::default() };
        assert_eq!(Prices::default().cost("openai:gpt-5-nano", usage), Some(1));
        assert_eq!(Prices::default().cost("openai:gpt-5-nano", Usage::default()), Some(0));
    }

    #[test]
    fn dated_names_are_known_and_others_are_not_guessed() {
        let cost = |name| Prices::default().cost(name, MILLION);
        assert_eq!(cost("anthropic:claude-opus-4-20250514"), Some(15_000_000));
        assert_eq!(cost("anthropic:claude-opus-4-5-20251101"), Some(5_000_000));
        assert_eq!(cost("openai:gpt-4o-mini-2024-07-18"), Some(150_000));
        assert_eq!(cost("openai:gpt-4o-2024-08-06"), Some(2_500_000));
        assert_eq!(cost("anthropic:claude-opus-4-9"), None);
        assert_eq!(cost("openai:gpt-5-of-tomorrow"), None);
        assert_eq!(cost("openai-compatible:gpt-4o"), None);
        assert_eq!(cost("script"), Some(0));
    }

    #[test]
    fn the_users_prices_go_first_and_the_longest_counts() {
        let price = |dollars| {
            Price::try_from(WrittenPrice { input: dollars, cached: None, cache_write: None, output: 0.0 })
                .unwrap()
        };
        let prices = Prices::default()
            .with("gpt-4o", price(1.0))
            .with("my-*", price(2.0))
            .with("openai-compatible:my-model", price(3.0))
            .with("script", price(4.0));
        let cost = |name| prices.cost(name, MILLION);
        assert_eq!(cost("openai:gpt-4o-2024-08-06"), Some(1_000_000));
        assert_eq!(cost("openai-compatible:my-other"), Some(2_000_000));
        assert_eq!(cost("openai-compatible:my-model"), Some(3_000_000));
        assert_eq!(cost("script"), Some(4_000_000));
    }

    #[test]
    fn prices_are_read_from_a_table() {
        let read = |text| serde_json::from_str::<Prices>(text);
        let prices = read(r#"{"my-model": {"input": 3.0, "output": 15.0}}"#).unwrap();
        let cached = Usage { input_tokens: 1_000_000, cached_tokens: 1_000_000, ..Usage::default() };
        assert_eq!(prices.cost("openai-compatible:my-model", cached), Some(3_000_000));
        for wrong in [r#"{"m": {"input": -1.0, "output": 1.0}}"#, r#"{"m": {"input": 1.0}}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_key_stands_twice_in_the_table() {
        let keys: std::collections::BTreeSet<_> = KNOWN.iter().map(|(key, ..)| key).collect();
        assert_eq!(keys.len(), KNOWN.len());
    }

    #[test]
    fn the_greatest_usage_does_not_overflow() {
        let usage = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX, ..Usage::default() };
        assert_eq!(Prices::default().cost("anthropic:claude-opus-4-1", usage), Some(u64::MAX));
    }
}
