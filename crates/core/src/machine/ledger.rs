//! Money, tokens, turns, attempts and time: what was spent, what is set aside, and what may be spent.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::id::{AgentId, RecordId, TaskId};
use crate::record::{Account, Amount, Bounds, Resource, Revision};

/// All accounts of a team.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    team: Balance,
    run: Balance,
    agents: BTreeMap<AgentId, Balance>,
    tasks: BTreeMap<TaskId, Balance>,
    models: BTreeMap<String, Amount>,
    reservations: BTreeMap<RecordId, Reserved>,
    /// The tasks that have a limit of what calls and time at work use.
    bounded: BTreeSet<TaskId>,
    warnings: Vec<Warning>,
}

/// From this part of a limit on, in percent, it is time to warn.
pub const WARNING_PERCENT: u64 = 80;

/// The least that any step uses, whoever takes it: without so much nothing can be begun.
const LEAST: Amount = Amount { micro_usd: 0, input_tokens: 1, output_tokens: 0, calls: 1, time_ms: 1 };

/// One record brought what an account has used to a part of its limit from which on it is time to warn, or to all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The account.
    pub account: Account,
    /// Of what.
    pub what: Resource,
    /// How much of the limit was used then, in percent; what is only set aside is not used.
    pub percent: u64,
}

/// The most that an account may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// How much of what.
    pub bounds: Bounds,
    /// The record that set it.
    pub revision: Revision,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Balance {
    spent: Amount,
    reserved: Amount,
    attempts: u64,
    limit: Limit,
}

impl Balance {
    /// What is spent, and what is set aside.
    fn used(&self) -> Amount {
        self.spent.plus(self.reserved)
    }
}

/// What an account has used of each thing that is counted here, and the limit of that. The attempts at one task are bounded
/// by the task itself.
fn parts(account: &Account, balance: &Balance) -> impl Iterator<Item = (Resource, u64, Option<u64>)> + use<> {
    let (spent, bounds) = (balance.spent, balance.limit.bounds);
    let attempts = bounds.attempts.filter(|_| !matches!(account, Account::Task(_)));
    let parts = [
        (Resource::Money, spent.micro_usd, bounds.micro_usd),
        (Resource::Tokens, spent.tokens(), bounds.tokens),
        (Resource::Turns, spent.calls, bounds.calls),
        (Resource::Attempts, balance.attempts, attempts),
        (Resource::Time, spent.time_ms, bounds.time_ms),
    ];
    parts.into_iter()
}

/// How much of a limit is used, in percent; of nothing, all.
fn percent(used: u64, limit: Option<u64>) -> Option<u64> {
    Some(used.saturating_mul(100).checked_div(limit?).unwrap_or(100))
}

