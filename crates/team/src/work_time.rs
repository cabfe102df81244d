//! The time that an agent is at work on an assignment: set aside slice by slice where a budget bounds it, and settled.
//!
//! No rule of the log reads a clock, so whoever works says how long it worked. A slice is set aside before it is used, so
//! that many processes together stay within one budget; what is left of it is given back. Time in which an agent waits
//! for somebody (an approval, an answer, to be resumed, a model that is limited) is not at work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_team_core::machine::{State, Task};
use agent_team_core::record::{Account, Amount, Resource, SpendingReserved, SpendingSettled};

use crate::agent::AgentError;
use crate::purse::{Purses, is_time_over};
use crate::team_log::{TeamLog, refusal};
use crate::{AgentId, Error, RecordId, Refusal, TaskId};

/// The longest time that is set aside at once, in milliseconds: so much counts as used if its holder dies.
const SLICE_MS_MAX: u64 = 30_000;
/// The shortest, unless less is left.
const SLICE_MS_MIN: u64 = 1_000;
/// How often it is looked at whether the agent waits for somebody.
const LOOK: Duration = Duration::from_secs(1);
/// What is shorter is not worth a record, where no budget bounds it.
const WORTH_A_RECORD: Duration = Duration::from_secs(1);

/// Whether the holder of a task waits for somebody's word.
pub(crate) fn waits_for_a_word(state: &State, task: &Task, agent: &AgentId) -> bool {
    state.held_up(agent).is_some() || waits_for_an_answer(state, task, agent)
}

/// Whether it waits for what somebody says to its plan, or to a question.
fn waits_for_an_answer(state: &State, task: &Task, agent: &AgentId) -> bool {
    let asks = || state.open_questions().any(|question| question.from == *agent);
    task.open_plan().is_some() || asks()
}

/// Counts the time of an assignment.
pub(crate) struct WorkTime {
    team_log: TeamLog,
    agent: AgentId,
    task: TaskId,
    purses: Option<Arc<Purses>>,
    counted_to: Instant,
    unsettled: Duration,
    /// What is set aside, in milliseconds.
    reserved: Option<(RecordId, u64)>,
    /// Whether the agent waited for somebody's word when it was last looked at.
    waits: bool,
    /// Why there is no more.
    refused: Option<Refusal>,
}

impl WorkTime {
    /// Begins to count.
    pub fn begin(team_log: &TeamLog, agent: &AgentId, task: &TaskId, purses: Option<Arc<Purses>>) -> Self {
        let unsettled = purses.as_ref().map(|purses| purses.moments(agent)).unwrap_or_default();
        Self {
            team_log: team_log.clone(),
            agent: agent.clone(),
            task: task.clone(),
            purses,
            counted_to: Instant::now(),
            unsettled,
            reserved: None,
            waits: false,
            refused: None,
        }
    }

    /// Which budget has no more, once that is so.
    pub fn used_up(&self) -> Option<AgentError> {
        self.refused.clone().map(over_budget)
    }

