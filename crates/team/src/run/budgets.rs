//! What a run says that the team, its agents and its tasks may use, and what the one before it said.
//!
//! Limits are set when they change: what somebody made of one since the last run said the same stays. So each run says in its
//! first record what it was told.

use std::collections::BTreeMap;

use agent_team_core::machine::State;
use agent_team_core::record::Resource;

use crate::agent_team::AgentTeam;
use crate::budget::milliseconds;
use crate::progress::{Progress, Reporter};
use crate::purse::{dollars, raise, round_duration};
use crate::team_log::TeamLog;
use crate::{Account, AgentId, Bounds, Error, Text};

/// Bounds by their accounts as the command line names them.
type Named = BTreeMap<String, Bounds>;

/// What the team may use, as far as this run says it.
pub(super) fn of_team(team: &AgentTeam) -> Bounds {
    let options = &team.options;
    Bounds {
        micro_usd: options.budget_micro_usd,
        tokens: options.budget_tokens,
        calls: options.budget_turns,
        attempts: options.budget_attempts,
        time_ms: options.budget_time.map(milliseconds),
        elapsed_ms: options.budget_elapsed.map(milliseconds),
    }
}

/// What agents and tasks may use, each, as far as this run says it: as the record of its beginning holds it.
pub(super) fn written(team: &AgentTeam) -> Result<Option<Text>, Error> {
    let budgets = &team.options.budgets;
    if budgets.is_empty() {
        return Ok(None);
    }
    let named: Named = budgets.iter().map(|(account, bounds)| (account.as_named(), *bounds)).collect();
    let text = serde_json::to_string(&named).map_err(|error| Error::Input(error.to_string()))?;
    team.queue.team_log().text(text).map(Some)
}

/// Sets the limits that the last run did not say. The clock is not among them: it is the run's, which has not begun.
///
/// That one is set back which somebody had raised by hand is said.
pub(super) fn set(team: &AgentTeam, by: &AgentId, reporter: &Reporter) -> Result<(), Error> {
    let earlier = Earlier::of(team.queue.team_log())?;
    let said = Bounds { elapsed_ms: None, ..of_team(team) };
    let team_account = (&Account::Team, said, earlier.team.unwrap_or_default());
    let others = team.options.budgets.iter().map(|(account, said)| {
        let before = earlier.others.get(&account.as_named()).copied().unwrap_or_default();
        (account, *said, before)
    });
    std::iter::once(team_account).chain(others).try_for_each(|(account, said, before)| {
        let changed = changed(said, before);
        let now = team.queue.team_log().look(|state| state.ledger().limit(account).bounds)?;
        for (what, is, wanted) in kept(now, said, before) {
            let set = raise(account, what, Some(&wanted));
            reporter.report(Progress::Note(format!(
                "NOTE the budget of {account} stays {is} ({what}), as it was set by hand since an earlier run said {wanted}, too: `{set}` \
                 sets it"
            )));
        }
        if changed == Bounds::default() {
            return Ok(());
        }
        for (what, is, was) in set_back(now, before, changed) {
            let again = raise(account, what, Some(&was));
            reporter.report(Progress::Note(format!(
                "WARNING the budget of {account} was set to {was} ({what}) by hand, and is {is} again, as this run says: \
                 `{again}` sets it back"
            )));
        }
        team.queue.limit(by, account, changed)
    })
}

/// What was set by hand to more than the last run said, which this one says again: of what, how much it is, and what is said.
fn kept(now: Bounds, said: Bounds, before: Bounds) -> Vec<(Resource, String, String)> {
    let of = |(what, [now, said, before], words): Compared| {
        let said = said.filter(|said| before == Some(*said) && now.is_none_or(|now| now > *said))?;
        Some((what, now.map_or_else(|| "none".to_owned(), words), words(said)))
    };
    compared(now, said, before).into_iter().filter_map(of).collect()
}

type Compared = (Resource, [Option<u64>; 3], fn(u64) -> String);

/// What three bounds say of each thing, and how that is written.
fn compared(first: Bounds, second: Bounds, third: Bounds) -> [Compared; 5] {
    let of = |bound: fn(Bounds) -> Option<u64>| [first, second, third].map(bound);
    let count = |limit: u64| limit.to_string();
    [
        (Resource::Money, of(|bounds| bounds.micro_usd), dollars),
        (Resource::Tokens, of(|bounds| bounds.tokens), count),
        (Resource::Turns, of(|bounds| bounds.calls), count),
        (Resource::Attempts, of(|bounds| bounds.attempts), count),
        (Resource::Time, of(|bounds| bounds.time_ms), round_duration),
    ]
}

/// Which of the limits that are in force now were set by hand since the last run, which said others, and become less: of
/// what, to how much, and how much it was.
fn set_back(now: Bounds, before: Bounds, changed: Bounds) -> Vec<(Resource, String, String)> {
    let of = |(what, [now, before, to], words): Compared| match (now, to) {
        (Some(now_is), Some(to)) if now != before && to < now_is => Some((what, words(to), words(now_is))),
        _ => None,
    };
    compared(now, before, changed).into_iter().filter_map(of).collect()
}

/// What is said of which the last run did not say the same.
fn changed(said: Bounds, before: Bounds) -> Bounds {
    let of = |said: Option<u64>, before: Option<u64>| said.filter(|_| said != before);
    Bounds {
        micro_usd: of(said.micro_usd, before.micro_usd),
        tokens: of(said.tokens, before.tokens),
        calls: of(said.calls, before.calls),
        attempts: of(said.attempts, before.attempts),
        time_ms: of(said.time_ms, before.time_ms),
        elapsed_ms: of(said.elapsed_ms, before.elapsed_ms),
    }
}

/// What the last run said.
struct Earlier {
    team: Option<Bounds>,
    others: Named,
}

impl Earlier {
    fn of(team_log: &TeamLog) -> Result<Self, Error> {
        let last = |state: &State| state.runs().last().map(|run| (run.budget, run.budgets.clone()));
        let (team, others) = team_log.look(last)?.unwrap_or_default();
        // Where it cannot be known what was said before, what is said now is set.
        let text = others.and_then(|text| team_log.read_text(&text).ok()).unwrap_or_default();
        Ok(Self { team, others: serde_json::from_str(&text).unwrap_or_default() })
    }
}
