//! Who of this process has used up what it may spend, and what becomes of that: it hands back what it works on, and waits
//! until there is more.
//!
//! Whether something fits into a budget is for the log to say, before every call. What is remembered here only spares an
//! agent from claiming what it could not do, and a run from waiting for it. The clock of a run is the one thing that no
//! record can say: it is read here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent_team_core::id::HUMAN;
use agent_team_core::machine::{State, Task, WARNING_PERCENT, Warning, decide};
use agent_team_core::record::{Account, Amount, Resource, Revision, SpendingReserved};
use tokio::sync::Notify;

use crate::progress::{Progress, Reporter};
use crate::team_log::TeamLog;
use crate::{AgentId, Error, Refusal, TaskId};

/// Something that an agent needs and that no budget leaves it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UsedUp {
    agent: AgentId,
    pub account: Account,
    pub what: Resource,
    upper: Amount,
}

impl UsedUp {
    /// What a refused reservation needs; `None` if it was refused for another reason.
    pub fn of(agent: &AgentId, refused: &Refusal, upper: Amount) -> Option<Self> {
        match refused {
            Refusal::OverBudget { account, what } => {
                Some(Self { agent: agent.clone(), account: account.clone(), what: *what, upper })
            }
            _ => None,
        }
    }

    /// What keeps an agent from beginning anything: time, and if it pays for calls, the least that one takes.
    pub fn look(state: &State, agent: &AgentId, pays: bool, elapsed: Duration) -> Option<Self> {
        let least = u64::from(pays);
        let upper = Amount { input_tokens: least, calls: least, time_ms: 1, ..Amount::default() };
        if is_time_over(state, elapsed) {
            let (account, what) = (Account::Run, Resource::Elapsed);
            return Some(Self { agent: agent.clone(), account, what, upper });
        }
        Self::of(agent, &fits(state, agent, upper).err()?, upper)
    }

    /// Whether there is enough again: a limit was raised, or somebody used less than was set aside.
    pub fn is_over(&self, state: &State, elapsed: Duration) -> bool {
        !is_time_over(state, elapsed) && fits(state, &self.agent, self.upper).is_ok()
    }

    pub fn refusal(&self) -> Refusal {
        Refusal::OverBudget { account: self.account.clone(), what: self.what }
    }
}

fn fits(state: &State, agent: &AgentId, upper: Amount) -> Result<(), Refusal> {
    let wish = SpendingReserved { agent: agent.clone(), task: None, upper };
    decide(state, &wish.into(), 0).map(|_| ())
}

/// Whether a run has taken as long as it may by the clock.
pub(crate) fn is_time_over(state: &State, elapsed: Duration) -> bool {
    let most_ms = state.ledger().limit(&Account::Run).bounds.elapsed_ms;
    most_ms.is_some_and(|most_ms| elapsed >= Duration::from_millis(most_ms))
}

/// The purses of the agents of one run.
pub(crate) struct Purses {
    begun: Instant,
    /// Who pays for calls.
    paying: Mutex<BTreeSet<AgentId>>,
    empty: Mutex<BTreeMap<AgentId, UsedUp>>,
    told: Mutex<BTreeSet<(Account, Resource)>>,
    /// The same of tasks, each with the limit that is used up.
    told_of_tasks: Mutex<BTreeSet<(Account, Resource, Revision)>>,
    /// How many warnings of the log were said, once those are said that stood when the run began.
    warned: Mutex<Option<usize>>,
    /// Time at work that was not worth a record yet.
    moments: Mutex<BTreeMap<AgentId, Duration>>,
    /// Rings when one of them is empty, or has something in it again.
    pub changed: Notify,
}

impl Purses {
    /// Those of a run that begins now.
    pub fn new() -> Self {
        let (paying, empty, told, told_of_tasks, warned, moments) = Default::default();
        let (begun, changed) = (Instant::now(), Notify::new());
        Self { begun, paying, empty, told, told_of_tasks, warned, moments, changed }
    }

