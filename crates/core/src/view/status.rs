//! The team at a glance.

use serde::{Deserialize, Serialize};

use super::agent::{AgentView, agents};
use super::waiting::{Waiting, stuck};
use crate::id::{AgentId, RecordId, TaskId};
use crate::machine::{Counts, ModelLimit, Pause, State};
use crate::record::{Account, Amount};

/// The team at a glance. The counts add up to `total`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// How many tasks there are of each status.
    #[serde(flatten)]
    pub counts: Counts,
    /// The members, by name.
    pub agents: Vec<AgentView>,
    /// What the newest run with a goal, or a check for it, was for.
    #[serde(default)]
    pub goal: Option<GoalView>,
    /// Tasks that wait for something that will not happen by itself.
    pub stuck: Vec<Waiting>,
    /// Results that came too late.
    pub late: usize,
    /// Records that took no effect.
    pub void: usize,
    /// Who is held up, with the reason; the whole team has no name.
    pub paused: Vec<(Option<AgentId>, String)>,
    /// The same with what lets each go on, the team first.
    #[serde(default)]
    pub pauses: Vec<PauseView>,
    /// Questions that nobody has answered.
    pub questions: Vec<RecordId>,
    /// Tasks whose plans wait to be judged.
    pub plans: Vec<TaskId>,
    /// How many failures were planned anew, within which task, and how many may be.
    pub replans: Vec<ReplansView>,
    /// Models that were limited at some time, by name, each with its latest limit. A view knows no time: a limit whose
    /// `until_ms` has passed is over.
    pub limited: Vec<LimitView>,
    /// What was spent.
    pub spent: Amount,
    /// What is set aside for calls under way.
    pub reserved: Amount,
    /// How many records the log holds.
    pub records: u64,
}

/// What a run is for, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalView {
    /// The goal, if there was one.
    pub goal: Option<String>,
    /// The command that proves it, if there is one.
    pub check: Option<String>,
    /// How the run ended, in the words of the log: `completed`, `unproved`, `stuck`, …; `None` while it goes on.
    pub outcome: Option<String>,
}

/// Who is held up, and what lets it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// The agent; `None` for the whole team.
    pub agent: Option<AgentId>,
    /// Why, if that was said.
    pub reason: String,
    /// Whether what it worked on was taken from it, too.
    pub stopped: bool,
    /// Since when, in milliseconds since 1970.
    pub at_ms: u64,
    /// The command that lets it go on.
    pub remedy: String,
}

/// How many failures were planned anew within one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplansView {
    /// The delegated task, or the plan of a goal; `None` for what is part of neither.
    pub within: Option<TaskId>,
    /// How many were.
    pub used: u32,
    /// How many may be.
    pub most: u32,
}

/// Until when a model may not be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitView {
    /// The model.
    pub model: String,
    /// When it may be called again, in milliseconds since 1970.
    pub until_ms: u64,
    /// Why, in the provider's words.
    pub reason: String,
}

/// The view of the team.
pub fn status(state: &State) -> StatusView {
    StatusView {
        counts: state.counts(),
        agents: agents(state),
        goal: goal(state),
        stuck: stuck(state),
        late: state.late().len(),
        void: state.void().count(),
        paused: state.pauses().map(|(agent, pause)| (agent.cloned(), pause.reason.clone())).collect(),
        pauses: state.pauses().map(pause).collect(),
        questions: state.open_questions().map(|message| message.id).collect(),
        plans: state.open_plans().map(|(task, _)| task.id().clone()).collect(),
        replans: replans(state),
        limited: state.limits().map(limit).collect(),
        spent: state.ledger().spent(&Account::Team),
        reserved: state.ledger().reserved(&Account::Team),
        records: state.records(),
    }
}

fn goal(state: &State) -> Option<GoalView> {
    let run = state.runs().iter().rev().find(|run| run.goal.is_some() || run.check.is_some())?;
    let newest_first = || state.runs().iter().rev();
    let outcome = run.ended.as_ref().map(|(outcome, _)| outcome.clone());
    let goal = run.goal.clone().or_else(|| newest_first().find_map(|run| run.goal.clone()));
    Some(GoalView { goal, check: run.check.clone(), outcome })
}

fn pause((agent, pause): (Option<&AgentId>, &Pause)) -> PauseView {
    let whom = agent.map(|agent| format!(" {agent}")).unwrap_or_default();
    PauseView {
        agent: agent.cloned(),
        reason: pause.reason.clone(),
        stopped: pause.stopped,
        at_ms: pause.at_ms,
        remedy: format!("agent-team resume{whom}"),
    }
}

fn replans(state: &State) -> Vec<ReplansView> {
    let most = state.replans_max();
    let view = |(within, used): (Option<&TaskId>, u32)| ReplansView { within: within.cloned(), used, most };
    state.all_replans().map(view).collect()
}

fn limit((model, limit): (&str, &ModelLimit)) -> LimitView {
    LimitView { model: model.to_owned(), until_ms: limit.until_ms, reason: limit.reason.clone() }
}
