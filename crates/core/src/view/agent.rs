//! The members of the team.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, Skill, TaskId};
use crate::machine::{Agent, State};
use crate::record::{Account, Amount, Role, Stage};

/// An agent as surfaces show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    /// Its name.
    pub id: AgentId,
    /// What it is for.
    pub role: Role,
    /// What it can do that others cannot.
    pub skills: Vec<Skill>,
    /// What stands behind it.
    pub with: Option<String>,
    /// Whether it has left.
    pub left: bool,
    /// Why it left, where it can do no more; empty otherwise.
    #[serde(default)]
    pub left_because: String,
    /// Whether it is held up, by itself or with the whole team.
    pub paused: bool,
    /// Whether each of its plans must be approved.
    pub plan: bool,
    /// The lead to whose team it belongs.
    #[serde(default)]
    pub lead: Option<AgentId>,
    /// The tasks that it holds now, with the stage.
    pub holds: Vec<(TaskId, Stage)>,
    /// How many tasks it has completed.
    pub completed: u64,
    /// How many messages it has not read.
    pub unread: usize,
    /// What it cost so far.
    pub spent: Amount,
}

/// All agents that ever joined, by name: `worker-2` before `worker-10`.
pub fn agents(state: &State) -> Vec<AgentView> {
    // One look at what is held for all agents: teams may have thousands of both.
    let mut holds: BTreeMap<&AgentId, Vec<(TaskId, Stage)>> = BTreeMap::new();
    for (task, claim) in state.held() {
        holds.entry(&claim.agent).or_default().push((task.id().clone(), claim.stage));
    }
    let view = |agent: &Agent| AgentView {
        id: agent.id.clone(),
        role: agent.role,
        skills: agent.skills.clone(),
        with: agent.with.clone(),
        left: agent.left,
        left_because: agent.left_because.clone(),
        paused: state.held_up(&agent.id).is_some(),
        plan: agent.plan,
        lead: agent.lead.clone(),
        holds: holds.get(&agent.id).cloned().unwrap_or_default(),
        completed: state.completed_by(&agent.id),
        unread: state.messages().unread(&agent.id, Some(agent.role)).count(),
        spent: state.ledger().spent(&Account::Agent(agent.id.clone())),
    };
    let mut agents: Vec<AgentView> = state.agents().map(view).collect();
    agents.sort_by(|one, other| one.id.in_order().cmp(&other.id.in_order()));
    agents
}
