//! Whether the team can go on by itself, or everything that is left waits for somebody from outside.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::fit::Member;
use super::messages::Message;
use super::queue::Lane;
use super::refusal::{Refusal, Unfit};
use super::state::{Agent, State};
use super::task::Task;
use super::tasks::Slot;
use super::transition::Status;
use crate::id::{AgentId, HUMAN, TaskId};
use crate::record::{Account, Resource, Role, Stage};

impl State {
    /// Whether any task is worked on, or can be by a member. Checks and merges are for whoever runs the team.
    pub fn can_go_on(&self) -> bool {
        self.can_go_on_with(|_| true)
    }

    /// The same, if these members alone can take something: others have used up what they may spend, say.
    pub fn can_go_on_with(&self, is_able: impl Fn(&AgentId) -> bool) -> bool {
        if !self.held.is_empty() || self.waiting_for(Stage::Verify).next().is_some() {
            return true;
        }
        // Whoever held somebody up means to let them go on; nobody can who has left.
        let counts = self.counts();
        let mut pauses = self.pauses();
        if pauses.any(|(agent, _)| agent.is_none_or(|agent| self.is_member(agent)))
            && counts.ready + counts.running > 0
        {
            return true;
        }
        let works =
            |agent: &Agent| agent.id.as_str() != HUMAN && is_able(&agent.id) && self.may_work(&agent.id);
        if self.wanted().any(|lane| self.members_for(lane).any(works)) {
            return true;
        }
        let is_there = |agent: &&Agent| !agent.left && agent.id.as_str() != HUMAN && is_able(&agent.id);
        let members = || self.agents.values().filter(is_there);
        let reviewable = |task: &Task| {
            self.short_of(task).is_none() && members().any(|agent| self.may_review(task, &agent.id))
        };
        self.waiting_for(Stage::Review).any(reviewable)
            || self.waiting_for(Stage::Merge).any(|task| self.may_merge(task))
    }

    /// Whether an agent can ever do the work of a task, or why not. The human needs to join nothing.
    ///
    /// # Errors
    /// Why not: it is no member, or the task wants a role or a skill that it has not.
    pub fn could_work_on(&self, task: &Task, agent: &AgentId) -> Result<(), Refusal> {
        if agent.as_str() != HUMAN && !self.is_member(agent) {
            return Err(Refusal::NoSuchAgent { agent: agent.clone() });
        }
        let lane = Lane { agent: Some(agent.clone()), ..Lane::wanted_by(task) };
        let unfit = |reason| Refusal::NotFitting {
            task: task.id().clone(),
            agent: agent.clone(),
            stage: Stage::Work,
            reason,
        };
        let member = Member::of(self, agent);
        member.fits(&lane).map_err(unfit)?;
        // Leads and reviewers change no file: what names no role is theirs only if it was meant for one like them.
        let is_for_workers = task.spec.role.is_none() && task.spec.skill.is_none();
        let meant = task.spec.agent.as_ref().map(|meant| Member::of(self, meant).role);
        match is_for_workers
            && matches!(member.role, Role::Lead | Role::Reviewer)
            && meant != Some(member.role)
        {
            true => Err(unfit(Unfit::NotAWorker(member.role))),
            false => Ok(()),
        }
    }

    /// Whether any member can ever do the work of a task.
    pub fn has_somebody_for(&self, task: &Task) -> bool {
        self.members_for(&Lane::wanted_by(task)).next().is_some()
    }

    /// Whether the next run may bring somebody back who can take a task: one that worked for a run and left with it. Who was
    /// added by hand and has left was dropped.
    pub(crate) fn run_brings_back_for(&self, task: &Task) -> bool {
        let lane = Lane::wanted_by(task);
        let lane = Lane { agent: lane.agent.or_else(|| task.back_to.clone()), ..lane };
        let mut former =
            self.agents.values().filter(|agent| agent.left && agent.orchestrated && !agent.added);
        former.any(|agent| Member::from(agent).fits(&lane).is_ok())
    }

