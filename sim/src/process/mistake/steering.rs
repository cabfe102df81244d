//! Mistakes about pauses, plans, reviews by several, and handing over.

use agent_team_core::id::{AgentId, RecordId};
use agent_team_core::machine::{Plan, Status, Task};
use agent_team_core::record::{
    Account, AgentJoined, Amount, Body, PauseSet, PlanJudged, Role, SpendingReserved, Stage, TaskClaimed,
    TaskReassigned, TaskSubmitted,
};

use super::{Mistake, Process};
use crate::world::World;

/// How many kinds of these mistakes there are.
pub(super) const KINDS: usize = 16;
/// The one that reviews after the last round.
pub(super) const ROUNDS_OVER: usize = 9;

impl Process {
    pub(super) fn bad_steering(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        match kind {
            // There is seldom something to do wrong here, so what fits next is done instead.
            0 | 1 => self.claims_while_held_up(world).or_else(|| self.reviews_once_more(world, 8 + kind)),
            2 => self.delivers_without_a_plan(world).or_else(|| self.reviews_once_more(world, ROUNDS_OVER)),
            3..=7 => self.misjudges_a_plan(world, kind),
            8 | ROUNDS_OVER => self.reviews_once_more(world, kind),
            10 | 11 => self.bad_pause(world, kind),
            12 => self.bad_hand_over(world),
            13 => self.begins_one_too_many(world),
            14 => self.comes_to_a_full_team(world),
            _ => {
                let upper = Amount { calls: 6, ..Amount::default() };
                let body = SpendingReserved { agent: self.by(), task: None, upper };
                Some((vec![body.into()], None))
            }
        }
    }

    fn claims_while_held_up(&self, world: &mut World) -> Option<Mistake> {
        let held_up: Vec<Option<AgentId>> = self.state.pauses().map(|(agent, _)| agent.cloned()).collect();
        let agent = world.random.pick(&held_up)?.clone().unwrap_or_else(|| self.by());
        let role = self.state.agent(&agent)?.role;
        let wanted = if role == Role::Worker { Status::Ready } else { Status::Reviewing };
        let task = self.some_task(world, |task| {
            let is_author = task.submission.as_ref().is_some_and(|delivered| delivered.author == agent);
            task.status == wanted && task.claim.is_none() && !is_author
        })?;
        Some((vec![self.claim_of(world, task, agent)?], None))
    }

    /// Begins an attempt that no budget allows.
    fn begins_one_too_many(&self, world: &mut World) -> Option<Mistake> {
        let ledger = self.state.ledger();
        let is_used_up = |account: &Account| {
            let most = ledger.limit(account).bounds.attempts;
            most.is_some_and(|most| ledger.attempts(account) >= most)
        };
        let all = is_used_up(&Account::Team) || is_used_up(&Account::Run);
        let may = |agent: &&agent_team_core::machine::Agent| {
            let own = Account::Agent(agent.id.clone());
            !agent.left && agent.role == Role::Worker && (all || is_used_up(&own))
        };
        let agents: Vec<AgentId> = self.state.agents().filter(may).map(|agent| agent.id.clone()).collect();
        let agent = world.random.pick(&agents)?.clone();
        let wants_anybody = |task: &Task| {
            let spec = &task.spec;
            spec.agent.is_none() && spec.role.is_none() && spec.skill.is_none()
        };
        let task = self.some_task(world, |task| {
            task.status == Status::Ready && task.claim.is_none() && wants_anybody(task)
        })?;
        Some((vec![self.claim_of(world, task, agent)?], None))
    }

    /// Joins without a place.
    fn comes_to_a_full_team(&self, world: &mut World) -> Option<Mistake> {
        let most = self.state.policy().max_agents?;
        if self.state.member_count() < u64::from(most) {
            return None;
        }
        let agent: AgentId = "guest".parse().ok()?;
        let is_there = self.state.is_member(&agent);
        let agent = if is_there { format!("guest-{}", world.random.below(3)).parse().ok()? } else { agent };
        let (role, skills) = (Role::Specialist, Vec::new());
        let body = AgentJoined { skills, ..AgentJoined::new(agent, role) };
        Some((vec![body.into()], None))
    }

    fn claim_of(&self, world: &World, task: &Task, agent: AgentId) -> Option<Body> {
        let (id, on, stage) = (task.id().clone(), Some(task.revision), task.status.stage()?);
        Some(TaskClaimed { task: id, on, stage, agent, holder: self.holder(world) }.into())
    }

    fn delivers_without_a_plan(&self, world: &mut World) -> Option<Mistake> {
        let wanted = |task: &Task, stage| {
            let lacks = task.claim.as_ref().is_some_and(|claim| self.state.lacks_plan(task, &claim.agent));
            stage == Stage::Work && lacks
        };
        let (_, claim, ..) = self.some_claim(world, wanted)?;
        let body = TaskSubmitted { claim, result: "unplanned".into(), commit: None, protected: Vec::new() };
        Some((vec![body.into()], None))
    }

