//! Agents join and leave.

use super::{Meta, Rule};
use crate::id::{AgentId, HUMAN};
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::{Agent, State};
use crate::machine::tasks::Slot;
use crate::record::{AgentJoined, AgentLeft};

impl Rule for AgentJoined {
    /// Who is there may change; who comes must find a place.
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let Some(most) = state.policy.max_agents.filter(|_| state.keeps(Safeguard::AgentCap)) else {
            return Ok(());
        };
        let counts = self.agent.as_str() != HUMAN && !state.is_member(&self.agent);
        if counts && state.member_count() >= u64::from(most) {
            return Err(Refusal::TooManyAgents { most });
        }
        Ok(())
    }

    fn take_effect(self, state: &mut State, _: &Meta) {
        let agent = Agent {
            id: self.agent,
            role: self.role,
            skills: self.skills,
            with: self.with,
            orchestrated: self.orchestrated,
            plan: self.plan,
            lead: self.lead,
            added: self.added,
            left: false,
            left_because: String::new(),
        };
        let id = agent.id.clone();
        state.agents.insert(id.clone(), agent);
        reconsider(state, &id);
    }
}

impl Rule for AgentLeft {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let member = state.agents.get(&self.agent).is_some_and(|agent| !agent.left);
        if member || !state.keeps(Safeguard::Membership) {
            Ok(())
        } else {
            Err(Refusal::NoSuchAgent { agent: self.agent.clone() })
        }
    }

    fn take_effect(self, state: &mut State, _: &Meta) {
        let known = state.agents.get_mut(&self.agent);
        let role = known.map(|agent| {
            agent.left = true;
            agent.left_because = self.reason;
            agent.role
        });
        state.messages.return_unread(&self.agent, role);
        reconsider(state, &self.agent);
    }
}

/// What went back to an agent that left, or may not take it any more, is for anyone: each change of a task sees to it.
fn reconsider(state: &mut State, agent: &AgentId) {
    let waiting: Vec<Slot> = state.queue.waiting_for_agent(agent).collect();
    for task in waiting {
        state.update(task, |_| ());
    }
}
