//! What surrounds a command: the variables that it sees, which are few and never a key, and its sandbox.
//!
//! A command's text may come from a model, and its output goes to one; so a key that it could print is a key lost.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use crate::Secrets;
use crate::sandbox::Sandbox;

/// The variables that are taken over from the parent, with what stands for one that is missing there.
const INHERITED: [(&str, Option<&str>); 4] = [
    ("PATH", Some("/usr/local/bin:/usr/bin:/bin")),
    ("HOME", None),
    ("LANG", Some("C.UTF-8")),
    ("TMPDIR", None),
];

/// Names that begin like this belong to model providers and their coding agents.
const REFUSED_PREFIXES: [&str; 6] = ["ANTHROPIC_", "OPENAI_", "GEMINI_", "GOOGLE_", "CLAUDE", "CODEX"];

/// The whole environment of a command: its variables and its sandbox. It cannot hold a provider's variables or a
/// claim's token, whoever adds them, and whoever says nothing of a sandbox gets one.
///
/// ```
/// use agent_team::command::Environment;
///
/// let environment = Environment::default().with("RUST_BACKTRACE", "1").with("OPENAI_API_KEY", "not passed on");
/// assert_eq!(environment.iter().count(), 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Shared, since every agent of a run has the same.
    variables: Arc<BTreeMap<OsString, OsString>>,
    sandbox: Sandbox,
    /// What is kept of no output, also of what is given to the command.
    secrets: Secrets,
}

impl Environment {
    /// What commands get of this process's environment.
    pub fn of_this_process() -> Self {
        Self::of_parent(std::env::vars_os())
    }

    /// What commands get of `parent`: `PATH`, `HOME`, `LANG` and `TMPDIR`, and `TERM=dumb` so that nothing draws.
    pub fn of_parent(parent: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let parent: BTreeMap<OsString, OsString> = parent.into_iter().collect();
        let inherited = INHERITED.iter().filter_map(|&(name, default)| {
            let value = parent.get(OsStr::new(name)).cloned().or_else(|| default.map(OsString::from))?;
            Some((OsString::from(name), value))
        });
        let variables = Arc::new(inherited.collect());
        let secrets =
            Secrets::among(parent.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())));
        Self { variables, sandbox: Sandbox::default(), secrets }.with("TERM", "dumb")
    }

    /// With one variable more, unless a command must not see it.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let (name, value) = (name.into(), value.into());
        if !is_refused(&name) {
            self.secrets = self.secrets.with(&name, &value);
            Arc::make_mut(&mut self.variables).insert(name, value);
        }
        self
    }

    /// With a variable that no command can be given: a program that is driven has its provider's, from its driver, and words that are
    /// worth something for it alone.
    #[cfg(feature = "drivers")]
    #[must_use]
    pub(crate) fn with_own(mut self, name: &str, value: &str) -> Self {
        Arc::make_mut(&mut self.variables).insert(name.into(), value.into());
        self
    }

    /// With this sandbox around the command.
    #[must_use]
    pub fn confined(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// With one more file or folder that the command sees.
    #[must_use]
    pub(crate) fn reading(mut self, path: &Path) -> Self {
        self.sandbox = self.sandbox.reading(path);
        self
    }

    /// The sandbox around the command.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// What is kept of nothing that the command prints.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

/// Whether a variable never reaches a command: a provider's, any other key, and the token of the agent's claim.
fn is_refused(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_uppercase();
    name == "AGENT_TEAM_TOKEN"
        || name.ends_with("_API_KEY")
        || REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn names(environment: &Environment) -> Vec<String> {
        environment.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn only_what_every_program_needs_is_inherited() {
        let parent = parent(&[("PATH", "/bin"), ("HOME", "/home/ada"), ("EDITOR", "vi"), ("TERM", "xterm")]);
        let environment = Environment::of_parent(parent);
        assert_eq!(names(&environment), ["HOME", "LANG", "PATH", "TERM"]);
        assert!(environment.iter().any(|pair| pair == (OsStr::new("TERM"), OsStr::new("dumb"))));
    }

    #[test]
    fn nobody_can_add_a_key() {
        let refused = [
            "ANTHROPIC_API_KEY",
            "OPENAI_BASE_URL",
            "GEMINI_API_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "CLAUDECODE",
            "CODEX_HOME",
            "AGENT_TEAM_TOKEN",
            "MISTRAL_API_KEY",
            "openai_api_key",
        ];
        let environment =
            refused.iter().fold(Environment::default(), |environment, name| environment.with(name, "secret"));
        assert_eq!(environment, Environment::default());
        assert_eq!(names(&environment.with("CARGO_HOME", "/cargo")), ["CARGO_HOME"]);
    }
}
