//! What a provider's headers say of its limits: how long to wait, and what is used up.
//!
//! Sources: RFC 9110, 10.2.3 (`Retry-After`); Anthropic, "Rate limits", response headers
//! (`anthropic-ratelimit-requests-remaining`, `-reset` as RFC 3339); OpenAI, "Rate limits", "Rate limits in headers"
//! (`x-ratelimit-remaining-requests`, `x-ratelimit-reset-requests` as `1s` or `6m0s`); Google, `google.rpc.RetryInfo`.
//! What cannot be read says nothing.

use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// How long the provider asks to wait after it refused a call.
pub(super) fn retry_after(status: StatusCode, headers: &HeaderMap, json: &Value) -> Option<Duration> {
    let number = |name| text(headers, name)?.parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|wait_ms| wait_ms / 1_000.0).or_else(|| number("retry-after"));
    let asked = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let asked = asked.or_else(|| until_date(headers)).or_else(|| delay_in(json));
    let is_limit = status == StatusCode::TOO_MANY_REQUESTS;
    asked.or_else(|| used_up(headers).filter(|_| is_limit).map(|(wait, _)| wait))
}

/// Of what nothing is left, and how long until there is some again. Of several, the one that takes longest.
pub(super) fn used_up(headers: &HeaderMap) -> Option<(Duration, String)> {
    let waits = headers.keys().filter_map(|name| {
        let name = name.as_str();
        let (what, reset) = match name.strip_prefix("x-ratelimit-remaining-") {
            Some(what) => (what, format!("x-ratelimit-reset-{what}")),
            None => {
                let limit = name.strip_suffix("-remaining")?;
                (limit.strip_prefix("anthropic-ratelimit-")?, format!("{limit}-reset"))
            }
        };
        let is_used_up = text(headers, name)?.parse::<f64>().is_ok_and(|left| left <= 0.0);
        let wait = wait_of(text(headers, &reset)?, headers).filter(|wait| is_used_up && !wait.is_zero())?;
        Some((wait, format!("no {what} are left, says {name}")))
    });
    waits.max()
}

/// A time to wait, or a time until which to wait.
fn wait_of(text: &str, headers: &HeaderMap) -> Option<Duration> {
    if let Ok(until) = text.parse::<Timestamp>() {
        return Some(left(until, headers));
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()
}

/// The time until the date that Retry-After may hold. Proxies in front of providers send one.
fn until_date(headers: &HeaderMap) -> Option<Duration> {
    Some(left(date(headers, "retry-after")?, headers))
}

/// The time until then by the server's clock, if it says what that shows, since ours may show something else.
fn left(until: Timestamp, headers: &HeaderMap) -> Duration {
    let now = date(headers, "date").unwrap_or_else(Timestamp::now);
    // What is over need not be waited for.
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

fn date(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text(headers, name)?).ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

/// Gemini's way of saying it: a detail of the error with `"retryDelay": "13s"`.
pub(super) fn delay_in(json: &Value) -> Option<Duration> {
    let json = json.get(0).unwrap_or(json);
    let details = json.pointer("/error/details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn seconds(lines: &[(&'static str, &str)]) -> Option<f64> {
        used_up(&headers(lines)).map(|(wait, _)| wait.as_secs_f64())
    }

    #[test]
    fn what_is_used_up_is_told_with_the_time_until_there_is_more() {
        for (reset, wait) in [("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("1h2m3s", 3723.0), ("2.5", 2.5)]
        {
            let lines = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", reset)];
            assert_eq!(seconds(&lines), Some(wait), "{reset}");
        }
        let anthropic = [
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "1994-11-06T08:49:40Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "1994-11-06T08:50:07Z"),
        ];
        let (wait, why) = used_up(&headers(&anthropic)).unwrap();
        assert_eq!(wait.as_secs(), 30, "the longer one");
        assert_eq!(why, "no input-tokens are left, says anthropic-ratelimit-input-tokens-remaining");
    }

    #[test]
    fn what_is_left_or_over_or_nonsense_says_nothing() {
        for (left, reset) in
            [("1", "1s"), ("0", "0s"), ("0", "soon"), ("none", "1s"), ("0", "-5s"), ("0", "")]
        {
            let lines = [("x-ratelimit-remaining-requests", left), ("x-ratelimit-reset-requests", reset)];
            assert_eq!(seconds(&lines), None, "{left} {reset}");
        }
        assert_eq!(seconds(&[("x-ratelimit-remaining-requests", "0")]), None);
    }

    #[test]
    fn a_call_that_is_refused_waits_for_what_is_used_up_if_nothing_else_is_said() {
        let lines = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "3s")];
        let of = |status: u16, more: &[(&'static str, &str)]| {
            let all: Vec<_> = lines.iter().chain(more).copied().collect();
            retry_after(StatusCode::from_u16(status).unwrap(), &headers(&all), &Value::Null)
        };
        assert_eq!(of(429, &[]), Some(Duration::from_secs(3)));
        assert_eq!(of(429, &[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(of(500, &[]), None);
    }
}
