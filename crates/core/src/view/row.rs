//! Tasks in short, for those who show all of them at once.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, Skill, TaskId};
use crate::machine::{Failure, State, Status, Task};
use crate::record::{Account, Role, Stage};

/// A task in short: what a board shows of it. What is not set is left out, since there may be thousands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowView {
    /// Its id.
    pub id: TaskId,
    /// One line for people.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// Who holds it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The stage that is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The number of the newest attempt, from 1.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempt: u32,
    /// Higher goes first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// The task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The tasks that must be completed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<TaskId>,
    /// The task whose failure is planned anew by doing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replans: Option<TaskId>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The role that it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The skill that it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<Skill>,
    /// The agent that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_agent: Option<AgentId>,
    /// Why it failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was said to its newest plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanWord>,
    /// Whether a lead splits it into parts, and delivers it when they are done.
    #[serde(default, skip_serializing_if = "is_default")]
    pub delegate: bool,
    /// When it came into its present status, in milliseconds since 1970.
    pub since_ms: u64,
    /// What it cost so far, in millionths of a US dollar.
    #[serde(default, skip_serializing_if = "is_default")]
    pub micro_usd: u64,
    /// The tokens that it cost so far, read and written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tokens: u64,
}

/// What was said to a plan, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanWord {
    /// Nothing yet.
    Waits,
    /// The work may begin.
    Approved,
    /// Another one is wanted.
    Rejected,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// All tasks in short, in the order in which they were added.
pub fn rows(state: &State) -> Vec<RowView> {
    state.tasks().map(|task| row(state, task)).collect()
}

fn row(state: &State, task: &Task) -> RowView {
    let (spec, claim) = (&task.spec, task.claim.as_ref());
    let spent = state.ledger().spent(&Account::Task(spec.id.clone()));
    let plan = task.plan.as_deref().map(|plan| match &plan.verdict {
        None => PlanWord::Waits,
        Some(verdict) if verdict.approved => PlanWord::Approved,
        Some(_) => PlanWord::Rejected,
    });
    RowView {
        id: spec.id.clone(),
        title: spec.title.clone(),
        status: task.status,
        agent: claim.map(|claim| claim.agent.clone()),
        stage: claim.map(|claim| claim.stage),
        attempt: task.attempt,
        priority: spec.priority,
        parent: spec.parent.clone(),
        after: spec.after.clone(),
        replans: spec.replans.as_ref().map(|replan| replan.task.clone()),
        labels: spec.labels.clone(),
        role: spec.role,
        skill: spec.skill.clone(),
        for_agent: spec.agent.clone(),
        failure: task.failure,
        plan,
        delegate: spec.delegate,
        since_ms: task.since_ms,
        micro_usd: spent.micro_usd,
        tokens: spent.tokens(),
    }
}
