//! This program as other processes: the workers of a measurement, which say when they are ready and what they saw.
//!
//! A peer begins when it is told to, so that starting it is not measured. It ends with the one who started it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::idle::Waiting;
use crate::{claims, floors, hops, idle, merge, model};

/// What this program does as another process.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub enum Part {
    /// Claims and completes tasks until there are none or time is over.
    #[command(hide = true)]
    ClaimTasks { folder: PathBuf, agent: String, durability: DurabilityName, limit_ms: u64 },
    /// The same with the least code that could do it.
    #[command(hide = true)]
    ClaimRaw(floors::RawClaims),
    /// Appends and syncs.
    #[command(hide = true)]
    SyncRaw(floors::RawSyncs),
    /// Waits for a task, claims it, completes it, over and over.
    #[command(hide = true)]
    AwaitTasks { folder: PathBuf },
    /// Waits for messages.
    #[command(hide = true)]
    AwaitMessages { folder: PathBuf },
    /// Waits for a file to grow.
    #[command(hide = true)]
    AwaitBytes { file: PathBuf },
    /// Has agents that wait for what never comes.
    #[command(hide = true)]
    WaitIdly { folder: PathBuf, waiting: Waiting, agents: usize },
    /// Is a provider of models.
    #[command(hide = true)]
    ServeModel,
    /// Does the tasks of a project, and leaves what is to be merged.
    #[command(hide = true)]
    FinishBranches { project: PathBuf, tasks: usize },
    /// Merges what was left.
    #[command(hide = true)]
    MergeBranches { project: PathBuf, gate: merge::Gate },
}

/// A durability, as it is said to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityName {
    Process,
    Power,
}

impl DurabilityName {
    /// As the library has it.
    pub fn durability(self) -> agent_team::Durability {
        match self {
            Self::Process => agent_team::Durability::Process,
            Self::Power => agent_team::Durability::Power,
        }
    }

    /// As it is said to a peer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Power => "power",
        }
    }
}

impl Part {
    /// Plays it until told to end.
    pub fn play(self) -> Result<()> {
        match self {
            Self::ClaimTasks { folder, agent, durability, limit_ms } => {
                claims::play(&folder, &agent, durability, limit_ms)
            }
            Self::ClaimRaw(raw) => raw.play(),
            Self::SyncRaw(raw) => raw.play(),
            Self::AwaitTasks { folder } => hops::await_tasks(&folder),
            Self::AwaitMessages { folder } => hops::await_messages(&folder),
            Self::AwaitBytes { file } => hops::await_bytes(&file),
            Self::WaitIdly { folder, waiting, agents } => idle::play(&folder, waiting, agents),
            Self::ServeModel => model::serve(),
            Self::FinishBranches { project, tasks } => merge::finish(&project, tasks),
            Self::MergeBranches { project, gate } => merge::merge(&project, gate),
        }
    }
}

/// Another process of this program.
pub struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a peer with the arguments of its part, and waits until it is ready.
    pub fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env_clear();
        Self::start_by(command, arguments)
    }

    /// The same by a command that has its environment already.
    pub fn start_by<S: AsRef<OsStr>>(
        mut command: Command,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("a peer without pipes");
        };
        let mut peer = Self { child, input, output: BufReader::new(output) };
        let first = peer.hear()?;
        if first != "ready" {
            bail!("a peer said `{first}` and not that it is ready");
        }
        Ok(peer)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says a line to it.
    pub fn say(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}")?;
        Ok(self.input.flush()?)
    }

    /// Hears a line from it.
    pub fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("a peer ended before its time: {}", self.child.wait()?);
        }
        Ok(line.trim_end().to_owned())
    }

    /// Hears a value from it.
    pub fn hear_value<T: DeserializeOwned>(&mut self) -> Result<T> {
        let line = self.hear()?;
        serde_json::from_str(&line).with_context(|| format!("a peer said `{line}`"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing stays.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says, as a peer, that it may begin, and waits for it.
pub fn ready() -> Result<()> {
    tell("ready")?;
    await_line()?.context("nobody told this peer to begin")?;
    Ok(())
}

/// Says a line, as a peer.
pub fn tell(line: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

/// Says a value, as a peer.
pub fn tell_value(value: &impl Serialize) -> Result<()> {
    tell(&serde_json::to_string(value)?)
}

/// Waits for a line, as a peer; `None` when there will be none.
pub fn await_line() -> Result<Option<String>> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end().to_owned()))
}
