//! The turn at the log's end: the operating system's lock on a file beside the log.
//!
//! The lock is on a file of its own, since opening the log would wake everyone who watches it, and each turn
//! opens it anew, since the lock belongs to the open file: so it excludes other threads as well as other processes.
//! It is close-on-exec (as all that the standard library opens), so no child keeps it after its holder's death.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Turn, TurnError};

const NAP_MIN: Duration = Duration::from_micros(50);
const NAP_MAX: Duration = Duration::from_millis(2);

/// Takes the turn at the end of `log`, or gives up after `patience`.
pub(super) fn take(log: &Path, patience: Duration) -> Result<Option<Turn<'static>>, TurnError> {
    let path = lock_path(log);
    let failed = |source: io::Error| TurnError::Io { path: path.clone(), source };
    let lock = open(&path).map_err(failed)?;
    let begun = Instant::now();
    let mut nap = NAP_MIN;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(Turn::held_by(lock))),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Err(TryLockError::WouldBlock) => {}
        }
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        // A lock with a timeout does not exist; napping costs less than a thread that blocks in `lock`.
        thread::sleep(nap.min(left));
        nap = (nap * 2).min(NAP_MAX);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}

fn lock_path(log: &Path) -> PathBuf {
    let mut name = log.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".lock");
    log.with_file_name(name)
}
