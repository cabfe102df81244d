//! The one error type of the library: what happened, why, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use agent_team_core::id::{AgentId, BadName};
use agent_team_core::machine::Refusal;
use agent_team_log as log;

use crate::command::CommandError;
use crate::sandbox::SandboxError;

/// Why an operation on a team did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A lawful no: the team's newest state does not allow it. Nothing is broken.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A hook of the user's said no.
    #[error(transparent)]
    Blocked(#[from] crate::hooks::Blocked),
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] BadName),
    /// There is no team here.
    #[error("there is no team in {start} or above it")]
    NoTeam {
        /// Where the search began.
        start: PathBuf,
    },
    /// Another process runs this team.
    #[error("another process runs this team: {holder}")]
    AlreadyRunning {
        /// What is known of that process.
        holder: String,
    },
    /// Another session works under this name.
    #[error("another session works as {agent}")]
    SeatTaken {
        /// The name.
        agent: AgentId,
    },
    /// A command that the team's agents, checks or gate run wants to change the team.
    #[error("a command of an agent, a check or the gate changes nothing in its own team")]
    WithinCommand,
    /// The team is looked at as it was before.
    #[error("this is the team as it was after {records} records: nothing can be changed in it")]
    Past {
        /// How many records there were.
        records: u64,
    },
    /// The log was written by a newer version: it can be read, but not written.
    #[error("the log has format {found}, and this program writes format {known}")]
    NewerFormat {
        /// The log's format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// Every proposal was overtaken by another process; the team is very busy or something is wrong.
    #[error("the command was overtaken {tries} times by other processes")]
    Overtaken {
        /// How often it was decided.
        tries: u32,
    },
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] log::OpenError),
    /// The log cannot be examined.
    #[error(transparent)]
    Examine(#[from] log::ExamineError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] log::ReadError),
    /// The log cannot be written.
    #[error(transparent)]
    Append(#[from] log::AppendError),
    /// What was written is not known to be on disk.
    #[error(transparent)]
    Sync(#[from] log::SyncError),
    /// The turn at the log's end cannot be taken.
    #[error(transparent)]
    Turn(#[from] log::TurnError),
    /// A text cannot be stored.
    #[error(transparent)]
    PutBlob(#[from] log::PutBlobError),
    /// A text cannot be fetched.
    #[error(transparent)]
    GetBlob(#[from] log::GetBlobError),
    /// A record cannot be written.
    #[error(transparent)]
    Encode(#[from] agent_team_core::record::codec::EncodeError),
    /// A process cannot be recognised.
    #[error("process {pid} cannot be watched: {reason}")]
    Process {
        /// Its id.
        pid: u32,
        /// Why not.
        reason: String,
    },
    /// This process cannot announce that it is alive.
    #[error(transparent)]
    Announce(#[from] log::AnnounceError),
    /// The gate does not hold on the untouched target, so it can say nothing about anyone's work.
    #[error("the gate fails on the untouched {target}: {output}")]
    GateRed {
        /// The branch.
        target: String,
        /// What the gate printed.
        output: String,
    },
    /// Git broke, or there is no usable repository.
    #[error(transparent)]
    Git(#[from] crate::git::GitError),
    /// There is no usable repository.
    #[error(transparent)]
    Discover(#[from] crate::git::DiscoverError),
    /// There is no usable target branch.
    #[error(transparent)]
    Target(#[from] crate::git::TargetError),
    /// A pattern of protected files is wrong.
    #[error(transparent)]
    Pattern(#[from] crate::git::PatternError),
    /// Commands cannot be confined here.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A command cannot be run.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// No model is named, and a run has left tasks open, or its goal unproved: a rehearsal would only look as if they were done.
    #[error("no model is named, and {}", left(*open))]
    NoModel {
        /// How many tasks are open; if none is, the goal is not proved.
        open: usize,
        /// The models of the agents that worked for runs, as the command line names them, as far as that is known.
        models: Vec<String>,
        /// Those agents.
        agents: Vec<AgentId>,
    },
    /// The repository asks for what lies beyond the sandbox, and the user has not said that it may have that.
    #[error("this repository asks for what you have not said that you trust: {}", named(wishes))]
    Untrusted {
        /// What it asks for.
        wishes: Vec<crate::trust::Wish>,
    },
    /// Something that the user gave is wrong.
    #[error("{0}")]
    Input(String),
    /// The system refused.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { verb, path: path.to_owned(), source }
    }

    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// What to do next, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.hint(),
            Self::Blocked(_) => Some("the hooks stand in team.toml".into()),
            Self::Sandbox(_) | Self::Command(CommandError::Sandbox(_)) => Some(SandboxError::HINT.into()),
            Self::NoTeam { .. } => Some("`agent-team init` makes one here".into()),
            Self::AlreadyRunning { .. } => Some("wait for it, or end that process".into()),
            Self::GateRed { .. } => Some(
                "mend it first; what is still to be reached belongs into checks, not into the gate".into(),
            ),
            Self::SeatTaken { .. } => Some("choose another name, or end that session".into()),
            Self::Past { .. } => Some("go back to the team as it is now".into()),
            Self::WithinCommand => Some(
                "agents have tools for what they may do; run it yourself, in a shell of your own, or from a hook".into(),
            ),
            Self::NoModel { models, agents, .. } => Some(name_a_model(models, agents)),
            Self::Untrusted { .. } => Some("read it, then say so: agent-team trust".into()),
            Self::NewerFormat { .. } => Some("update agent-team; reading still works".into()),
            Self::Overtaken { .. } => Some("try again; `agent-team doctor` shows what is void".into()),
            Self::Read(log::ReadError::Corrupt { .. }) => Some("`agent-team doctor` lists the damage".into()),
            _ => None,
        }
    }
}

fn named(wishes: &[crate::trust::Wish]) -> String {
    let named: Vec<String> = wishes.iter().map(|wish| format!("{} ({})", wish.what, wish.why)).collect();
    named.join("; ")
}

fn left(open: usize) -> String {
    match open {
        0 => "the goal of the last run is not proved: a rehearsal would do nothing for it".to_owned(),
        1 => "a run has left 1 task open: a rehearsal would do nothing for it".to_owned(),
        _ => format!("a run has left {open} tasks open: a rehearsal would do nothing for them"),
    }
}

/// The command that goes on where a run ended.
fn name_a_model(models: &[String], agents: &[AgentId]) -> String {
    let model = if let [model] = models { model } else { "MODEL" };
    let were = match models {
        [] | [_] => String::new(),
        [..] => format!(" (its models were {})", models.join(", ")),
    };
    let names: Vec<&str> = agents.iter().map(AgentId::as_str).collect();
    format!(
        "go on with `agent-team run --with {model}`{were} and what else the last run was called with, or name a model in \
         team.toml; {} worked for it",
        names.join(", ")
    )
}