    /// Keeps time set aside as long as there is some, and says then which budget has no more.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub async fn until_used_up(&mut self) -> Result<AgentError, Error> {
        loop {
            let mut refused = self.clock_is_over().or_else(|| self.waits_in_vain());
            let waits = self.waits || self.is_held_up();
            match (self.reserved, waits) {
                // What it does not use meanwhile is for others: who waits for room in a budget may wait for just that.
                (Some(_), true) => self.settle().await?,
                (None, false) if refused.is_none() && self.is_bounded() => {
                    refused = self.reserve().await?.err();
                }
                _ => {}
            }
            if let Some(refused) = refused {
                self.refused = Some(refused.clone());
                return Ok(over_budget(refused));
            }
            tokio::time::sleep(self.next_look()).await;
            self.count();
            if self.reserved.is_some_and(|(_, slice_ms)| milliseconds(self.unsettled) >= slice_ms) {
                self.settle().await?;
            }
        }
    }

    fn clock_is_over(&self) -> Option<Refusal> {
        let elapsed = self.purses.as_ref()?.elapsed();
        let is_over = self.team_log.look_at_known(|state| is_time_over(state, elapsed));
        is_over.then_some(Refusal::OverBudget { account: Account::Run, what: Resource::Elapsed })
    }

    /// Whoever waits for the word of another waits in vain when nobody of the team has anything left to spend.
    fn waits_in_vain(&self) -> Option<Refusal> {
        let purses = self.purses.as_ref().filter(|_| self.waits)?;
        let used_up = purses.used_up_for_all()?;
        let goes_on = self.team_log.look_at_known(|state| {
            state.held_up(&self.agent).is_some() || used_up.is_over(state, purses.elapsed())
        });
        (!goes_on).then(|| used_up.refusal())
    }

    /// Whether some account that this touches bounds time at work, as far as this process has read the log.
    fn is_bounded(&self) -> bool {
        self.team_log
            .look_at_known(|state| self.accounts(state).any(|account| bound(state, &account).is_some()))
    }

    /// The accounts that the time counts for: for a part also those of the delegated tasks above it.
    fn accounts(&self, state: &State) -> impl Iterator<Item = Account> + use<> {
        let above = state.task(&self.task).map(|task| task.above.clone()).unwrap_or_default();
        let tasks = std::iter::once(self.task.clone()).chain(above).map(Account::Task);
        [Account::Team, Account::Run, Account::Agent(self.agent.clone())].into_iter().chain(tasks)
    }

    fn next_look(&self) -> Duration {
        let slice = self.reserved.map(|(_, slice_ms)| {
            Duration::from_millis(slice_ms).saturating_sub(self.unsettled).max(Duration::from_millis(1))
        });
        let elapsed = self.purses.as_ref().map(|purses| purses.elapsed());
        let clock = self.team_log.look_at_known(|state| {
            let most = Duration::from_millis(state.ledger().limit(&Account::Run).bounds.elapsed_ms?);
            Some(most.saturating_sub(elapsed?).max(Duration::from_millis(1)))
        });
        [Some(LOOK), slice, clock].into_iter().flatten().min().unwrap_or(LOOK)
    }

    /// The least that an account leaves, in milliseconds; `None` if none bounds it.
    fn left(&self) -> Result<Option<(u64, Account)>, Error> {
        self.team_log.look(|state| {
            let left = self.accounts(state).filter_map(|account| {
                let ledger = state.ledger();
                let most_ms = bound(state, &account)?;
                let used = ledger.spent(&account).plus(ledger.reserved(&account));
                Some((most_ms.saturating_sub(used.time_ms), account))
            });
            left.min()
        })
    }

    async fn reserve(&mut self) -> Result<Result<(), Refusal>, Error> {
        loop {
            let Some((left_ms, account)) = self.left()? else { return Ok(Ok(())) };
            if left_ms == 0 {
                return Ok(Err(Refusal::OverBudget { account, what: Resource::Time }));
            }
            // Near the end others shall find something, too.
            let slice_ms = (left_ms / 4).clamp(SLICE_MS_MIN, SLICE_MS_MAX).min(left_ms);
            let upper = Amount { time_ms: slice_ms, ..Amount::default() };
            let body = SpendingReserved { agent: self.agent.clone(), task: Some(self.task.clone()), upper };
            let (team_log, agent) = (self.team_log.clone(), self.agent.clone());
            let written = self.team_log.write_soon(move || team_log.submit(&agent, &body.into())).await;
            match refusal(written)? {
                Ok(written) => {
                    self.reserved = Some((written.id(), slice_ms));
                    return Ok(Ok(()));
                }
                // Somebody else was faster.
                Err(Refusal::OverBudget { what: Resource::Time, .. }) => {}
                Err(refused) => return Ok(Err(refused)),
            }
        }
    }

    /// Counts the time since it was last looked at, unless the agent waits.
    fn count(&mut self) {
        let now = Instant::now();
        let passed = now.duration_since(std::mem::replace(&mut self.counted_to, now));
        self.waits = self.team_log.look_at_known(|state| {
            let task = state.task(&self.task);
            task.is_some_and(|task| waits_for_a_word(state, task, &self.agent))
        });
        if !(self.waits || self.is_held_up()) {
            self.unsettled += passed;
        }
    }

    /// Whether the agent waits for a model that is limited, or for room in a budget.
    fn is_held_up(&self) -> bool {
        self.team_log.governor().holds_up(&self.agent)
    }

    /// The record of what was not settled yet; nothing is unsettled then.
    fn settlement(&mut self) -> SpendingSettled {
        let time_ms = milliseconds(std::mem::take(&mut self.unsettled));
        SpendingSettled {
            reservation: self.reserved.take().map(|(reservation, _)| reservation),
            agent: self.agent.clone(),
            task: Some(self.task.clone()),
            model: String::new(),
            actual: Amount { time_ms, ..Amount::default() },
        }
    }

    async fn settle(&mut self) -> Result<(), Error> {
        let body = self.settlement();
        let (team_log, agent) = (self.team_log.clone(), self.agent.clone());
        self.team_log.write_soon(move || team_log.submit(&agent, &body.into()).map(|_| ())).await
    }

    /// Settles what is left.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub async fn end(mut self) -> Result<(), Error> {
        self.count();
        if self.is_worth_a_record() {
            return self.settle().await;
        }
        if let Some(purses) = &self.purses {
            purses.keep_moment(&self.agent, std::mem::take(&mut self.unsettled));
        }
        Ok(())
    }

    fn is_worth_a_record(&self) -> bool {
        self.reserved.is_some() || self.unsettled >= WORTH_A_RECORD
    }
}

/// Who is dropped in the middle of its work settles, too.
impl Drop for WorkTime {
    fn drop(&mut self) {
        if self.is_worth_a_record() {
            self.count();
            let body = self.settlement();
            // What is not settled stays set aside, and counts as well.
            let _ = self.team_log.submit(&self.agent, &body.into());
        }
    }
}

fn bound(state: &State, account: &Account) -> Option<u64> {
    state.ledger().limit(account).bounds.time_ms
}

