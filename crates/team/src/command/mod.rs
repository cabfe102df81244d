//! One shell command, run to its end: a task's check, the team's gate, or what an agent's `run` tool asks for.
//!
//! The command gets the sandbox of its environment, a process group of its own, a cleared environment, and no input
//! unless there is some for it. What it prints goes to a file, and a [`CutOutput`] keeps what a model or a human
//! wants to read of it. Whatever happens (it ends, it hangs, it is stopped, its caller loses interest), the whole
//! group is ended, and whoever left it by `setsid`. Only a process that has no sandbox, and was also started with
//! another environment, is not found. Knows nothing of tasks, agents or git.
mod capture;
mod clean;
mod cut;
mod environment;
mod group;
mod held;
mod memory;
mod space;
mod straggler;
mod sweeper;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

pub(crate) use clean::clean_line;
pub use cut::{CutLimits, CutOutput, Cutter};
pub(crate) use cut::{grouped, shorten};
pub use environment::Environment;
pub use group::{ProcessGroup, SpawnError};
pub(crate) use memory::in_memory;
pub(crate) use straggler::{VARIABLE as MARK_VARIABLE, end_all, is_among_limits};
pub use sweeper::{sweep, sweep_with};

use crate::sandbox::{Exceeded, SandboxError};
use capture::{Capture, OutputLimits};

/// How long a group may take to end after SIGTERM before SIGKILL follows.
const GRACE: Duration = Duration::from_secs(2);

/// What to run, where, and within which limits.
///
/// ```no_run
/// # async fn example() -> Result<(), agent_team::command::CommandError> {
/// use agent_team::command::CommandSpec;
/// use tokio_util::sync::CancellationToken;
///
/// let gate = CommandSpec::new("cargo test", "/project", "/tmp/gate.txt");
/// let outcome = gate.run(&CancellationToken::new()).await?;
/// println!("{} after {:?}\n{}", outcome.ending, outcome.duration, outcome.output.text);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// The text that `sh -c` is given.
    pub command: String,
    /// The folder it starts in.
    pub folder: PathBuf,
    /// Everything that its environment holds; it inherits nothing else.
    pub environment: Environment,
    /// What it can read on its standard input.
    pub input: Vec<u8>,
    /// How long it may take before its group is ended.
    pub time_limit: Duration,
    /// Where what it prints goes, standard output and standard error as they come. Made anew, with its folder.
    pub output_file: PathBuf,
    /// How much of its output the file keeps: of a longer one the beginning and the last MiB, the rest is counted.
    pub output_kept_bytes: u64,
    /// How many bytes it may print before its group is ended.
    pub output_limit_bytes: u64,
    /// How much of the output [`CommandOutcome::output`] keeps.
    pub cut: CutLimits,
}

impl CommandSpec {
    /// How much of an output is kept if nothing else is said: 64 MiB.
    pub const OUTPUT_KEPT_BYTES: u64 = 64 << 20;

    /// The longest output if nothing else is said: 4 GiB. What prints more will not end by itself.
    pub const OUTPUT_LIMIT_BYTES: u64 = 4 << 30;

    /// The time limit if nothing else is said: ten minutes.
    pub const TIME_LIMIT: Duration = Duration::from_secs(600);

    /// A command with the usual limits and [`Environment::of_this_process`].
    pub fn new(
        command: impl Into<String>,
        folder: impl Into<PathBuf>,
        output_file: impl Into<PathBuf>,
    ) -> Self {
        Self {
            command: command.into(),
            folder: folder.into(),
            environment: Environment::of_this_process(),
            input: Vec::new(),
            time_limit: Self::TIME_LIMIT,
            output_file: output_file.into(),
            output_kept_bytes: Self::OUTPUT_KEPT_BYTES,
            output_limit_bytes: Self::OUTPUT_LIMIT_BYTES,
            cut: CutLimits::default(),
        }
    }

    /// Runs the command until it ends or `stop` is cancelled. Dropping the future kills the command's group.
    ///
    /// # Errors
    ///
    /// When the command cannot be started or its output cannot be kept. A command that fails, hangs or is stopped is
    /// no error but an [`CommandEnding`].
    pub async fn run(&self, stop: &CancellationToken) -> Result<CommandOutcome, CommandError> {
        let started = Instant::now();
        let limits = OutputLimits {
            most_bytes: self.output_limit_bytes,
            kept_bytes: self.output_kept_bytes,
            cut: self.cut,
        };
        let mut capture = Capture::create(&self.output_file, limits, self.environment.secrets())?;
        if stop.is_cancelled() {
            let output = capture.finish()?;
            return Ok(CommandOutcome { ending: CommandEnding::Stopped, duration: Duration::ZERO, output });
        }
        let (mut group, mut pipe) = self.spawn()?;
        let (most, leader) = (group.most(), group.leader.id());
        let ending = tokio::select! {
            biased;
            () = stop.cancelled() => CommandEnding::Stopped,
            exceeded = ProcessGroup::exceeded(most, leader) => exceeded.into(),
            ended = group.wait() => match ended {
                Ok(status) => CommandEnding::of(status),
                Err(source) => return Err(self.not_run(&source, capture, &pipe)),
            },
            over = capture.copy(&mut pipe) => over.map(|()| CommandEnding::OutputLimit)?,
            () = tokio::time::sleep(self.time_limit) => CommandEnding::TimedOut,
        };
        self.end(&mut group, ending.grace(), &mut capture, &mut pipe).await?;
        capture.drain(&pipe)?;
        Ok(CommandOutcome { ending, duration: started.elapsed(), output: capture.finish()? })
    }

