//! Durations as people write them: `500ms`, `90s`, `15m`, `1h30m`. Whole numbers with their unit, nothing guessed.

use std::time::Duration;

/// The units, largest first, each with its length in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no duration: write whole numbers with a unit, largest first, such as 500ms, 90s, 15m, 1h30m or 2d",
        .0.escape_debug())]
pub struct NotADuration(String);

/// Reads a duration.
///
/// A number without its unit is refused: one reader would take it for seconds, another for milliseconds.
///
/// ```
/// use agent_team::parse_duration;
/// use std::time::Duration;
///
/// assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5_400)));
/// assert!(parse_duration("90").is_err());
/// ```
///
/// # Errors
///
/// [`NotADuration`], which says what to write.
pub fn parse_duration(text: &str) -> Result<Duration, NotADuration> {
    milliseconds(text.trim()).map(Duration::from_millis).ok_or_else(|| NotADuration(text.to_owned()))
}

/// Writes a duration so that [`parse_duration`] reads it, in milliseconds at the finest.
///
/// ```
/// use agent_team::format_duration;
/// use std::time::Duration;
///
/// assert_eq!(format_duration(Duration::from_secs(5_400)), "1h30m");
/// ```
pub fn format_duration(duration: Duration) -> String {
    let mut rest_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, length_ms) in UNITS {
        let count = rest_ms / length_ms;
        rest_ms %= length_ms;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn milliseconds(text: &str) -> Option<u64> {
    let mut units = UNITS.iter();
    let mut rest = text;
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, behind) =
            behind.split_at(behind.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(behind.len()));
        // The iterator goes on from the last unit, so that each comes once and in order.
        let (_, length_ms) = units.find(|(name, _)| *name == unit)?;
        total_ms = total_ms.checked_add(number.parse::<u64>().ok()?.checked_mul(*length_ms)?)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(total_ms)
}

/// For serde: a duration that may be missing, as its text. One of no length is refused, as nothing can be done in it.
pub(crate) mod optional {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_str(&super::format_duration(*duration)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        match super::parse_duration(&text) {
            Ok(Duration::ZERO) => {
                Err(de::Error::custom("a time of nothing lets nothing happen: leave it out for no limit"))
            }
            Ok(duration) => Ok(Some(duration)),
            Err(error) => Err(de::Error::custom(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (text, ms) in
            [("500ms", 500), ("90s", 90_000), ("15m", 900_000), ("1h30m", 5_400_000), ("2d", 172_800_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)));
        }
        for text in ["500ms", "1m30s", "15m", "1h30m", "2d", "1d2h3m4s5ms", "0s"] {
            assert_eq!(parse_duration(text).map(format_duration).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        for text in [
            "",
            "90",
            "1.5h",
            "m",
            "-1s",
            "30m1h",
            "1h1h",
            "1 h",
            "1H",
            "99999999999999999999s",
            "9999999999999999h",
        ] {
            let error = parse_duration(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no duration: ")), "{error}");
        }
    }
}