fn over_budget(refusal: Refusal) -> AgentError {
    AgentError::OverBudget { refusal, upper: Amount { time_ms: 1, ..Amount::default() } }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use agent_team_core::record::Bounds;

    use super::*;
    use crate::{TaskQueue, TeamFolder};

    /// A team of two processes with a budget of time, and an agent at work in each.
    fn two_at_work(limit_ms: u64) -> (tempfile::TempDir, TaskQueue, WorkTime, WorkTime) {
        let folder = tempfile::tempdir().unwrap();
        let place = TeamFolder::of(folder.path());
        let open = || TeamLog::open_or_create(&place, crate::Durability::Process).unwrap();
        let (one, other) = (open(), open());
        let queue = TaskQueue::over(one.clone());
        queue.add_task(crate::NewTask::new("a").id("a")).unwrap();
        let bounds = Bounds { time_ms: Some(limit_ms), ..Bounds::default() };
        queue.set_budget(&AgentId::human(), &Account::Team, bounds).unwrap();
        let at_work = |log: &TeamLog, agent: &str| {
            WorkTime::begin(log, &agent.parse().unwrap(), &"a".parse().unwrap(), None)
        };
        let (first, second) = (at_work(&one, "worker-1"), at_work(&other, "worker-2"));
        (folder, queue, first, second)
    }

    #[tokio::test]
    async fn two_processes_together_set_aside_no_more_time_than_there_is() {
        let (_folder, queue, mut first, mut second) = two_at_work(1_500);
        first.reserve().await.unwrap().unwrap();
        second.reserve().await.unwrap().unwrap();
        assert_eq!((first.reserved.unwrap().1, second.reserved.unwrap().1), (1_000, 500));
        let of_team = || queue.budgets().unwrap().into_iter().next().unwrap();
        assert_eq!(of_team().reserved.time_ms, 1_500);

        first.unsettled = Duration::from_millis(1_000);
        first.settle().await.unwrap();
        let refused = first.reserve().await.unwrap().unwrap_err();
        assert_eq!(refused, Refusal::OverBudget { account: Account::Team, what: Resource::Time });

        // What one does not use is there for the other.
        second.unsettled = Duration::from_millis(100);
        second.settle().await.unwrap();
        first.reserve().await.unwrap().unwrap();
        assert_eq!(first.reserved.unwrap().1, 400);
        drop(first);
        assert_eq!((of_team().reserved.time_ms, of_team().spent.time_ms / 1_000), (0, 1));
    }

    #[tokio::test]
    async fn the_time_of_a_part_is_that_of_the_whole_too() {
        let (_folder, queue, ..) = two_at_work(60_000);
        let whole = crate::NewTask {
            delegate: true,
            role: Some(crate::Role::Lead),
            ..crate::NewTask::new("w").id("w")
        };
        queue.add_task(whole).unwrap();
        queue
            .add_task(crate::NewTask { parent: Some("w".into()), ..crate::NewTask::new("p").id("p") })
            .unwrap();
        let bounds = Bounds { time_ms: Some(1), ..Bounds::default() };
        let account = Account::Task("w".parse().unwrap());
        queue.set_budget(&AgentId::human(), &account, bounds).unwrap();
        let part = "p".parse().unwrap();
        let mut first = WorkTime::begin(queue.team_log(), &"worker-1".parse().unwrap(), &part, None);
        first.reserve().await.unwrap().unwrap();
        assert_eq!(first.reserved.unwrap().1, 1);
        let mut second = WorkTime::begin(queue.team_log(), &"worker-2".parse().unwrap(), &part, None);
        let refused = second.reserve().await.unwrap().unwrap_err();
        assert_eq!(refused, Refusal::OverBudget { account, what: Resource::Time });
    }

    #[tokio::test]
    async fn who_waits_for_a_word_gives_back_the_time_that_it_does_not_use() {
        let (_folder, queue, mut first, _second) = two_at_work(60_000);
        first.reserve().await.unwrap().unwrap();
        queue.pause(&AgentId::human(), None, "").unwrap();
        first.team_log.look(|_| ()).unwrap();
        first.count();
        let set_aside =
            || queue.team_log().look(|state| state.ledger().reserved(&Account::Team).time_ms).unwrap();
        assert_ne!(set_aside(), 0);
        let given_back = async {
            let mut news = queue.team_log().follow();
            while set_aside() != 0 {
                news.changed().await.unwrap();
            }
        };
        tokio::select! {
            used_up = first.until_used_up() => panic!("nothing is used up: {used_up:?}"),
            () = given_back => {}
        }
    }

    #[tokio::test]
    async fn who_is_paused_uses_no_time() {
        let (_folder, queue, mut first, _second) = two_at_work(60_000);
        queue.pause(&AgentId::human(), None, "").unwrap();
        first.counted_to -= Duration::from_secs(30);
        first.team_log.look(|_| ()).unwrap();
        first.count();
        assert_eq!(first.unsettled, Duration::ZERO);
        queue.resume(&AgentId::human(), None).unwrap();
        first.counted_to -= Duration::from_secs(30);
        first.team_log.look(|_| ()).unwrap();
        first.count();
        assert!(first.unsettled >= Duration::from_secs(30));
    }
}
