//! Money, tokens, turns, attempts and time: what was spent, what is set aside, and what may be spent.

use std::collections::BTreeMap;

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

    /// What is set aside and was not given back: the record, who spends it, for which task, how much.
    pub(crate) fn reservations(&self) -> impl Iterator<Item = (RecordId, &AgentId, Option<&TaskId>, Amount)> {
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
        self.balance_mut(account).limit = limit;
    }

    /// Whether an amount fits into every account that it touches.
    pub(crate) fn fits(&self, agent: &AgentId, tasks: &[TaskId], upper: Amount) -> Result<(), Refusal> {
        for account in accounts(agent, tasks) {
            let balance = self.balance(&account).copied().unwrap_or_default();
            let used = balance.spent.plus(balance.reserved);
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
            balance.attempts = balance.attempts.saturating_add(1);
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
            let balance = self.balance_mut(&account);
            balance.spent = balance.spent.plus(actual);
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
