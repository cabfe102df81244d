//! Hooks: commands of the user's that are asked when something is about to happen in a team, or told that it did.
//!
//! Whoever brings an event about asks, be it a verb of the command line or a run, so that each event is seen once and
//! where it happens. A hook runs in the team's folder, with the user's rights: never in a workspace, and never for a
//! rehearsal. What a hook cannot do is to break anything: one that fails, hangs or is not there is noted and passed
//! over. Knows neither models nor git.

mod ask;
mod blocks;
mod claim;
mod event;
mod moments;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::TaskId;
use crate::command::Environment;
use crate::config::HookCommands;
use crate::folder::TeamFolder;
use crate::progress::{Progress, Reporter};
use crate::sandbox::{Sandbox, SandboxChoice};

use blocks::Blocks;
pub(crate) use claim::Again;
pub(crate) use event::{BeforeMerge, Event};
pub(crate) use moments::{
    agent_idle, attempt_failed, may_add, may_complete, may_merge, may_plan_anew, may_submit_plan,
    plan_judged, quarantined,
};

/// The variable that names the hook to its command. A verb that finds it was started by a hook, and asks none; see
/// [`is_called_by_hook`](crate::is_called_by_hook).
pub const HOOK_VARIABLE: &str = "AGENT_TEAM_HOOK";
/// How long a hook may take if nobody says otherwise.
pub const HOOK_LIMIT: Duration = Duration::from_secs(60);

/// The moments at which a hook is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// A task is about to be added.
    TaskAdded,
    /// A task was claimed for work.
    TaskClaimed,
    /// A result is about to be delivered.
    TaskCompleted,
    /// An attempt failed.
    TaskFailed,
    /// An agent has nothing to do.
    AgentIdle,
    /// What passed its check and the gate is about to be merged.
    BeforeMerge,
    /// A plan is about to be submitted.
    PlanSubmitted,
    /// A plan was approved or rejected.
    PlanJudged,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::TaskAdded,
        Self::TaskClaimed,
        Self::TaskCompleted,
        Self::TaskFailed,
        Self::AgentIdle,
        Self::BeforeMerge,
        Self::PlanSubmitted,
        Self::PlanJudged,
    ];

    /// Its name: the key in `team.toml`, and the `event` that its command reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskAdded => "task_added",
            Self::TaskClaimed => "task_claimed",
            Self::TaskCompleted => "task_completed",
            Self::TaskFailed => "task_failed",
            Self::AgentIdle => "agent_idle",
            Self::BeforeMerge => "before_merge",
            Self::PlanSubmitted => "plan_submitted",
            Self::PlanJudged => "plan_judged",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The variable that names the folder of the team to a hook that a run asks.
pub(crate) const HOOK_FOLDER_VARIABLE: &str = "AGENT_TEAM_HOOK_FOLDER";

/// A hook's no.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("the hook {hook} says no to {}: {feedback}", what(.task.as_ref()))]
pub struct Blocked {
    /// The hook.
    pub hook: Hook,
    /// The task that it is about.
    pub task: Option<TaskId>,
    /// What its command printed.
    pub feedback: String,
}

fn what(task: Option<&TaskId>) -> String {
    task.map_or_else(|| "it".to_owned(), |task| format!("task `{task}`"))
}

/// The hooks of a team. Cheap to clone; all clones are the same.
///
/// ```no_run
/// use agent_team::command::Environment;
/// use agent_team::config::{Config, CONFIG_FILE};
/// use agent_team::{Hooks, Reporter, TeamFolder, TeamLog};
///
/// let folder = TeamFolder::find(".".as_ref())?;
/// let config = Config::load(&folder.workspace().join(CONFIG_FILE))?;
/// let team_log = TeamLog::open(&folder)?;
/// team_log.set_hooks(Hooks::new(config.hooks, &folder, Environment::of_this_process(), Reporter::default()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Hooks(Arc<Shared>);

struct Shared {
    commands: HookCommands,
    folder: TeamFolder,
    environment: Environment,
    reporter: Reporter,
    /// Which tasks agents of this process were kept from.
    blocks: Blocks,
    /// The presence of the run for which they are asked.
    presence: OnceLock<String>,
}

/// What a hook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Go on.
    Pass,
    /// Not so, and why.
    Block(String),
}

impl Hooks {
    /// The hooks of the team in a folder. `environment` is what their commands find besides what names the event;
    /// `reporter` is told what went wrong with one.
    pub fn new(
        commands: HookCommands,
        folder: &TeamFolder,
        environment: Environment,
        reporter: Reporter,
    ) -> Self {
        let blocks = Blocks::default();
        // Hooks are the user's own, as everything else that the user starts.
        let environment = environment.confined(Sandbox::new(SandboxChoice::None));
        let presence = OnceLock::new();
        Self(Arc::new(Shared { commands, folder: folder.clone(), environment, reporter, blocks, presence }))
    }

    /// Says for which run they are asked, by its presence: what outlives that is ended by the next one.
    pub(crate) fn are_asked_by(&self, presence: &str) {
        // A process has one.
        let _ = self.0.presence.set(presence.to_owned());
    }

    /// Whether somebody is asked at this moment.
    pub(crate) fn has(&self, hook: Hook) -> bool {
        self.0.commands.command(hook).is_some()
    }

    pub(crate) fn note(&self, text: String) {
        self.0.reporter.report(Progress::Note(text));
    }
}
