//! `team.toml`: what a user says once about a team, as plain values that have been checked.
//!
//! Knows nothing of the log, and neither runs a command nor connects to a model. What its text alone can tell is
//! judged here, at its line and column; what needs the team's state (a cycle among tasks, say) is not.

mod check;
mod environment;
mod error;
mod hooks;
mod sandbox;
mod value;

use std::path::Path;
use std::time::Duration;

use agent_team_core::id::{AgentId, Skill};
use agent_team_core::record::Role;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::budget::{self, AgentBudget};
use crate::model::{ModelSpec, Prices};
use crate::sandbox::HostRule;
use crate::with::With;
use crate::{Durability, NewTask, duration};

pub use environment::Variables;
pub use error::{ConfigError, Mistake};
pub use hooks::HookCommands;
pub use sandbox::Confinement;

/// The file's name.
pub const CONFIG_FILE: &str = "team.toml";

/// A team as `team.toml` describes it. All of it may be left out.
///
/// ```
/// use agent_team::config::Config;
/// use std::path::Path;
///
/// let text = "gate = 'make test'\n[[agent]]\nname = 'worker'\ncount = 2\n";
/// let config = Config::parse(text, Path::new("team.toml"))?;
/// let names: Vec<_> = config.agents.iter().flat_map(|agent| &agent.names).map(|name| name.as_str()).collect();
/// assert_eq!(names, ["worker-1", "worker-2"]);
///
/// let error = Config::parse("gaet = 'make test'", Path::new("team.toml")).unwrap_err();
/// assert!(error.to_string().starts_with("team.toml:1:1: unknown key `gaet`, did you mean `gate`?"));
/// # Ok::<(), agent_team::config::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "agent-team team.toml", description = "A team. All of it may be left out.")]
pub struct Config {
    /// What the team is to reach. With tasks alone there may be none.
    #[serde(deserialize_with = "value::filled")]
    pub goal: Option<String>,
    /// Whether the human must approve the tasks into which a lead splits the goal, before they are added. If nothing is said
    /// `agent-team run` waits for that unless it is told `--yes`, and the library does not.
    pub approve_plan: Option<bool>,
    /// The model of every agent that names none: `anthropic:MODEL`, `openai:MODEL`, `gemini:MODEL`, `ollama:MODEL`,
    /// `openai-compatible:MODEL` or `script:FILE`. A script's file is found from the folder of team.toml.
    #[serde(deserialize_with = "value::parsed")]
    #[schemars(with = "Option<String>")]
    pub with: Option<With>,
    /// Where the models' provider is found, if not where it always is.
    #[serde(deserialize_with = "value::base_url")]
    pub base_url: Option<String>,
    /// What survives: `power`, a power cut too; `process`, only the death of processes.
    #[serde(deserialize_with = "value::durability")]
    #[schemars(with = "value::WrittenDurability")]
    pub durability: Durability,
    /// The branch that work is merged into; without it, the one that is checked out.
    #[serde(deserialize_with = "value::filled")]
    pub into: Option<String>,
    /// The command that must hold on the target branch at all times.
    #[serde(deserialize_with = "value::filled")]
    pub gate: Option<String>,
    /// How long gate and checks may take, as in `10m`.
    #[serde(deserialize_with = "duration::optional::deserialize")]
    #[schemars(with = "Option<String>")]
    pub gate_time_limit: Option<Duration>,
    /// The command that proves the whole goal at the end: while it is red, a lead plans anew.
    #[serde(deserialize_with = "value::filled")]
    pub check: Option<String>,
    /// How many failures a lead may plan anew, for each goal and for each delegated task; 3 if nothing is said.
    pub replans: Option<u32>,
    /// How deep tasks may be delegated; 3 if nothing is said.
    pub max_depth: Option<u32>,
    /// Whether work may be merged with neither check nor gate.
    pub no_gate: bool,
    /// Patterns of files that no task may change unless it is allowed to, read as in .gitignore. The rules by which
    /// work is judged, team.toml and .ci, need not be named.
    pub protect: Vec<String>,
    /// The largest file that is taken into a commit, in bytes; 52428800 (50 MiB) if nothing is said. All changed files
    /// together may be twenty times as large.
    #[serde(deserialize_with = "value::max_file_bytes")]
    pub max_file_bytes: Option<u64>,
    /// How large an agent's conversation may become, in tokens, before its beginning gives way to an account of it. If
    /// nothing is said it depends on the model: three quarters of what it can read, at most 200000; 150000 where that is
    /// not known.
    #[serde(deserialize_with = "value::context_tokens")]
    pub context_tokens: Option<u64>,
    /// How long one answer of a model may become, in tokens, thoughts and calls of tools counted; it is cut off there. If nothing
    /// is said it is as long as the provider allows, and 16384 where a budget is kept, which is the most then.
    #[serde(deserialize_with = "value::max_output_tokens")]
    #[schemars(range(min = value::OUTPUT_TOKENS_MIN))]
    pub max_output_tokens: Option<u32>,
    /// How long a run may take, as in `2h`.
    #[serde(deserialize_with = "duration::optional::deserialize")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// After how long without progress an agent is nudged, as in `15m`; after twice that it is interrupted, after three
    /// times its task goes to somebody else.
    #[serde(deserialize_with = "duration::optional::deserialize")]
    #[schemars(with = "Option<String>")]
    pub stuck_after: Option<Duration>,
    /// How long a provider may say that it is overloaded (503, 529), and answer nothing, before the attempts of those who
    /// wait for it fail, as in `30m`, which holds if nothing is said. That calls come too fast (429) fails no attempt.
    #[serde(deserialize_with = "duration::optional::deserialize")]
    #[schemars(with = "Option<String>")]
    pub overloaded_for: Option<Duration>,
    /// What the team may spend.
    pub budget: Budget,
    /// How many agents may be in the team at once, those that are added while it runs and those of other processes
    /// included.
    #[serde(deserialize_with = "value::max_agents")]
    #[schemars(range(min = 1, max = value::AGENTS_MAX))]
    pub max_agents: Option<u32>,
    /// The agents.
    #[serde(rename = "agent")]
    #[schemars(with = "Vec<value::WrittenAgent>")]
    pub agents: Vec<AgentConfig>,
    /// The tasks.
    #[serde(rename = "task")]
    pub tasks: Vec<NewTask>,
    /// Prices of models that are not known, or that cost something else here, in US dollars for a million tokens.
    pub prices: Prices,
    /// What commands of agents, checks, gates and hooks find in their environment besides what every program needs.
    pub environment: Variables,
    /// How commands of agents, checks and gates are confined.
    pub sandbox: Confinement,
    /// Commands that are asked, or told, when something happens.
    pub hooks: HookCommands,
}

