//! How many calls to one model may be under way, and when: what one process has learned of its limits.
//!
//! Additive increase and multiplicative decrease of the number of calls at once, as by Dah-Ming Chiu and Raj Jain,
//! "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks" (1989): several who
//! share a limit without knowing each other come to share it evenly. As long as no limit was met there is no bound.
//! After a limit one call at a time tries whether it is over.
//!
//! Pure: the time comes in, and nothing waits here.

use crate::format_duration;
use crate::model::{ModelError, ModelErrorKind, RetryPolicy};

/// The longest that nobody calls, in milliseconds. A provider may ask for a day; somebody may have raised the limit
/// meanwhile. A record that asks for more is by a clock that is wrong.
const CLOSED_MS_MAX: u64 = 60 * 60 * 1_000;
/// The longest time over which those who wait for the same moment are spread, in milliseconds.
const SPREAD_MS_MAX: u64 = 5_000;
/// They are spread over this part of the time that they waited.
const SPREAD_PART: u64 = 4;
/// A limit that ends later by less than this part of its length is no news for the team.
const NEWS_PART: u64 = 10;

/// The fewest calls in a row that must find a provider overloaded before it is given up: a machine that slept for an hour
/// has not asked for an hour.
const OVERLOADED_CALLS_MIN: u32 = 3;

/// The calls to one model.
#[derive(Debug, Default)]
pub(super) struct Lane {
    under_way: u32,
    /// How many may be under way at once; no bound as long as no limit was met.
    most: Option<f64>,
    /// When calls may be made again, in milliseconds since 1970; each at its own moment after it.
    opens_ms: u64,
    /// Over how long these moments are spread.
    spread_ms: u64,
    /// Why it is closed.
    reason: String,
    /// Limits met in a row, without an answer in between.
    streak: u32,
    /// When the next call may try whether the limit is over, as long as none was answered.
    next_try_ms: u64,
    /// The time between such tries.
    between_tries_ms: u64,
    /// Counts the limits. Calls that began before one and are refused after it met the same one.
    epoch: u64,
    /// How often a limit was met while none was in force: what prolongs one is not another.
    met: u64,
    /// Since when its provider is overloaded, if it has answered nothing since.
    overload: Option<Overload>,
    /// Why it was given up, and how often: whoever waited for it then waits no longer.
    given_up: (u64, String),
}

/// A provider that says that it is overloaded, whenever it is asked.
#[derive(Debug)]
struct Overload {
    since_ms: u64,
    calls: u32,
}

/// Where a caller stands.
#[derive(Debug, PartialEq)]
pub(super) enum Place {
    /// It may call; the limits known so far are counted by this number.
    Now(u64),
    /// Not before this time, in milliseconds since 1970, unless something changes.
    At {
        at_ms: u64,
        /// Why.
        reason: String,
    },
    /// As soon as a call that is under way is over.
    Behind,
}

impl Lane {
    /// Where a caller stands that is at this fraction of the crowd.
    pub fn place(&self, now_ms: u64, fraction: impl Fn(u64) -> f64) -> Place {
        let moment_ms = self.opens_ms.saturating_add(part(self.spread_ms, fraction(self.epoch)));
        if now_ms < moment_ms {
            return Place::At { at_ms: moment_ms, reason: self.reason.clone() };
        }
        if self.streak > 0 && now_ms < self.next_try_ms {
            return Place::At { at_ms: self.next_try_ms, reason: self.reason.clone() };
        }
        match self.most {
            Some(most) if f64::from(self.under_way) + 1.0 > most => Place::Behind,
            _ => Place::Now(self.epoch),
        }
    }

    /// The same; whoever may call has begun to.
    pub fn enter(&mut self, now_ms: u64, fraction: impl Fn(u64) -> f64) -> Place {
        let place = self.place(now_ms, fraction);
        if matches!(place, Place::Now(_)) {
            self.under_way += 1;
            self.next_try_ms = now_ms.saturating_add(self.between_tries_ms);
        }
        place
    }

    /// The provider gave an answer, and not only another failure.
    pub fn has_answered(&mut self) {
        self.overload = None;
    }

    /// A call was refused. Says why its model is given up, if its provider was overloaded for too long.
    pub fn is_given_up(&mut self, now_ms: u64, error: &ModelError, patience: &RetryPolicy) -> Option<String> {
        // What comes too fast would be answered later.
        if error.kind() != ModelErrorKind::Overloaded {
            return None;
        }
        let overload = self.overload.get_or_insert(Overload { since_ms: now_ms, calls: 0 });
        overload.calls = overload.calls.saturating_add(1);
        let (calls, lasts_ms) = (overload.calls, now_ms.saturating_sub(overload.since_ms));
        if calls < OVERLOADED_CALLS_MIN || lasts_ms < milliseconds(patience.overloaded_for.as_millis()) {
            return None;
        }
        let lasts = format_duration(std::time::Duration::from_secs(lasts_ms / 1_000));
        let why = format!(
            "{error}; it has answered nothing for {lasts}, {calls} calls in a row (`overloaded_for` in team.toml bounds \
             that)"
        );
        self.given_up = (self.given_up.0 + 1, why.clone());
        Some(why)
    }