    /// How long the run has taken.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Keeps a moment of an agent's work, which counts with what it works on next: many of them make a while.
    pub fn keep_moment(&self, agent: &AgentId, moment: Duration) {
        *lock(&self.moments).entry(agent.clone()).or_default() += moment;
    }

    /// The moments of an agent that were kept.
    pub fn moments(&self, agent: &AgentId) -> Duration {
        lock(&self.moments).remove(agent).unwrap_or_default()
    }

    /// What an agent lacks, as far as it was found out.
    pub fn lacks(&self, agent: &AgentId) -> Option<UsedUp> {
        lock(&self.empty).get(agent).cloned()
    }

    /// Notes that an agent pays for calls.
    pub fn note_paying(&self, agent: &AgentId) {
        lock(&self.paying).insert(agent.clone());
    }

    /// What keeps an agent from taking anything. Who waits for work has not found it out yet.
    pub fn keeps(&self, state: &State, agent: &AgentId) -> Option<UsedUp> {
        let elapsed = self.elapsed();
        let known = self.lacks(agent).filter(|used_up| !used_up.is_over(state, elapsed));
        known.or_else(|| UsedUp::look(state, agent, lock(&self.paying).contains(agent), elapsed))
    }

    /// Whether an agent can take something.
    pub fn allow(&self, state: &State, agent: &AgentId) -> bool {
        self.keeps(state, agent).is_none()
    }

