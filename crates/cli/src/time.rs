//! Times and durations as people write and read them. Decides nothing: no rule of a team reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Reads a duration: `500ms`, `90s`, `15m`, `2h`, or several of them as in `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a duration like 500ms, 90s, 15m, 2h or 1h30m".to_owned();
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

/// The same where a time of nothing would let nothing happen.
pub fn some_time(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        time if milliseconds(time) == 0 => {
            Err("a time of nothing lets nothing happen: leave it out for no limit".into())
        }
        time => Ok(time),
    }
}

/// A duration in whole milliseconds.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A time in milliseconds since 1970, as the clock on the wall shows it: `2026-11-23 10:15:27`.
pub fn local(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|at_ms| Timestamp::from_millisecond(at_ms).ok());
    let Some(at) = at else { return format!("{at_ms} ms") };
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long ago a time in milliseconds since 1970 was: `3m ago`.
pub fn ago(at_ms: u64) -> String {
    format!("{} ago", short(now_ms().saturating_sub(at_ms)))
}

/// How long it is until a time in milliseconds since 1970; `None` if that has passed.
pub fn left(until_ms: u64) -> Option<String> {
    until_ms.checked_sub(now_ms()).filter(|left_ms| *left_ms > 0).map(short)
}

fn now_ms() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A length of time in its largest unit.
pub fn short(length_ms: u64) -> String {
    match length_ms / 1_000 {
        0 => format!("{length_ms}ms"),
        seconds @ 1..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_only() {
        for (text, ms) in
            [("500ms", 500), ("90s", 90_000), ("15m", 900_000), ("2h", 7_200_000), ("1h30m", 5_400_000)]
        {
            assert_eq!(parse_duration(text).map(milliseconds), Ok(ms), "{text}");
        }
        for text in ["", "90", "s", "-5s", "5 bananas"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!(
            [999, 1_000, 119_000, 180_000, 7_200_000, 172_800_000].map(short),
            ["999ms", "1s", "119s", "3m", "2h", "2d"]
        );
    }
}
