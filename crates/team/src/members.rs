//! Who is in the team: joining and leaving.

use agent_team_core::machine::{Command, Refusal, decide};
use agent_team_core::record::{Account, AgentJoined, AgentLeft, Bounds, ClaimReleased, Role, Stage};

use crate::outside::now_ms;
use crate::run::ORCHESTRATOR;
use crate::team_log::refusal;
use crate::{AgentId, Error, HUMAN, TaskQueue};

/// As many names of agents as are named to somebody who got one wrong.
const NAMES_MAX: usize = 20;

/// Says no to the names that stand for the user and for a run: whoever had one would judge and order in their place.
pub(crate) fn free_to_take(name: &AgentId) -> Result<(), Error> {
    match name.as_str() {
        HUMAN => Err(Error::Input("no agent can be called `human`: what that name says is your word".into())),
        ORCHESTRATOR => {
            Err(Error::Input("no agent can be called `orchestrator`: so every run is called".into()))
        }
        _ => Ok(()),
    }
}

impl TaskQueue {
    /// Lets an agent join the team, or come back with another role or other skills.
    ///
    /// # Errors
    /// When the name is the human's or the orchestrator's, or the log cannot be written.
    pub fn join(&self, joined: AgentJoined) -> Result<(), Error> {
        free_to_take(&joined.agent)?;
        self.join_as(joined)
    }

    /// Lets an agent join that may use no more than is said. Its budget is set first, since a run under way starts it at once;
    /// and not at all, if it may not join.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_within(&self, by: &AgentId, joined: AgentJoined, said: Bounds) -> Result<(), Error> {
        free_to_take(&joined.agent)?;
        let wish = Command::from(joined.clone());
        self.team_log().look(|state| decide(state, &wish, now_ms()).map(|_| ()))??;
        self.limit(by, &Account::Agent(joined.agent.clone()), said)?;
        self.join_as(joined)
    }

    fn join_as(&self, joined: AgentJoined) -> Result<(), Error> {
        let same = self.team_log().look(|state| {
            state.agent(&joined.agent).is_some_and(|known| {
                !known.left
                    && known.role == joined.role
                    && known.skills == joined.skills
                    && known.with == joined.with
                    && known.orchestrated == joined.orchestrated
                    && known.plan == joined.plan
                    && known.lead == joined.lead
                    && known.added == joined.added
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
        // The human may work, too, as long as nobody else is called so.
        if agent.as_str() != HUMAN {
            free_to_take(agent)?;
        }
        self.join_as(AgentJoined {
            with: Some(with.to_owned()),
            ..AgentJoined::new(agent.clone(), Role::Worker)
        })
    }

    /// Who is in the team now, in a sentence: for whoever named somebody who is not.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn who_is_there(&self) -> Result<String, Error> {
        let there = self.get_status()?.agents.into_iter().filter(|known| !known.left);
        let names: Vec<String> = there.map(|known| known.id.to_string()).collect();
        Ok(match names.as_slice() {
            [] => "nobody is in the team now".to_owned(),
            names if names.len() <= NAMES_MAX => format!("in the team are {}", names.join(", ")),
            [first, ..] => {
                format!("{first} and {} others are in the team: `agent-team status`", names.len() - 1)
            }
        })
    }

    /// Lets an agent leave the team. What it holds goes back to the queue, and mail to it that is unread to its senders.
    ///
    /// # Errors
    /// A refusal when it is no member.
    pub fn leave(&self, agent: &AgentId) -> Result<(), Error> {
        self.take_out(agent, agent, "left")
    }

    /// Takes an agent out of the team. What it holds goes back to the queue, and mail that it has not read to its
    /// senders. An orchestrator that runs it ends it.
    ///
    /// # Errors
    /// A refusal when it is no member.
    pub fn drop_agent(&self, by: &AgentId, agent: &AgentId) -> Result<(), Error> {
        self.take_out(by, agent, "was dropped")
    }

    fn take_out(&self, by: &AgentId, agent: &AgentId, how: &str) -> Result<(), Error> {
        if !self.team_log().look(|state| state.is_member(agent))? {
            return Err(Refusal::NoSuchAgent { agent: agent.clone() }.into());
        }
        let held: Vec<_> = self.team_log().look(|state| {
            let held = state.held().filter(|(_, claim)| claim.agent == *agent);
            let held = held.filter(|(_, claim)| matches!(claim.stage, Stage::Work | Stage::Review));
            held.map(|(_, claim)| claim.id).collect()
        })?;
        // First it leaves, so that it does not claim again what it loses.
        self.team_log().submit(by, &AgentLeft::new(agent.clone()).into())?;
        for claim in held {
            let body = ClaimReleased::new(claim, format!("{agent} {how}"));
            // If it ended meanwhile, that is what was wanted.
            let _ = refusal(self.team_log().submit(by, &body.into()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_leaves_gives_back_what_it_holds() {
        let queue = TaskQueue::in_memory().unwrap();
        let (one, other): (AgentId, AgentId) = ("w1".parse().unwrap(), "w2".parse().unwrap());
        for agent in [&one, &other] {
            queue.join_as_worker(agent, "shell").unwrap();
        }
        queue.add_task("Say hello").unwrap();
        let claimed = queue.claim_task(&one).unwrap().unwrap();
        queue.leave(&one).unwrap();
        assert_eq!(queue.claim_task(&other).unwrap().unwrap().task.id, claimed.task.id);
    }

    #[test]
    fn whoever_a_run_has_at_work_takes_nothing_once_it_has_left() {
        let queue = TaskQueue::in_memory().unwrap();
        let agent: AgentId = "w1".parse().unwrap();
        let joined = AgentJoined { orchestrated: true, ..AgentJoined::new(agent.clone(), Role::Worker) };
        queue.join(joined.clone()).unwrap();
        queue.add_task("Say hello").unwrap();
        queue.leave(&agent).unwrap();
        assert_eq!(queue.claim_task(&agent).unwrap(), None);
        queue.join(joined).unwrap();
        assert!(queue.claim_task(&agent).unwrap().is_some());
    }

    #[test]
    fn whoever_comes_to_another_team_has_joined_again() {
        let queue = TaskQueue::in_memory().unwrap();
        let (lead, worker): (AgentId, AgentId) = ("lea".parse().unwrap(), "w1".parse().unwrap());
        queue.join(AgentJoined::new(lead.clone(), Role::Lead)).unwrap();
        let alone = AgentJoined::new(worker.clone(), Role::Worker);
        queue.join(alone.clone()).unwrap();
        let led = AgentJoined { lead: Some(lead.clone()), ..alone };
        queue.join(led.clone()).unwrap();
        let known = |state: &agent_team_core::machine::State| {
            (state.agent(&worker).unwrap().lead.clone(), state.records())
        };
        let (of, records) = queue.team_log().look(known).unwrap();
        assert_eq!(of, Some(lead));
        queue.join(led).unwrap();
        assert_eq!(queue.team_log().look(known).unwrap().1, records, "nothing has changed");
    }
}
