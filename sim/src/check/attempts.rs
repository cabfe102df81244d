//! Nobody begins more attempts than a budget allows, and nobody joins a team that is full.

use agent_team_core::id::{AgentId, HUMAN, TaskId};
use agent_team_core::record::{Account, AgentJoined, Body, Stage, TaskClaimed};

use super::{Verdict, Witness, violation};

impl Witness {
    pub(super) fn judge_attempt(&self, body: &TaskClaimed, tag: usize, place: usize) -> Verdict {
        if body.stage != Stage::Work || !self.begins(&body.task, &body.agent, place) {
            return Ok(());
        }
        for account in [Account::Team, Account::Run, Account::Agent(body.agent.clone())] {
            let Some(most) = self.limit(&account, place).and_then(|limit| limit.bounds.attempts) else {
                continue;
            };
            let places = self.since(&account, place)..place;
            let begun = self.claims.values().filter(|claim| {
                let at = self.place(claim.tag);
                claim.tag != tag
                    && claim.stage == Stage::Work
                    && places.contains(&at)
                    && self.stands(claim.tag)
                    && self.touches(&account, &claim.agent, None)
                    && self.begins(&claim.task, &claim.agent, at)
            });
            let begun = begun.count() as u64;
            if begun >= most {
                let what = format!("{} begins {} after {begun} attempts of {account}", body.agent, body.task);
                return violation("attempts", what);
            }
        }
        Ok(())
    }

    /// Whether a claim certainly begins an attempt: the agent cannot go on with what it never had.
    fn begins(&self, task: &TaskId, agent: &AgentId, before: usize) -> bool {
        let earlier = self.claims_of.get(task).into_iter().flatten().filter_map(|id| self.claims.get(id));
        let mut own = earlier.filter(|claim| claim.stage == Stage::Work && claim.agent == *agent);
        own.all(|claim| self.place(claim.tag) >= before || !self.may_stand(claim.tag))
    }

    pub(super) fn judge_join(&self, body: &AgentJoined, place: usize) -> Verdict {
        let Some(most) = self.max_agents(place) else { return Ok(()) };
        if body.agent.as_str() == HUMAN || self.membership(&body.agent, place) != Some(false) {
            return Ok(());
        }
        let mut agents: Vec<&AgentId> = self.joins.iter().filter_map(|tag| who(self.body(*tag)?)).collect();
        agents.sort();
        agents.dedup();
        let others = agents.into_iter().filter(|agent| agent.as_str() != HUMAN && **agent != body.agent);
        let there = others.filter(|agent| self.membership(agent, place) == Some(true)).count();
        if there >= most as usize {
            return violation(
                "agents",
                format!("{} joins, and {there} of {most} agents are there", body.agent),
            );
        }
        Ok(())
    }

    /// Whether an agent is in the team, if that is certain.
    fn membership(&self, agent: &AgentId, before: usize) -> Option<bool> {
        let known = self.joins.iter().rev();
        let mut known = known.filter(|tag| self.place(**tag) < before && self.may_stand(**tag));
        let Some(newest) = known.find(|tag| self.body(**tag).and_then(who) == Some(agent)) else {
            return Some(false);
        };
        self.stands(*newest).then(|| matches!(self.body(*newest), Some(Body::AgentJoined(_))))
    }

    /// How many agents there may be, if that is certain.
    fn max_agents(&self, before: usize) -> Option<u32> {
        let known = self.settings.iter().rev();
        let known = known.filter(|tag| self.place(**tag) < before && self.may_stand(**tag));
        let mut policies = known.filter_map(|tag| match self.body(*tag) {
            Some(Body::PolicySet(body)) => Some((*tag, body)),
            _ => None,
        });
        policies.next().filter(|(tag, _)| self.stands(*tag)).and_then(|(_, body)| body.policy.max_agents)
    }
}

/// Who joins or leaves.
fn who(body: &Body) -> Option<&AgentId> {
    match body {
        Body::AgentJoined(body) => Some(&body.agent),
        Body::AgentLeft(body) => Some(&body.agent),
        _ => None,
    }
}
