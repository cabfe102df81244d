//! What leads do: hand tasks out in parts, plan failures anew, give up what waits in vain.

use agent_team_core::id::TaskId;
use agent_team_core::machine::{Command, Status, Task};
use agent_team_core::record::{Replan, Role, TaskDelegated, TaskSpec};

use super::Process;
use super::chore::spec;
use super::job::{Doing, Job, Work};
use super::submit::Submit;
use crate::world::World;

impl Process {
    /// Splits the task that it works on, if that is delegated, or hands it out. Says whether.
    pub(super) fn leads(&mut self, world: &mut World, work: &mut Work) -> bool {
        self.catch_up(world);
        let Ok((task, _)) = self.state.live_claim(work.claim) else { return false };
        if task.open_parts > 0 {
            work.doing = Doing::HandOut;
            self.submit(Submit::new(TaskDelegated { claim: work.claim }));
            return true;
        }
        if !task.spec.delegate || !task.parts.is_empty() || world.calm {
            return false;
        }
        let whole = task.id().clone();
        let mut tasks: Vec<TaskSpec> = Vec::new();
        for _ in 0..=world.random.below(2) {
            let id = world.new_id();
            let Ok(id) = format!("t{:x}", id.0).parse::<TaskId>() else { continue };
            let known: Vec<TaskId> = tasks.iter().map(|spec| spec.id.clone()).collect();
            tasks.push(TaskSpec { parent: Some(whole.clone()), ..spec(world, id, &known) });
        }
        work.doing = Doing::Split;
        let batch = world.new_id();
        self.submit(Submit::new(Command::AddTasks { tasks, batch, limits: Vec::new() }));
        true
    }

    /// Plans a failure anew, if there is one that nobody planned yet. Says whether.
    pub(super) fn plan_anew(&mut self, world: &mut World) -> bool {
        let open: Vec<&Task> = self
            .state
            .lost()
            .filter(|task| {
                task.status == Status::Failed && task.replan.is_none() && task.spec.replans.is_none()
            })
            .collect();
        let Some(failed) = world.random.pick(&open).copied() else { return false };
        let id = world.new_id();
        let Ok(id) = format!("t{:x}", id.0).parse::<TaskId>() else { return false };
        let mut plan = TaskSpec::new(id, "plan anew");
        plan.role = Some(Role::Lead);
        plan.parent = self.state.planned_within(failed);
        plan.replans = Some(Replan { task: failed.id().clone(), failure: failed.revision });
        let batch = world.new_id();
        self.submit(Submit::new(Command::AddTasks { tasks: vec![plan], batch, limits: Vec::new() }));
        self.job = Job::Chore("planned anew");
        true
    }

    /// Gives up a task of which a part failed, if there is one. Says whether.
    pub(super) fn give_up(&mut self, world: &mut World) -> bool {
        let waits = |task: &&Task| task.handed_out && self.state.failed_parts(task).next().is_some();
        let vain: Vec<TaskId> = self.state.tasks().filter(waits).map(|task| task.id().clone()).collect();
        let Some(task) = world.random.pick(&vain).cloned() else { return false };
        self.submit(Submit::new(Command::GiveUp { task, reason: "a part failed".into() }));
        self.job = Job::Chore("given up");
        true
    }
}
