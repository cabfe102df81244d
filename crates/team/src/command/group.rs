//! A program in the sandbox of its environment, that leads a process group of its own, so that whatever it started
//! can be ended with it: its namespace where it has one, the group, and those who left it but carry its mark.
//!
//! Knows only processes; what they print or mean is not its concern.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;

use super::Environment;
use super::space::Space;
use super::straggler::{Mark, VARIABLE};
use super::sweeper::Known;
use crate::sandbox::door::Opening;
use crate::sandbox::{Exceeded, Most, Private, SandboxError, started_by};

/// How often a group that was asked to end is looked at.
const POLL: Duration = Duration::from_millis(10);

/// A child process and the group it leads. Dropping it kills what is left of the group.
#[derive(Debug)]
pub struct ProcessGroup {
    /// The leader: the program, or what confines it. Its streams are taken from here by callers that piped them.
    pub leader: Child,
    /// The group's id, which is the leader's process id; `None` once nothing of the group can be left, because the
    /// operating system may give the id to a stranger from then on.
    id: Option<Pid>,
    /// What those carry who left the group.
    mark: Mark,
    /// That whoever is left is ended when this process is killed, where the kernel does not do that.
    known: Option<Known>,
    /// Where the program runs, if it has a process namespace.
    space: Option<Space>,
    /// How much it may use.
    most: Option<Most>,
    /// The folder that it has for itself.
    private: Option<Private>,
    /// What answers at its way out.
    _door: Option<AbortOnDropHandle<()>>,
}

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// It would have been without its sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The operating system cannot start it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ProcessGroup {
    /// Starts a program as the leader of a new group, in the sandbox of its environment. `streams` sets its standard
    /// streams.
    ///
    /// # Errors
    ///
    /// When the sandbox cannot be set up, or the operating system cannot start the program.
    pub fn spawn(
        program: impl AsRef<OsStr>,
        arguments: &[&OsStr],
        folder: &Path,
        environment: &Environment,
        streams: impl FnOnce(&mut Command),
    ) -> Result<Self, SpawnError> {
        let made = environment.sandbox().enclose(program.as_ref(), arguments, folder, environment)?;
        let mark = Mark::new(made.mark);
        let mut command = Command::from(made.command);
        streams(&mut command);
        command.env(VARIABLE, mark.value()).process_group(0).kill_on_drop(true);
        let known = if made.status.is_none() { Known::to_sweeper(&mark) } else { None };
        let leader = command.spawn()?;
        // It holds ends of pipes that only the child shall hold.
        drop(command);
        let id = leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let door = made.door.map(Opening::open).transpose()?;
        let (most, private) = (made.most, made.private);
        let mut group = Self { leader, id, mark, known, space: None, most, private, _door: door };
        group.space = made.status.map(Space::new).transpose()?;
        Ok(group)
    }

    /// Waits until the leader has ended. What it left behind in the group still runs: see [`Self::end`].
    ///
    /// # Errors
    ///
    /// When the operating system cannot tell, or the sandbox was not set up and so nothing was run.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let Some(space) = &mut self.space else { return self.leader.wait().await };
        let ended = tokio::select! {
            biased;
            ended = self.leader.wait() => ended?,
            never = space.listen() => match never {},
        };
        space.status(ended).await
    }

    /// Returns when the program uses more than its sandbox allows, with all that it started; never if it does not.
    pub(crate) async fn exceeded(most: Option<Most>, leader: Option<u32>) -> Exceeded {
        match most {
            Some(most) => most.exceeded(leader).await,
            None => std::future::pending().await,
        }
    }

    /// What the program may use, with all that it starts.
    pub(crate) fn most(&self) -> Option<Most> {
        self.most
    }

    /// Ends the group: asks it with SIGTERM if the leader still runs, gives it `grace`, then kills the rest.
    /// What outlives its leader, or left the group, has nobody to answer to and is killed at once.
    ///
    /// # Errors
    ///
    /// When the leader cannot be waited for.
    pub async fn end(&mut self, grace: Duration) -> io::Result<()> {
        if self.leader.try_wait()?.is_none() {
            self.ask_to_end();
            // Running out of grace is no error: SIGKILL follows in any case.
            let _ = tokio::time::timeout(grace, self.gone()).await;
        }
        self.kill();
        self.leader.wait().await?;
        if let Some(space) = &self.space {
            space.gone().await;
        }
        let (mark, private) = (self.mark.clone(), self.private.take());
        // Looking through all processes blocks for a millisecond or two, and so does deleting files.
        tokio::task::spawn_blocking(move || {
            mark.end_all();
            drop(private);
        })
        .await?;
        (self.id, self.known) = (None, None);
        Ok(())
    }

    /// Waits until the leader and all whom it left behind have ended.
    async fn gone(&mut self) -> io::Result<()> {
        if let Some(space) = &mut self.space {
            tokio::select! {
                biased;
                ended = self.leader.wait() => drop(ended?),
                never = space.listen() => match never {},
            }
            space.gone().await;
            return Ok(());
        }
        self.leader.wait().await?;
        // The others are not our children, so nobody tells us when they end.
        while self.id.is_some_and(|id| test_kill_process_group(id).is_ok()) {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn ask_to_end(&self) {
        if self.space.is_none() {
            return self.signal(Signal::TERM);
        }
        // Bubblewrap itself would be gone before those inside are.
        for process in started_by(self.leader.id()) {
            let _ = kill_process(process, Signal::TERM);
        }
    }

    fn kill(&self) {
        if let Some(space) = &self.space {
            space.kill();
        }
        self.signal(Signal::KILL);
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
        self.kill();
        self.mark.end_all();
    }
}
