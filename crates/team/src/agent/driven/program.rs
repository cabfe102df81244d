//! A program that is driven: started in a process group of its own, with what it says on standard error kept for the case that
//! it fails, and ended with all that it has started.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use super::driver::{DriverError, Place};
use crate::command::{CommandEnding, ProcessGroup, SpawnError, clean_line};
use crate::format_duration;

/// How long a program may take until a conversation has begun: some take seconds.
pub(super) const BEGIN_LIMIT: Duration = Duration::from_secs(90);
/// How long it may take to leave off once it is told to.
pub(super) const BREAK_OFF_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to end once it is asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How long a program whose output has ended may take to end itself.
const LAST_GASP: Duration = Duration::from_secs(1);
/// The exit code of a shell that does not find a program (POSIX, "Exit Status for Commands").
const NOT_FOUND: i32 = 127;
/// How much of the end of its standard error is kept, in bytes.
const ERRORS_KEPT: usize = 4 << 10;

/// A program, from its start to its end.
pub(super) struct Program {
    name: String,
    group: ProcessGroup,
    errors: Arc<Mutex<Vec<u8>>>,
    /// Reads them.
    hears: Option<JoinHandle<()>>,
    /// What is wrong with what it prints, once that is known.
    fault: Arc<OnceLock<String>>,
}

impl Program {
    /// Starts a command, by the arguments of which it consists, with pipes to its input and output.
    pub fn start(name: &str, command: &[String], place: &Place) -> Result<Self, DriverError> {
        let Some((program, arguments)) = command.split_first() else {
            let reason = "its command is empty".to_owned();
            return Err(DriverError::Failed { program: name.to_owned(), reason });
        };
        // Where it is started within a sandbox it would be known too late, and not why.
        if let Some(why) = missing(program, place) {
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, why);
            return Err(DriverError::Start { command: command.join(" "), source });
        }
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let started =
            ProcessGroup::spawn(program, &arguments, &place.folder, &place.environment, |command| {
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            });
        let mut group = started.map_err(|error| match error {
            SpawnError::Io(source) => DriverError::Start { command: command.join(" "), source },
            SpawnError::Sandbox(error) => {
                DriverError::Failed { program: name.to_owned(), reason: error.to_string() }
            }
        })?;
        let errors = Arc::<Mutex<Vec<u8>>>::default();
        let pipe = group.leader.stderr.take();
        let hears = pipe.map(|pipe| tokio::spawn(keep_the_end(pipe, errors.clone())));
        Ok(Self { name: name.to_owned(), group, errors, hears, fault: Arc::default() })
    }

    /// Its standard input and output. They can be taken once.
    pub fn streams(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        Some((self.group.leader.stdin.take()?, self.group.leader.stdout.take()?))
    }

    /// Waits until it has ended.
    pub async fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        self.group.wait().await
    }

    /// Where whoever reads what it prints notes that this is no way to talk.
    pub fn fault(&self) -> Arc<OnceLock<String>> {
        self.fault.clone()
    }

    /// Ends it, and gives what went wrong: that it ended by itself, if it did, or else the reason.
    pub async fn broken(&mut self, reason: String) -> DriverError {
        if let Some(fault) = self.fault.get().cloned() {
            self.end().await;
            return DriverError::Failed { program: self.name.clone(), reason: fault };
        }
        let ended = tokio::time::timeout(LAST_GASP, self.group.wait()).await;
        self.end().await;
        let program = self.name.clone();
        match ended {
            Ok(Ok(status)) => {
                // What it wrote last may lie in the pipe still.
                if let Some(hears) = self.hears.take() {
                    let _ = tokio::time::timeout(LAST_GASP, hears).await;
                }
                if status.success() {
                    // It ends when nobody listens to it any more, too: what it said goes before that.
                    return DriverError::Failed { program, reason };
                }
                let how = CommandEnding::of(status).to_string();
                let reason = self.last_words().map_or(how.clone(), |words| format!("{how}: {words}"));
                if status.code() == Some(NOT_FOUND) {
                    let source = std::io::Error::new(std::io::ErrorKind::NotFound, reason);
                    return DriverError::Start { command: program, source };
                }
                DriverError::Ended { program, reason }
            }
            Ok(Err(_)) | Err(_) => DriverError::Failed { program, reason },
        }
    }

    /// Ends it, since no conversation began in time. That it ends once nobody listens says nothing.
    pub async fn silent(&mut self) -> DriverError {
        self.end().await;
        let words = self.last_words().map(|words| format!(": {words}")).unwrap_or_default();
        let reason = format!("it did not answer within {}{words}", format_duration(BEGIN_LIMIT));
        DriverError::Failed { program: self.name.clone(), reason }
    }

    /// Ends it.
    pub async fn end(&mut self) {
        // What cannot be ended now is ended when this is dropped.
        let _ = self.group.end(GRACE).await;
    }

    /// The last line that it wrote to standard error.
    fn last_words(&self) -> Option<String> {
        let kept = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        let lines = text.lines().rev().map(|line| clean_line(line.as_bytes()));
        lines.map(|line| line.trim().to_owned()).find(|line| !line.is_empty())
    }
}

/// Whether a program is there to be started.
pub(super) fn is_found(program: &str, place: &Place) -> bool {
    found(program, place).is_some()
}

fn found(program: &str, place: &Place) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(place.folder.join(program));
    }
    let paths = place.variable("PATH").unwrap_or_default();
    std::env::split_paths(paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Why a program cannot be started, as far as it can be seen.
fn missing(program: &str, place: &Place) -> Option<String> {
    let Some(path) = found(program, place) else {
        return Some("it is in no folder of PATH; see that it is installed".to_owned());
    };
    let sandbox = place.environment.sandbox();
    sandbox.hides_from(&place.folder, &place.environment, &path).then(|| {
        let real = std::fs::canonicalize(&path).unwrap_or(path);
        format!(
            "the sandbox hides {}; name the folder that it is installed in by `[sandbox] read` in team.toml",
            real.display()
        )
    })
}

/// Reads what a program says on standard error, so that it never waits for that, and keeps the end.
async fn keep_the_end(mut pipe: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let surplus = kept.len().saturating_sub(ERRORS_KEPT);
        kept.drain(..surplus);
    }
}
