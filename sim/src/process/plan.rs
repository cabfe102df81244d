//! Plans: an agent says how it means to do a task and waits, and somebody else reads that and judges it.

use agent_team_core::id::{RecordId, TaskId};
use agent_team_core::machine::Command;
use agent_team_core::record::PlanSubmitted;
use agent_team_core::text::Text;

use super::Process;
use super::job::{Doing, Job, Work};
use super::submit::Submit;
use crate::world::World;

impl Process {
    /// Whether a plan is missing or waits: then it submits one, or waits for its approval, or now and then does not wait.
    pub(super) fn plans(&mut self, world: &mut World, work: &mut Work) -> bool {
        self.catch_up(world);
        // Who has lost the task finds out by delivering.
        let Ok((task, claim)) = self.state.live_claim(work.claim) else { return false };
        if !self.state.wants_plan(task, &claim.agent) {
            return false;
        }
        let plan = task.plan.as_ref();
        let waits = plan.is_some_and(|plan| plan.verdict.is_none() && plan.author == claim.agent);
        let is_approved = !self.state.lacks_plan(task, &claim.agent);
        let changes_its_mind = !world.calm && world.random.chance(if is_approved { 50 } else { 80 });
        match (is_approved, waits) {
            (true, _) if !changes_its_mind => return false,
            (_, true) if !changes_its_mind => {
                if world.random.chance(50) {
                    self.deliver(world, work);
                } else {
                    self.sleep(world, 80);
                }
            }
            _ => {
                work.doing = Doing::Plan;
                // Most plans are like none before; some say once more what was said.
                let said = plan.map(|plan| plan.text.clone()).filter(|_| world.random.chance(200));
                self.counter += 1;
                let text = said.unwrap_or_else(|| format!("plan {}-{}", work.result, self.counter).into());
                self.submit(Submit::new(PlanSubmitted { claim: work.claim, text, changes: Text::default() }));
            }
        }
        true
    }

    /// Reads a plan that it may judge, perhaps. Says whether.
    pub(super) fn read_a_plan(&mut self, world: &mut World) -> bool {
        if !world.random.chance(if world.calm { 1000 } else { 250 }) {
            return false;
        }
        let mut open = self.state.open_plans();
        let found = open.find(|(task, _)| self.state.may_approve(task, &self.part.agent));
        let Some((task, plan)) = found else { return false };
        self.job = Job::Approving { task: task.id().clone(), plan: plan.id };
        true
    }

    pub(super) fn judge_plan(&mut self, world: &mut World, task: TaskId, plan: RecordId) {
        let approved = world.calm || world.random.chance(700);
        let (plan, by, feedback) = (Some(plan), self.by(), "read".into());
        self.submit(Submit::new(Command::JudgePlan { task, plan, by, approved, feedback }));
        self.job = Job::Chore(if approved { "plan approved" } else { "plan rejected" });
    }
}
