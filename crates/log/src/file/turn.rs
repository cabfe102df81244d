//! The turn at the log's end: the operating system's lock on a file beside the log.
//!
//! The lock is on a file of its own, so that nothing a turn does looks like a change of the log to those who
//! watch it. Since the lock belongs to the open file, each turn has an open file to itself, and so excludes the
//! other threads of its process too. The file is close-on-exec, as all that the standard library opens, so no
//! child keeps the lock after its holder's death.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Turn, TurnError};

/// How often it lets others run before it naps.
const YIELDS: u32 = 1;
const NAP_MIN: Duration = Duration::from_micros(50);
const NAP_MAX: Duration = Duration::from_millis(2);

/// The lock file, open and unlocked, while no turn of this handle uses it: opening it anew would cost as much as
/// an append. Should somebody delete it meanwhile, turns exclude fewer writers and records are void more often.
#[derive(Debug, Default)]
pub(super) struct TurnLock {
    idle: Mutex<Option<File>>,
}

impl TurnLock {
    /// Takes the turn at the end of `log`, or gives up after `patience`.
    pub(super) fn take(&self, log: &Path, patience: Duration) -> Result<Option<Turn<'_>>, TurnError> {
        let path = lock_path(log);
        let failed = |source: io::Error| TurnError::Io { path: path.clone(), source };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let file = idle.map_or_else(|| open(&path), Ok).map_err(failed)?;
        let begun = Instant::now();
        let mut yields = 0;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Turn::held_by(Locked { file: Some(file), lock: self }))),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) => {}
            }
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                self.keep(file);
                return Ok(None);
            }
            // Whoever has the turn may only wait for this processor: its append has just woken this process.
            if yields < YIELDS {
                yields += 1;
                thread::yield_now();
                continue;
            }
            // A lock with a timeout does not exist; napping costs less than a thread that blocks in `lock`.
            thread::sleep(nap(begun.elapsed()).min(left));
        }
    }

    fn keep(&self, unlocked: File) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(unlocked);
    }
}

struct Locked<'a> {
    file: Option<File>,
    lock: &'a TurnLock,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // A file that cannot be unlocked is closed, which unlocks it.
        if let Some(file) = self.file.take()
            && file.unlock().is_ok()
        {
            self.lock.keep(file);
        }
    }
}

/// How long one who has waited so long for what others hold sleeps before it looks again: it loses a quarter of the time that
/// it waits, and those who wait long disturb nobody.
pub(super) fn nap(waited: Duration) -> Duration {
    (waited / 4).clamp(NAP_MIN, NAP_MAX)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}

fn lock_path(log: &Path) -> PathBuf {
    let mut name = log.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".lock");
    log.with_file_name(name)
}
