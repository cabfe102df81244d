//! When a run is over: nothing is left to do, or nothing of it can go on.
//!
//! That is decided on the newest state, and again when the end is written down: a human may approve the last review while
//! the lead sums up. What comes after that record is the next run's.

use agent_team_core::id::HUMAN;
use agent_team_core::machine::{Claim, State, Status};
use agent_team_core::record::{Resource, RunEnded};
use agent_team_core::view::LimitView;

use super::replan::is_settled;
use super::{Run, RunOutcome};
use crate::purse::{Purses, is_time_over};
use crate::{Account, Error, Stage};

/// How the work of a run ended.
pub(super) struct End {
    pub outcome: RunOutcome,
    /// Whether no agent was left, if it ended since nothing could go on.
    pub without_agents: Option<bool>,
    /// The models that agents waited for, since they were limited.
    pub limited: Vec<LimitView>,
}

impl End {
    /// Somebody, or the time, ended it.
    pub fn cut_off(outcome: RunOutcome) -> Self {
        Self { outcome, without_agents: None, limited: Vec::new() }
    }
}

impl Run<'_> {
    /// Whether nothing can go on.
    pub(super) fn is_over(&self, state: &State, without_agents: bool) -> bool {
        let merging = state.waiting_for(Stage::Merge).next().is_some();
        let idle = state.held().next().is_none();
        let waits_for_user = merging && idle && *self.merges_blocked.borrow() && state.counts().ready == 0;
        !goes_on(state, without_agents, &self.purses) || waits_for_user
    }

    /// How the work ended, now that agents have finished their turns: what time was over for may have been done by then.
    pub(super) fn or_completed(&self, end: End) -> Result<End, Error> {
        let timed_out = end.outcome == RunOutcome::TimedOut;
        if !timed_out || !self.team.queue.team_log().look(is_done)? {
            return Ok(end);
        }
        // As if its agents had waited for more to do.
        Ok(End { outcome: RunOutcome::Completed, without_agents: Some(false), ..end })
    }

    /// Records the end of the run, unless something came meanwhile that can go on; says whether it did.
    pub(super) fn ended(&self, end: &End) -> Result<bool, Error> {
        let team_log = self.team.queue.team_log();
        let body = RunEnded { run: self.id, outcome: end.outcome.as_str().to_owned() };
        let written = match end.without_agents.filter(|_| !self.team.stop.is_asked()) {
            None => Some(team_log.submit(&self.by, &body.into())?),
            Some(without_agents) => {
                let is_over = |state: &State| self.is_over(state, without_agents);
                team_log.submit_if(&self.by, &body.into(), is_over)?
            }
        };
        Ok(written.is_some())
    }

    /// What is left may wait for a budget, or for something else.
    pub(super) fn why_nothing_goes_on(&self) -> Result<RunOutcome, Error> {
        Ok(if self.used_up()?.is_empty() { RunOutcome::Stuck } else { RunOutcome::OverBudget })
    }

    /// The budgets that keep what is left from being done.
    pub(super) fn used_up(&self) -> Result<Vec<(Account, Resource)>, Error> {
        let mut all = Vec::new();
        let elapsed = self.purses.elapsed();
        self.team.queue.team_log().look(|state| {
            // What nobody could do anyway waits for no budget.
            if state.can_go_on() {
                let members = state.agents().filter(|agent| !agent.left && agent.id.as_str() != HUMAN);
                let kept = members.filter_map(|agent| self.purses.keeps(state, &agent.id));
                all = self.purses.used_up();
                all.extend(kept.map(|used_up| (used_up.account, used_up.what)));
            }
            if is_time_over(state, elapsed) {
                all.push((Account::Run, Resource::Elapsed));
            }
            all.extend(state.short_of_budget().map(|(_, account, what)| (account, what)));
            let ready = state.ready().filter_map(|mut lane| lane.next());
            all.extend(ready.filter_map(|task| Some((state.lacks_attempts(task)?, Resource::Attempts))));
        })?;
        all.sort();
        all.dedup();
        Ok(all)
    }
}

/// Whether every task is completed, was cancelled, or failed and was replaced by others.
pub(super) fn is_done(state: &State) -> bool {
    let counts = state.counts();
    let failed = state.lost().filter(|task| task.status == Status::Failed);
    let settled = failed.filter(|task| is_settled(state, task)).count() as u64;
    counts.completed + counts.cancelled + settled == counts.total
}

/// Whether anything can go on: without agents only what needs none, checks and merges. When the clock of the run is over
/// those do not, either: then only what agents still hand back.
pub(super) fn goes_on(state: &State, without_agents: bool, purses: &Purses) -> bool {
    if is_time_over(state, purses.elapsed()) {
        let works = |claim: &Claim| matches!(claim.stage, Stage::Work | Stage::Review);
        return !without_agents && state.held().any(|(_, claim)| claim.holder.orchestrated && works(claim));
    }
    if !without_agents {
        return state.can_go_on_with(|agent| purses.allow(state, agent))
            || purses.is_anything_for_others(state);
    }
    state.held().next().is_some()
        || state.waiting_for(Stage::Verify).next().is_some()
        || state.waiting_for(Stage::Merge).any(|task| state.may_merge(task))
}
