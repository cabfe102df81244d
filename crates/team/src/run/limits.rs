//! Limits of providers, said as they begin and when they are over: a team that waits looks like one that hangs.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_team_core::view::LimitView;
use tokio::time::Instant;

use super::Run;
use crate::format_duration;
use crate::outside::now_ms;
use crate::progress::Progress;

/// How long a model takes calls again, at most, before its limit is said to be over: one that is met every few seconds is
/// one limit. A shorter limit is over when it has been for as long as it lasted.
const OVER_AFTER: Duration = Duration::from_secs(10);
/// Where the next try is so much further away than was said at first, in milliseconds, it is said again.
const LONGER_MS: u64 = 60_000;
/// The longest reason that is shown, in characters.
const REASON_CHARS: usize = 300;

/// The limits that were said, by the names of their models.
#[derive(Default)]
pub(super) struct Limits(BTreeMap<String, Limit>);

struct Limit {
    since: Instant,
    /// How long it was said to take to the next try, in milliseconds.
    left_ms: u64,
    /// When it was first seen not to be in force.
    open: Option<Instant>,
}

impl Limit {
    /// When it counts as over, if it is not met again before.
    fn over_at(&self) -> Option<Instant> {
        self.open.map(|open| open + (open - self.since).min(OVER_AFTER))
    }
}

impl Limits {
    /// How long until somebody should look again: that a limit is over wakes nobody.
    pub fn next_look(&self) -> Option<Duration> {
        (!self.0.is_empty()).then_some(super::LOOK)
    }
}

impl Run<'_> {
    /// Says once of each limit that it began, and once that it is over.
    pub(super) fn name_limits(&self, said: &mut Limits) {
        let now = Instant::now();
        let met = self.team.queue.team_log().governor().limits();
        for limit in said.0.values_mut() {
            limit.open.get_or_insert(now);
        }
        for LimitView { model, until_ms, reason } in met {
            let left_ms = until_ms.saturating_sub(now_ms());
            if let Some(known) = said.0.get_mut(&model).filter(|known| left_ms < known.left_ms + LONGER_MS) {
                known.open = None;
                continue;
            }
            let left = format_duration(Duration::from_secs(left_ms.div_ceil(1_000)));
            let reason: String = reason.chars().take(REASON_CHARS).collect();
            let note = format!("LIMITED {model} takes no calls, the next try is in {left}: {reason}");
            self.reporter.report(Progress::Note(note));
            let since = said.0.get(&model).map_or(now, |known| known.since);
            said.0.insert(model, Limit { since, left_ms, open: None });
        }
        said.0.retain(|model, limit| {
            let is_over = limit.over_at().is_some_and(|over| over <= now);
            if is_over {
                self.reporter.report(Progress::Note(format!("{model} takes calls again")));
            }
            !is_over
        });
    }
}
