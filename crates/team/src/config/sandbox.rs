//! How commands are confined, as the user says it.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::value;
use crate::Error;
use crate::sandbox::{HostRule, Limits, Sandbox, SandboxChoice};

/// The sandbox in which commands of agents, checks and the gate run. Hooks are yours, and run outside of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Confinement {
    /// Which one. With `none` commands may do whatever you may, and every record of the run says so.
    pub kind: SandboxChoice,
    /// Files and folders that commands see besides their own and those of the system. `~/` is your home; what is
    /// relative is found from the folder of team.toml.
    pub read: Vec<PathBuf>,
    /// Files and folders that commands change besides their own.
    pub write: Vec<PathBuf>,
    /// Hosts that commands may reach, by name: `example.com`, `*.example.com`, `localhost:8080`. Without any they have no
    /// network. It needs bubblewrap.
    pub hosts: Vec<HostRule>,
    /// How much memory a command may use with all that it starts, in bytes; three quarters of the machine's if
    /// nothing is said.
    #[serde(deserialize_with = "value::some_bytes")]
    pub max_memory_bytes: Option<u64>,
    /// How many processes a command may have at once; 1024 if nothing is said.
    #[serde(deserialize_with = "value::some_processes")]
    #[schemars(range(min = 1))]
    pub max_processes: Option<u32>,
}

impl Confinement {
    /// The sandbox for a team whose configuration lies in `folder`. `keeper` is the command `agent-team`, which opens the way to
    /// hosts.
    ///
    /// # Errors
    /// When there are hosts to be reached, and no way to them.
    pub fn sandbox(
        &self,
        folder: &Path,
        home: Option<&Path>,
        keeper: Option<&Path>,
    ) -> Result<Sandbox, Error> {
        let found = |path: &PathBuf| match (path.strip_prefix("~"), home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => folder.join(path),
        };
        let sandbox = Sandbox::new(self.kind)
            .limited(Limits { memory_bytes: self.max_memory_bytes, processes: self.max_processes });
        let sandbox = self.read.iter().fold(sandbox, |sandbox, path| sandbox.reading(found(path)));
        let sandbox = self.write.iter().fold(sandbox, |sandbox, path| sandbox.writing(found(path)));
        if self.hosts.is_empty() || sandbox.is_none() {
            return Ok(sandbox);
        }
        self.leading_to_hosts(sandbox, keeper)
    }

    #[cfg(feature = "drivers")]
    pub(crate) fn leading_to_hosts(&self, sandbox: Sandbox, keeper: Option<&Path>) -> Result<Sandbox, Error> {
        let keeper = keeper.ok_or_else(|| {
            Error::Input(
                "hosts are reached by way of the command `agent-team`, and nobody says where it is".into(),
            )
        })?;
        Ok(crate::gateway::Gateway::to(&self.hosts).behind(sandbox, keeper))
    }

    #[cfg(not(feature = "drivers"))]
    pub(crate) fn leading_to_hosts(&self, _: Sandbox, _: Option<&Path>) -> Result<Sandbox, Error> {
        Err(Error::Input("hosts cannot be reached: this was built without the feature `drivers`".into()))
    }
}
