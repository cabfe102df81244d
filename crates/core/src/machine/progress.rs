//! Whether the team can go on by itself, or everything that is left waits for somebody from outside.

use super::fit::Member;
use super::state::State;
use super::task::Task;
use crate::id::HUMAN;
use crate::record::Stage;

impl State {
    /// Whether any task is worked on, or can be by a member. Checks and merges are for whoever runs the team.
    pub fn can_go_on(&self) -> bool {
        if !self.held.is_empty() || self.waiting_for(Stage::Verify).next().is_some() {
            return true;
        }
        let members = || self.agents.values().filter(|agent| !agent.left && agent.id.as_str() != HUMAN);
        let mut lanes = self.queue.wanted();
        if lanes.any(|lane| members().any(|agent| Member::of(self, &agent.id).fits(lane).is_ok())) {
            return true;
        }
        let reviewable = |task: &Task| {
            members().any(|agent| Member::of(self, &agent.id).fits_stage(task, Stage::Review).is_ok())
        };
        self.waiting_for(Stage::Review).any(reviewable)
            || self.waiting_for(Stage::Merge).any(|task| self.may_merge(task))
    }

    /// Whether a task's work may be merged: something must have proved it, or the user said that nothing needs to.
    pub fn may_merge(&self, task: &Task) -> bool {
        self.policy.no_gate || self.policy.gate.is_some() || task.spec.check.is_some()
    }
}
