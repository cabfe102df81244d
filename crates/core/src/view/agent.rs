//! The members of the team.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, Skill, TaskId};
use crate::machine::{Agent, State, Status};
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
    /// The tasks that it holds now, with the stage.
    pub holds: Vec<(TaskId, Stage)>,
    /// How many tasks it has completed.
    pub completed: u64,
    /// How many messages it has not read.
    pub unread: usize,
    /// What it cost so far.
    pub spent: Amount,
}

/// All agents that ever joined, by name.
pub fn agents(state: &State) -> Vec<AgentView> {
    let view = |agent: &Agent| AgentView {
        id: agent.id.clone(),
        role: agent.role,
        skills: agent.skills.clone(),
        with: agent.with.clone(),
        left: agent.left,
        holds: holds(state, &agent.id),
        completed: completed(state, &agent.id),
        unread: state.messages().unread(&agent.id, Some(agent.role)).count(),
        spent: state.ledger().spent(&Account::Agent(agent.id.clone())),
    };
    state.agents().map(view).collect()
}

fn holds(state: &State, agent: &AgentId) -> Vec<(TaskId, Stage)> {
    let held = state.held().filter(|(_, claim)| claim.agent == *agent);
    held.map(|(task, claim)| (task.id().clone(), claim.stage)).collect()
}

fn completed(state: &State, agent: &AgentId) -> u64 {
    let done = state.tasks().filter(|task| task.status == Status::Completed);
    let by = done.filter(|task| task.submission.as_ref().is_some_and(|s| s.author == *agent));
    by.count() as u64
}
