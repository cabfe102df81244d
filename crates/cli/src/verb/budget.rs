//! `budget`: what may be spent, and what is gone.

use std::str::FromStr;

use agent_team::view::BudgetView;
use agent_team::{Account, AgentId};
use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Cell, Output, Paint};

/// The arguments of `budget`.
#[derive(Debug, Args)]
#[command(
    about = "Show what was spent, or limit an account",
    long_about = "Show what each account may spend and has spent, or limit one: `team` for good, `run` for the run under \
                  way (each begins anew), `agent:NAME`, `task:ID`. A call to a model that could exceed any limit that it \
                  touches is refused before it is made, whichever process makes it. `none` takes a limit away.",
    after_help = "Examples:\n  agent-team budget\n  agent-team budget team --usd 20\n  \
                  agent-team budget agent:worker-1 --turns 100 --tokens 2000000\n  agent-team budget team --usd none"
)]
pub struct Budget {
    /// team, run, agent:NAME or task:ID
    account: Option<Named>,
    /// The most money, in US dollars, or none
    #[arg(long, value_name = "DOLLARS", requires = "account", value_parser = dollars)]
    usd: Option<Bound>,
    /// The most tokens, read and written, or none
    #[arg(long, value_name = "N", requires = "account", value_parser = whole)]
    tokens: Option<Bound>,
    /// The most calls to models, or none
    #[arg(long, value_name = "N", requires = "account", value_parser = whole)]
    turns: Option<Bound>,
}

/// A limit that was said: so many, or no end.
#[derive(Debug, Clone, Copy)]
struct Bound(Option<u64>);

#[derive(Debug, Clone)]
struct Named(Account);

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = |error: agent_team::BadName| error.to_string();
        Ok(Self(match text.split_once(':') {
            Some(("agent", agent)) => Account::Agent(agent.parse().map_err(name)?),
            Some(("task", task)) => Account::Task(task.parse().map_err(name)?),
            None if text == "team" => Account::Team,
            None if text == "run" => Account::Run,
            _ => return Err("name team, run, agent:NAME or task:ID".to_owned()),
        }))
    }
}

fn dollars(text: &str) -> Result<Bound, String> {
    if text == "none" {
        return Ok(Bound(None));
    }
    let dollars: f64 = text.parse().map_err(|_| "write dollars like 5 or 0.50, or none".to_owned())?;
    if !(dollars.is_finite() && (0.0..=1e12).contains(&dollars)) {
        return Err("write dollars like 5 or 0.50, or none".to_owned());
    }
    Ok(Bound(Some((dollars * 1e6).round() as u64)))
}

fn whole(text: &str) -> Result<Bound, String> {
    match text {
        "none" => Ok(Bound(None)),
        _ => text.parse().map(|count| Bound(Some(count))).map_err(|_| "write a number, or none".to_owned()),
    }
}

impl Budget {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        if let Some(Named(account)) = self.account {
            let known = |view: &BudgetView| view.account == account;
            let old = queue.budgets()?.into_iter().find(known);
            let keep = |said: Option<Bound>, old: Option<u64>| said.map_or(old, |Bound(limit)| limit);
            let micro_usd = keep(self.usd, old.as_ref().and_then(|old| old.limit_micro_usd));
            let tokens = keep(self.tokens, old.as_ref().and_then(|old| old.limit_tokens));
            let turns = keep(self.turns, old.as_ref().and_then(|old| old.limit_turns));
            if self.usd.is_some() || self.tokens.is_some() || self.turns.is_some() {
                queue.set_budget(&AgentId::human(), &account, micro_usd, tokens, turns)?;
            }
            let shown: Vec<_> = queue.budgets()?.into_iter().filter(|view| view.account == account).collect();
            return tell(&shown, out);
        }
        tell(&queue.budgets()?, out)
    }
}

fn tell(budgets: &[BudgetView], out: &mut Output) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(&budgets)?;
        return Ok(Exit::Done);
    }
    let row = |budget: &BudgetView| -> Vec<Cell> {
        let used = budget.used_percent.map(|percent| format!("{percent} % used")).unwrap_or_default();
        let paint = match budget.used_percent {
            Some(100..) => Some(Paint::Bad),
            _ if budget.is_near_end => Some(Paint::Warning),
            _ => None,
        };
        let money = |micro: u64| format!("${:.2}", micro as f64 / 1e6);
        let of = |used: String, limit: Option<String>, what: &str| match limit {
            Some(limit) => format!("{used} of {limit}{what}"),
            None => format!("{used}{what}"),
        };
        vec![
            (&budget.account).into(),
            of(money(budget.spent.micro_usd), budget.limit_micro_usd.map(money), "").into(),
            of(budget.spent.tokens().to_string(), budget.limit_tokens.map(|n| n.to_string()), " tokens")
                .into(),
            of(budget.spent.calls.to_string(), budget.limit_turns.map(|n| n.to_string()), " turns").into(),
            Cell::painted(used, paint),
        ]
    };
    out.table(&budgets.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}
