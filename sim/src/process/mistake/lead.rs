//! Mistakes about parts of tasks, re-plans, and teams of leads.

use agent_team_core::id::TaskId;
use agent_team_core::machine::{Status, Task};
use agent_team_core::record::{
    BatchClosed, Body, Replan, Role, Stage, TaskAdded, TaskChange, TaskClaimed, TaskDelegated, TaskEdited,
    TaskGivenUp, TaskSpec, TaskSubmitted,
};

use super::{Mistake, Process};
use crate::world::World;

/// How many kinds of these mistakes there are.
pub(super) const KINDS: usize = 9;
/// One deeper than anybody may delegate.
const TOO_DEEP: usize = 4;

impl Process {
    pub(super) fn bad_leading(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        match kind {
            0 => Self::delegates_too_deep(world),
            1 => {
                let (_, claim, ..) =
                    self.some_claim(world, |task, stage| stage == Stage::Work && task.open_parts > 0)?;
                let (result, commit, protected) = ("early".into(), None, Vec::new());
                Some((vec![TaskSubmitted { claim, result, commit, protected }.into()], None))
            }
            2 => {
                let (_, claim, ..) =
                    self.some_claim(world, |task, stage| stage == Stage::Work && !task.spec.delegate)?;
                Some((vec![TaskDelegated { claim }.into()], Some("it has no parts")))
            }
            3 => {
                let whole = self.some_task(world, |task| {
                    task.handed_out && self.state.failed_parts(task).next().is_none()
                })?;
                let (task, on) = (whole.id().clone(), Some(whole.revision));
                Some((vec![TaskGivenUp { task, on, reason: "tired".into() }.into()], None))
            }
            4 => {
                let failed = self.some_task(world, |task| task.status == Status::Failed)?;
                let mut plan = Self::fresh(world)?;
                plan.role = Some(Role::Lead);
                plan.parent = self.state.planned_within(failed);
                plan.replans = Some(Replan { task: failed.id().clone(), failure: world.new_id() });
                Some((vec![added(plan)], Some("the failure that it plans anew was never so")))
            }
            5 => {
                let task = self.some_task(world, |task| is_ready(task) && task.spec.team.is_some())?;
                if task.spec.team.as_ref() == Some(&self.part.agent) || self.part.human {
                    return None;
                }
                Some((
                    vec![self.takes(world, task, self.by())],
                    Some("it is for a team that this one is not in"),
                ))
            }
            6 => {
                let mut members = self.state.agents().filter(|agent| agent.lead.is_some());
                let member = members.next()?.id.clone();
                let task = self.some_task(world, |task| is_ready(task) && task.spec.agent.is_none())?;
                Some((vec![self.takes(world, task, member)], None))
            }
            7 => {
                let whole = self.some_task(world, |task| task.spec.delegate)?.id().clone();
                let mut part = Self::fresh(world)?;
                (part.parent, part.after) = (Some(whole.clone()), vec![whole]);
                Some((vec![added(part)], Some("a part waits for the whole")))
            }
            _ => {
                let task =
                    self.some_task(world, |task| !task.status.is_ended() && !task.dependents.is_empty())?;
                let after = Some(vec![task.dependents.first()?.clone()]);
                let change = TaskChange { after, ..TaskChange::default() };
                let body = TaskEdited { task: task.id().clone(), on: Some(task.revision), change };
                Some((vec![body.into()], None))
            }
        }
    }

    fn fresh(world: &mut World) -> Option<TaskSpec> {
        let id: TaskId = format!("t{:x}", world.new_id().0).parse().ok()?;
        Some(TaskSpec::new(id, "a task"))
    }

    fn delegates_too_deep(world: &mut World) -> Option<Mistake> {
        let batch = world.new_id();
        let mut bodies: Vec<Body> = Vec::new();
        let mut above = None;
        for _ in 0..TOO_DEEP {
            let mut spec = Self::fresh(world)?;
            (spec.delegate, spec.role, spec.parent) = (true, Some(Role::Lead), above.take());
            above = Some(spec.id.clone());
            bodies.push(TaskAdded { task: Box::new(spec), batch: Some(batch) }.into());
        }
        bodies.push(BatchClosed { batch, tasks: u32::try_from(TOO_DEEP).ok()? }.into());
        Some((bodies, Some("it is delegated deeper than anybody may")))
    }

    fn takes(&self, world: &World, task: &Task, agent: agent_team_core::id::AgentId) -> Body {
        let (id, on, stage) = (task.id().clone(), Some(task.revision), Stage::Work);
        TaskClaimed { task: id, on, stage, agent, holder: self.holder(world) }.into()
    }
}

fn added(task: TaskSpec) -> Body {
    TaskAdded { task: Box::new(task), batch: None }.into()
}

fn is_ready(task: &Task) -> bool {
    task.status == Status::Ready
}
