//! Those who wait, and for what. Whoever changes the state calls the ones whose wait is over, and nobody else.
//!
//! A thousand agents may wait for one task. Would each look for itself whenever anything happens, every record would
//! cost a thousand looks, and every task a thousand claims of which one succeeds. So wishes are looked at where the
//! state changes, once, and no more agents are called for work than there is work.
//!
//! Nobody is promised anything: whoever is called tries, and waits again if others were faster. No claim is made here,
//! and no time is kept: whoever waits for a time has a timer of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use agent_team_core::id::RecordId;
use agent_team_core::machine::State;
use agent_team_core::record::{Body, Stage};
use tokio::sync::Notify;

use crate::Error;
use crate::outside::now_ms;
use crate::team_log::TeamLog;

/// How many single claims are remembered as ended before all that are waited for are looked at.
const ENDED_MAX: usize = 256;

/// What there is for one who waits for work, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Prospect {
    /// Something that it may take.
    Now,
    /// Something at this time, in milliseconds since 1970.
    At(u64),
    /// Nothing yet.
    Later,
    /// Nothing, and nothing will come.
    Never,
}

type Look = Box<dyn Fn(&State, u64) -> Prospect + Send + Sync>;
type Condition = Box<dyn Fn(&State) -> bool + Send + Sync>;

/// Everybody who waits in this process, in the order in which they came.
#[derive(Default)]
pub(crate) struct Waiters {
    next: u64,
    for_work: BTreeMap<u64, ForWork>,
    /// How many of those were called or stand by: each may take one piece of the work that there is.
    served: u64,
    /// Whether somebody may have been left waiting although there is work, since others were called for it.
    is_anyone_behind: bool,
    for_condition: BTreeMap<u64, (Condition, Arc<Notify>)>,
    /// The same for those whose wait only a word of somebody ends: they are looked at when there is one.
    for_word: BTreeMap<u64, (Condition, Arc<Notify>)>,
    for_end_of_claim: BTreeMap<RecordId, BTreeMap<u64, Arc<Notify>>>,
}

struct ForWork {
    look: Look,
    bell: Arc<Notify>,
    turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// There is nothing for it.
    Waits,
    /// It waits for this time, in milliseconds since 1970, with a timer of its own.
    StandsBy(u64),
    /// It was called, and has not come back yet.
    Called,
}

/// The claims that records may have ended, and whether somebody said something.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    claims: Vec<RecordId>,
    any: bool,
    word: bool,
    /// The models whose limits somebody lifted.
    lifted: BTreeSet<String>,
}

impl Ended {
    /// Notes what a record may have ended, whether or not it took effect.
    pub fn note(&mut self, body: &Body) {
        self.word |= is_word(body);
        match body {
            Body::TaskSubmitted(body) => self.claims.push(body.claim),
            Body::TaskFailed(body) => self.claims.push(body.claim),
            Body::ClaimReleased(body) => self.claims.push(body.claim),
            Body::ClaimExpired(body) => self.claims.push(body.claim),
            Body::CheckReported(body) => self.claims.push(body.claim),
            Body::ReviewGiven(body) => self.claims.push(body.claim),
            Body::MergeRefused(body) => self.claims.push(body.claim),
            Body::ModelLimited(body) if body.lifted => drop(self.lifted.insert(body.model.clone())),
            Body::TaskAdded(_)
            | Body::BatchClosed(_)
            | Body::TaskClaimed(_)
            | Body::ClaimRenewed(_)
            | Body::TurnJournalled(_)
            | Body::MessageSent(_)
            | Body::MessagesDelivered(_)
            | Body::MessagesRead(_)
            | Body::SpendingReserved(_)
            | Body::SpendingSettled(_)
            | Body::ModelLimited(_) => {}
            _ => self.any = true,
        }
        if self.claims.len() > ENDED_MAX {
            self.claims.clear();
            self.any = true;
        }
    }
}

