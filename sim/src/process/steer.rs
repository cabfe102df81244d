//! Steering a team while it runs: hold up, let go on, hand over, begin a run.

use agent_team_core::id::AgentId;
use agent_team_core::machine::{Agent, Command, Task};
use agent_team_core::record::{Role, RunStarted};

use super::Process;
use super::job::Job;
use super::merge::Then;
use super::submit::Submit;
use crate::world::World;

impl Process {
    /// Does something of the kind, perhaps. Says whether. The human does; a lead holds up others now and then.
    pub(super) fn steer(&mut self, world: &mut World) -> bool {
        if !(self.part.human || self.part.role == Role::Lead) {
            return false;
        }
        if world.random.chance(500) && self.resume(world) {
            return true;
        }
        match world.random.below(if self.part.human { 24 } else { 6 }) {
            0 | 1 => self.pause(world),
            2 | 3 => self.plan_anew(world),
            4 | 10 => self.give_up(world),
            6 | 7 => self.hand_a_task_over(world),
            8 => {
                let process = self.process_id(world);
                self.submit(Submit::new(RunStarted {
                    process,
                    goal: None,
                    rehearsal: false,
                    budget: None,
                    budgets: None,
                    check: None,
                }));
                self.job = Job::Chore("run started");
                true
            }
            9 => {
                self.note(world);
                true
            }
            _ => false,
        }
    }

    /// Holds up somebody, or now and then everybody.
    fn pause(&mut self, world: &mut World) -> bool {
        let members: Vec<AgentId> =
            self.state.agents().filter(|agent| !agent.left).map(|agent| agent.id.clone()).collect();
        let agent = if world.random.chance(200) { None } else { world.random.pick(&members).cloned() };
        let release = agent.is_some() && world.random.chance(400);
        self.set_pause(agent, true, release);
        true
    }

    /// Lets somebody go on who is held up and still there. Says whether there is any.
    pub(super) fn resume(&mut self, world: &mut World) -> bool {
        let can_be = |agent: &Option<&AgentId>| agent.is_none_or(|agent| self.state.is_member(agent));
        let held_up: Vec<Option<AgentId>> = self
            .state
            .pauses()
            .map(|(agent, _)| agent)
            .filter(can_be)
            .map(Option::<&AgentId>::cloned)
            .collect();
        let Some(agent) = world.random.pick(&held_up).cloned() else { return false };
        self.set_pause(agent, false, false);
        true
    }

    fn set_pause(&mut self, agent: Option<AgentId>, paused: bool, release: bool) {
        self.submit(Submit::new(Command::Pause { agent, paused, release, reason: String::new() }));
        self.job = Job::Chore(match (paused, release) {
            (true, true) => "stopped",
            (true, false) => "held up",
            (false, _) => "let go on",
        });
    }

    /// Whether its agent is to do nothing more for now.
    pub(super) fn is_held_up(&mut self, world: &mut World) -> bool {
        self.catch_up(world);
        self.state.held_up(&self.part.agent).is_some()
    }

    /// Gives a task to somebody who may do it, or to anyone.
    fn hand_a_task_over(&mut self, world: &mut World) -> bool {
        let tasks: Vec<&Task> = self.state.tasks().filter(|task| !task.status.is_ended()).collect();
        let Some(task) = world.random.pick(&tasks).copied() else { return false };
        let may = |agent: &&Agent| {
            let wanted = task.spec.skill.as_ref();
            !agent.left
                && agent.role != Role::Specialist
                && task.spec.role.is_none_or(|role| role == agent.role)
                && wanted.is_none_or(|skill| agent.skills.contains(skill))
        };
        let members: Vec<AgentId> = self.state.agents().filter(may).map(|agent| agent.id.clone()).collect();
        let agent = if world.random.chance(250) { None } else { world.random.pick(&members).cloned() };
        let task = task.id().clone();
        self.end_any(task, Then::Reassign { agent });
        true
    }
}
