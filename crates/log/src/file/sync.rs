//! Syncing for many threads at once: a sync that begins after an append covers it, whoever asked for it.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::synced::{Named, Synced};
use crate::{SyncError, durable};

/// Runs one sync at a time and lets everyone share the next: the threads of this process, and the [others](Synced).
#[derive(Debug, Default)]
pub(super) struct GroupSync {
    state: Mutex<State>,
    finished: Condvar,
    synced: Synced,
}

#[derive(Debug, Default)]
struct State {
    /// How many syncs have begun, ever; each has a number, from 1.
    begun: u64,
    /// The number of the last that ended well.
    done: u64,
    running: bool,
    /// Final: the system may have marked lost pages as clean, so a later success would prove nothing.
    failed: bool,
}

impl GroupSync {
    /// Whether a sync failed, after which nothing more may be acknowledged.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// Returns once the bytes of `log` before `end`, which is told when a sync begins, are on disk.
    ///
    /// The first one syncs the folder too: the process that made the log may have died before it did. So has any other
    /// process done that has noted that it synced.
    pub(super) fn sync(
        &self,
        log: Named<'_>,
        path: &Path,
        end: impl FnOnce() -> u64,
    ) -> Result<(), SyncError> {
        self.run(|first| {
            self.synced.sync(log, path, end(), || {
                log.file.sync_data()?;
                if first { durable::sync_folder(durable::folder_of(path)) } else { Ok(()) }
            })
        })
    }

    fn run(&self, sync: impl FnOnce(bool) -> std::io::Result<()>) -> Result<(), SyncError> {
        let mut state = self.lock();
        // One that runs already began before this call and may have missed what the caller appended.
        let needed = state.begun + 1;
        while state.running && state.done < needed {
            state = self.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.done >= needed {
            return Ok(());
        }
        if state.failed {
            return Err(SyncError::Failed);
        }
        state.begun += 1;
        state.running = true;
        let number = state.begun;
        drop(state);
        let result = sync(number == 1);
        let mut state = self.lock();
        state.running = false;
        match &result {
            Ok(()) => state.done = number,
            Err(_) => state.failed = true,
        }
        self.finished.notify_all();
        result.map_err(SyncError::Io)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_sync_that_runs_already_is_not_enough_and_the_next_is_shared() {
        const WAITERS: u64 = 8;
        let group = GroupSync::default();
        let (begin, begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let asked = &std::sync::Barrier::new(WAITERS as usize + 1);
        std::thread::scope(|scope| {
            let group = &group;
            scope.spawn(move || {
                group.run(|_| {
                    begin.send(()).unwrap();
                    released.recv().map_err(std::io::Error::other)
                })
            });
            begun.recv().unwrap();
            let waiters: Vec<_> = (0..WAITERS)
                .map(|_| {
                    scope.spawn(move || {
                        asked.wait();
                        group.run(|_| Ok(())).unwrap();
                        assert!(group.lock().done >= 2, "the sync that ran before must not count");
                    })
                })
                .collect();
            asked.wait();
            release.send(()).unwrap();
            for waiter in waiters {
                waiter.join().unwrap();
            }
            let state = group.lock();
            assert_eq!(state.done, state.begun);
            assert!((2..=1 + WAITERS).contains(&state.done), "{} syncs", state.done);
        });
    }

    #[test]
    fn a_failed_sync_is_final() {
        let group = GroupSync::default();
        assert!(matches!(group.run(|_| Err(std::io::ErrorKind::Other.into())), Err(SyncError::Io(_))));
        assert!(group.has_failed());
        assert!(matches!(group.run(|_| Ok(())), Err(SyncError::Failed)));
    }
}
