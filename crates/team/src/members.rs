//! Who is in the team: joining and leaving.

use agent_team_core::record::{AgentJoined, AgentLeft, Role};

use crate::{AgentId, Error, TaskQueue};

impl TaskQueue {
    /// Lets an agent join the team, or come back with another role or other skills.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn join(&self, joined: AgentJoined) -> Result<(), Error> {
        let same = self.team_log().look(|state| {
            state.agent(&joined.agent).is_some_and(|known| {
                !known.left
                    && known.role == joined.role
                    && known.skills == joined.skills
                    && known.with == joined.with
                    && known.orchestrated == joined.orchestrated
                    && known.plan == joined.plan
            })
        })?;
        if !same {
            self.team_log().submit(&joined.agent.clone(), &joined.into())?;
        }
        Ok(())
    }

    /// Lets an agent join as a worker, unless it is a member already.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn join_as_worker(&self, agent: &AgentId, with: &str) -> Result<(), Error> {
        let member = self.team_log().look(|state| state.agent(agent).is_some_and(|known| !known.left))?;
        if member {
            return Ok(());
        }
        self.join(AgentJoined {
            with: Some(with.to_owned()),
            ..AgentJoined::new(agent.clone(), Role::Worker)
        })
    }

    /// Lets an agent leave the team. Mail to it that is unread goes back to its senders.
    ///
    /// # Errors
    /// A refusal when it is no member.
    pub fn leave(&self, agent: &AgentId) -> Result<(), Error> {
        self.team_log().submit(agent, &AgentLeft { agent: agent.clone() }.into())?;
        Ok(())
    }
}
