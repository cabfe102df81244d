//! Limits of providers, said as they begin and when they are over: a team that waits looks like one that hangs.
//!
//! What prolongs a limit is no other one. Limits that follow each other quickly are said less and less often: a provider that
//! refuses every few seconds for hours fills no screen.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Run;
use crate::agent::Met;
use crate::format_duration;
use crate::outside::now_ms;
use crate::progress::Progress;

/// A limit that begins so soon after the last one that was said follows it quickly.
const SOON: Duration = Duration::from_secs(10);
/// So many that follow each other quickly are all said.
const SAID_AT_ONCE: u32 = 3;
/// After those, the shortest and the longest time from one that is said to the next.
const BETWEEN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// Where the next try is so much further away than was said at first, in milliseconds, it is said again.
const LONGER_MS: u64 = 60_000;
/// The longest reason that is shown, in characters.
const REASON_CHARS: usize = 300;

/// What was said of limits, by the names of their models.
#[derive(Default)]
pub(super) struct Limits {
    said: BTreeMap<String, Said>,
    /// How long until somebody should look again, in milliseconds: that a limit is over wakes nobody.
    next_look_ms: Option<u64>,
}

/// What was said of the limits of one model.
struct Said {
    /// Its number, as the governor counts.
    number: u64,
    /// When it was said that it began.
    at: Instant,
    /// How long it was said to take to the next try, in milliseconds.
    left_ms: u64,
    /// When it was said to be over, if it was.
    over: Option<Instant>,
    /// How many before it followed each other quickly.
    quick: u32,
}

impl Said {
    /// Whether the last word was that it began.
    fn is_in_force(&self) -> bool {
        self.over.is_none()
    }

    /// How many followed each other quickly before one that begins now.
    fn quick(&self, now: Instant) -> u32 {
        let pause = now.saturating_duration_since(self.over.unwrap_or(now));
        if pause > SOON.max(self.between()) { 0 } else { self.quick + 1 }
    }

    /// The time that passes until another one is said.
    fn between(&self) -> Duration {
        let [shortest, longest] = BETWEEN;
        match (self.quick + 1).checked_sub(SAID_AT_ONCE) {
            None => Duration::ZERO,
            Some(more) => (shortest * 2_u32.saturating_pow(more)).min(longest),
        }
    }

    /// Whether another one that lasts so long is worth a line now.
    fn allows(&self, now: Instant, left_ms: u64) -> bool {
        let between = self.between();
        now.saturating_duration_since(self.at) >= between || Duration::from_millis(left_ms) >= between
    }
}

impl Limits {
    /// How long until somebody should look again.
    pub fn next_look(&self) -> Option<Duration> {
        let soonest = Duration::from_millis(10);
        self.next_look_ms.map(|ms| Duration::from_millis(ms).clamp(soonest, super::LOOK))
    }

    /// What is to be said now of the limits that a model met.
    fn news(&mut self, now: Instant, now_ms: u64, met: Met) -> Vec<String> {
        let Met { model, times, in_force } = met;
        let left_ms = in_force.as_ref().map(|limit| limit.until_ms.saturating_sub(now_ms));
        // Whoever tries whether it is over says so.
        let next_look_ms = left_ms.map(|left_ms| if left_ms == 0 { u64::MAX } else { left_ms });
        self.next_look_ms = self.next_look_ms.into_iter().chain(next_look_ms).min();

        let known = self.said.get(&model);
        let quick = |left_ms| match known {
            None => Some(0),
            Some(known) if known.is_in_force() && known.number == times => {
                (left_ms >= known.left_ms + LONGER_MS).then_some(known.quick)
            }
            Some(known) => known.allows(now, left_ms).then(|| known.quick(now)),
        };
        let begins = left_ms.and_then(|left_ms| {
            Some(Said { number: times, at: now, left_ms, over: None, quick: quick(left_ms)? })
        });
        // Between two that are not told apart there is nothing to be said.
        let is_over = known.is_some_and(|known| {
            known.is_in_force() && (in_force.is_none() || (known.number != times && begins.is_some()))
        });

        let mut news = Vec::new();
        if is_over && let Some(known) = self.said.get_mut(&model) {
            known.over = Some(now);
            news.push(format!("{model} takes calls again"));
        }
        if let (Some(limit), Some(begins)) = (in_force, begins) {
            let left = format_duration(Duration::from_secs(begins.left_ms.div_ceil(1_000)));
            let reason: String = limit.reason.chars().take(REASON_CHARS).collect();
            news.push(format!("LIMITED {model} takes no calls, the next try is in {left}: {reason}"));
            self.said.insert(model, begins);
        }
        news
    }
}