    /// The questions that nobody has answered and whose askers still want to know, oldest first.
    pub fn open_questions(&self) -> impl Iterator<Item = &Message> {
        self.messages.open_questions().filter(|asked| self.is_still_asked(asked))
    }

    /// Whether a question is not overtaken: its task goes on, and whoever asked while it worked on that has it, or goes on
    /// with it once it is back.
    pub fn is_still_asked(&self, question: &Message) -> bool {
        let Some(task) = question.task.as_ref().and_then(|task| self.task(task)) else { return true };
        let has_it = task.claim.as_ref().is_some_and(|claim| claim.agent == question.from);
        let had_it = || task.past_claims.iter().any(|past| past.agent == question.from);
        let goes_on = || task.claim.is_none() && task.resumed_by(&question.from).is_some();
        !task.status.is_ended() && (has_it || goes_on() || !had_it())
    }

    /// The tasks that went back to an agent, and wait for it alone.
    pub fn waiting_for_return_of(&self, agent: &AgentId) -> impl Iterator<Item = &Task> {
        let own = self.queue.waiting_for_agent(agent).filter_map(|slot| self.tasks.at(slot));
        own.filter(|task| task.back_to.as_ref() == Some(agent))
    }

    /// The task that a member should take of those that went back to agents who cannot take them now.
    pub(crate) fn left_to_others(&self, member: &Member<'_>, now_ms: u64) -> Option<&Task> {
        let awaited = self.queue.awaited_agents().into_iter();
        let left = awaited.flat_map(|agent| self.waiting_for_return_of(agent));
        let may = left.filter(|task| {
            task.not_before_ms <= now_ms
                && self.is_left_to_others(task)
                && member.fits_stage(task, Stage::Work).is_ok()
                && self.offered(task, member.agent).is_ok()
        });
        may.min_by_key(|task| (Reverse(task.spec.priority), task.added))
    }

    /// Whether others need not wait for the agent to whom a task went back: who is stopped goes on where it was only with what
    /// nobody has taken meanwhile, and who works on something else begins anew like everybody when it comes to this task.
    /// What it was cut off from waits for it all the same: that costs it no attempt.
    fn is_left_to_others(&self, task: &Task) -> bool {
        let Some(agent) = &task.back_to else { return false };
        let works = || self.held().any(|(_, claim)| claim.agent == *agent && claim.stage == Stage::Work);
        self.stopped(agent).is_some() || task.resume.is_none() && works()
    }

    /// Whether somebody else may take a task that went back to an agent who cannot take it now, and is there to do so.
    pub fn is_free_of_its_author(&self, task: &Task) -> bool {
        let is_there =
            |other: &Agent| Some(&other.id) != task.back_to.as_ref() && self.held_up(&other.id).is_none();
        self.is_left_to_others(task) && self.members_who_may(task).any(is_there)
    }

    /// The members who may take the work at a task, whoever is preferred for it now.
    pub fn members_who_may(&self, task: &Task) -> impl Iterator<Item = &Agent> {
        let lane = Lane::wanted_by(task);
        let members = self.agents.values().filter(|agent| !agent.left && agent.id.as_str() != HUMAN);
        members
            .filter(move |agent| Member::of(self, &agent.id).fits(&lane).is_ok() && self.may_work(&agent.id))
    }

    /// Whether an agent may begin an attempt, or has one to go on with.
    fn may_work(&self, agent: &AgentId) -> bool {
        let mut own = self.queue.for_agent(agent).filter_map(|slot| self.tasks.at(slot));
        let goes_on = |task: &Task| task.resumed_by(agent).is_some() && self.short_of(task).is_none();
        self.ledger.attempt_fits(agent).is_ok() || own.any(goes_on)
    }

