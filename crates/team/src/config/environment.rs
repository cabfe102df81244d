//! Which variables commands find in their environment, as the user says it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::command::Environment;

/// Variables that commands of agents, checks and gates get besides those that every command has.
///
/// A key, or another variable that a command must not see, cannot be named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Variables {
    /// The names of those that are taken over from where agent-team is started.
    pub pass: Vec<String>,
    /// Those that have this value, whatever is set where agent-team is started.
    pub set: BTreeMap<String, String>,
}

impl Variables {
    /// What commands get of `parent`: what every command does, and what is named here.
    pub fn environment(&self, parent: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
        let parent: BTreeMap<OsString, OsString> = parent.into_iter().collect();
        let passed = self
            .pass
            .iter()
            .filter_map(|name| Some((OsString::from(name), parent.get(OsStr::new(name))?.clone())));
        let set = self.set.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let additions: Vec<_> = passed.chain(set).collect();
        let all = Environment::of_parent(parent);
        additions.into_iter().fold(all, |environment, (name, value)| environment.with(name, value))
    }
}

/// Why a variable of this name cannot reach a command, if it cannot.
pub(super) fn refusal(name: &str) -> Option<String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Some(format!("{name:?} is no name of a variable"));
    }
    (Environment::default().with(name, "") == Environment::default())
        .then(|| format!("commands never see {name}: it belongs to a model's provider or to a claim"))
}