impl Ended {
    /// The models whose limits were lifted since the last time.
    pub fn take_lifted(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.lifted)
    }
}

/// Whether a record is a word to others: a message that one waits for, a plan or what was said to it, a pause, a farewell.
fn is_word(body: &Body) -> bool {
    match body {
        Body::MessageSent(sent) => sent.urgent || sent.asks || sent.reply_to.is_some(),
        Body::PlanSubmitted(_)
        | Body::PlanJudged(_)
        | Body::PauseSet(_)
        | Body::AgentLeft(_)
        | Body::AgentJoined(_) => true,
        _ => false,
    }
}

/// Calls those whose wait is over, and forgets them.
fn call_for(waiting: &mut BTreeMap<u64, (Condition, Arc<Notify>)>, state: &State) {
    waiting.retain(|_, (is_so, bell)| {
        let is_over = is_so(state);
        if is_over {
            bell.notify_one();
        }
        !is_over
    });
}

impl Waiters {
    /// Calls those whose wait is over in this state.
    pub fn call(&mut self, state: &State, ended: &mut Ended) {
        if std::mem::take(&mut ended.word) {
            call_for(&mut self.for_word, state);
        }
        self.call_for_ended(state, ended);
        call_for(&mut self.for_condition, state);
        self.call_for_work(state);
    }

    /// Calls everybody, since something broke: they find out what when they look.
    pub fn call_all(&mut self) {
        self.for_condition.values().chain(self.for_word.values()).for_each(|(_, bell)| bell.notify_one());
        self.for_end_of_claim.values().flat_map(BTreeMap::values).for_each(|bell| bell.notify_one());
        self.for_work.values().for_each(|waiter| waiter.bell.notify_one());
    }

    fn call_for_ended(&mut self, state: &State, ended: &mut Ended) {
        let (claims, any) = (std::mem::take(&mut ended.claims), std::mem::take(&mut ended.any));
        if self.for_end_of_claim.is_empty() {
            return;
        }
        let call = |claim: RecordId, bells: &BTreeMap<u64, Arc<Notify>>| {
            let is_over = state.live_claim(claim).is_err();
            if is_over {
                bells.values().for_each(|bell| bell.notify_one());
            }
            is_over
        };
        if any {
            self.for_end_of_claim.retain(|claim, bells| !call(*claim, bells));
            return;
        }
        for claim in claims {
            if self.for_end_of_claim.get(&claim).is_some_and(|bells| call(claim, bells)) {
                self.for_end_of_claim.remove(&claim);
            }
        }
    }

    fn call_for_work(&mut self, state: &State) {
        if self.for_work.is_empty() {
            return;
        }
        let counts = state.counts();
        let offered = counts.ready + state.waiting_for(Stage::Review).count() as u64;
        // As long as somebody works, there may be more to come for everyone.
        let may_be_over = counts.running == 0;
        if offered == 0 && !may_be_over {
            return;
        }
        let now_ms = now_ms();
        self.is_anyone_behind = false;
        for waiter in self.for_work.values_mut() {
            let is_left = self.served < offered;
            let stands_by = match waiter.turn {
                Turn::Called => continue,
                Turn::StandsBy(at_ms) => Some(at_ms),
                Turn::Waits => None,
            };
            if !is_left && !may_be_over && stands_by.is_none() {
                self.is_anyone_behind = true;
                continue;
            }
            let is_called = match (waiter.look)(state, now_ms) {
                Prospect::Never => true,
                Prospect::Now if stands_by.is_some() || is_left => true,
                Prospect::At(at_ms) => stands_by.map_or(is_left, |known| at_ms < known),
                Prospect::Now => {
                    self.is_anyone_behind = true;
                    false
                }
                Prospect::Later => false,
            };
            if is_called {
                self.served += u64::from(stands_by.is_none());
                waiter.turn = Turn::Called;
                waiter.bell.notify_one();
            }
        }
    }

