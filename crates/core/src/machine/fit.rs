//! Which agent may take which task.

use super::queue::Lane;
use super::refusal::Unfit;
use super::state::{Agent, State};
use super::task::Task;
use crate::id::{AgentId, HUMAN, Skill};
use crate::record::{Role, Stage};

/// An agent, as far as tasks ask about it. One that has not joined is taken for a worker without skills.
pub(crate) struct Member<'a> {
    pub agent: &'a AgentId,
    pub role: Role,
    pub skills: &'a [Skill],
    /// The lead to whose team it belongs.
    pub lead: Option<&'a AgentId>,
}

impl<'a> From<&'a Agent> for Member<'a> {
    fn from(agent: &'a Agent) -> Self {
        let lead = agent.lead.as_ref();
        Self { agent: &agent.id, role: agent.role, skills: &agent.skills, lead }
    }
}

impl<'a> Member<'a> {
    pub fn of(state: &'a State, agent: &'a AgentId) -> Self {
        match state.agents.get(agent) {
            Some(known) => known.into(),
            None => Self { agent, role: Role::Worker, skills: &[], lead: None },
        }
    }

    /// Whether it may take work from a lane.
    pub fn fits(&self, lane: &Lane) -> Result<(), Unfit> {
        if let Some(agent) = lane.agent.as_ref().filter(|agent| *agent != self.agent) {
            return Err(Unfit::ForAgent(agent.clone()));
        }
        match &lane.team {
            Some(team) if self.lead != Some(team) && self.agent != team => {
                return Err(Unfit::ForTeam(team.clone()));
            }
            None if lane.agent.is_none() => {
                if let Some(lead) = self.lead {
                    return Err(Unfit::NotOfTeam(lead.clone()));
                }
            }
            _ => {}
        }
        if let Some(role) = lane.role.filter(|role| *role != self.role) {
            return Err(Unfit::WantsRole(role));
        }
        if let Some(skill) = lane.skill.as_ref().filter(|skill| !self.skills.contains(skill)) {
            return Err(Unfit::WantsSkill(skill.clone()));
        }
        let wants_nobody = lane.agent.is_none() && lane.role.is_none() && lane.skill.is_none();
        if wants_nobody && self.role != Role::Worker {
            return Err(Unfit::NotAWorker(self.role));
        }
        Ok(())
    }

    /// Whether it may take a later stage of a task.
    pub fn fits_stage(&self, task: &Task, stage: Stage) -> Result<(), Unfit> {
        match stage {
            Stage::Work => self.fits(&Lane::wanted_by(task)),
            Stage::Verify | Stage::Merge => Ok(()),
            Stage::Review => self.may_review(task),
        }
    }

    fn may_review(&self, task: &Task) -> Result<(), Unfit> {
        let submission = task.submission.as_ref();
        if self.agent.as_str() == HUMAN {
            return Ok(());
        }
        if submission.is_some_and(|s| s.author == *self.agent) {
            return Err(Unfit::Author);
        }
        if submission.is_some_and(|s| !s.protected.is_empty()) {
            return Err(Unfit::HumanOnly);
        }
        if task.approvals.contains(self.agent) {
            return Err(Unfit::Approved);
        }
        if task.spec.review_rounds.is_some_and(|most| task.review_rounds >= most) {
            return Err(Unfit::RoundsOver);
        }
        if !matches!(self.role, Role::Reviewer | Role::Lead) {
            return Err(Unfit::NotAReviewer);
        }
        Ok(())
    }
}