    /// The account that has too little left for the next step at a task that nobody holds, and of what: the task's own, or
    /// that of a delegated one that it is a part of. As long as it has, `decide` offers neither the work nor a review to
    /// any agent; the human needs no budget.
    pub fn short_of(&self, task: &Task) -> Option<(Account, Resource)> {
        let is_free = task.claim.is_none() && matches!(task.status, Status::Ready | Status::Reviewing);
        if !is_free || self.ledger.bounded_tasks().is_empty() {
            return None;
        }
        let tasks = std::iter::once(task.id()).chain(&task.above);
        match self.ledger.step_fits(tasks, task.needs) {
            Err(Refusal::OverBudget { account, what }) => Some((account, what)),
            _ => None,
        }
    }

    /// All tasks of which [`short_of`](Self::short_of) has something to say.
    pub fn short_of_budget(&self) -> impl Iterator<Item = (&Task, Account, Resource)> {
        let mut found: BTreeSet<&TaskId> = BTreeSet::new();
        let mut open: Vec<&TaskId> = self.ledger.bounded_tasks().iter().collect();
        while let Some(id) = open.pop() {
            if let Some(task) = self.task(id).filter(|task| found.insert(task.id())) {
                open.extend(&task.parts);
            }
        }
        let tasks = found.into_iter().filter_map(|id| self.task(id));
        tasks.filter_map(|task| self.short_of(task).map(|(account, what)| (task, account, what)))
    }

    /// Whether a task that waits is offered to an agent, as far as budgets go.
    pub(crate) fn offered(&self, task: &Task, agent: &AgentId) -> Result<(), Refusal> {
        match self.short_of(task).filter(|_| agent.as_str() != HUMAN) {
            Some((account, what)) => Err(Refusal::OverBudget { account, what }),
            None => Ok(()),
        }
    }

    /// The same of a task that is not looked at where nothing depends on it.
    pub(crate) fn is_slot_offered(&self, slot: Slot, agent: &AgentId) -> bool {
        let at = |slot| self.tasks.at(slot);
        self.ledger.bounded_tasks().is_empty()
            || at(slot).is_some_and(|task| self.offered(task, agent).is_ok())
    }

    /// What the tasks want that wait for an agent and have a budget for it.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &Lane> {
        let at = |slot| self.tasks.at(slot);
        let is_bounded = !self.ledger.bounded_tasks().is_empty();
        self.queue
            .wanted(move |slot| !is_bounded || at(slot).is_some_and(|task| self.short_of(task).is_none()))
    }

    /// The account that allows no more attempts at a task, whoever would take it; `None` if somebody may.
    pub fn lacks_attempts(&self, task: &Task) -> Option<Account> {
        let lane = Lane::wanted_by(task);
        let awaited = task.back_to.as_ref().or(task.spec.agent.as_ref());
        if awaited.is_some_and(|agent| task.resumed_by(agent).is_some()) {
            return None;
        }
        let used_up = |account: &Account| self.ledger.has_no_attempts(account);
        if let Some(account) = [Account::Team, Account::Run].into_iter().find(used_up) {
            return Some(account);
        }
        let mut members = self.members_for(&lane).filter(|member| member.id.as_str() != HUMAN);
        let first = members.next().map(|member| Account::Agent(member.id.clone())).filter(used_up)?;
        members.all(|member| used_up(&Account::Agent(member.id.clone()))).then_some(first)
    }

    /// Whether an agent may review what was delivered for a task.
    pub fn may_review(&self, task: &Task, agent: &AgentId) -> bool {
        Member::of(self, agent).fits_stage(task, Stage::Review).is_ok()
    }

    /// The members who may take what waits in a lane.
    pub(crate) fn members_for(&self, lane: &Lane) -> impl Iterator<Item = &Agent> {
        let candidates = match &lane.agent {
            Some(agent) => self.agents.range(agent..=agent),
            None => self.agents.range::<AgentId, _>(..),
        };
        let candidates = candidates.map(|(_, agent)| agent).filter(|agent| !agent.left);
        candidates.filter(move |agent| Member::of(self, &agent.id).fits(lane).is_ok())
    }

    /// Whether a task's work may be merged: something must have proved it, or the user said that nothing needs to.
    pub fn may_merge(&self, task: &Task) -> bool {
        self.policy.no_gate || self.policy.gate.is_some() || task.spec.check.is_some()
    }
}
