//! `init`: makes a team.

use std::path::PathBuf;

use agent_team::{Error, TeamFolder, git};
use clap::Args;
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::template::{self, Choice, Template};
use crate::verb::trust;

/// The arguments of `init`.
#[derive(Debug, Args)]
#[command(
    about = "Make a team here",
    long_about = "Make a team: the folder `.agent-team` with an empty log. A team that is there already stays as it \
                  is. In a git work tree, git is told to ignore the folder (in .git/info/exclude).\n\nWith \
                  --template, it comes with a team.toml for a purpose, and with what that needs. Such a team rehearses as it \
                  stands; its comments say what to change. No file is ever overwritten: if one is there, nothing is done \
                  (exit code 3).",
    after_help = "Examples:\n  agent-team init\n  agent-team init path/to/project\n  agent-team init --template \
                  list\n  agent-team init --template bug-hunt && agent-team run --yes"
)]
pub struct Init {
    /// The folder that the team works for, made if it is not there; the current one if not said
    dir: Option<PathBuf>,
    /// Begin with a team for a purpose
    #[arg(long, value_name = "NAME")]
    template: Option<Choice>,
}

impl Init {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let template = match self.template {
            Some(Choice::List) => return list(out),
            Some(Choice::One(template)) => Some(template),
            None => None,
        };
        let dir = self.dir.unwrap_or_else(|| global.start().to_owned());
        let dir =
            std::path::absolute(&dir).map_err(|error| Failure::io(&dir.display().to_string(), &error))?;
        if let Some(template) = &template {
            template.must_be_new(&dir)?;
        }
        let folder = TeamFolder::of(&dir);
        let created = !folder.log().is_file();
        Global::open_or_create(&folder)?;
        git::ignore_state_folder(&dir).map_err(Error::from)?;
        if let Some(template) = &template {
            template.write(&dir)?;
            // What it says we said.
            trust::give_to_own(&folder)?;
        }
        let root = folder.root();
        if out.is_json() {
            let files: Vec<&str> = template.iter().flat_map(Template::paths).collect();
            out.json(&json!({ "folder": root, "created": created, "files": files }))?;
            return Ok(Exit::Done);
        } else if created {
            out.line(&format!("Made a team in {}", root.display()))?;
        } else {
            out.line(&format!("There is a team in {} already", root.display()))?;
        }
        if let Some(template) = &template {
            out.line(&format!("Wrote {}", template.paths().collect::<Vec<_>>().join(", ")))?;
            out.line("Read team.toml: its comments say what to change. `agent-team run` rehearses it as it stands.")?;
        }
        Ok(Exit::Done)
    }
}

/// Names the templates.
fn list(out: &mut Output) -> Result<Exit, Failure> {
    if out.is_json() {
        let all = template::ALL.map(|template| json!({ "name": template.name, "about": template.about }));
        out.json(&all)?;
    } else {
        out.table(&template::ALL.map(|template| vec![template.name.into(), template.about.into()]))?;
    }
    Ok(Exit::Done)
}
