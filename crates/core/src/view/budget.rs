//! What may be spent, and what of it is gone.

use serde::{Deserialize, Serialize};

use crate::machine::{Limit, State, WARNING_PERCENT};
use crate::record::{Account, Amount, Bounds, Resource};

/// An account as surfaces show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetView {
    /// Whose it is.
    pub account: Account,
    /// The most money, in millionths of a US dollar.
    pub limit_micro_usd: Option<u64>,
    /// The most tokens.
    pub limit_tokens: Option<u64>,
    /// The most calls to models.
    pub limit_turns: Option<u64>,
    /// The most attempts at tasks.
    pub limit_attempts: Option<u64>,
    /// The most time at work, in milliseconds, of all agents together.
    pub limit_time_ms: Option<u64>,
    /// How long a run may take by the clock, in milliseconds.
    pub limit_elapsed_ms: Option<u64>,
    /// What was spent.
    pub spent: Amount,
    /// How many attempts were begun: at the task, if it is the account of one.
    pub attempts: u64,
    /// How long the run has taken by the clock, in milliseconds; `None` for other accounts.
    pub elapsed_ms: Option<u64>,
    /// What is set aside for calls under way.
    pub reserved: Amount,
    /// How much of the limit that is nearest is used, in percent; `None` without a limit.
    pub used_percent: Option<u64>,
    /// How much of that limit is set aside beside it, in percent; `None` without a limit.
    #[serde(default)]
    pub reserved_percent: Option<u64>,
    /// Of what that limit is.
    pub nearest: Option<Resource>,
    /// Whether it is time to warn.
    pub is_near_end: bool,
}

impl BudgetView {
    /// What it bounds.
    pub fn bounds(&self) -> Bounds {
        Bounds {
            micro_usd: self.limit_micro_usd,
            tokens: self.limit_tokens,
            calls: self.limit_turns,
            attempts: self.limit_attempts,
            time_ms: self.limit_time_ms,
            elapsed_ms: self.limit_elapsed_ms,
        }
    }

    /// Whether nothing is left of it.
    pub fn is_used_up(&self) -> bool {
        self.used_percent.is_some_and(|percent| percent >= 100)
    }
}

/// The accounts that have a limit, or from which something was spent; the team's first. The time, in milliseconds since
/// 1970, is for the clock of a run under way.
pub fn budgets(state: &State, now_ms: u64) -> Vec<BudgetView> {
    let views = state.ledger().accounts().map(|account| budget(state, account, now_ms));
    let has_something = |view: &BudgetView| {
        view.used_percent.is_some() || view.spent != Amount::default() || view.account == Account::Team
    };
    views.filter(has_something).collect()
}

fn budget(state: &State, account: Account, now_ms: u64) -> BudgetView {
    let ledger = state.ledger();
    let Limit { bounds, .. } = ledger.limit(&account);
    let (spent, reserved) = (ledger.spent(&account), ledger.reserved(&account));
    let attempts = match &account {
        Account::Task(task) => state.task(task).map_or(0, |task| task.attempt.into()),
        _ => ledger.attempts(&account),
    };
    let run = state.runs().last().filter(|_| account == Account::Run);
    let elapsed_ms = run.map(|run| {
        let to_ms = run.ended.as_ref().map_or(now_ms, |(_, at_ms)| *at_ms);
        to_ms.saturating_sub(run.from_ms)
    });
    // The attempts at a task are bounded by the task, and only a run has a clock.
    let attempts_max = bounds.attempts.filter(|_| !matches!(account, Account::Task(_)));
    let elapsed_max = bounds.elapsed_ms.filter(|_| account == Account::Run);
    let parts = [
        (Resource::Money, spent.micro_usd, reserved.micro_usd, bounds.micro_usd),
        (Resource::Tokens, spent.tokens(), reserved.tokens(), bounds.tokens),
        (Resource::Turns, spent.calls, reserved.calls, bounds.calls),
        (Resource::Attempts, attempts, 0, attempts_max),
        (Resource::Time, spent.time_ms, reserved.time_ms, bounds.time_ms),
        (Resource::Elapsed, elapsed_ms.unwrap_or(0), 0, elapsed_max),
    ];
    let percents = |(what, used, reserved, limit): (Resource, u64, u64, Option<u64>)| {
        let limit = limit?;
        let of = |part: u64, whole: u64| part.saturating_mul(100).checked_div(limit).unwrap_or(whole);
        Some((of(used, 100), of(reserved, 0), what))
    };
    // Where two are used as far, the one is nearer of which more is set aside.
    let nearest = parts.into_iter().filter_map(percents).max();
    let used_percent = nearest.map(|(used, ..)| used);
    BudgetView {
        account,
        limit_micro_usd: bounds.micro_usd,
        limit_tokens: bounds.tokens,
        limit_turns: bounds.calls,
        limit_attempts: attempts_max,
        limit_time_ms: bounds.time_ms,
        limit_elapsed_ms: elapsed_max,
        spent,
        attempts,
        elapsed_ms,
        reserved,
        used_percent,
        reserved_percent: nearest.map(|(_, reserved, _)| reserved),
        nearest: nearest.map(|(.., what)| what),
        is_near_end: used_percent.is_some_and(|percent| percent >= WARNING_PERCENT),
    }
}
