//! The process namespace of a confined command, as bubblewrap tells of it: its first process, by which all of it is
//! ended, and the exit code of the command.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe;

use super::held::Held;

/// How long is waited for what bubblewrap has said when it is gone.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What bubblewrap says, one object a line.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Said {
    child_pid: Option<i32>,
    exit_code: Option<i32>,
}

/// A namespace, from its making to its end.
#[derive(Debug)]
pub(super) struct Space {
    said: Lines<BufReader<pipe::Receiver>>,
    first: Option<Arc<Held>>,
    code: Option<i32>,
}

impl Space {
    pub(super) fn new(status: OwnedFd) -> io::Result<Self> {
        let said = BufReader::new(pipe::Receiver::from_owned_fd(status)?).lines();
        Ok(Self { said, first: None, code: None })
    }

    /// Takes in what bubblewrap says, for ever. May be dropped at any time.
    pub(super) async fn listen(&mut self) -> Infallible {
        while self.hear().await {}
        pending().await
    }

    /// Takes in the next line, if there is one.
    async fn hear(&mut self) -> bool {
        let Ok(Some(line)) = self.said.next_line().await else { return false };
        if let Ok(said) = serde_json::from_str::<Said>(&line) {
            if let Some(id) = said.child_pid.and_then(Pid::from_raw) {
                self.first = Held::of(id).map(Arc::new);
            }
            self.code = said.exit_code.or(self.code);
        }
        true
    }

    /// How the command ended, by how bubblewrap did. It exits as a shell does: with 128 and the signal that ended the
    /// command.
    pub(super) async fn status(&mut self, of_bubblewrap: ExitStatus) -> io::Result<ExitStatus> {
        let last = async { while self.hear().await {} };
        let _ = tokio::time::timeout(LAST_WORDS, last).await;
        if of_bubblewrap.code().is_none() {
            return Ok(of_bubblewrap);
        }
        match self.code {
            Some(code @ 129..=159) => Ok(ExitStatus::from_raw(code - 128)),
            Some(code) => Ok(ExitStatus::from_raw(code << 8)),
            None => Err(io::Error::other("bubblewrap could not start it")),
        }
    }

    /// Kills all of it, if it was made.
    pub(super) fn kill(&self) {
        if let Some(first) = &self.first {
            first.kill();
        }
    }

    /// Waits until nothing of it is left.
    pub(super) async fn gone(&self) {
        let Some(first) = self.first.clone() else { return };
        // The first process ends when all others have.
        let _ = tokio::task::spawn_blocking(move || first.wait()).await;
    }
}