    /// What is used up, whoever found it out.
    pub fn used_up(&self) -> Vec<(Account, Resource)> {
        let mut all: Vec<_> =
            lock(&self.empty).values().map(|used_up| (used_up.account.clone(), used_up.what)).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The most that anybody needs for its next step of those that an account does not leave it.
    fn needs(&self, account: &Account) -> Amount {
        let empty = lock(&self.empty);
        let of_account = empty.values().filter(|used_up| used_up.account == *account);
        of_account.map(|used_up| used_up.upper).fold(Amount::default(), Amount::at_least)
    }

    /// The command that goes on after these were used up.
    pub fn how_to_go_on(&self, state: &State, used_up: &[(Account, Resource)]) -> Option<String> {
        if used_up.is_empty() {
            return None;
        }
        // The account of a run begins anew with each.
        let lasting = used_up.iter().filter(|(account, _)| *account != Account::Run);
        let mut commands: Vec<String> =
            lasting.map(|(account, what)| double(state, account, *what, self.needs(account))).collect();
        commands.push("agent-team run".to_owned());
        Some(commands.join(" && "))
    }

    /// Says what is nearly used up, of each limit once when most of it is and once when all is, and gives how many warnings
    /// the log has. Whatever a record brought about is said, however late this looks.
    pub fn warn(&self, team_log: &TeamLog, reporter: &Reporter) -> Result<usize, Error> {
        // Held until it is said, so that nobody says meanwhile that all is used up.
        let mut warned = lock(&self.warned);
        let (news, count) = team_log.look(|state| {
            let all = state.ledger().warnings();
            let news = match *warned {
                Some(said) => all.get(said..).unwrap_or_default().to_vec(),
                None => standing_warnings(state),
            };
            (news, all.len())
        })?;
        *warned = Some(count);
        news.into_iter().for_each(|Warning { account, what, percent }| {
            reporter.report(warning(&account, what, percent));
        });
        Ok(count)
    }

    /// Notes that nothing is left for an agent. Of each budget it is told once, as long as nothing is put into it.
    pub fn note_empty(&self, used_up: UsedUp, reporter: &Reporter) {
        let (account, what, short) = (used_up.account.clone(), used_up.what, short(&used_up));
        lock(&self.empty).insert(used_up.agent.clone(), used_up);
        if lock(&self.told).insert((account.clone(), what)) {
            let raise = raise(&account, what, None);
            reporter.report(Progress::Note(format!(
                "ERROR {}{short}: agents finish their turns and hand back what they work \
                 on; `{raise}` lets them go on",
                used_up_words(&account, what)
            )));
        }
        self.changed.notify_one();
    }

    /// Tells of the budget of a task that nothing is left in it, once of each limit.
    pub fn tell_used_up(
        &self,
        refused: &Refusal,
        team_log: &TeamLog,
        reporter: &Reporter,
    ) -> Result<(), Error> {
        let Refusal::OverBudget { account, what } = refused else { return Ok(()) };
        let revision = team_log.look(|state| state.ledger().limit(account).revision)?;
        if lock(&self.told_of_tasks).insert((account.clone(), *what, revision)) {
            let raise = raise(account, *what, None);
            reporter.report(Progress::Note(format!(
                "ERROR {}: it waits, and others go on; `{raise}` lets it go on",
                used_up_words(account, *what)
            )));
        }
        Ok(())
    }

    /// Notes that there may be something for an agent again.
    pub fn note_filled(&self, agent: &AgentId) {
        let filled = lock(&self.empty).remove(agent);
        if let Some(used_up) = filled {
            lock(&self.told).remove(&(used_up.account, used_up.what));
            self.changed.notify_one();
        }
    }

    /// What went back to an agent and waits for it, although others may do it who have something to spend.
    pub fn for_others(&self, state: &State, agent: &AgentId) -> Vec<TaskId> {
        let can_be_done = |task: &&Task| {
            let mut members = state.members_who_may(task);
            let is_payable = state.short_of(task).is_none();
            is_payable && members.any(|other| other.id != *agent && self.allow(state, &other.id))
        };
        state.waiting_for_return_of(agent).filter(can_be_done).map(|task| task.id().clone()).collect()
    }

    /// Whether somebody whose own budget is used up is about to leave something to others.
    pub fn is_anything_for_others(&self, state: &State) -> bool {
        let lacks_own = |agent: &AgentId| {
            self.keeps(state, agent).is_some_and(|used_up| matches!(used_up.account, Account::Agent(_)))
        };
        let mut members = state.agents().filter(|agent| !agent.left && agent.id.as_str() != HUMAN);
        members.any(|agent| lacks_own(&agent.id) && !self.for_others(state, &agent.id).is_empty())
    }

    /// What is used up for all agents at once.
    pub fn used_up_for_all(&self) -> Option<UsedUp> {
        let is_for_all = |used_up: &&UsedUp| matches!(used_up.account, Account::Team | Account::Run);
        lock(&self.empty).values().find(is_for_all).cloned()
    }
}

/// How a line begins that tells of a budget that is used up.
fn used_up_words(account: &Account, what: Resource) -> String {
    format!("the budget of {account} is used up ({what})")
}

/// What the next step may need, which may be much more than it will, where something is left.
fn short(used_up: &UsedUp) -> String {
    let upper = used_up.upper;
    match used_up.what {
        Resource::Tokens if upper.tokens() > 1 => {
            format!(", with less left than the {} that the next call may need", upper.tokens())
        }
        Resource::Money if upper.micro_usd > 1 => {
            format!(", with less left than the {} that the next call may cost", dollars(upper.micro_usd))
        }
        _ => String::new(),
    }
}

/// Whether an error of a run matters at its end: one of a budget does as long as that keeps something from being done.
pub(crate) fn still_matters(error: &str, used_up: &[(Account, Resource)]) -> bool {
    let is_of_budget = error.starts_with("the budget of ") && error.contains(" is used up (");
    !is_of_budget || used_up.iter().any(|(account, what)| error.starts_with(&used_up_words(account, *what)))
}

/// What there is to warn of when a run begins: not of tasks that have ended.
fn standing_warnings(state: &State) -> Vec<Warning> {
    let is_open = |id: &TaskId| state.task(id).is_some_and(|task| !task.status.is_ended());
    let concerns = |warning: &Warning| match &warning.account {
        Account::Task(task) => is_open(task),
        Account::Team | Account::Run | Account::Agent(_) => true,
    };
    state.ledger().standing_warnings().filter(concerns).collect()
}

/// A line that warns.
fn warning(account: &Account, what: Resource, percent: u64) -> Progress {
    Progress::Note(format!("WARNING {percent} % of {what} in the budget of {account} is used"))
}

/// The warning of a run's clock, if it is time for one: of each limit when most of it is used, and when all is.
pub(crate) fn warning_of_the_clock(
    state: &State,
    elapsed: Duration,
    said: &mut BTreeSet<(u64, bool)>,
) -> Option<Progress> {
    let most_ms = state.ledger().limit(&Account::Run).bounds.elapsed_ms?;
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let percent = elapsed_ms.saturating_mul(100).checked_div(most_ms).unwrap_or(100);
    let is_new = percent >= WARNING_PERCENT && said.insert((most_ms, percent >= 100));
    is_new.then(|| warning(&Account::Run, Resource::Elapsed, percent))
}

/// The command that raises a limit, to this if it is known what it was.
pub(crate) fn raise(account: &Account, what: Resource, to: Option<&str>) -> String {
    let (option, value) = what.as_option();
    format!("agent-team budget {} {option} {}", account.as_named(), to.unwrap_or(value))
}

/// A limit that goes on: twice as much, or if that leaves little of what is used, as much again besides that; and no less
/// than those need that wait for it.
fn more(limit: u64, used: u64, least: u64) -> u64 {
    let twice = limit.saturating_mul(2);
    let is_enough = twice.saturating_sub(used) >= limit.div_ceil(2);
    let more = if is_enough { twice } else { used.saturating_add(limit) };
    more.max(least).max(used.saturating_add(1))
}

/// Milliseconds as a duration that people would write: whole seconds, and whole minutes of what is long.
pub(crate) fn round_duration(ms: u64) -> String {
    let unit = if ms < 600_000 { 1_000 } else { 60_000 };
    crate::format_duration(Duration::from_millis(ms.div_ceil(unit).saturating_mul(unit)))
}

/// The command that doubles a limit, or raises it as far as it takes to go on: for those who need so much, and for what waits.
fn double(state: &State, account: &Account, what: Resource, needs: Amount) -> String {
    let ledger = state.ledger();
    let bounds = ledger.limit(account).bounds;
    let waiting = state.short_of_budget().filter(|(_, short_of, _)| short_of == account);
    let needs = waiting.filter_map(|(task, ..)| task.needs).fold(needs, Amount::at_least);
    let used = ledger.spent(account).plus(ledger.reserved(account));
    let least = used.plus(needs);
    let attempts = ledger.attempts(account);
    let of = |limit: Option<u64>, used, least| limit.map(|limit| more(limit, used, least));
    let count = |limit: u64| limit.to_string();
    let to = match what {
        Resource::Money => of(bounds.micro_usd, used.micro_usd, least.micro_usd).map(dollars),
        Resource::Tokens => of(bounds.tokens, used.tokens(), least.tokens()).map(count),
        Resource::Turns => of(bounds.calls, used.calls, least.calls).map(count),
        Resource::Attempts => of(bounds.attempts, attempts, attempts).map(count),
        Resource::Time => of(bounds.time_ms, used.time_ms, least.time_ms).map(round_duration),
        Resource::Elapsed => of(bounds.elapsed_ms, 0, 0).map(round_duration),
    };
    raise(account, what, to.as_deref())
}

/// Dollars, with the last cent whole.
pub(crate) fn dollars(micro_usd: u64) -> String {
    let cents = micro_usd.div_ceil(10_000);
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_goes_on_leaves_something_whatever_was_used() {
        assert_eq!((more(4, 4, 4), more(4, 5, 5), more(4, 0, 90)), (8, 8, 90));
        assert_eq!(more(2_000, 12_033, 12_033), 14_033, "one step took far more than the limit");
        assert_eq!((more(0, 0, 0), more(0, 7, 7), more(1, 5, 5)), (1, 8, 6));
    }

    #[test]
    fn a_duration_is_said_in_whole_seconds_or_minutes() {
        assert_eq!((round_duration(14_033), round_duration(900)), ("15s".to_owned(), "1s".to_owned()));
        assert_eq!(round_duration(57_600_001), "16h1m");
    }
}
