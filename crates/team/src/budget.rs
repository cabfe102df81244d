//! What a task or an agent may use, as people write it: in `team.toml`, in a file of tasks, in code. The budget of the team
//! is `config::Budget`.
//!
//! Each has the keys that make sense for it: how often a task may be tried is the task's own, and only a run has a clock.

use std::fmt;
use std::time::Duration;

use agent_team_core::record::Bounds;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::duration;

/// What a task may use with all its parts, whoever does it or reviews it. What is left out has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TaskBudget {
    /// Money, in millionths of a US dollar. Written in dollars: `usd = 5.0`.
    #[serde(
        rename = "usd",
        deserialize_with = "micro_usd",
        serialize_with = "as_usd",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<f64>")]
    pub micro_usd: Option<u64>,
    /// Tokens read and written.
    #[serde(deserialize_with = "tokens", skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Calls to models.
    #[serde(deserialize_with = "counted", skip_serializing_if = "Option::is_none")]
    pub turns: Option<u64>,
    /// Time at work, of all agents together, as in `2h`.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub time: Option<Duration>,
}

impl TaskBudget {
    /// The bounds of the task's account.
    pub fn bounds(self) -> Bounds {
        let Self { micro_usd, tokens, turns, time } = self;
        Bounds { micro_usd, tokens, calls: turns, time_ms: time.map(milliseconds), ..Bounds::default() }
    }

    /// Whether nothing is bounded.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for TaskBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = self.micro_usd.map(|micro| format!("${:.2}", micro as f64 / 1e6));
        let tokens = self.tokens.map(|tokens| format!("{tokens} tokens"));
        let turns = self.turns.map(|turns| format!("{turns} turns"));
        let time = self.time.map(|time| format!("{} at work", duration::format_duration(time)));
        let parts: Vec<String> = [money, tokens, turns, time].into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

/// What an agent may use in all. What is left out has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AgentBudget {
    /// Money, in millionths of a US dollar. Written in dollars: `usd = 5.0`.
    #[serde(rename = "usd", deserialize_with = "micro_usd")]
    #[schemars(with = "Option<f64>")]
    pub micro_usd: Option<u64>,
    /// Tokens read and written.
    #[serde(deserialize_with = "tokens")]
    pub tokens: Option<u64>,
    /// Calls to models.
    #[serde(deserialize_with = "counted")]
    pub turns: Option<u64>,
    /// Attempts at tasks.
    #[serde(deserialize_with = "counted")]
    pub attempts: Option<u64>,
    /// Time at work, as in `8h`.
    #[serde(deserialize_with = "duration::optional::deserialize")]
    #[schemars(with = "Option<String>")]
    pub time: Option<Duration>,
}

impl AgentBudget {
    /// The bounds of the agent's account.
    pub fn bounds(self) -> Bounds {
        let Self { micro_usd, tokens, turns, attempts, time } = self;
        let time_ms = time.map(milliseconds);
        Bounds { micro_usd, tokens, calls: turns, attempts, time_ms, ..Bounds::default() }
    }
}

/// What was said, and what is known where nothing was.
pub(crate) fn said_or(said: Bounds, known: Bounds) -> Bounds {
    Bounds {
        micro_usd: said.micro_usd.or(known.micro_usd),
        tokens: said.tokens.or(known.tokens),
        calls: said.calls.or(known.calls),
        attempts: said.attempts.or(known.attempts),
        time_ms: said.time_ms.or(known.time_ms),
        elapsed_ms: said.elapsed_ms.or(known.elapsed_ms),
    }
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An amount of money, written in dollars.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
pub(crate) fn micro_usd<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let dollars = f64::deserialize(deserializer)?;
    if (1e-6..=1e9).contains(&dollars) {
        return Ok(Some((dollars * 1e6).round() as u64));
    }
    Err(de::Error::custom(
        "a budget is more than 0 US dollars, and at most a billion: leave it out for no bound",
    ))
}

fn as_usd<S: Serializer>(micro_usd: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    micro_usd.map(|micro_usd| micro_usd as f64 / 1e6).serialize(serializer)
}

pub(crate) fn tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match i64::deserialize(deserializer).map(u64::try_from)? {
        Ok(tokens @ 1..) => Ok(Some(tokens)),
        _ => Err(de::Error::custom("a budget is more than 0 tokens: leave it out for no bound")),
    }
}

/// A bound of something that is counted.
pub(crate) fn counted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match i64::deserialize(deserializer).map(u64::try_from)? {
        Ok(count @ 1..) => Ok(Some(count)),
        _ => Err(de::Error::custom("a budget is more than 0: leave it out for no bound")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_written_as_it_is_read() {
        let text = r#"{"usd":0.5,"tokens":7,"turns":3,"time":"1h30m"}"#;
        let budget: TaskBudget = serde_json::from_str(text).unwrap();
        let bounds = Bounds {
            micro_usd: Some(500_000),
            tokens: Some(7),
            calls: Some(3),
            time_ms: Some(5_400_000),
            ..Bounds::default()
        };
        assert_eq!(budget.bounds(), bounds);
        assert_eq!(budget.to_string(), "$0.50, 7 tokens, 3 turns, 1h30m at work");
        assert_eq!(serde_json::to_string(&budget).unwrap(), text);
        assert_eq!(serde_json::to_string(&TaskBudget::default()).unwrap(), "{}");
    }
}
