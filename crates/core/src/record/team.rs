//! Records about the team as a whole.

use serde::{Deserialize, Serialize};

use super::{Bounds, ProcessId, Revision};
use crate::id::RecordId;
use crate::text::Text;

/// The format version rises: from the next record on, records of this version count. A lower one is void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatRaised {
    /// The new version.
    pub version: u32,
}

/// The rules of the team. Names the policy's revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySet {
    /// The policy that this one replaces.
    pub on: Revision,
    /// The new policy, whole.
    pub policy: Policy,
}

/// What holds for all tasks. Fixed in the log, so that no candidate can change the rules it is judged by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The command that must hold on the target branch at all times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// How long gate and checks may take, in milliseconds; `None` for the program's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_limit_ms: Option<u64>,
    /// Patterns of files that no task may change unless it is allowed to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protect: Vec<String>,
    /// Whether the user agreed that work with neither check nor gate is merged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_gate: bool,
    /// The branch that work is merged into; `None` where results are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How many agents may be in the team at once, the human left out; `None` for no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_agents: Option<u32>,
    /// How deep tasks may be delegated; `None` for [`MAX_DEPTH_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<u32>,
    /// How many failures a lead may plan anew, for each goal and for each delegated task; `None` for
    /// [`REPLANS_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replans: Option<u32>,
}

/// How deep tasks may be delegated if the policy does not say.
pub const MAX_DEPTH_DEFAULT: u32 = 3;
/// How many failures a lead may plan anew if the policy does not say.
pub const REPLANS_DEFAULT: u32 = 3;

/// An orchestrator began to run the team. Only adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The process.
    pub process: ProcessId,
    /// What it was asked for, in one line.
    pub goal: Option<String>,
    /// Whether the models are scripted.
    pub rehearsal: bool,
    /// What it was told that the team may use. The limits are set by records of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Bounds>,
    /// What it was told that agents and tasks may use, each: JSON, from the account as the command line names it to its
    /// bounds. The limits are set by records of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budgets: Option<Text>,
    /// The command that proves what it is for, as it was told or an earlier run of the same goal was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

/// An orchestrator ended. Only adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnded {
    /// The id of the `run_started` record.
    pub run: RecordId,
    /// How it ended, in one word: `completed`, `unproved`, `stuck`, `timed_out`, `interrupted`, `failed`.
    pub outcome: String,
}