/// Nothing to say of it, most is used, or all is.
fn level(used: u64, limit: Option<u64>) -> u8 {
    match percent(used, limit) {
        Some(100..) => 2,
        Some(WARNING_PERCENT..) => 1,
        _ => 0,
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reserved {
    agent: AgentId,
    /// The task, and the delegated ones that it is a part of, nearest first.
    tasks: Vec<TaskId>,
    upper: Amount,
}

impl Ledger {
    /// What an account has spent.
    pub fn spent(&self, account: &Account) -> Amount {
        self.balance(account).map(|balance| balance.spent).unwrap_or_default()
    }

    /// What is set aside for calls that have not been settled; what a dead holder set aside stays so.
    pub fn reserved(&self, account: &Account) -> Amount {
        self.balance(account).map(|balance| balance.reserved).unwrap_or_default()
    }

    /// How many attempts at tasks were begun for an account. Those of a task are its own to count.
    pub fn attempts(&self, account: &Account) -> u64 {
        self.balance(account).map(|balance| balance.attempts).unwrap_or_default()
    }

    /// What an account may use.
    pub fn limit(&self, account: &Account) -> Limit {
        self.balance(account).map(|balance| balance.limit).unwrap_or_default()
    }

    /// What each model used, by its name.
    pub fn models(&self) -> impl Iterator<Item = (&str, Amount)> {
        self.models.iter().map(|(model, amount)| (model.as_str(), *amount))
    }

    /// Every account that has anything to say, the team's first, then by name.
    pub fn accounts(&self) -> impl Iterator<Item = Account> {
        let agents = self.agents.keys().cloned().map(Account::Agent);
        let tasks = self.tasks.keys().cloned().map(Account::Task);
        [Account::Team, Account::Run].into_iter().chain(agents).chain(tasks)
    }

    /// When it was time to warn, in order: once of each limit when most of it was used, and once when all was. Of the clock
    /// of a run nothing is known here.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What there is to warn of now, whenever it came to that: an account has a line for each limit that is mostly used.
    pub fn standing_warnings(&self) -> impl Iterator<Item = Warning> {
        self.accounts().flat_map(|account| {
            let near = parts(&account, &self.balance(&account).copied().unwrap_or_default())
                .filter(|(_, used, limit)| level(*used, *limit) > 0);
            let warning = |(what, used, limit)| {
                let percent = percent(used, limit).unwrap_or(100);
                Warning { account: account.clone(), what, percent }
            };
            near.map(warning).collect::<Vec<_>>()
        })
    }

    /// The tasks that have a limit of their own, attempts left aside.
    pub(crate) fn bounded_tasks(&self) -> &BTreeSet<TaskId> {
        &self.bounded
    }

    /// What is set aside and was not given back: the record, who spends it, for which task, how much.
    pub fn reservations(&self) -> impl Iterator<Item = (RecordId, &AgentId, Option<&TaskId>, Amount)> {
        self.reservations.iter().map(|(id, held)| (*id, &held.agent, held.tasks.first(), held.upper))
    }

    fn balance(&self, account: &Account) -> Option<&Balance> {
        match account {
            Account::Team => Some(&self.team),
            Account::Run => Some(&self.run),
            Account::Agent(agent) => self.agents.get(agent),
            Account::Task(task) => self.tasks.get(task),
        }
    }

    fn balance_mut(&mut self, account: &Account) -> &mut Balance {
        match account {
            Account::Team => &mut self.team,
            Account::Run => &mut self.run,
            Account::Agent(agent) => self.agents.entry(agent.clone()).or_default(),
            Account::Task(task) => self.tasks.entry(task.clone()).or_default(),
        }
    }

    /// The account of a run begins anew. What is set aside for calls under way stays so, wherever they were begun.
    pub(crate) fn begin_run(&mut self) {
        self.run = Balance { reserved: self.run.reserved, ..Balance::default() };
    }

    pub(crate) fn set_limit(&mut self, account: &Account, limit: Limit) {
        if let Account::Task(task) = account {
            let Bounds { micro_usd, tokens, calls, time_ms, .. } = limit.bounds;
            if [micro_usd, tokens, calls, time_ms].iter().any(Option::is_some) {
                self.bounded.insert(task.clone());
            } else {
                self.bounded.remove(task);
            }
        }
        self.change(account, |balance| balance.limit = limit);
    }

    /// Changes an account, and notes when it is time to warn.
    fn change(&mut self, account: &Account, change: impl FnOnce(&mut Balance)) {
        let balance = self.balance_mut(account);
        let before = *balance;
        change(balance);
        let after = *balance;
        for ((what, now, limit), (_, used, former)) in parts(account, &after).zip(parts(account, &before)) {
            // Another limit begins anew.
            let known = if limit == former { level(used, limit) } else { 0 };
            if level(now, limit) > known {
                let percent = percent(now, limit).unwrap_or(100);
                self.warnings.push(Warning { account: account.clone(), what, percent });
            }
        }
    }

    /// Whether the next step at a task fits into its account and those of the delegated tasks above it. `needs` is what it
    /// needs, as far as anybody found out.
    pub(crate) fn step_fits<'a>(
        &self,
        tasks: impl Iterator<Item = &'a TaskId>,
        needs: Option<Amount>,
    ) -> Result<(), Refusal> {
        let bounded = tasks.filter(|task| self.bounded.contains(*task)).cloned().map(Account::Task);
        self.fit(bounded, needs.unwrap_or_default().at_least(LEAST), Balance::used)
    }

    /// Whether an amount fits into every account that it touches.
    pub(crate) fn fits(&self, agent: &AgentId, tasks: &[TaskId], upper: Amount) -> Result<(), Refusal> {
        self.fit(accounts(agent, tasks), upper, Balance::used)
    }

    /// The same, if what is set aside now for the calls of others were given back whole.
    pub(crate) fn fits_once_settled(
        &self,
        agent: &AgentId,
        tasks: &[TaskId],
        upper: Amount,
    ) -> Result<(), Refusal> {
        self.fit(accounts(agent, tasks), upper, |balance| balance.spent)
    }

    fn fit(
        &self,
        accounts: impl Iterator<Item = Account>,
        upper: Amount,
        used: fn(&Balance) -> Amount,
    ) -> Result<(), Refusal> {
        for account in accounts {
            let balance = self.balance(&account).copied().unwrap_or_default();
            let used = used(&balance);
            let sum = used.plus(upper);
            // Sums stop at the greatest number: what was added beyond it could not be given back.
            let adds_up = sum.minus(used) == upper && sum.tokens() < u64::MAX;
            let Bounds { micro_usd, tokens, calls, time_ms, .. } = balance.limit.bounds;
            let parts = [
                (Resource::Money, sum.micro_usd, micro_usd),
                (Resource::Tokens, sum.tokens(), tokens),
                (Resource::Turns, sum.calls, calls),
                (Resource::Time, sum.time_ms, time_ms),
            ];
            let over = parts.into_iter().find(|(_, sum, most)| most.is_some_and(|most| *sum > most));
            let over = over.map(|(what, ..)| what);
            if let Some(what) = over.or_else(|| (!adds_up).then_some(Resource::Tokens)) {
                return Err(Refusal::OverBudget { account, what });
            }
        }
        Ok(())
    }

    /// Whether an account allows no more attempts.
    pub(crate) fn has_no_attempts(&self, account: &Account) -> bool {
        let is_used_up =
            |balance: &Balance| balance.limit.bounds.attempts.is_some_and(|most| balance.attempts >= most);
        self.balance(account).is_some_and(is_used_up)
    }

    /// Whether an agent may begin one more attempt.
    pub(crate) fn attempt_fits(&self, agent: &AgentId) -> Result<(), Refusal> {
        match accounts(agent, &[]).find(|account| self.has_no_attempts(account)) {
            Some(account) => Err(Refusal::OverBudget { account, what: Resource::Attempts }),
            None => Ok(()),
        }
    }

    /// An agent begins an attempt.
    pub(crate) fn begin_attempt(&mut self, agent: &AgentId) {
        for account in accounts(agent, &[]) {
            let balance = self.balance_mut(&account);
            // Most attempts are not limited: then there is nothing to warn of.
            if balance.limit.bounds.attempts.is_none() {
                balance.attempts = balance.attempts.saturating_add(1);
                continue;
            }
            self.change(&account, |balance| balance.attempts = balance.attempts.saturating_add(1));
        }
    }

    pub(crate) fn reserve(&mut self, id: RecordId, agent: &AgentId, tasks: Vec<TaskId>, upper: Amount) {
        for account in accounts(agent, &tasks) {
            let balance = self.balance_mut(&account);
            balance.reserved = balance.reserved.plus(upper);
        }
        self.reservations.insert(id, Reserved { agent: agent.clone(), tasks, upper });
    }

    /// Gives back what was set aside. A reservation is given back once; a second settlement only adds.
    pub(crate) fn give_back(&mut self, reservation: RecordId) {
        let Some(reserved) = self.reservations.remove(&reservation) else { return };
        for account in accounts(&reserved.agent, &reserved.tasks) {
            let balance = self.balance_mut(&account);
            balance.reserved = balance.reserved.minus(reserved.upper);
        }
    }

    pub(crate) fn spend(&mut self, agent: &AgentId, tasks: &[TaskId], model: &str, actual: Amount) {
        for account in accounts(agent, tasks) {
            self.change(&account, |balance| balance.spent = balance.spent.plus(actual));
        }
        if !model.is_empty() {
            let used = self.models.entry(model.to_owned()).or_default();
            *used = used.plus(actual);
        }
    }
}

/// The accounts that a call touches.
fn accounts<'a>(agent: &AgentId, tasks: &'a [TaskId]) -> impl Iterator<Item = Account> + use<'a> {
    let tasks = tasks.iter().cloned().map(Account::Task);
    [Account::Team, Account::Run, Account::Agent(agent.clone())].into_iter().chain(tasks)
}
