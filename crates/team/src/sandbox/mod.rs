//! Confines the commands of agents, of checks and of the gate: what they see, change, reach and use up.
//!
//! There are two ways: bubblewrap, which gives a command namespaces of its own, and Landlock with seccomp, where
//! bubblewrap is missing. Both keep the same policy. Nothing here fails open: where a wall cannot be put up, the
//! command is not started. Knows nothing of tasks, agents or git.
mod bubblewrap;
#[cfg(target_os = "linux")]
mod child;
pub(crate) mod door;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod enclosure;
mod hosts;
#[cfg(target_os = "linux")]
mod landlock;
mod policy;
mod private;
mod probe;
#[cfg(target_os = "linux")]
mod seccomp;
mod system;
mod usage;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(not(target_os = "linux"))]
use elsewhere::{child, landlock, seccomp};

pub use door::{Answer, Door, keep};
pub use hosts::{HostRule, NoHost};
pub(crate) use private::{Private, marks_in};
pub(crate) use probe::Found;
pub(crate) use usage::{Exceeded, Most, started_by};

use policy::{Access, Policy};

/// How commands are confined. Cheap to clone.
///
/// ```
/// use agent_team::sandbox::{Sandbox, SandboxChoice};
///
/// let sandbox = Sandbox::default().reading("/srv/data");
/// assert!(!sandbox.is_none());
/// assert!(Sandbox::new(SandboxChoice::None).is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sandbox(Arc<Wishes>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wishes {
    choice: SandboxChoice,
    /// What is to be seen or changed besides what every command sees: by path, as it is written.
    accesses: BTreeMap<PathBuf, Access>,
    /// Where the folders are made that each command has for itself; the system's for temporary files if nothing is
    /// said.
    private: Option<PathBuf>,
    limits: Limits,
    /// The way out, if there is any.
    door: Option<Door>,
    /// Where commands find their home, if it is not to go with each of them.
    home: Option<PathBuf>,
    /// Whether commands cannot change the folder that they work in.
    only_looks: bool,
}

/// Which sandbox is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxChoice {
    /// Bubblewrap if it works here, else Landlock; with neither, nothing is run.
    #[default]
    Auto,
    /// Bubblewrap, or nothing is run.
    Bubblewrap,
    /// Landlock with seccomp, or nothing is run.
    Landlock,
    /// None: commands may do whatever the user may.
    None,
}

/// What confines commands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxKind {
    /// Namespaces, by the program `bwrap`.
    Bubblewrap,
    /// Landlock with seccomp.
    Landlock,
    /// This process is in a sandbox of an agent-team already, and so is all that it starts.
    Around,
    /// Nothing: the user wants none.
    Unconfined,
}

impl std::fmt::Display for SandboxKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Landlock => "landlock",
            Self::Around => "the one around this process",
            Self::Unconfined => "none",
        })
    }
}

/// How much one command may use, with all that it starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most memory, in bytes; three quarters of the machine's if nothing is said.
    pub memory_bytes: Option<u64>,
    /// The most processes; [`PROCESSES`](Self::PROCESSES) if nothing is said.
    pub processes: Option<u32>,
}

impl Limits {
    /// How many processes a command may have if nothing is said.
    pub const PROCESSES: u32 = 1_024;
}

/// Why commands cannot be confined as it is wanted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// There is none on this machine that could be used.
    #[error("there is no sandbox for commands: {}", reasons.join("; "))]
    Unavailable {
        /// What is missing, for each that was tried.
        reasons: Vec<String>,
    },
    /// A wall of it cannot be put up.
    #[error("the sandbox ({kind}) cannot be set up: {reason}")]
    SetUp {
        /// Which one.
        kind: SandboxKind,
        /// What failed.
        reason: String,
    },
}

impl SandboxError {
    /// What can be done about it.
    pub const HINT: &'static str = "install bubblewrap, use a kernel with Landlock (Linux 6.12), or say --no-sandbox: commands may then do \
                                    whatever you may";

    fn set_up(kind: SandboxKind, reason: impl std::fmt::Display) -> Self {
        Self::SetUp { kind, reason: reason.to_string() }
    }
}

impl Sandbox {
    /// The sandbox that is wanted, with nothing to be seen but what every command needs.
    pub fn new(choice: SandboxChoice) -> Self {
        Self(Arc::new(Wishes { choice, ..Wishes::default() }))
    }

    /// Lets commands see a file or folder.
    #[must_use]
    pub fn reading(self, path: impl Into<PathBuf>) -> Self {
        self.with(path.into(), Access::Read)
    }

    /// Lets commands change a file or folder.
    #[must_use]
    pub fn writing(self, path: impl Into<PathBuf>) -> Self {
        self.with(path.into(), Access::Write)
    }

    /// Hides a file or folder, also within one that is seen.
    #[must_use]
    pub fn hiding(self, path: impl Into<PathBuf>) -> Self {
        self.with(path.into(), Access::Hidden)
    }

    /// Sets what a command may use.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        Arc::make_mut(&mut self.0).limits = limits;
        self
    }

    /// Has the folders that each command has for itself made in a folder.
    #[must_use]
    pub(crate) fn private_in(mut self, folder: PathBuf) -> Self {
        Arc::make_mut(&mut self.0).private = Some(folder);
        self
    }

    /// Opens the one way out of it. Landlock can have none: without bubblewrap nothing is run then.
    #[must_use]
    pub fn with_door(mut self, door: Door) -> Self {
        Arc::make_mut(&mut self.0).door = Some(door);
        self
    }

    /// Has commands find their home again in a folder, which must be there.
    #[must_use]
    pub(crate) fn at_home(mut self, folder: &Path) -> Self {
        Arc::make_mut(&mut self.0).home = Some(folder.to_owned());
        self.writing(folder)
    }

    /// Keeps commands from changing the folder that they work in.
    #[must_use]
    pub fn looking(mut self) -> Self {
        Arc::make_mut(&mut self.0).only_looks = true;
        self
    }

    /// Whether commands are not confined, as the user wants it.
    pub fn is_none(&self) -> bool {
        self.0.choice == SandboxChoice::None
    }

    /// What will confine commands. The first call tries it out.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] when what is wanted is not to be had here.
    pub fn kind(&self) -> Result<SandboxKind, SandboxError> {
        self.found().map(|found| found.kind())
    }

    pub(crate) fn found(&self) -> Result<Found, SandboxError> {
        probe::find(self.0.choice, self.0.door.is_some())
    }

    fn with(mut self, path: PathBuf, access: Access) -> Self {
        Arc::make_mut(&mut self.0).accesses.insert(path, access);
        self
    }

    fn policy(&self, folder: &Path, variables: &dyn Fn(&str) -> Option<PathBuf>) -> Policy {
        let mut policy = Policy::of_system(variables);
        for (path, access) in &self.0.accesses {
            policy.set(path, *access);
        }
        policy.work_in(folder, if self.0.only_looks { Access::Read } else { Access::Write });
        policy
    }
}
