//! Budgets, what is set aside and used, and the limits of providers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::book::{Guard, NoEffect, Rule};
use super::{Entry, Team};
use crate::log_file::text;

/// Money, tokens, calls, milliseconds at work.
type Amount = [u64; 4];

/// How a refusal of a budget begins.
const USED_UP: &str = "this would exceed the budget of ";

/// A call is bounded by what was set aside for it; time at work may go on to the end of the turn.
const BOUNDED: usize = 3;

#[derive(Debug, Default)]
struct Account {
    spent: Amount,
    reserved: Amount,
    limit: [Option<u64>; 4],
    attempts: u64,
    attempts_limit: Option<u64>,
}

/// All accounts, by name.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    accounts: BTreeMap<String, Account>,
    /// What is set aside: for whom, for which task, how much, and whether it was settled.
    reservations: BTreeMap<String, (Vec<String>, Amount, bool)>,
}

fn amount(value: &Value) -> Amount {
    let number = |field: &str| value[field].as_u64().unwrap_or_default();
    [
        number("micro_usd"),
        number("input_tokens").saturating_add(number("output_tokens")),
        number("calls"),
        number("time_ms"),
    ]
}

fn add(to: &mut Amount, more: Amount) {
    to.iter_mut().zip(more).for_each(|(to, more)| *to = to.saturating_add(more));
}

/// The accounts that a call touches.
fn accounts(body: &Value, tasks: &[String]) -> Vec<String> {
    let tasks = tasks.iter().map(|task| format!("task {task}"));
    let agent = format!("agent {}", text(&body["agent"]));
    ["team".to_owned(), "run".to_owned(), agent].into_iter().chain(tasks).collect()
}

impl Ledger {
    /// The account of a run begins anew; what is set aside for calls under way stays so.
    pub fn begin_run(&mut self, set_by: &mut BTreeMap<String, String>) {
        let run = self.accounts.entry("run".to_owned()).or_default();
        *run = Account { reserved: run.reserved, ..Account::default() };
        set_by.remove("budget of run");
    }

    /// An agent begins an attempt.
    pub fn begin_attempt(&mut self, agent: &str) {
        for name in ["team".to_owned(), "run".to_owned(), format!("agent {agent}")] {
            self.accounts.entry(name).or_default().attempts += 1;
        }
    }
}

impl Team {
    pub(super) fn budget_set(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let account = &entry.body["account"];
        let name = account.as_str().map(str::to_owned).or_else(|| {
            let fields = account.as_object()?;
            fields.iter().next().map(|(kind, name)| format!("{kind} {}", text(name)))
        });
        let name = name.unwrap_or_default();
        self.sets(&format!("budget of {name}"), entry, guard)?;
        let limit = ["micro_usd", "tokens", "calls", "time_ms"].map(|field| entry.body[field].as_u64());
        let account = self.ledger.accounts.entry(name).or_default();
        (account.limit, account.attempts_limit) = (limit, entry.body["attempts"].as_u64());
        Ok(())
    }

    pub(super) fn reserved(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        let (upper, touched) = (amount(&entry.body["upper"]), accounts(entry.body, &self.touched(entry)));
        for name in &touched {
            let Some(account) = self.ledger.accounts.get(name) else { continue };
            let over = (0..4).find(|unit| {
                let sum =
                    account.spent[*unit].saturating_add(account.reserved[*unit]).saturating_add(upper[*unit]);
                account.limit[*unit].is_some_and(|most| sum > most)
            });
            if account.limit.iter().any(Option::is_some) {
                guard.must(Rule::Budget, over.is_none(), || {
                    let (spent, reserved) = (account.spent, account.reserved);
                    format!("{upper:?} do not fit into the {name}, which has {spent:?} spent, {reserved:?} set aside, and may have {:?} (micro-dollars, tokens, calls, milliseconds)", account.limit)
                })?;
            }
        }
        for name in &touched {
            add(&mut self.ledger.accounts.entry(name.clone()).or_default().reserved, upper);
        }
        self.ledger.reservations.insert(entry.id.to_owned(), (touched, upper, false));
        Ok(())
    }