    /// When calls may be made or tried again, and why not before; `None` if no limit is known that is not over.
    pub fn limit(&self, now_ms: u64) -> Option<(u64, &str)> {
        let is_tried = self.streak > 0;
        let until_ms = if is_tried { self.opens_ms.max(self.next_try_ms) } else { self.opens_ms };
        (is_tried || now_ms < until_ms).then_some((until_ms, self.reason.as_str()))
    }

    /// How many limits were met, each of which ended before the next one began.
    pub fn met(&self) -> u64 {
        self.met
    }

    fn meets(&mut self, now_ms: u64) {
        self.met += u64::from(self.limit(now_ms).is_none());
    }

    /// Why it was closed the last time.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// How often its model was given up, and why it was the last time.
    pub fn given_up(&self) -> (u64, &str) {
        (self.given_up.0, &self.given_up.1)
    }

    /// A call is over.
    pub fn leave(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// A call is being answered. Says whether that shows that a limit is over.
    pub fn is_answered(&mut self, now_ms: u64, epoch: u64) -> bool {
        // One that began before the limit says nothing about it.
        if epoch != self.epoch {
            return false;
        }
        let is_over = self.streak > 0;
        if is_over {
            // Those who waited for this do not all begin at once.
            self.streak = 0;
            self.opens_ms = self.opens_ms.max(now_ms);
        }
        if let Some(most) = &mut self.most {
            *most += 1.0 / *most;
        }
        is_over
    }

    /// A call was refused, since a limit is met. Says until when nobody calls, if that is news for the team.
    pub fn is_refused(
        &mut self,
        now_ms: u64,
        epoch: u64,
        error: &ModelError,
        patience: &RetryPolicy,
    ) -> Option<u64> {
        let asked_ms = error.retry_after().map(|asked| milliseconds(asked.as_millis()));
        let is_same = epoch != self.epoch;
        let reason = words(error);
        if !is_same {
            self.meets(now_ms);
            self.slow(&reason, patience);
            self.streak += 1;
        }
        let doubled_ms = |times: u32| milliseconds(patience.bound(times).as_millis());
        let wait_ms = match asked_ms {
            // Where what it asked for before was too little, more is waited than it asks.
            Some(asked_ms) if self.streak > 1 => asked_ms.max(doubled_ms(self.streak - 1)),
            Some(asked_ms) => asked_ms,
            None if is_same => return None,
            None => doubled_ms(self.streak),
        };
        self.close(now_ms, wait_ms, &reason)
    }

    /// Nobody calls for so long. Says until when, if that is news for the team.
    pub fn close(&mut self, now_ms: u64, wait_ms: u64, reason: &str) -> Option<u64> {
        let (asked_ms, wait_ms) = (wait_ms, wait_ms.min(CLOSED_MS_MAX));
        let until_ms = now_ms.saturating_add(wait_ms);
        if wait_ms == 0 || until_ms <= self.opens_ms {
            return None;
        }
        self.meets(now_ms);
        let is_news = until_ms > self.opens_ms.saturating_add(wait_ms / NEWS_PART);
        self.opens_ms = until_ms;
        self.spread_ms = (wait_ms / SPREAD_PART).min(SPREAD_MS_MAX);
        reason.clone_into(&mut self.reason);
        if asked_ms > wait_ms {
            let words = |ms| format_duration(std::time::Duration::from_millis(ms));
            let (asked, wait) = (words(asked_ms), words(wait_ms));
            self.reason += &format!(" (it asks for {asked}; after {wait} it is tried again)");
        }
        is_news.then_some(until_ms)
    }

    /// Somebody says that the limit is over: it is tried at once, by one call as after every limit.
    pub fn lift(&mut self, now_ms: u64) {
        if self.opens_ms > now_ms || self.streak > 0 {
            self.streak = self.streak.max(1);
            self.opens_ms = self.opens_ms.min(now_ms);
            self.spread_ms = 0;
            self.next_try_ms = now_ms;
        }
    }

    /// Somebody told the team of a limit. What this process told itself is no news to it.
    pub fn hear(&mut self, now_ms: u64, until_ms: u64, reason: &str, patience: &RetryPolicy) {
        let left_ms = until_ms.saturating_sub(now_ms);
        if until_ms <= self.opens_ms || left_ms == 0 || left_ms > CLOSED_MS_MAX {
            return;
        }
        self.meets(now_ms);
        self.slow(reason, patience);
        self.streak = self.streak.max(1);
        self.close(now_ms, left_ms, reason);
    }

    /// A limit that was not known before.
    fn slow(&mut self, reason: &str, patience: &RetryPolicy) {
        self.epoch += 1;
        self.between_tries_ms = milliseconds(patience.first_wait.as_millis());
        reason.clone_into(&mut self.reason);
        // Who has nothing under way is not what is too much, and calls that only try say nothing about how many go.
        if self.under_way > 0 && self.streak == 0 {
            self.most = Some((f64::from(self.under_way) / 2.0).max(1.0));
        }
    }
}

/// The provider's words, or ours if it has none.
pub(super) fn words(error: &ModelError) -> String {
    let said = error.reason();
    if said.is_empty() { error.kind().to_string() } else { said.to_owned() }
}

fn part(whole_ms: u64, fraction: f64) -> u64 {
    std::time::Duration::from_millis(whole_ms)
        .mul_f64(fraction.clamp(0.0, 1.0))
        .as_millis()
        .try_into()
        .unwrap_or(whole_ms)
}

fn milliseconds(milliseconds: u128) -> u64 {
    u64::try_from(milliseconds).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