/// What a team may spend in all. What is left out has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Money, in millionths of a US dollar. Written in dollars: `usd = 5.0`.
    #[serde(rename = "usd", deserialize_with = "budget::micro_usd")]
    #[schemars(with = "Option<f64>")]
    pub micro_usd: Option<u64>,
    /// Tokens read and written.
    #[serde(deserialize_with = "budget::tokens")]
    pub tokens: Option<u64>,
    /// Calls to models.
    #[serde(deserialize_with = "budget::counted")]
    pub turns: Option<u64>,
    /// Attempts at tasks.
    #[serde(deserialize_with = "budget::counted")]
    pub attempts: Option<u64>,
    /// Time at work, of all agents together, as in `8h`.
    #[serde(deserialize_with = "duration::optional::deserialize")]
    #[schemars(with = "Option<String>")]
    pub time: Option<Duration>,
    /// How long each run may take by the clock, as in `2h`. Unlike `timeout` it can be raised while the run goes on, by
    /// `agent-team budget run --elapsed`.
    #[serde(deserialize_with = "duration::optional::deserialize")]
    #[schemars(with = "Option<String>")]
    pub elapsed: Option<Duration>,
}

/// One agent, or several that differ in nothing but their number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "value::WrittenAgent")]
pub struct AgentConfig {
    /// The name; with a `count`, that many: `worker-1`, `worker-2`, and so on.
    pub names: Vec<AgentId>,
    /// What it is for.
    pub role: Role,
    /// Its model, if not the team's.
    pub with: Option<With>,
    /// The model that a coding agent calls which is driven, if not its usual one.
    pub model: Option<String>,
    /// What it can do that others cannot.
    pub skills: Vec<Skill>,
    /// What it is told besides its role's instructions.
    pub prompt: Option<String>,
    /// Whether each of its plans must be approved before it may change anything.
    pub plan: bool,
    /// How large its conversation may become, in tokens, if not as large as the team's.
    pub context_tokens: Option<u64>,
    /// How long one answer of its model may become, in tokens, if not as long as the team's.
    pub max_output_tokens: Option<u32>,
    /// The hosts that its commands, or the program that is driven, may reach besides those of all.
    pub hosts: Vec<HostRule>,
    /// For a lead: the agents of its own team, who take its tasks and no others.
    pub members: Vec<AgentId>,
    /// What each of them may use.
    pub budget: AgentBudget,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Read`] if it cannot be read, [`ConfigError::Invalid`] with line and column otherwise.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(source) => Err(ConfigError::Read { path: path.to_path_buf(), source }),
        }
    }

    /// Reads a file's text. `path` is for errors, and for scripts, which are found from its folder.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`], with line and column.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let document =
            toml::de::DeTable::parse(text).map_err(|error| Mistake::of_toml(&error, text, path))?;
        let mut config = Self::deserialize(toml::de::Deserializer::from(document.clone()))
            .map_err(|error| Mistake::of_toml(&error, text, path))?;
        check::check(&config, document.get_ref())
            .map_err(|fault| Mistake::new(text, path, &fault.span, fault.reason))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let specs = config.agents.iter_mut().map(|agent| &mut agent.with).chain([&mut config.with]);
        for spec in specs.flatten() {
            if let With::Model(ModelSpec::Script(file)) = spec {
                *file = folder.join(&*file);
            }
        }
        Ok(config)
    }

    /// Whether a model is named for anyone. If not, the team rehearses.
    pub fn names_a_model(&self) -> bool {
        self.with.is_some() || self.agents.iter().any(|agent| agent.with.is_some())
    }

    /// The JSON Schema of team.toml, as `docs/team.schema.json` holds it.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

#[cfg(test)]
mod tests;
