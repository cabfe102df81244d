//! Plans: submitted by the holder, judged by somebody else.

use super::judgement::at_stage;
use super::{Meta, Rule};
use crate::id::{AgentId, HUMAN};
use crate::machine::refusal::Refusal;
use crate::machine::safeguard::Safeguard;
use crate::machine::state::State;
use crate::machine::task::{Plan, PlanVerdict, Task};
use crate::record::{PlanJudged, PlanSubmitted, Role, Stage};

impl Rule for PlanSubmitted {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        at_stage(state, self.claim, Stage::Work).map(|_| ())
    }

    /// A plan is progress.
    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some((slot, author)) = super::claim::holder(state, self.claim) else { return };
        state.update(slot, |task| {
            task.takeovers = 0;
            if let Some(claim) = &mut task.claim {
                claim.renewal = meta.id;
            }
            let rounds = task.plan.as_ref().map_or(0, |plan| plan.rounds) + 1;
            let (text, changes) = (self.text, self.changes);
            let plan = Plan { id: meta.id, author, text, changes, at_ms: meta.at_ms, rounds, verdict: None };
            task.plan = Some(Box::new(plan));
        });
    }
}

impl Rule for PlanJudged {
    fn guard(&self, state: &State) -> Result<(), Refusal> {
        let task = state.tasks.get(&self.task);
        let task = task.ok_or_else(|| Refusal::NoSuchTask { task: self.task.clone() })?;
        let wanted = task.open_plan().filter(|plan| plan.id == self.plan || !state.keeps(Safeguard::Plan));
        let Some(plan) = wanted else {
            return Err(Refusal::OtherPlan { task: self.task.clone() });
        };
        if plan.text.hash() != self.text_hash && state.keeps(Safeguard::PlanText) {
            return Err(Refusal::OtherPlan { task: self.task.clone() });
        }
        if plan.author == self.by && state.keeps(Safeguard::PlanAuthor) {
            return Err(Refusal::NoApprover { task: self.task.clone(), agent: self.by.clone() });
        }
        if !state.may_approve(task, &self.by) && state.keeps(Safeguard::Approver) {
            return Err(Refusal::NoApprover { task: self.task.clone(), agent: self.by.clone() });
        }
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let Some(slot) = state.tasks.slot(&self.task) else { return };
        state.update(slot, |task| {
            if let Some(plan) = &mut task.plan {
                plan.verdict = Some(PlanVerdict {
                    id: meta.id,
                    by: self.by,
                    approved: self.approved,
                    feedback: self.feedback,
                });
            }
        });
    }
}

impl State {
    /// Whether the agent may judge the plan of a task: the human always, else who the task names, or a lead. Never its
    /// author.
    pub fn may_approve(&self, task: &Task, agent: &AgentId) -> bool {
        if task.plan.as_ref().is_some_and(|plan| plan.author == *agent) && self.keeps(Safeguard::PlanAuthor) {
            return false;
        }
        let is_lead = || self.agents.get(agent).is_some_and(|known| !known.left && known.role == Role::Lead);
        agent.as_str() == HUMAN || task.spec.approver.as_ref().map_or_else(is_lead, |named| named == agent)
    }

    /// Whether an agent must have a plan approved before it delivers a task.
    pub fn wants_plan(&self, task: &Task, agent: &AgentId) -> bool {
        task.spec.plan || self.agents.get(agent).is_some_and(|known| known.plan)
    }

    /// Whether it must, and has not.
    pub fn lacks_plan(&self, task: &Task, agent: &AgentId) -> bool {
        self.wants_plan(task, agent) && !task.plan.as_ref().is_some_and(|plan| plan.is_approved())
    }

    /// The tasks whose plans wait to be judged: those that are held, and those that nobody holds any more, since whoever
    /// takes them next waits for the same verdict.
    pub fn open_plans(&self) -> impl Iterator<Item = (&Task, &Plan)> {
        let tasks = self.held().map(|(task, _)| task).chain(self.unjudged());
        tasks.filter_map(|task| Some((task, task.open_plan()?)))
    }
}
