//! `budget`: what may be spent, and what is gone.

use std::time::Duration;

use agent_team::view::BudgetView;
use agent_team::{Account, AgentId, Bounds, Error, TaskQueue, format_duration};
use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{self, Cell, Output, Paint};
use crate::report::money;
use crate::time::{milliseconds, parse_duration, some_time};

/// The arguments of `budget`.
#[derive(Debug, Args)]
#[command(
    about = "Show what was spent, or limit an account",
    long_about = "Show what each account may spend and has spent, or limit one: `team` for good, `run` for the run under \
                  way (each begins anew), `agent:NAME`, `task:ID`. A call to a model that could exceed any limit that it \
                  touches is refused before it is made, and so is a claim that would begin an attempt too many, whichever \
                  process makes it. Time at work is that of all agents together; the time in which one waits for somebody \
                  does not count. `none` takes a limit away.\n\n\
                  What is used up winds the team down in order: agents finish their turns and hand back what they work \
                  on, checks and merges go on, and the run ends with what is left. Raised meanwhile, it goes on.",
    after_help = "Examples:\n  agent-team budget\n  agent-team budget team --usd 20 --attempts 200\n  \
                  agent-team budget agent:worker-1 --turns 100 --tokens 2000000 --time 8h\n  \
                  agent-team budget run --elapsed 2h\n  agent-team budget team --usd none"
)]
pub struct Budget {
    /// team, run, agent:NAME or task:ID
    account: Option<Account>,
    /// The most money, in US dollars, or none
    #[arg(long, value_name = "DOLLARS", requires = "account", value_parser = dollars)]
    usd: Option<Bound>,
    /// The most tokens, read and written, or none
    #[arg(long, value_name = "N", requires = "account", value_parser = whole)]
    tokens: Option<Bound>,
    /// The most calls to models, or none
    #[arg(long, value_name = "N", requires = "account", value_parser = whole)]
    turns: Option<Bound>,
    /// The most attempts at tasks, or none
    #[arg(long, value_name = "N", requires = "account", value_parser = whole)]
    attempts: Option<Bound>,
    /// The most time at work, of all agents together, as in 90m or 8h, or none
    #[arg(long, value_name = "DURATION", requires = "account", value_parser = time)]
    time: Option<Bound>,
    /// How long the run may take by the clock, as in 2h, or none
    #[arg(long, value_name = "DURATION", requires = "account", value_parser = time)]
    elapsed: Option<Bound>,
}

/// A limit that was said: so many, or no end.
#[derive(Debug, Clone, Copy)]
struct Bound(Option<u64>);

fn dollars(text: &str) -> Result<Bound, String> {
    if text == "none" {
        return Ok(Bound(None));
    }
    in_millionths(text)
        .map(|micro| Bound(Some(micro)))
        .ok_or("write dollars like 5 or 0.50, or none".to_owned())
}

/// The bounds that whoever does the work may be given: a team, an agent, a task with all its parts.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Budget")]
pub struct WorkBudget {
    /// The most money that it may cost, in US dollars
    #[arg(long, value_name = "USD", value_parser = micro_usd)]
    pub budget_usd: Option<u64>,
    /// The most tokens that it may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub budget_tokens: Option<u64>,
    /// The most calls to models that it may make
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub budget_turns: Option<u64>,
    /// The most time that agents may be at work on it, together, as in 8h
    #[arg(long, value_name = "DURATION", value_parser = some_time)]
    pub budget_time: Option<Duration>,
}

/// An amount of dollars above 0, in millionths.
pub fn micro_usd(text: &str) -> Result<u64, String> {
    let some = in_millionths(text).filter(|micro| *micro > 0);
    some.ok_or("write an amount of dollars above 0, like 5 or 0.50".to_owned())
}

fn in_millionths(text: &str) -> Option<u64> {
    let dollars: f64 = text.parse().ok()?;
    (dollars.is_finite() && (0.0..=1e12).contains(&dollars)).then(|| (dollars * 1e6).round() as u64)
}

fn whole(text: &str) -> Result<Bound, String> {
    match text {
        "none" => Ok(Bound(None)),
        _ => text.parse().map(|count| Bound(Some(count))).map_err(|_| "write a number, or none".to_owned()),
    }
}

fn time(text: &str) -> Result<Bound, String> {
    match text {
        "none" => Ok(Bound(None)),
        _ => parse_duration(text)
            .map(|time| Bound(Some(milliseconds(time))))
            .map_err(|wrong| wrong + ", or none"),
    }
}

