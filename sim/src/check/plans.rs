//! Plans: where one is asked for, nothing is delivered before somebody else, who may, approved this very text.

use agent_team_core::id::{AgentId, HUMAN, RecordId, TaskId};
use agent_team_core::record::{Body, PlanJudged, PlanSubmitted, Role, TaskSubmitted};
use agent_team_core::text::Text;
use agent_team_log::BlobHash;

use super::{Verdict, Witness, violation};

impl Witness {
    /// A judgement counts once, for the newest plan, as it was read, and by who may.
    pub(super) fn judge_plan(&self, body: &PlanJudged, place: usize) -> Verdict {
        let task = &body.task;
        let newest = self.newest_plans(task, place);
        let Some((_, plan)) = newest.iter().find(|(id, _)| *id == body.plan) else {
            return violation("plan", format!("another plan for {task} was judged than the newest"));
        };
        self.is_lawful(body, plan)?;
        let mut before = self.facts_about(task, place).filter(|(tag, _)| self.stands(*tag));
        if before.any(|(_, other)| matches!(other, Body::PlanJudged(other) if other.plan == body.plan)) {
            return violation("plan", format!("a plan for {task} was judged twice"));
        }
        Ok(())
    }

    /// What is delivered for a task that asked for a plan, or by an agent that must always ask, was approved before.
    pub(super) fn judge_planned(&self, body: &TaskSubmitted, place: usize) -> Verdict {
        let Some(claim) = self.claims.get(&body.claim) else { return Ok(()) };
        let Some(spec) = self.spec(&claim.task) else { return Ok(()) };
        if !spec.plan && !self.must_always_ask(&claim.agent, place) {
            return Ok(());
        }
        let newest = self.newest_plans(&claim.task, place);
        let approves = |body: &Body, (id, plan): &(RecordId, &PlanSubmitted)| match body {
            Body::PlanJudged(body) => body.approved && body.plan == *id && self.is_lawful(body, plan).is_ok(),
            _ => false,
        };
        let mut judged = self.facts_about(&claim.task, place);
        if judged.any(|(_, body)| newest.iter().any(|plan| approves(body, plan))) {
            return Ok(());
        }
        violation("plan", format!("{} was delivered before its plan was approved", claim.task))
    }

    /// Whether a judgement is of the plan's text, and by somebody who may judge it.
    fn is_lawful(&self, body: &PlanJudged, plan: &PlanSubmitted) -> Verdict {
        let (task, by) = (&body.task, &body.by);
        let text = match &plan.text {
            Text::Inline(text) => BlobHash::of(text.as_bytes()).to_string(),
            Text::Blob(long) => long.blob.clone(),
        };
        if text != body.text_hash {
            return violation("plan", format!("another text was judged than the plan for {task}"));
        }
        if self.claims.get(&plan.claim).is_some_and(|claim| claim.agent == *by) {
            return violation("plan", format!("{by} judged its own plan for {task}"));
        }
        let named = self.spec(task).and_then(|spec| spec.approver.as_ref());
        let is_lead = || self.cast.roles.get(by) == Some(&Role::Lead);
        if by.as_str() == HUMAN || named.map_or_else(is_lead, |named| named == by) {
            return Ok(());
        }
        violation("plan", format!("{by} judged the plan for {task}, and may not"))
    }

    fn newest_plans(&self, task: &TaskId, before: usize) -> Vec<(RecordId, &PlanSubmitted)> {
        self.newest(task, before, |body| match body {
            Body::PlanSubmitted(body) => Some(body),
            _ => None,
        })
    }

    /// Whether an agent certainly joined as one whose plans must all be approved.
    fn must_always_ask(&self, agent: &AgentId, before: usize) -> bool {
        let joins = self.joins.iter().filter(|tag| self.stands(**tag) && self.place(**tag) < before);
        let mut joins = joins.filter_map(|tag| self.body(*tag));
        joins.any(|body| matches!(body, Body::AgentJoined(body) if body.agent == *agent && body.plan))
    }
}
