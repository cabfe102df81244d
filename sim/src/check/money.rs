//! What agents were told that they may spend never exceeds what a budget allows, and settings are changed by who saw them.

use agent_team_core::id::{AgentId, TaskId};
use agent_team_core::record::{Account, Amount, Body, SpendingReserved};

use super::{Verdict, Witness, violation};

fn touches(account: &Account, agent: &AgentId, task: Option<&TaskId>) -> bool {
    match account {
        Account::Team | Account::Run => true,
        Account::Agent(of) => of == agent,
        Account::Task(of) => task == Some(of),
    }
}

impl Witness {
    pub(super) fn judge_reservation(&self, body: &SpendingReserved, tag: usize, place: usize) -> Verdict {
        let accounts = [Account::Team, Account::Agent(body.agent.clone())];
        for account in accounts.into_iter().chain(body.task.clone().map(Account::Task)) {
            let Some(limit) = self.limit(&account, place) else { continue };
            let used = self.used(&account, tag, place).plus(body.upper);
            if used.micro_usd > limit {
                return violation(
                    "budget",
                    format!("{} of {limit} may be spent from the budget of {account}", used.micro_usd),
                );
            }
        }
        Ok(())
    }

    /// The limit that holds at a place, if it is known.
    fn limit(&self, account: &Account, before: usize) -> Option<u64> {
        let newest =
            self.settings.iter().rev().filter(|tag| self.place(**tag) < before && self.may_stand(**tag));
        let mut newest = newest.filter_map(|tag| match self.body(*tag) {
            Some(Body::BudgetSet(body)) if body.account == *account => Some((*tag, body.micro_usd)),
            _ => None,
        });
        newest.next().filter(|(tag, _)| self.stands(*tag)).and_then(|(_, limit)| limit)
    }

    /// What was certainly spent or set aside before a place.
    fn used(&self, account: &Account, but: usize, before: usize) -> Amount {
        let known = || self.money.iter().filter(|tag| **tag != but && self.place(**tag) < before);
        let mut used = Amount::default();
        for tag in known() {
            match self.body(*tag) {
                Some(Body::SpendingReserved(body))
                    if self.stands(*tag) && touches(account, &body.agent, body.task.as_ref()) =>
                {
                    let id =
                        self.facts.get(*tag).and_then(|fact| fact.record.as_ref()).map(|record| record.id);
                    let settled = known().any(|other| {
                        let names = matches!(self.body(*other), Some(Body::SpendingSettled(other)) if other.reservation == id);
                        names && self.may_stand(*other)
                    });
                    used = if settled { used } else { used.plus(body.upper) };
                }
                Some(Body::SpendingSettled(body))
                    if self.stands(*tag) && touches(account, &body.agent, body.task.as_ref()) =>
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
            Body::BudgetSet(body) => body.micro_usd.map(|limit| (Some(body.account.clone()), limit)),
            Body::PolicySet(body) => body.policy.gate_limit_ms.map(|limit| (None, limit)),
            _ => None,
        };
        let Some((what, now)) = value(body) else { return Ok(()) };
        let before = self.settings.iter().filter(|tag| self.stands(**tag) && self.place(**tag) < place);
        let before = before.filter_map(|tag| value(self.body(*tag)?)).filter(|(other, _)| *other == what);
        match before.map(|(_, before)| before).max() {
            Some(before) if now <= before => {
                violation("lost update", "a setting was overwritten by who had not seen it")
            }
            _ => Ok(()),
        }
    }
}