impl Run<'_> {
    /// Says once of each limit that it began, and once that it is over.
    pub(super) fn name_limits(&self, said: &mut Limits) {
        said.next_look_ms = None;
        for met in self.team.queue.team_log().governor().met() {
            let news = said.news(Instant::now(), now_ms(), met);
            news.into_iter().for_each(|note| self.reporter.report(Progress::Note(note)));
        }
    }
}

#[cfg(test)]
mod tests {
    use agent_team_core::view::LimitView;

    use super::*;

    /// A run that looks at the limits of one model.
    struct Watcher {
        limits: Limits,
        begun: Instant,
        times: u64,
    }

    impl Watcher {
        fn new() -> Self {
            Self { limits: Limits::default(), begun: Instant::now(), times: 0 }
        }

        /// What is said at a time, in milliseconds, of a limit that holds until then.
        fn sees(&mut self, at_ms: u64, until_ms: Option<u64>) -> Vec<String> {
            let limit = |until_ms| LimitView { model: "m".into(), until_ms, reason: "slow down".into() };
            let met = Met { model: "m".into(), times: self.times, in_force: until_ms.map(limit) };
            self.limits.news(self.begun + Duration::from_millis(at_ms), at_ms, met)
        }

        /// Lines about a limit that begins and ends at these times.
        fn meets(&mut self, from_ms: u64, until_ms: u64) -> usize {
            self.times += 1;
            self.sees(from_ms, Some(until_ms)).len() + self.sees(until_ms, None).len()
        }
    }

    #[test]
    fn each_limit_is_said_once_as_it_begins_and_once_when_it_is_over() {
        let mut watcher = Watcher::new();
        watcher.times = 1;
        let began = "LIMITED m takes no calls, the next try is in 1s: slow down";
        assert_eq!(watcher.sees(0, Some(500)), [began]);
        for at_ms in 1..10 {
            assert_eq!(watcher.sees(at_ms * 100, Some(at_ms * 100 + 500)), [""; 0], "it is prolonged");
        }
        assert_eq!(watcher.sees(1_400, None), ["m takes calls again"]);
        assert_eq!(watcher.sees(1_500, None), [""; 0]);
        assert_eq!(watcher.meets(1_600, 1_700), 2, "the second one, soon after");
        assert_eq!(watcher.meets(60_000, 61_000), 2);
        watcher.times += 1;
        assert_eq!(watcher.sees(62_000, Some(63_000)).len(), 1);
        watcher.times += 1;
        assert_eq!(watcher.sees(63_000, Some(64_000)).len(), 2, "one that began between two looks");
    }

    #[test]
    fn a_limit_that_is_longer_than_was_said_is_said_again() {
        let mut watcher = Watcher::new();
        watcher.times = 1;
        assert_eq!(watcher.sees(0, Some(1_000)).len(), 1);
        assert_eq!(watcher.sees(900, Some(3_600_000)).len(), 1);
        assert_eq!(watcher.sees(3_600_000, None).len(), 1);
    }

    #[test]
    fn a_storm_of_short_limits_fills_no_screen_and_a_long_one_is_said_in_it() {
        let mut watcher = Watcher::new();
        // Ten minutes in which one call of five is refused.
        let said: usize = (0..6_000).map(|number| watcher.meets(number * 100, number * 100 + 80)).sum();
        assert!((8..=40).contains(&said), "{said} lines");
        assert_eq!(watcher.meets(600_000, 4_200_000), 2);
        assert_eq!(watcher.meets(8_000_000, 8_000_080), 2, "after a pause it is as at first");
    }
}
