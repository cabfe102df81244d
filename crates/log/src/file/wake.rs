//! Wakes those who wait for records in a thread of their own, through a watch of the file and a slow poll behind it.
//!
//! Nothing depends on the watch but the delay.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Watch;

const POLL_BEHIND_WATCH: Duration = Duration::from_millis(500);
const POLL_WITHOUT_WATCH: Duration = Duration::from_millis(20);

/// The watches of an open log that nobody waits on at the moment. As many are made as threads wait at once; closing one
/// takes the system longer than an append.
#[derive(Debug, Default)]
pub(super) struct Wake {
    idle: Mutex<Vec<Watch>>,
}

impl Wake {
    /// Waits until `is_there` says yes or fails, at most for `timeout`, asking again at each change of `path`.
    pub(super) fn wait_until<E>(
        &self,
        path: &Path,
        timeout: Duration,
        mut is_there: impl FnMut() -> Result<bool, E>,
    ) -> Result<bool, E> {
        let begun = Instant::now();
        if is_there()? {
            return Ok(true);
        }
        let watch = self.idle().pop().or_else(|| Watch::of(path).ok());
        let outcome = loop {
            if let Some(watch) = &watch {
                watch.clear();
            }
            let left = timeout.saturating_sub(begun.elapsed());
            match is_there() {
                Ok(false) if !left.is_zero() => {}
                outcome => break outcome,
            }
            match &watch {
                Some(watch) => watch.wait(left.min(POLL_BEHIND_WATCH)),
                None => std::thread::sleep(left.min(POLL_WITHOUT_WATCH)),
            }
        };
        self.idle().extend(watch);
        outcome
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Watch>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
