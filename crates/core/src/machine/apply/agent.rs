//! Agents join and leave.

use super::{Meta, Rule};
use crate::id::TaskId;
use crate::machine::refusal::Refusal;
use crate::machine::state::{Agent, State};
use crate::record::{AgentJoined, AgentLeft};

impl Rule for AgentJoined {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(&self, state: &mut State, _: &Meta) {
        let agent = Agent {
            id: self.agent.clone(),
            role: self.role,
            skills: self.skills.clone(),
            with: self.with.clone(),
            orchestrated: self.orchestrated,
            left: false,
        };
        state.agents.insert(self.agent.clone(), agent);
    }
}

impl Rule for AgentLeft {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let member = state.agents.get(&self.agent).is_some_and(|agent| !agent.left);
        if member { Ok(()) } else { Err(Refusal::NoSuchAgent { agent: self.agent.clone() }) }
    }

    fn take_effect(&self, state: &mut State, _: &Meta) {
        if let Some(agent) = state.agents.get_mut(&self.agent) {
            agent.left = true;
        }
        state.messages.return_unread(&self.agent);
        // What went back to it is for anyone now.
        let went_back = state.tasks.values().filter(|task| task.back_to.as_ref() == Some(&self.agent));
        let went_back: Vec<TaskId> = went_back.map(|task| task.id().clone()).collect();
        for task in went_back {
            state.update(&task, |task| task.back_to = None);
        }
    }
}