    /// Lets one wait for work; it is not called for what it has just seen.
    fn add_for_work(&mut self, look: Look, prospect: Prospect, ticket: &Ticket) {
        let turn = match prospect {
            Prospect::At(at_ms) => Turn::StandsBy(at_ms),
            _ => Turn::Waits,
        };
        self.served += u64::from(turn != Turn::Waits);
        self.for_work.insert(ticket.number, ForWork { look, bell: ticket.bell.clone(), turn });
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Forgets one who waits no more. Says whether others should be looked at, since work may be left for them.
    fn remove(&mut self, ticket: &Ticket) -> bool {
        match ticket.wish {
            Wish::Condition => {
                self.for_condition.remove(&ticket.number);
                false
            }
            Wish::Word => {
                self.for_word.remove(&ticket.number);
                false
            }
            Wish::EndOfClaim(claim) => {
                if let Some(bells) = self.for_end_of_claim.get_mut(&claim) {
                    bells.remove(&ticket.number);
                    if bells.is_empty() {
                        self.for_end_of_claim.remove(&claim);
                    }
                }
                false
            }
            Wish::Work => {
                let removed = self.for_work.remove(&ticket.number);
                let was_served = removed.is_some_and(|waiter| waiter.turn != Turn::Waits);
                self.served -= u64::from(was_served);
                was_served && self.is_anyone_behind
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Wish {
    Work,
    Condition,
    Word,
    EndOfClaim(RecordId),
}

/// The place of one who waits; given back when this is dropped. Whoever was called for work keeps it while it tries to
/// take some, so that nobody else is called for the same.
#[must_use]
pub(crate) struct Ticket {
    team_log: TeamLog,
    number: u64,
    wish: Wish,
    bell: Arc<Notify>,
}

impl Ticket {
    fn new(team_log: &TeamLog, wish: Wish) -> Self {
        let number = team_log.waiters().number();
        Self { team_log: team_log.clone(), number, wish, bell: Arc::default() }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let others = self.team_log.waiters().remove(self);
        if others {
            self.team_log.call_waiters();
        }
    }
}

impl TeamLog {
    /// Waits until `look` sees something for one who waits for work, or that nothing will come. More are not called at
    /// once than there is work, in the order in which they came.
    pub(crate) fn work<L>(&self, look: L) -> impl Future<Output = Result<Ticket, Error>> + Send + use<L>
    where
        L: Fn(&State, u64) -> Prospect + Send + Sync + 'static,
    {
        let ticket = Ticket::new(self, Wish::Work);
        let seen = self.look_and_wait(|state, waiters| {
            let prospect = look(state, now_ms());
            if !matches!(prospect, Prospect::Now | Prospect::Never) {
                waiters.add_for_work(Box::new(look), prospect, &ticket);
            }
            prospect
        });
        async move {
            match seen {
                Prospect::Now | Prospect::Never => {}
                Prospect::Later => ticket.bell.notified().await,
                Prospect::At(at_ms) => {
                    let left = Duration::from_millis(at_ms.saturating_sub(now_ms()));
                    let _ = tokio::time::timeout(left, ticket.bell.notified()).await;
                }
            }
            Ok(ticket)
        }
    }

    /// Waits until the state is so.
    pub(crate) fn until<C>(&self, is_so: C) -> impl Future<Output = Result<(), Error>> + Send + use<C>
    where
        C: Fn(&State) -> bool + Send + Sync + 'static,
    {
        self.until_either(Wish::Condition, is_so)
    }

    /// The same where only a word of somebody can make it so: a message that asks, answers or is urgent, a plan or what
    /// was said to it, a pause, somebody who joins or leaves. However many wait, other records cost them nothing.
    pub(crate) fn until_word<C>(&self, is_so: C) -> impl Future<Output = Result<(), Error>> + Send + use<C>
    where
        C: Fn(&State) -> bool + Send + Sync + 'static,
    {
        self.until_either(Wish::Word, is_so)
    }

    fn until_either<C>(&self, wish: Wish, is_so: C) -> impl Future<Output = Result<(), Error>> + Send + use<C>
    where
        C: Fn(&State) -> bool + Send + Sync + 'static,
    {
        let ticket = Ticket::new(self, wish);
        let is_over = self.look_and_wait(|state, waiters| {
            let is_over = is_so(state);
            if !is_over {
                let waiter: (Condition, _) = (Box::new(is_so), ticket.bell.clone());
                let waiting = match wish {
                    Wish::Word => &mut waiters.for_word,
                    _ => &mut waiters.for_condition,
                };
                waiting.insert(ticket.number, waiter);
            }
            is_over
        });
        async move {
            if !is_over {
                ticket.bell.notified().await;
            }
            drop(ticket);
            Ok(())
        }
    }

    /// Waits until a claim is not in force any more.
    pub(crate) fn end_of_claim(
        &self,
        claim: RecordId,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let ticket = Ticket::new(self, Wish::EndOfClaim(claim));
        let is_over = self.look_and_wait(|state, waiters| {
            let is_over = state.live_claim(claim).is_err();
            if !is_over {
                let bells = waiters.for_end_of_claim.entry(claim).or_default();
                bells.insert(ticket.number, ticket.bell.clone());
            }
            is_over
        });
        async move {
            if !is_over {
                ticket.bell.notified().await;
            }
            drop(ticket);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;
    use crate::{AgentId, NewTask, TaskQueue};

    type Waiting = Pin<Box<dyn Future<Output = Result<Option<Ticket>, Error>> + Send>>;

    fn agent(number: usize) -> AgentId {
        format!("worker-{number}").parse().unwrap()
    }

    /// A queue in which somebody works, so that others have something to wait for.
    fn queue() -> TaskQueue {
        let queue = TaskQueue::in_memory().unwrap();
        queue.add_task(NewTask::new("Keep").id("keep")).unwrap();
        queue.claim_task(&agent(0)).unwrap().unwrap();
        queue
    }

    fn wait_on(queue: &TaskQueue, number: usize, stays: bool) -> Waiting {
        let work = queue.work_for(&agent(number), vec![Stage::Work], stays);
        Box::pin(async { work.await.map(Some) })
    }

    fn wait(queue: &TaskQueue, number: usize) -> Waiting {
        wait_on(queue, number, false)
    }

    /// Who was called, and the tickets of those who were called for work.
    async fn tickets(waiting: &mut [Waiting]) -> (Vec<usize>, Vec<Ticket>) {
        let (mut called, mut tickets) = (Vec::new(), Vec::new());
        for (place, waiting) in waiting.iter_mut().enumerate() {
            if let Poll::Ready(outcome) = futures::poll!(waiting) {
                called.push(place);
                tickets.extend(outcome.unwrap());
            }
        }
        (called, tickets)
    }

    async fn called(waiting: &mut [Waiting]) -> Vec<usize> {
        tickets(waiting).await.0
    }

    #[tokio::test]
    async fn no_more_are_called_than_there_is_work_and_those_who_came_first() {
        let queue = queue();
        let mut waiting: Vec<Waiting> = (1..=9).map(|number| wait(&queue, number)).collect();
        assert!(called(&mut waiting).await.is_empty());
        queue.add_task("One").unwrap();
        let (first, ticket) = tickets(&mut waiting).await;
        assert_eq!(first, [0]);
        queue.add_tasks(&AgentId::human(), &["Two".into(), "Three".into()]).unwrap();
        let (next, more) = tickets(&mut waiting[1..]).await;
        assert_eq!(next, [0, 1]);
        for number in 1..=3 {
            queue.claim_task(&agent(number)).unwrap().unwrap();
        }
        drop((ticket, more));
        assert!(called(&mut waiting[3..]).await.is_empty());
    }

    #[tokio::test]
    async fn one_who_is_called_and_goes_away_leaves_the_work_to_the_next() {
        let queue = queue();
        let mut waiting: Vec<Waiting> = (1..=3).map(|number| wait(&queue, number)).collect();
        assert!(called(&mut waiting).await.is_empty());
        queue.add_task("One").unwrap();
        drop(waiting.remove(0));
        assert_eq!(called(&mut waiting).await, [0]);
    }

    #[tokio::test]
    async fn only_one_whom_a_task_fits_is_called_for_it() {
        let queue = queue();
        let mut waiting: Vec<Waiting> = (1..=3).map(|number| wait(&queue, number)).collect();
        assert!(called(&mut waiting).await.is_empty());
        queue.add_task(NewTask { agent: Some("worker-3".into()), ..NewTask::new("Theirs") }).unwrap();
        assert_eq!(called(&mut waiting).await, [2]);
    }

    #[tokio::test]
    async fn when_nothing_will_come_everyone_learns_it() {
        let queue = queue();
        let mut waiting: Vec<Waiting> = (1..=3).map(|number| wait(&queue, number)).collect();
        let mut stays: Vec<Waiting> = vec![wait_on(&queue, 4, true)];
        assert!(called(&mut waiting).await.is_empty());
        queue.complete_task(&"keep".parse().unwrap(), &agent(0), "done").unwrap();
        assert_eq!(called(&mut waiting).await, [0, 1, 2]);
        assert!(called(&mut stays).await.is_empty());
    }

    #[tokio::test]
    async fn one_waits_for_the_end_of_a_backoff_and_another_for_what_comes_meanwhile() {
        let queue = queue();
        queue.add_task(NewTask { backoff_ms: Some(3_600_000), ..NewTask::new("Fails").id("fails") }).unwrap();
        queue.claim_task(&agent(1)).unwrap().unwrap();
        let mut waiting: Vec<Waiting> = (1..=2).map(|number| wait(&queue, number)).collect();
        assert!(called(&mut waiting).await.is_empty());
        queue.fail_task(&"fails".parse().unwrap(), &agent(1), "no").unwrap();
        let (first, ticket) = tickets(&mut waiting).await;
        assert_eq!(first, [0], "it looks, and sets its timer");
        waiting[0] = wait(&queue, 1);
        drop(ticket);
        assert!(called(&mut waiting).await.is_empty());
        queue.add_task("Soon").unwrap();
        assert_eq!(called(&mut waiting[..1]).await, [0], "who waits for later may have something now");
    }

    #[tokio::test]
    async fn whoever_works_under_a_claim_learns_that_it_ended_whoever_ended_it() {
        let queue = queue();
        let token = queue.token_of(&"keep".parse().unwrap(), &agent(0)).unwrap();
        let ended = queue.team_log().end_of_claim(token);
        let mut waiting: Vec<Waiting> = vec![Box::pin(async { ended.await.map(|()| None) })];
        queue.add_task("Other").unwrap();
        assert!(called(&mut waiting).await.is_empty());
        queue.cancel(&AgentId::human(), &"keep".parse().unwrap(), false).unwrap();
        assert_eq!(called(&mut waiting).await, [0]);
    }

    #[tokio::test]
    async fn what_another_handle_writes_wakes_those_who_wait_here() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (TaskQueue::new(folder.path()).unwrap(), TaskQueue::new(folder.path()).unwrap());
        let comes = here.team_log().until(|state| state.counts().total == 1);
        there.add_task("Say hello").unwrap();
        tokio::time::timeout(Duration::from_secs(30), comes).await.unwrap().unwrap();
    }

    #[test]
    fn a_log_is_followed_on_after_the_runtime_that_followed_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (TaskQueue::new(folder.path()).unwrap(), TaskQueue::new(folder.path()).unwrap());
        for total in 1..=3 {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let comes = here.team_log().until(move |state| state.counts().total == total);
                there.add_task("Say hello").unwrap();
                tokio::time::timeout(Duration::from_secs(30), comes).await.unwrap().unwrap();
            });
        }
    }
}
