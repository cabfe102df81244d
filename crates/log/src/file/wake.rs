//! Wakes those who wait for records, through the system's file notifications and a slow poll behind them.
//!
//! Notifications can be lost or unavailable (too many watches, a file system without them), so nothing depends on
//! them but the delay.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

const POLL_BEHIND_WATCHER: Duration = Duration::from_millis(500);
const POLL_WITHOUT_WATCHER: Duration = Duration::from_millis(20);

/// The one watcher of an open log. It is made when somebody first waits.
#[derive(Debug, Default)]
pub(super) struct Wake {
    changes: Arc<Changes>,
    watcher: OnceLock<Option<RecommendedWatcher>>,
}

/// How often the log's file was seen to change.
#[derive(Debug, Default)]
struct Changes {
    count: Mutex<u64>,
    changed: Condvar,
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
        let poll = if self.watch(path) { POLL_BEHIND_WATCHER } else { POLL_WITHOUT_WATCHER };
        loop {
            // Counted before asking: a change between asking and sleeping is then not slept through.
            let count = self.changes.count();
            if is_there()? {
                return Ok(true);
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            self.changes.wait_beyond(count, left.min(poll));
        }
    }

    fn watch(&self, path: &Path) -> bool {
        self.watcher.get_or_init(|| watcher(path, Arc::clone(&self.changes)).ok()).is_some()
    }
}

impl Changes {
    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_beyond(&self, seen: u64, timeout: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(count, timeout, |count| *count == seen));
    }

    fn add(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }
}

fn watcher(path: &Path, changes: Arc<Changes>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // That somebody opened or read the log is no news; an error may have swallowed some.
        if !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. })) {
            changes.add();
        }
    })?;
    watcher.watch(path, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