    fn misjudges_a_plan(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        let is_open = |task: &Task| task.plan.as_ref().is_some_and(|plan| plan.verdict.is_none());
        let wants_author =
            |task: &Task| task.plan.as_ref().map(|plan| &plan.author) == task.spec.approver.as_ref();
        let task = match kind {
            // A plan whose author would be the one to judge it, if there is one: nothing else keeps it from that.
            3 => self
                .some_task(world, |task| is_open(task) && wants_author(task))
                .or_else(|| self.some_task(world, is_open))?,
            7 => self.some_task(world, |task| task.plan.is_some() && !is_open(task))?,
            _ => self.some_task(world, is_open)?,
        };
        let plan: &Plan = task.plan.as_deref()?;
        let (mut id, mut by, mut text_hash) = (plan.id, AgentId::human(), plan.text.hash());
        let why = match kind {
            3 => {
                by = plan.author.clone();
                "its author judged it"
            }
            4 => {
                let has_no_right = |agent: &&agent_team_core::machine::Agent| {
                    let named = task.spec.approver.as_ref();
                    agent.id != plan.author
                        && Some(&agent.id) != named
                        && (named.is_some() || agent.role != Role::Lead)
                };
                let agents: Vec<AgentId> =
                    self.state.agents().filter(has_no_right).map(|agent| agent.id.clone()).collect();
                by = world.random.pick(&agents)?.clone();
                "it was judged by somebody without the right"
            }
            5 => {
                id = self.another_plan(world, task);
                "another plan was judged"
            }
            6 => {
                text_hash = "0".repeat(64);
                "another text was judged"
            }
            _ => "it was judged before",
        };
        let task = task.id().clone();
        let body = PlanJudged { task, plan: id, text_hash, by, approved: true, feedback: "mine".into() };
        Some((vec![body.into()], Some(why)))
    }

    /// The plan for another task, or one that there never was.
    fn another_plan(&self, world: &mut World, than: &Task) -> RecordId {
        let other = self.some_task(world, |task| task.id() != than.id() && task.plan.is_some());
        other.and_then(|task| task.plan.as_ref()).map_or_else(|| world.new_id(), |plan| plan.id)
    }

    /// Reviews what it approved before, or after as many rounds as there may be. One may take itself for somebody else.
    fn reviews_once_more(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        let waits = |task: &Task| task.status == Status::Reviewing && task.claim.is_none();
        let is_over = |task: &Task| task.spec.review_rounds.is_some_and(|most| task.review_rounds >= most);
        if kind == 8 {
            let task = self.some_task(world, |task| waits(task) && !task.approvals.is_empty())?;
            let agent = task.approvals.last()?.clone();
            return Some((vec![self.claim_of(world, task, agent)?], None));
        }
        let task = self.some_task(world, |task| waits(task) && is_over(task))?;
        let author = task.submission.as_ref().map(|delivered| &delivered.author);
        let may = |agent: &&agent_team_core::machine::Agent| {
            matches!(agent.role, Role::Reviewer | Role::Lead)
                && Some(&agent.id) != author
                && !task.approvals.contains(&agent.id)
        };
        let reviewers: Vec<AgentId> = self.state.agents().filter(may).map(|agent| agent.id.clone()).collect();
        let reviewer = world.random.pick(&reviewers)?.clone();
        Some((vec![self.claim_of(world, task, reviewer)?], None))
    }

    fn bad_pause(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        let (agent, on, why) = if kind == 10 {
            (None, Some(world.new_id()), "what it replaces was never so")
        } else {
            (Some("nobody".parse().ok()?), None, "nobody is no member")
        };
        let body = PauseSet { agent, on, paused: true, release: false, reason: String::new() };
        Some((vec![body.into()], Some(why)))
    }

    fn bad_hand_over(&self, world: &mut World) -> Option<Mistake> {
        let (agent, fenced) = (Some(self.by()), None);
        if world.random.chance(300) {
            // In the middle of its merge, which nobody fenced off.
            let task = self.some_task(world, |task| task.intent.is_some())?;
            let (task, on) = (task.id().clone(), Some(task.revision));
            return Some((vec![TaskReassigned { task, on, agent: None, fenced }.into()], None));
        }
        if world.random.chance(500) {
            let task = self.some_task(world, |task| task.status == Status::Completed)?;
            let (task, on) = (task.id().clone(), Some(task.revision));
            return Some((vec![TaskReassigned { task, on, agent, fenced }.into()], Some("it was completed")));
        }
        let task = self.some_task(world, |_| true)?.id().clone();
        let body = TaskReassigned { task, on: Some(world.new_id()), agent, fenced };
        Some((vec![body.into()], Some("what it was decided on was never so")))
    }
}
