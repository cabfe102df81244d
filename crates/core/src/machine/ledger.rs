//! Money and tokens: what was spent, what is set aside, and what may be spent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::id::{AgentId, RecordId, TaskId};
use crate::record::{Account, Amount, Revision};

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
    /// Money, in millionths of a US dollar; `None` for no limit.
    pub micro_usd: Option<u64>,
    /// Tokens; `None` for no limit.
    pub tokens: Option<u64>,
    /// Calls to models; `None` for no limit.
    #[serde(default)]
    pub calls: Option<u64>,
    /// The record that set it.
    pub revision: Revision,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Balance {
    spent: Amount,
    reserved: Amount,
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
        self.balance(account).spent
    }

    /// What is set aside for calls that have not been settled; what a dead holder set aside stays so.
    pub fn reserved(&self, account: &Account) -> Amount {
        self.balance(account).reserved
    }

    /// What an account may use.
    pub fn limit(&self, account: &Account) -> Limit {
        self.balance(account).limit
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

    fn balance(&self, account: &Account) -> Balance {
        match account {
            Account::Team => self.team,
            Account::Run => self.run,
            Account::Agent(agent) => self.agents.get(agent).copied().unwrap_or_default(),
            Account::Task(task) => self.tasks.get(task).copied().unwrap_or_default(),
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
            let balance = self.balance(&account);
            let used = balance.spent.plus(balance.reserved);
            let sum = used.plus(upper);
            // Sums stop at the greatest number: what was added beyond it could not be given back.
            let adds_up = sum.minus(used) == upper && sum.tokens() < u64::MAX;
            let money_fits = balance.limit.micro_usd.is_none_or(|most| sum.micro_usd <= most);
            let tokens_fit = balance.limit.tokens.is_none_or(|most| sum.tokens() <= most);
            let calls_fit = balance.limit.calls.is_none_or(|most| sum.calls <= most);
            if !(adds_up && money_fits && tokens_fit && calls_fit) {
                return Err(Refusal::OverBudget { account });
            }
        }
        Ok(())
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
