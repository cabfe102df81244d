//! The commands of the user's that are asked when something happens, as `team.toml` names them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::value;
use crate::duration;
use crate::hooks::Hook;

/// Commands that are asked, or told, when something happens in the team. Each is run by `sh -c` in the team's folder,
/// and reads one JSON object. Exit code 2 says no, and what it printed says why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HookCommands {
    /// Asked before a task is added.
    #[serde(deserialize_with = "value::filled")]
    pub task_added: Option<String>,
    /// Asked when an agent has claimed a task; a no gives it back.
    #[serde(deserialize_with = "value::filled")]
    pub task_claimed: Option<String>,
    /// Asked before a result is delivered.
    #[serde(deserialize_with = "value::filled")]
    pub task_completed: Option<String>,
    /// Told that an attempt failed.
    #[serde(deserialize_with = "value::filled")]
    pub task_failed: Option<String>,
    /// Told that an agent has nothing to do; a no becomes a message to it.
    #[serde(deserialize_with = "value::filled")]
    pub agent_idle: Option<String>,
    /// Asked before what passed its check and the gate is merged.
    #[serde(deserialize_with = "value::filled")]
    pub before_merge: Option<String>,
    /// Asked before a plan is submitted. Its no sends the plan back to its author; nothing that it says approves one.
    #[serde(deserialize_with = "value::filled")]
    pub plan_submitted: Option<String>,
    /// Told that a plan was approved or rejected.
    #[serde(deserialize_with = "value::filled")]
    pub plan_judged: Option<String>,
    /// How long one may take, as in `30s`; 60 seconds if nothing is said.
    #[serde(deserialize_with = "duration::optional::deserialize")]
    #[schemars(with = "Option<String>")]
    pub time_limit: Option<Duration>,
}

impl HookCommands {
    /// The command for a hook.
    pub fn command(&self, hook: Hook) -> Option<&str> {
        let command = match hook {
            Hook::TaskAdded => &self.task_added,
            Hook::TaskClaimed => &self.task_claimed,
            Hook::TaskCompleted => &self.task_completed,
            Hook::TaskFailed => &self.task_failed,
            Hook::AgentIdle => &self.agent_idle,
            Hook::BeforeMerge => &self.before_merge,
            Hook::PlanSubmitted => &self.plan_submitted,
            Hook::PlanJudged => &self.plan_judged,
        };
        command.as_deref()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        Hook::ALL.iter().all(|hook| self.command(*hook).is_none())
    }

    /// The files of the project that the commands run, the first path of each: what an agent writes must not become a hook, which runs
    /// outside of any workspace.
    pub(crate) fn files(&self) -> Vec<String> {
        let commands = Hook::ALL.iter().filter_map(|hook| self.command(*hook));
        // `hooks/check`, and `sh hooks/check` too.
        let paths = commands.filter_map(|command| {
            command.split(|letter: char| !is_of_path(letter)).find(|word| word.contains('/'))
        });
        let inside = paths.filter(|path| !path.starts_with('/') && !path.split('/').any(|part| part == ".."));
        inside.map(|path| format!("/{}", path.trim_start_matches("./"))).collect()
    }
}

fn is_of_path(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '/' | '+')
}
