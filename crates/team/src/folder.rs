//! Where a team's files are: the one list of everything on disk.
//!
//! ```text
//! .agent-team/
//!   log.jsonl               the log: the truth                                    (crate agent-team-log)
//!   log.jsonl.lock          the turn at its end                                   (crate agent-team-log)
//!   log.jsonl.synced        how far it is on disk: may go                         (crate agent-team-log)
//!   blobs/                  texts too long for a record, by their hash            (crate agent-team-log)
//!   presence/               who is alive, by locks that die with their process    (crate agent-team-log);
//!                           *.duty: what those are asked outside of tasks         (module `at_duty`)
//!   mcp-token               the bearer token of sessions over HTTP                (the command: `mcp --http`)
//!   cache/                  the snapshot and what was seen of leases: may go      (crate agent-team-log)
//!   attempts/<token>/       transcript.jsonl and command outputs of one attempt   (module `journal`)
//!   private/                homes and temporary files of commands, while they run      (module `sandbox`)
//!   split/                  lists of inputs and smallest inputs of tasks            (module `split`)
//!   hooks/                  what hooks print, while they run: may go               (module `hooks`)
//!   workspaces/, capture/, merge/   clones of the project                         (module `git`)
//! ```

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::ancestry::WITHIN_VARIABLE;
use crate::config::CONFIG_FILE;
use crate::sandbox::Sandbox;

/// The name of the folder that holds a team.
pub const FOLDER: &str = ".agent-team";

/// The name of the list of what the checks of a suite see besides their checkout.
pub const READS: &str = "reads";

/// The folder of one team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamFolder {
    workspace: PathBuf,
}

impl TeamFolder {
    /// The team of a workspace, whether or not it is there.
    pub fn of(workspace: &Path) -> Self {
        Self { workspace: workspace.to_owned() }
    }

    /// The team of the nearest folder that has one, from `start` upwards, as git looks for its repository.
    ///
    /// # Errors
    /// [`Error::NoTeam`] when there is none.
    pub fn find(start: &Path) -> Result<Self, Error> {
        let start = std::path::absolute(start).map_err(|source| Error::io("find", start, source))?;
        let found = start.ancestors().find(|folder| Self::of(folder).log().is_file());
        found.map(Self::of).ok_or_else(|| Error::NoTeam { start: start.clone() })
    }

    /// The team around a command that one of its agents, a check or the gate runs. Its log is not to be seen there,
    /// but the lists of inputs are.
    pub fn around_this_command() -> Option<Self> {
        std::env::var_os(WITHIN_VARIABLE).map(|folder| Self::of(Path::new(&folder)))
    }

    /// Makes the folder, if it is not there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn create(&self) -> Result<(), Error> {
        for folder in [self.root(), self.presence(), self.cache(), self.blobs()] {
            std::fs::create_dir_all(&folder).map_err(|source| Error::io("make", &folder, source))?;
        }
        // The folder may become part of a repository later, in which nobody has told git of it.
        let ignored = self.root().join(".gitignore");
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&ignored) {
            Ok(mut file) => file.write_all(b"*\n").map_err(|source| Error::io("write", &ignored, source)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(source) => Err(Error::io("write", &ignored, source)),
        }
    }

    /// The folder that the team works for: the one that holds `.agent-team`.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// The `.agent-team` folder itself.
    pub fn root(&self) -> PathBuf {
        self.workspace.join(FOLDER)
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.root().join("log.jsonl")
    }

    /// The blobs.
    pub fn blobs(&self) -> PathBuf {
        self.root().join("blobs")
    }

    /// The presence files.
    pub fn presence(&self) -> PathBuf {
        self.root().join("presence")
    }

    /// What may be deleted at any time.
    pub fn cache(&self) -> PathBuf {
        self.root().join("cache")
    }

    /// What belongs to one attempt, by the claim that began it.
    pub fn attempt(&self, token: agent_team_core::id::RecordId) -> PathBuf {
        self.root().join("attempts").join(token.to_string())
    }

    /// What commands leave behind while they run, of one run after the other.
    pub(crate) fn private(&self) -> PathBuf {
        self.root().join("private")
    }

    /// The sandbox for commands that work for this team: its log, its rules and the project's repository are not for
    /// them, but for the lists that checks read, and the inputs of suites that were split.
    pub fn guarded(&self, sandbox: Sandbox) -> Sandbox {
        let of_project = [CONFIG_FILE, ".git"].map(|name| self.workspace.join(name));
        let sandbox = of_project.into_iter().fold(sandbox, Sandbox::hiding);
        let sandbox = self.inputs().into_iter().fold(sandbox, Sandbox::reading);
        sandbox.hiding(self.root()).reading(self.split())
    }

    /// Where the inputs of suites lie, as `split` wrote it down.
    fn inputs(&self) -> Vec<PathBuf> {
        let suites = std::fs::read_dir(self.split()).into_iter().flatten().flatten();
        let lists = suites.filter_map(|suite| std::fs::read_to_string(suite.path().join(READS)).ok());
        lists
            .flat_map(|list| list.lines().map(|line| self.workspace.join(line)).collect::<Vec<_>>())
            .collect()
    }

    /// Lists of inputs and smallest inputs, which the checks of tasks read.
    pub fn split(&self) -> PathBuf {
        self.root().join("split")
    }
}
