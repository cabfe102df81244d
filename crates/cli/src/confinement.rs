//! The sandbox of the commands that a verb runs: what `team.toml` says of it, and the command line.
//!
//! `run` has it from the configuration that it runs.

use std::env;
use std::path::{Path, PathBuf};

use agent_team::config::{CONFIG_FILE, Config, Confinement};
use agent_team::sandbox::{Sandbox, SandboxChoice};
use agent_team::{AgentId, TaskQueue, TeamFolder, Verifier};
use clap::Args;

use crate::exit::Failure;
use crate::verb::trust;

/// The arguments of verbs that run commands.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Commands {
    /// Run commands without a sandbox: they may then do whatever you may, and every record says so
    #[arg(long)]
    pub no_sandbox: bool,
}

impl Commands {
    /// What the command line says, where it says something else than the file.
    pub fn overrule(self, written: &mut Confinement) {
        if self.no_sandbox {
            written.kind = SandboxChoice::None;
        }
    }

    /// The sandbox for commands that are run beside a team, or where there is none.
    pub fn sandbox(self, team: Option<&TeamFolder>) -> Result<Sandbox, Failure> {
        let mut written = match team {
            Some(folder) => written(folder)?,
            None => Confinement::default(),
        };
        self.overrule(&mut written);
        let base = team.map_or(Path::new("/"), TeamFolder::workspace);
        let (home, this) = (env::var_os("HOME").map(PathBuf::from), env::current_exe().ok());
        let sandbox = written.sandbox(base, home.as_deref(), this.as_deref())?;
        Ok(team.map_or(sandbox.clone(), |folder| folder.guarded(sandbox)))
    }

    /// Who runs the checks of a team, if this process is to do so.
    pub fn verifier(self, queue: &TaskQueue, by: &AgentId) -> Result<Verifier, Failure> {
        let sandbox = self.sandbox(queue.team_log().folder())?;
        Ok(Verifier::new(queue.clone(), by.clone()).confined(sandbox))
    }
}

/// What the file of a team says.
fn written(folder: &TeamFolder) -> Result<Confinement, Failure> {
    let file = folder.workspace().join(CONFIG_FILE);
    if !file.is_file() {
        return Ok(Confinement::default());
    }
    let Config { sandbox, .. } = Config::load(&file).map_err(|error| Failure::usage(error.to_string()))?;
    // Of what else it says nothing is obeyed here.
    trust::require(folder, &Config { sandbox: sandbox.clone(), ..Config::default() })?;
    Ok(sandbox)
}
