//! What agents were told that they may spend never exceeds what a budget allows, and settings are changed by who saw them.

use agent_team_core::id::{AgentId, TaskId};
use agent_team_core::record::{Account, Amount, Body, BudgetSet, SpendingReserved};

use super::{Verdict, Witness, violation};

impl Witness {
    /// Whether a call counts for an account: for a task also that of its parts.
    pub(super) fn touches(&self, account: &Account, agent: &AgentId, task: Option<&TaskId>) -> bool {
        match account {
            Account::Team | Account::Run => true,
            Account::Agent(of) => of == agent,
            Account::Task(of) => task.is_some_and(|task| task == of || self.wholes(task).contains(of)),
        }
    }

    pub(super) fn judge_reservation(&self, body: &SpendingReserved, tag: usize, place: usize) -> Verdict {
        let accounts = [Account::Team, Account::Run, Account::Agent(body.agent.clone())];
        let wholes = body.task.iter().flat_map(|task| self.wholes(task));
        let tasks = body.task.clone().into_iter().chain(wholes).map(Account::Task);
        for account in accounts.into_iter().chain(tasks) {
            let Some(limit) = self.limit(&account, place) else { continue };
            let used = self.used(&account, tag, place).plus(body.upper);
            if limit.bounds.micro_usd.is_some_and(|most| used.micro_usd > most)
                || limit.bounds.calls.is_some_and(|most| used.calls > most)
            {
                let (money, calls) = (used.micro_usd, used.calls);
                let what = format!("{money} and {calls} calls may be spent from {account}: {limit:?}");
                return violation("budget", what);
            }
        }
        Ok(())
    }

    /// The limit that holds at a place, if it is known.
    pub(super) fn limit(&self, account: &Account, before: usize) -> Option<&BudgetSet> {
        let places = self.since(account, before)..before;
        let newest = self.settings.iter().rev();
        let newest = newest.filter(|tag| places.contains(&self.place(**tag)) && self.may_stand(**tag));
        let mut newest = newest.filter_map(|tag| match self.body(*tag) {
            Some(Body::BudgetSet(body)) if body.account == *account => Some((*tag, body)),
            _ => None,
        });
        newest.next().filter(|(tag, _)| self.stands(*tag)).map(|(_, limit)| limit)
    }

    /// The place from which on an account counts: that of a run begins anew with each that may have begun.
    pub(super) fn since(&self, account: &Account, before: usize) -> usize {
        let begun = self.runs.iter().filter(|tag| self.may_stand(**tag)).map(|tag| self.place(*tag));
        let begun = begun.filter(|place| *account == Account::Run && *place < before);
        begun.max().unwrap_or(0)
    }

    /// What was certainly spent or set aside before a place.
    fn used(&self, account: &Account, but: usize, before: usize) -> Amount {
        let known = || self.money.iter().filter(|tag| **tag != but && self.place(**tag) < before);
        let since = self.since(account, before);
        let mut used = Amount::default();
        for tag in known() {
            match self.body(*tag) {
                Some(Body::SpendingReserved(body))
                    if self.stands(*tag) && self.touches(account, &body.agent, body.task.as_ref()) =>
                {
                    let id = self.id_of(*tag);
                    let settled = known().any(|other| {
                        let names = matches!(self.body(*other), Some(Body::SpendingSettled(other)) if other.reservation == id);
                        names && self.may_stand(*other)
                    });
                    used = if settled { used } else { used.plus(body.upper) };
                }
                Some(Body::SpendingSettled(body))
                    if self.stands(*tag)
                        && self.place(*tag) >= since
                        && self.touches(account, &body.agent, body.task.as_ref()) =>
                {
                    used = used.plus(body.actual);
                }
                _ => {}
            }
        }
        used
    }

    /// Settings only ever count up here, so one that does not was made by somebody who had not seen the last.
    pub(super) fn judge_setting(&self, body: &Body, place: usize) -> Verdict {
        let value = |body: &Body| match body {
            Body::BudgetSet(body) => body.bounds.micro_usd.map(|limit| (Some(body.account.clone()), limit)),
            Body::PolicySet(body) => body.policy.gate_limit_ms.map(|limit| (None, limit)),
            _ => None,
        };
        let Some((what, now)) = value(body) else { return Ok(()) };
        let since = what.as_ref().map_or(0, |account| self.since(account, place));
        let places = since..place;
        let before = self.settings.iter();
        let before = before.filter(|tag| self.stands(**tag) && places.contains(&self.place(**tag)));
        let before = before.filter_map(|tag| value(self.body(*tag)?)).filter(|(other, _)| *other == what);
        match before.map(|(_, before)| before).max() {
            Some(before) if now <= before => {
                violation("lost update", "a setting was overwritten by who had not seen it")
            }
            _ => Ok(()),
        }
    }
}
