//! Follows a log that other processes write, for those who wait in this one.
//!
//! On a tokio runtime this is one task that the system's notifications wake directly; elsewhere, or where the system
//! has none, a thread. It holds nothing of the team log while it waits, so that this process's presence ends with the
//! last one who needs it.

use std::io::{self, ErrorKind};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use agent_team_log::Watch;
use tokio::net::unix::pipe;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::team_log::{Shared, TeamLog};

/// How long to wait at most before looking although the system did not notify: a watch can end unnoticed.
const POLL_BEHIND_WATCH: Duration = Duration::from_secs(5);
/// How long a thread without a watch of its own waits before it looks whether it is still needed.
const POLL: Duration = Duration::from_secs(1);

/// What follows the log of a process, if something does.
#[derive(Default)]
pub(crate) struct Follower {
    is_there: AtomicBool,
    task: std::sync::Mutex<Option<AbortHandle>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Follower {
    /// Makes sure that somebody follows. A follower ends with the runtime that it was begun on; those who wait are
    /// called then, and whoever waits on begins another.
    pub fn ensure(&self, shared: &Weak<Shared>, watch: impl FnOnce() -> Option<Watch>) {
        if self.is_there.swap(true, Ordering::AcqRel) {
            return;
        }
        let over = Over(shared.clone());
        let watch = Handle::try_current().ok().and_then(|_| watch());
        // Notifications come through a descriptor that is read like a pipe.
        match watch.and_then(|watch| pipe::Receiver::from_owned_fd_unchecked(watch.into()).ok()) {
            Some(watch) => {
                let task = tokio::spawn(follow_on_runtime(over, watch)).abort_handle();
                *self.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(task);
            }
            None => {
                let name = "agent-team-follow".to_owned();
                // Without the thread, news come with the next look of this process only.
                let _ = thread::Builder::new().name(name).spawn(move || follow_in_thread(&over));
            }
        }
    }
}

/// Says that nobody follows any more when this is dropped, however that comes.
struct Over(Weak<Shared>);

impl Drop for Over {
    fn drop(&mut self) {
        if let Some(team_log) = self.0.upgrade().map(TeamLog) {
            team_log.follower().is_there.store(false, Ordering::Release);
            team_log.waiters().call_all();
        }
    }
}

async fn follow_on_runtime(over: Over, watch: pipe::Receiver) {
    // Whether notified or not, what counts is what the log says.
    while look(&over.0) {
        if let Ok(Err(_)) = tokio::time::timeout(POLL_BEHIND_WATCH, notified(&watch)).await {
            return;
        }
    }
}

/// Waits for a notification. It is read before anybody looks, so that a change in between is not slept through; those
/// that are left are found the next time.
pub(crate) async fn notified(watch: &pipe::Receiver) -> io::Result<()> {
    let mut notifications = [0; 1024];
    loop {
        watch.readable().await?;
        match watch.try_read(&mut notifications) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read.map(|_| ()),
        }
    }
}

fn follow_in_thread(over: &Over) {
    while let Some((log, position)) = over.0.upgrade().map(|shared| TeamLog(shared).place()) {
        // What is broken is told to whoever looks or submits next.
        if log.wait(position, POLL).is_err() {
            thread::sleep(POLL);
        }
        drop(log);
        if !look(&over.0) {
            return;
        }
    }
}

/// Applies what came. Says whether anybody still has the team log.
fn look(shared: &Weak<Shared>) -> bool {
    let Some(team_log) = shared.upgrade().map(TeamLog) else { return false };
    if team_log.look(|_| ()).is_err() {
        // What is broken is told to whoever looks.
        team_log.waiters().call_all();
    }
    true
}
