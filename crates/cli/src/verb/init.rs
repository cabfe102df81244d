//! `init`: makes a team.

use std::path::{Path, PathBuf};

use agent_team::TeamFolder;
use agent_team::git::{DiscoverError, GitProgram, Project};
use clap::Args;
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The arguments of `init`.
#[derive(Debug, Args)]
#[command(
    about = "Make a team here",
    long_about = "Make a team: the folder `.agent-team` with an empty log. A team that is there already stays as it \
                  is. In a git work tree, git is told to ignore the folder (in .git/info/exclude).",
    after_help = "Examples:\n  agent-team init\n  agent-team init path/to/project"
)]
pub struct Init {
    /// The folder that the team works for, made if it is not there; the current one if not said
    dir: Option<PathBuf>,
}

impl Init {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let dir = self.dir.unwrap_or_else(|| global.start().to_owned());
        let dir =
            std::path::absolute(&dir).map_err(|error| Failure::io(&dir.display().to_string(), &error))?;
        let folder = TeamFolder::of(&dir);
        let created = !folder.log().is_file();
        Global::open_or_create(&folder)?;
        exclude_from_git(&dir)?;
        let root = folder.root();
        if out.is_json() {
            out.json(&json!({ "folder": root, "created": created }))?;
        } else if created {
            out.line(&format!("Made a team in {}", root.display()))?;
        } else {
            out.line(&format!("There is a team in {} already", root.display()))?;
        }
        Ok(Exit::Done)
    }
}

/// Tells git to ignore the team's folder, if there is git and a work tree.
fn exclude_from_git(dir: &Path) -> Result<(), Failure> {
    let project = match Project::discover(&GitProgram::from_process_environment(), dir) {
        Ok(project) => project,
        // A team needs no git: without it there is nothing that the folder must be kept out of.
        Err(DiscoverError::Git(_)) | Err(_) => return Ok(()),
    };
    project.exclude_state_folder().map_err(|error| Failure::new(Exit::Broken, error.to_string()))
}