    pub(super) fn settled(&mut self, entry: Entry<'_>) {
        let actual = amount(&entry.body["actual"]);
        let id = text(&entry.body["reservation"]);
        if let Some((touched, upper, is_settled)) = self.ledger.reservations.get_mut(id) {
            self.book
                .must(Rule::SettledOnce, !*is_settled, &[id, entry.id], || "a call is settled again".into());
            let is_within = actual.iter().zip(*upper).take(BOUNDED).all(|(actual, upper)| *actual <= upper);
            self.book.must(Rule::UpperBound, is_within, &[id, entry.id], || {
                format!("a call used {actual:?}, and {upper:?} were set aside (micro-dollars, tokens, calls)")
            });
            if !std::mem::replace(is_settled, true) {
                for name in touched {
                    let account = self.ledger.accounts.entry(name.clone()).or_default();
                    account
                        .reserved
                        .iter_mut()
                        .zip(*upper)
                        .for_each(|(left, upper)| *left = left.saturating_sub(upper));
                }
            }
        }
        for name in accounts(entry.body, &self.touched(entry)) {
            add(&mut self.ledger.accounts.entry(name).or_default().spent, actual);
        }
    }

    /// The tasks whose accounts a call touches.
    fn touched(&self, entry: Entry<'_>) -> Vec<String> {
        entry.body["task"].as_str().map(|task| self.charged(task)).unwrap_or_default()
    }

    /// Every limit of attempts allows an agent one more.
    pub(super) fn may_begin(&self, agent: &str, guard: &mut Guard) -> Result<(), NoEffect> {
        for name in ["team".to_owned(), "run".to_owned(), format!("agent {agent}")] {
            let account = self.ledger.accounts.get(&name);
            let Some((account, most)) = account.and_then(|it| Some((it, it.attempts_limit?))) else {
                continue;
            };
            guard.must(Rule::AttemptBudget, account.attempts < most, || {
                format!("{agent} begins an attempt, and the {name} had {} of {most}", account.attempts)
            })?;
        }
        Ok(())
    }

    /// A claim was given back since a budget is used up.
    pub(super) fn given_back_for_a_budget(&mut self, entry: Entry<'_>) {
        if text(&entry.body["reason"]).contains(USED_UP) {
            self.book.held(Rule::UsedUp);
        }
    }

    /// A model may not be called for a time.
    pub(super) fn limited(&mut self, entry: Entry<'_>) {
        // Whoever lifts a limit says nothing of what attempts may fail by.
        if entry.body["lifted"] == true {
            return;
        }
        let told = (entry.id.to_owned(), text(&entry.body["reason"]).to_owned());
        self.limits.insert(text(&entry.body["model"]).to_owned(), told);
        self.book.held(Rule::Limits);
    }

    /// An attempt failed: not in the words of a budget, nor of a limit that its agent's model met.
    pub(super) fn fails_by_no_limit(&mut self, entry: Entry<'_>, name: &str) {
        let error = entry.body["error"].as_str().unwrap_or_else(|| text(&entry.body["error"]["head"]));
        if error.contains(USED_UP) {
            let why = || format!("an attempt at {name} failed by a budget: {error}");
            self.book.must(Rule::UsedUp, false, &[entry.id], why);
        }
        let agent = self
            .tasks
            .get(name)
            .and_then(|task| task.claim.as_ref())
            .map_or("", |claim| claim.agent.as_str());
        let model = self.members.get(agent).map_or("", |member| member.model.as_str());
        let Some((told, reason)) = self.limits.get(model).filter(|(_, reason)| !reason.is_empty()) else {
            return;
        };
        self.book.must(Rule::Limits, !error.contains(reason), &[told, entry.id], || {
            format!("an attempt of {agent} at {name} failed by a limit of {model}: {error}")
        });
    }
}
