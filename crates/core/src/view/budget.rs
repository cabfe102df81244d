//! What may be spent, and what of it is gone.

use serde::{Deserialize, Serialize};

use crate::machine::State;
use crate::record::{Account, Amount};

/// From this part of a limit on, in percent, it is time to warn.
const WARNING_PERCENT: u64 = 80;

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
    /// What was spent.
    pub spent: Amount,
    /// What is set aside for calls under way.
    pub reserved: Amount,
    /// How much of the limit that is nearest is gone, in percent; `None` without a limit.
    pub used_percent: Option<u64>,
    /// Whether it is time to warn.
    pub is_near_end: bool,
}

/// The accounts that have a limit, or from which something was spent; the team's first.
pub fn budgets(state: &State) -> Vec<BudgetView> {
    let views = state.ledger().accounts().map(|account| budget(state, account));
    let has_something = |view: &BudgetView| {
        view.used_percent.is_some() || view.spent != Amount::default() || view.account == Account::Team
    };
    views.filter(has_something).collect()
}

fn budget(state: &State, account: Account) -> BudgetView {
    let ledger = state.ledger();
    let (limit, spent, reserved) =
        (ledger.limit(&account), ledger.spent(&account), ledger.reserved(&account));
    let used = spent.plus(reserved);
    let parts = [(used.micro_usd, limit.micro_usd), (used.tokens(), limit.tokens), (used.calls, limit.calls)];
    let percent = |(used, limit): (u64, Option<u64>)| {
        let limit = limit?;
        Some(used.saturating_mul(100).checked_div(limit).unwrap_or(100))
    };
    let used_percent = parts.into_iter().filter_map(percent).max();
    BudgetView {
        account,
        limit_micro_usd: limit.micro_usd,
        limit_tokens: limit.tokens,
        limit_turns: limit.calls,
        spent,
        reserved,
        used_percent,
        is_near_end: used_percent.is_some_and(|percent| percent >= WARNING_PERCENT),
    }
}
