//! What a run is told: by its caller, and by a `team.toml`.

use std::path::{Path, PathBuf};

use agent_team::config::Config;
use agent_team::trust::{self, Trust, Wish};
use agent_team::{Surroundings, TeamLog};
use pyo3::prelude::*;
use serde::Deserialize;
use toml::{Table, Value};

use crate::error::{TeamError, hinted, nowhere, raised};

/// What a run is told.
#[derive(Deserialize)]
pub struct Wanted {
    /// What `team.toml` could say, by its caller.
    said: Table,
    /// A `team.toml`.
    file: Option<PathBuf>,
    /// Whether it may call what costs money without a limit.
    yes: bool,
}

/// What comes of it.
pub struct Configured {
    /// All of it: what the caller says goes before what the file says.
    pub config: Config,
    /// What the file says alone: it may be somebody else's.
    file: Option<Config>,
    yes: bool,
}

impl Configured {
    /// # Errors
    /// When the file cannot be read, or what is said cannot be.
    pub fn of(wanted: Wanted) -> PyResult<Self> {
        let Wanted { said, file, yes } = wanted;
        let Some(path) = file else {
            return Ok(Self { config: of_table(&said, Path::new("run()"))?, file: None, yes });
        };
        let wrong = |error: &dyn std::fmt::Display| TeamError::new_err(error.to_string());
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| wrong(&format!("{}: {error}", path.display())))?;
        let file = Config::parse(&text, &path).map_err(|error| wrong(&error))?;
        let mut both: Table = toml::from_str(&text).map_err(|error| wrong(&error))?;
        for (key, value) in said {
            match (both.get_mut(&key), value) {
                // Whoever is added joins those of the file.
                (Some(Value::Array(known)), Value::Array(more)) if key == "agent" => known.extend(more),
                (_, value) => drop(both.insert(key, value)),
            }
        }
        Ok(Self { config: of_table(&both, &path)?, file: Some(file), yes })
    }

    /// Refuses what the file asks for beyond the sandbox unless the user trusts it. A rehearsal calls nothing.
    pub fn trusted(
        &self,
        log: &TeamLog,
        has_own: bool,
        surroundings: &Surroundings,
    ) -> PyResult<Option<Trust>> {
        let trust = Trust::of(&surroundings.variables);
        let (Some(file), Some(folder)) = (&self.file, log.folder()) else { return Ok(trust) };
        if !has_own && !self.config.names_a_model() {
            return Ok(trust);
        }
        let wishes = trust::wishes(folder.workspace(), file).map_err(|error| raised(&error))?;
        if !wishes.is_empty() {
            let known = trust.as_ref().ok_or_else(nowhere)?;
            known.require(&wishes).map_err(|error| raised(&error))?;
        }
        Ok(trust)
    }

    /// Refuses to spend money without a limit that the user knows.
    pub fn agreed(&self, paid: &[String], is_limited: bool, trust: Option<&Trust>) -> PyResult<()> {
        if paid.is_empty() || self.yes {
            return Ok(());
        }
        let budget = &self.config.budget;
        let has_limit = budget.micro_usd.is_some() || budget.tokens.is_some() || budget.turns.is_some();
        if !has_limit && !is_limited {
            let calls = format!("this calls {} without a budget", paid.join(", "));
            let hint = "say how much it may cost: run(budget={\"usd\": 5}); or that it may: run(yes=True)";
            return Err(hinted(calls, hint));
        }
        let by_file = self.file.as_ref().filter(|file| file.budget == *budget && has_limit);
        let Some(file) = by_file else { return Ok(()) };
        let limits = trust::limits(Path::new(""), file).map_err(|error| raised(&error))?;
        let is_unknown = |limit: &&Wish| trust.is_none_or(|trust| !trust.has(limit));
        let unknown: Vec<&str> = limits.iter().filter(is_unknown).map(|limit| limit.what.as_str()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let calls = format!("this calls {} by limits of a file ({})", paid.join(", "), unknown.join(", "));
        let hint =
            "say that you trust them: agent-team trust; or how much it may cost: run(budget={\"usd\": 5})";
        Err(hinted(calls, hint))
    }
}

fn of_table(table: &Table, path: &Path) -> PyResult<Config> {
    let wrong = |error: &dyn std::fmt::Display| TeamError::new_err(error.to_string());
    let text = toml::to_string(table).map_err(|error| wrong(&error))?;
    Config::parse(&text, path).map_err(|error| wrong(&error))
}