impl Budget {
    /// What was said that an account cannot have.
    fn check(&self, account: &Account) -> Result<(), Failure> {
        if let (Account::Task(task), true) = (account, self.attempts.is_some()) {
            return Err(Failure::usage("a task has attempts of its own, and no budget of them")
                .hint(format!("`agent-team show {task}` says how many may fail")));
        }
        if *account != Account::Run && self.elapsed.is_some() {
            return Err(Failure::usage(format!("only a run has a clock, not {account}"))
                .hint("`agent-team budget run --elapsed 2h`, or --time for time at work"));
        }
        Ok(())
    }

    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        if let Some(account) = self.account.clone() {
            self.check(&account)?;
            let known = |view: &BudgetView| view.account == account;
            let old = queue.budgets()?.into_iter().find(known);
            let keep = |said: Option<Bound>, old: Option<u64>| said.map_or(old, |Bound(limit)| limit);
            let said = [self.usd, self.tokens, self.turns, self.attempts, self.time, self.elapsed];
            if said.iter().any(Option::is_some) {
                let old = old.map(|old| old.bounds()).unwrap_or_default();
                let bounds = Bounds {
                    micro_usd: keep(self.usd, old.micro_usd),
                    tokens: keep(self.tokens, old.tokens),
                    calls: keep(self.turns, old.calls),
                    attempts: keep(self.attempts, old.attempts),
                    time_ms: keep(self.time, old.time_ms),
                    elapsed_ms: keep(self.elapsed, old.elapsed_ms),
                };
                queue.set_budget(&AgentId::human(), &account, bounds)?;
                if let Some(warning) = nobody_has(&queue, &account)? {
                    output::note(&format!("WARNING {warning}"), out.is_json());
                }
            }
            let shown: Vec<_> = queue.budgets()?.into_iter().filter(|view| view.account == account).collect();
            return tell(&shown, out);
        }
        tell(&queue.budgets()?, out)
    }
}

/// What is odd about an account that is limited: it may be meant ahead, or mistyped.
fn nobody_has(queue: &TaskQueue, account: &Account) -> Result<Option<String>, Failure> {
    let status = queue.get_status()?;
    Ok(match account {
        Account::Team => None,
        Account::Run => (!queue.is_being_run()?)
            .then(|| "nobody runs the team now, and each run begins with a budget of its own".to_owned()),
        Account::Agent(name) => (!status.agents.iter().any(|agent| agent.id == *name && !agent.left))
            .then(|| format!("there is no agent `{name}` in the team: this is for one that joins later")),
        Account::Task(task) => match queue.get_task(task) {
            Ok(_) => None,
            Err(Error::Refused(_)) => {
                Some(format!("there is no task `{task}`: this is for one that is added later"))
            }
            Err(error) => return Err(error.into()),
        },
    })
}

fn tell(budgets: &[BudgetView], out: &mut Output) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(&budgets)?;
        return Ok(Exit::Done);
    }
    out.table(&budgets.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

/// An account in one row: what was used of what, and how much of the limit that is nearest is used or set aside.
pub fn row(budget: &BudgetView) -> Vec<Cell> {
    let of_what = budget.nearest.map(|what| format!(" of {what}")).unwrap_or_default();
    let aside = budget.reserved_percent.filter(|percent| *percent > 0);
    let aside = aside.map(|percent| format!(", {percent} % set aside")).unwrap_or_default();
    let used =
        budget.used_percent.map(|percent| format!("{percent} %{of_what} used{aside}")).unwrap_or_default();
    let paint = match budget.used_percent {
        Some(100..) => Some(Paint::Bad),
        _ if budget.is_near_end => Some(Paint::Warning),
        _ => None,
    };
    let whole = |count: u64| count.to_string();
    let time = |ms: u64| format_duration(Duration::from_millis(ms));
    // To the second: nobody reads milliseconds of hours.
    let spent_time = |ms: u64| time(ms / 1_000 * 1_000);
    let of = |used: String, limit: Option<String>, what: &str| match limit {
        Some(limit) => format!("{used} of {limit}{what}"),
        None => format!("{used}{what}"),
    };
    let clock = budget.elapsed_ms.filter(|_| budget.limit_elapsed_ms.is_some());
    let clock = clock.map(|ms| of(spent_time(ms), budget.limit_elapsed_ms.map(time), " on the clock"));
    vec![
        (&budget.account).into(),
        of(money(budget.spent.micro_usd), budget.limit_micro_usd.map(money), "").into(),
        of(whole(budget.spent.tokens()), budget.limit_tokens.map(whole), " tokens").into(),
        of(whole(budget.spent.calls), budget.limit_turns.map(whole), " turns").into(),
        of(whole(budget.attempts), budget.limit_attempts.map(whole), " attempts").into(),
        of(spent_time(budget.spent.time_ms), budget.limit_time_ms.map(time), " at work").into(),
        clock.unwrap_or_default().into(),
        Cell::painted(used, paint),
    ]
}
