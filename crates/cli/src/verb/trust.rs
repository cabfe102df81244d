//! `trust`: says that a repository may have what it asks for beyond the sandbox.

use std::path::{Path, PathBuf};

use agent_team::config::{CONFIG_FILE, Config};
use agent_team::trust::{self, Trust as Trusted, Wish};
use agent_team::{TeamFolder, is_called_by_hook};
use clap::Args;
use serde_json::json;

use crate::approve::{forget_what_was_typed, somebody_is_there};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

const LONG_ABOUT: &str = "\
Say that this repository may have what it asks for beyond the sandbox: hooks, which run as you, the files that they run, more than a \
command sees by itself ([sandbox] read, write and hosts, or none), variables of your environment, another address for your keys; and \
the settings that it holds for coding agents (.claude, .mcp.json, .codex, .env, …).

Nothing of that is obeyed before: `run` refuses it, hooks are not asked, and driven agents do not see such settings. What you trust is \
what is there now. Whatever changes is shown to you again.";

/// The arguments of `trust`.
#[derive(Debug, Args)]
#[command(
    about = "Say that this repository may have what it asks for beyond the sandbox",
    long_about = LONG_ABOUT,
    after_help = "Examples:\n  agent-team trust            see what it asks for, and say yes or no\n  agent-team trust --list\n  \
                  agent-team trust --revoke"
)]
pub struct Trust {
    /// Ask nothing: trust all that is there now
    #[arg(long, short, conflicts_with_all = ["list", "revoke"])]
    yes: bool,
    /// Only show what it asks for
    #[arg(long, conflicts_with = "revoke")]
    list: bool,
    /// Trust none of it any more
    #[arg(long)]
    revoke: bool,
    /// The configuration; team.toml in the team's folder if not said
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Trust {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        if is_called_by_hook() {
            return Err(Failure::refused("a hook cannot say what you trust"));
        }
        let folder = super::run::folder(global)?;
        let file = self.config.clone().unwrap_or_else(|| folder.workspace().join(CONFIG_FILE));
        let config = match self.config.is_some() || file.is_file() {
            true => Config::load(&file).map_err(|error| Failure::usage(error.to_string()))?,
            false => Config::default(),
        };
        let wishes = of_repository(folder.workspace(), &config)?;
        let trusted = trusted()?;
        let new: Vec<Wish> = wishes.iter().filter(|wish| !trusted.has(wish)).cloned().collect();
        if self.revoke {
            trusted.take_back(&wishes)?;
        } else if !self.list && !new.is_empty() {
            if !self.yes {
                agreed(&new, out)?;
            }
            trusted.give(&new)?;
        }
        self.tell(&wishes, &trusted, out)?;
        Ok(Exit::Done)
    }

    fn tell(&self, wishes: &[Wish], trusted: &Trusted, out: &mut Output) -> Result<(), Failure> {
        if out.is_json() {
            let of =
                |wish: &Wish| json!({ "what": wish.what, "why": wish.why, "trusted": trusted.has(wish) });
            out.json(&wishes.iter().map(of).collect::<Vec<_>>())?;
        } else if wishes.is_empty() {
            out.line("this repository asks for nothing beyond the sandbox")?;
        } else if self.list || self.yes || self.revoke {
            let mark = |wish: &Wish| if trusted.has(wish) { "trusted" } else { "not trusted" };
            let row = |wish: &Wish| vec![mark(wish).into(), wish.what.clone().into(), wish.why.into()];
            out.table(&wishes.iter().map(row).collect::<Vec<_>>())?;
        } else {
            out.line("trusted, as it is now")?;
        }
        Ok(())
    }
}

/// Asks whether wishes may be trusted.
fn agreed(new: &[Wish], out: &mut Output) -> Result<(), Failure> {
    if out.is_json() || !somebody_is_there() {
        let named: Vec<&str> = new.iter().map(|wish| wish.what.as_str()).collect();
        return Err(Failure::usage(format!(
            "there is no terminal to ask whether you trust {}",
            named.join(", ")
        ))
        .hint("see what it is: agent-team trust --list; then say so: agent-team trust --yes"));
    }
    out.line("This repository asks for what lies beyond the sandbox:")?;
    out.table(
        &new.iter().map(|wish| vec![format!("  {}", wish.what).into(), wish.why.into()]).collect::<Vec<_>>(),
    )?;
    // Before the question.
    out.flush()?;
    forget_what_was_typed();
    eprint!("Have you read it, and do you trust it as it is? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Failure::io("standard input", &error))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Interrupted, "nothing more is trusted than before")),
    }
}

/// All that the repository in a folder asks for.
fn of_repository(folder: &Path, config: &Config) -> Result<Vec<Wish>, Failure> {
    let mut wishes = trust::wishes(folder, config)?;
    wishes.extend(trust::limits(folder, config)?);
    wishes.extend(trust::settings(folder, folder)?.into_iter().map(|(_, wish)| wish));
    Ok(wishes)
}

/// Trusts what a file asks for that this program has written itself.
pub fn give_to_own(folder: &TeamFolder) -> Result<(), Failure> {
    let config = Config::load(&folder.workspace().join(CONFIG_FILE));
    let config = config.map_err(|error| Failure::usage(error.to_string()))?;
    let mut wishes = trust::wishes(folder.workspace(), &config)?;
    wishes.extend(trust::limits(folder.workspace(), &config)?);
    remember(&wishes)
}

/// What the user trusts.
fn trusted() -> Result<Trusted, Failure> {
    let variables: Vec<_> = std::env::vars_os().collect();
    Trusted::of(&variables).ok_or_else(|| {
        Failure::usage("there is no place to remember what you trust").hint("set HOME, or XDG_STATE_HOME")
    })
}

/// Remembers that the user trusts this.
pub fn remember(wishes: &[Wish]) -> Result<(), Failure> {
    if wishes.is_empty() { Ok(()) } else { Ok(trusted()?.give(wishes)?) }
}

/// The limits of a configuration that the user has not said that they may be spent.
pub fn unknown_limits(folder: &TeamFolder, config: &Config) -> Result<Vec<Wish>, Failure> {
    let limits = trust::limits(folder.workspace(), config)?;
    let known = trusted().ok();
    Ok(limits.into_iter().filter(|limit| known.as_ref().is_none_or(|known| !known.has(limit))).collect())
}

/// Refuses what a configuration asks for unless the user trusts it.
pub fn require(folder: &TeamFolder, config: &Config) -> Result<(), Failure> {
    let wishes = trust::wishes(folder.workspace(), config)?;
    if wishes.is_empty() {
        return Ok(());
    }
    Ok(trusted()?.require(&wishes)?)
}
