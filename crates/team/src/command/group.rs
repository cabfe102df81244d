//! A child that leads a process group of its own, so that whatever it started can be ended with it: the group, and
//! those who left it but carry its mark.
//!
//! Knows only processes; what they print or mean is not its concern.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};

use super::straggler::{Mark, VARIABLE};

/// How often a group that was asked to end is looked at.
const POLL: Duration = Duration::from_millis(10);

/// A child process and the group it leads. Dropping it kills what is left of the group.
#[derive(Debug)]
pub struct ProcessGroup {
    /// The leader. Its streams are taken from here by callers that piped them.
    pub leader: Child,
    /// The group's id, which is the leader's process id; `None` once nothing of the group can be left, because the
    /// operating system may give the id to a stranger from then on.
    id: Option<Pid>,
    /// What those carry who left the group.
    mark: Mark,
}

impl ProcessGroup {
    /// Starts `command` as the leader of a new group.
    ///
    /// # Errors
    ///
    /// When the operating system cannot start it.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mark = Mark::new();
        let leader = command.env(VARIABLE, mark.value()).process_group(0).kill_on_drop(true).spawn()?;
        let id = leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { leader, id, mark })
    }

    /// Waits until the leader has ended. What it left behind in the group still runs: see [`Self::end`].
    ///
    /// # Errors
    ///
    /// When the operating system cannot tell.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.leader.wait().await
    }

    /// Ends the group: asks it with SIGTERM if the leader still runs, gives it `grace`, then kills the rest.
    /// What outlives its leader, or left the group, has nobody to answer to and is killed at once.
    ///
    /// # Errors
    ///
    /// When the leader cannot be waited for.
    pub async fn end(&mut self, grace: Duration) -> io::Result<()> {
        if self.leader.try_wait()?.is_none() {
            self.signal(Signal::TERM);
            // Running out of grace is no error: SIGKILL follows in any case.
            let _ = tokio::time::timeout(grace, self.gone()).await;
        }
        self.signal(Signal::KILL);
        self.leader.wait().await?;
        let mark = self.mark.clone();
        // Looking through all processes blocks for a millisecond or two.
        tokio::task::spawn_blocking(move || mark.end_all()).await?;
        self.id = None;
        Ok(())
    }

    /// Waits until the leader and all whom it left behind have ended.
    async fn gone(&mut self) -> io::Result<()> {
        self.leader.wait().await?;
        // The others are not our children, so nobody tells us when they end.
        while self.id.is_some_and(|id| test_kill_process_group(id).is_ok()) {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // The only failure that can occur is that the group is gone already.
            let _ = kill_process_group(id, signal);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if self.id.is_none() {
            return;
        }
        self.signal(Signal::KILL);
        self.mark.end_all();
    }
}
