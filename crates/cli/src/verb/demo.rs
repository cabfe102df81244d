//! `demo`: a scripted team builds a small real repository, without a key and without a network.

use std::path::PathBuf;

use agent_team::config::{CONFIG_FILE, Config};
use agent_team::demo::{self, Seen};
use agent_team::model::ModelSpec;
use agent_team::{TaskQueue, TeamFolder, TeamLog, With};
use clap::Args;
use serde_json::json;

use super::run::{Consent, run_team};
use crate::again::Again;
use crate::cli::Global;
use crate::confinement::Commands;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::run_shown::Shown;

const LONG_ABOUT: &str = "\
Make a small repository of text tools that are still to be written, and let a team build it: the lead splits the goal, \
four workers write tools at the same time, a reviewer judges, and what passes its check and the gate is merged. One \
first attempt fails its check and is mended; two edits conflict and are resolved.

The words of the models come from a script, so this needs no key and no network, only git and sh. Everything else is \
real: files, commands, tests, commits and merges. With --with a real model does the same.";

const AFTER_HELP: &str = "\
Examples:
  agent-team demo
  agent-team demo --dir /tmp/text-tools
  agent-team demo --with anthropic:claude-sonnet-5-5";

/// The arguments of `demo`.
#[derive(Debug, Args)]
#[command(about = "See a team at work, offline", long_about = LONG_ABOUT, after_help = AFTER_HELP)]
pub struct Demo {
    /// Where to make the repository: a folder that is empty or not there; a new temporary one if not said
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A real model instead of the script
    #[arg(long, value_name = "MODEL")]
    with: Option<With>,
    /// Where the model's provider is found
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    #[command(flatten)]
    commands: Commands,
    /// Do not ask before a model that costs money is called
    #[arg(long, short)]
    yes: bool,
}

impl Demo {
    pub fn run(self, _: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let folder = match self.dir {
            Some(dir) => {
                std::path::absolute(&dir).map_err(|error| Failure::io("the demo's folder", &error))?
            }
            None => new_folder()?,
        };
        demo::create_repository(&folder, std::env::vars_os())
            .map_err(|error| Failure::usage(error.to_string()))?;
        let team = TeamFolder::of(&folder);
        let file = folder.join(CONFIG_FILE);
        let mut config =
            Config::load(&file).map_err(|error| Failure::new(Exit::Broken, error.to_string()))?;
        config.base_url = self.base_url;
        self.commands.overrule(&mut config.sandbox);
        config.with = Some(match self.with {
            Some(model) => model,
            None => ModelSpec::Script(write_script(&team)?).into(),
        });
        if !out.is_json() {
            out.line(&format!("A team builds text tools in {}", folder.display()))?;
            out.flush()?;
        }
        let again = Again::from(Some(&folder))
            .option("with", config.with.as_ref())
            .flag("no-sandbox", self.commands.no_sandbox);
        let consent = match self.yes {
            true => Consent::Given,
            false => Consent::Asked { unsaid: Vec::new(), trusting: String::new() },
        };
        let exit = run_team(&team, &config, &again, &consent, Shown::Lines, out)?;
        let queue = TaskQueue::over(TeamLog::open(&team)?);
        let seen = Seen::of(&queue)?;
        if out.is_json() {
            out.json(&json!({ "folder": folder, "seen": seen }))?;
        } else {
            out.line("")?;
            out.line(&format!(
                "Seen: {} agents at work at once, {} tasks merged, {} failed check mended, {} conflict resolved, {} reviewed",
                seen.at_once, seen.merged, seen.checks_mended, seen.conflicts_resolved, seen.reviewed
            ))?;
            out.line(&format!("Look around:  cd {}", folder.display()))?;
            out.line("  git log --stat; tests/gate; agent-team watch; agent-team web; agent-team report")?;
        }
        Ok(exit)
    }
}

/// A new folder that stays, so that its result can be looked at.
fn new_folder() -> Result<PathBuf, Failure> {
    let parent = std::env::temp_dir();
    let pid = std::process::id();
    let names = (0..).map(|number| parent.join(format!("agent-team-demo-{pid}-{number}")));
    for folder in names.take(100) {
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Failure::io(&folder.display().to_string(), &error)),
        }
    }
    Err(Failure::usage("no folder for the demo could be made: name one with --dir"))
}

/// Puts the script where the team's files are, so that `agent-team run` can go on with it.
fn write_script(team: &TeamFolder) -> Result<PathBuf, Failure> {
    let file = team.root().join("demo.json");
    let written = std::fs::create_dir_all(team.root()).and_then(|()| std::fs::write(&file, demo::SCRIPT));
    written.map_err(|error| Failure::io(&file.display().to_string(), &error))?;
    Ok(file)
}
