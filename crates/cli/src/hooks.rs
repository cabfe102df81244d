//! The hooks of `team.toml`, for the verbs that bring something about.
//!
//! `run` has them from the configuration that it runs.

use agent_team::config::{CONFIG_FILE, Config};
use agent_team::{HOOK_VARIABLE, Hooks, Progress, Reporter, TeamLog, is_called_by_hook};

use crate::exit::Failure;
use crate::output::{self, Output};
use crate::verb::trust;

/// Has the team's hooks asked by what this process does. A verb that a hook started asks none: it would come back to
/// itself for ever.
pub fn set(team_log: &TeamLog, out: &Output) -> Result<(), Failure> {
    let Some(folder) = team_log.folder() else { return Ok(()) };
    let file = folder.workspace().join(CONFIG_FILE);
    if std::env::var_os(HOOK_VARIABLE).is_some() || !file.is_file() {
        return Ok(());
    }
    let config = Config::load(&file).map_err(|error| Failure::usage(error.to_string()))?;
    if config.hooks.is_empty() || is_called_by_hook() {
        return Ok(());
    }
    trust::require(folder, &config)?;
    let environment = config.environment.environment(std::env::vars_os());
    // A view has the terminal to itself; what a hook says no to is told as the answer.
    let (json, is_kept) = (out.is_json(), out.is_kept());
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(text) = progress
            && !is_kept
        {
            output::note(&text, json);
        }
    });
    team_log.set_hooks(Hooks::new(config.hooks, folder, environment, reporter));
    Ok(())
}