    /// Starts `sh` with both its outputs on one pipe, so that their order is kept.
    fn spawn(&self) -> Result<(ProcessGroup, pipe::Receiver), CommandError> {
        let broken = |source| self.broken(source);
        let (reader, writer) = std::io::pipe().map_err(broken)?;
        let input = self.standard_input().map_err(broken)?;
        let output = writer.try_clone().map_err(broken)?;
        let arguments = [OsStr::new("-c"), OsStr::new(&self.command)];
        let group = ProcessGroup::spawn("sh", &arguments, &self.folder, &self.environment, |command| {
            command.stdin(input).stdout(output).stderr(writer);
        });
        let group = group.map_err(|error| CommandError::of(error, &self.command, &self.folder))?;
        let receiver = pipe::Receiver::from_owned_fd(reader.into()).map_err(broken)?;
        Ok((group, receiver))
    }

    fn standard_input(&self) -> std::io::Result<Stdio> {
        if self.input.is_empty() {
            return Ok(Stdio::null());
        }
        Ok(in_memory(&self.input)?.into())
    }

    /// Ends what still runs of the group, and keeps what it says while it goes.
    async fn end(
        &self,
        group: &mut ProcessGroup,
        grace: Duration,
        capture: &mut Capture,
        pipe: &mut pipe::Receiver,
    ) -> Result<(), CommandError> {
        tokio::select! {
            ended = group.end(grace) => ended.map_err(|source| self.broken(source)),
            broken = capture.copy_and_discard(pipe) => broken,
        }
    }

    /// Nothing was run, and what was printed says why.
    fn not_run(&self, source: &std::io::Error, mut capture: Capture, pipe: &pipe::Receiver) -> CommandError {
        let said = capture.drain(pipe).and_then(|()| capture.finish());
        let said = said.map(|output| output.text).unwrap_or_default();
        self.broken(std::io::Error::new(source.kind(), format!("{source}: {}", said.trim_end())))
    }

    fn broken(&self, source: std::io::Error) -> CommandError {
        CommandError::Start { command: self.command.clone(), folder: self.folder.clone(), source }
    }
}

/// How a command ended, and what it printed.
#[derive(Debug, Clone)]
pub struct CommandOutcome {
    /// How it ended.
    pub ending: CommandEnding,
    /// From its start until its group was gone.
    pub duration: Duration,
    /// What is worth reading of its output.
    pub output: CutOutput,
}

impl CommandOutcome {
    /// Whether the command exited with 0.
    pub fn succeeded(&self) -> bool {
        self.ending == CommandEnding::Exited(0)
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandEnding {
    /// By itself, with this exit code.
    Exited(i32),
    /// By a signal that was not ours.
    Killed(i32),
    /// It took longer than its time limit.
    TimedOut,
    /// Its caller's token was cancelled.
    Stopped,
    /// It printed more than its output limit.
    OutputLimit,
    /// It used more memory than its sandbox allows, with all that it started.
    MemoryLimit,
    /// It started more processes than its sandbox allows.
    ProcessLimit,
}

impl From<Exceeded> for CommandEnding {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded {
            Exceeded::Memory => Self::MemoryLimit,
            Exceeded::Processes => Self::ProcessLimit,
        }
    }
}

impl CommandEnding {
    /// How long what still runs may take to end. What uses up the machine has no time for that.
    fn grace(self) -> Duration {
        match self {
            Self::MemoryLimit | Self::ProcessLimit => Duration::ZERO,
            _ => GRACE,
        }
    }

    pub(crate) fn of(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, signal) => Self::Killed(signal.unwrap_or_default()),
        }
    }
}

impl std::fmt::Display for CommandEnding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(formatter, "exit code {code}"),
            Self::Killed(signal) => write!(formatter, "killed by signal {signal}"),
            Self::TimedOut => write!(formatter, "ended: over its time limit"),
            Self::Stopped => write!(formatter, "stopped"),
            Self::OutputLimit => write!(formatter, "ended: over its output limit"),
            Self::MemoryLimit => write!(formatter, "ended: over its memory limit"),
            Self::ProcessLimit => write!(formatter, "ended: over its limit of processes"),
        }
    }
}

/// Why a command could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It would have run without its sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The shell could not be started or waited for.
    #[error("cannot run `{command}` in {}: {source}; see that the folder exists and `sh` is on the PATH", folder.display())]
    Start {
        /// The command's text.
        command: String,
        /// Where it should have run.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// What the command printed could not be read or kept.
    #[error("cannot keep a command's output in {}: {source}; see that the disk has room", path.display())]
    Output {
        /// The output file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl CommandError {
    pub(crate) fn of(error: SpawnError, command: &str, folder: &Path) -> Self {
        match error {
            SpawnError::Sandbox(error) => Self::Sandbox(error),
            SpawnError::Io(source) => {
                Self::Start { command: command.to_owned(), folder: folder.to_owned(), source }
            }
        }
    }

    fn output(path: &Path, source: std::io::Error) -> Self {
        Self::Output { path: path.to_owned(), source }
    }
}
