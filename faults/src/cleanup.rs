//! What must not be left behind, whatever happens: processes, mounts, folders.
//!
//! Guards take care of it where a part ends or fails. What is here is for the end that runs no guards: the time limit,
//! and Ctrl-C.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

#[derive(Default)]
struct Left {
    processes: BTreeSet<u32>,
    mounts: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    limit: Option<(Instant, String)>,
}

static LEFT: Mutex<Left> = Mutex::new(Left {
    processes: BTreeSet::new(),
    mounts: BTreeSet::new(),
    folders: BTreeSet::new(),
    limit: None,
});

fn left() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process has begun.
pub fn process_began(id: u32) {
    left().processes.insert(id);
}

/// A process has ended and was waited for.
pub fn process_ended(id: u32) {
    left().processes.remove(&id);
}

/// A file system was mounted.
pub fn mounted(path: &Path) {
    left().mounts.insert(path.to_owned());
}

/// Unmounts a file system.
pub fn unmount(path: &Path) {
    let mut command = Command::new("umount");
    command.arg("--lazy").arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // A mount that cannot be undone is told by the folder that cannot be removed.
    let _ = command.status();
    left().mounts.remove(path);
}

/// A folder was made.
pub fn folder_made(path: &Path) {
    left().folders.insert(path.to_owned());
}

/// A folder was removed.
pub fn folder_removed(path: &Path) {
    left().folders.remove(path);
}

/// Until when a part may last, and its name with its seed.
pub fn limit(part: &str, within: Duration) {
    left().limit = Some((Instant::now() + within, part.to_owned()));
}

/// Ends processes, mounts and folders that are still there.
pub fn clean_up() {
    let (processes, mounts, folders) = {
        let left = left();
        (left.processes.clone(), left.mounts.clone(), left.folders.clone())
    };
    for id in processes {
        signal(id, Signal::KILL);
    }
    for mount in mounts {
        unmount(&mount);
    }
    for folder in folders {
        for _ in 0..20 {
            if std::fs::remove_dir_all(&folder).is_ok() || !folder.exists() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Sends a signal to a process that this one has started.
pub fn signal(id: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // One that is gone needs no signal.
        let _ = kill_process(pid, signal);
    }
}

/// Looks after the time limit from a thread of its own, and after Ctrl-C.
pub fn watch() {
    thread::spawn(|| {
        loop {
            thread::sleep(Duration::from_millis(200));
            let over = left().limit.clone().filter(|(until, _)| Instant::now() > *until);
            if let Some((_, part)) = over {
                clean_up();
                println!("ERROR   {part}: it did not end in the time that it is given: something hangs");
                std::process::exit(1);
            }
        }
    });
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        let interrupted = runtime.block_on(async {
            let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok()?;
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = ended.recv() => {}
            }
            Some(())
        });
        if interrupted.is_some() {
            clean_up();
            std::process::exit(130);
        }
    });
}
