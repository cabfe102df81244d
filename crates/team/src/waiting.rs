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

impl ForWork {
    fn call(&mut self) {
        self.turn = Turn::Called;
        self.bell.notify_one();
    }
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
            Body::TaskAdded(_)
            | Body::BatchClosed(_)
            | Body::TaskClaimed(_)
            | Body::ClaimRenewed(_)
            | Body::TurnJournalled(_)
            | Body::MessageSent(_)
            | Body::MessagesDelivered(_)
            | Body::MessagesRead(_)
            | Body::SpendingReserved(_)
            | Body::SpendingSettled(_) => {}
            Body::ModelLimited(body) => self.lifted.extend(body.lifted.then(|| body.model.clone())),
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
        // Those first who keep a place: what they wait for may be somebody else's by now.
        for waiter in self.for_work.values_mut() {
            let Turn::StandsBy(known) = waiter.turn else { continue };
            match (waiter.look)(state, now_ms) {
                Prospect::Now | Prospect::Never => waiter.call(),
                Prospect::At(at_ms) if at_ms < known => waiter.call(),
                Prospect::At(_) => {}
                Prospect::Later => {
                    waiter.turn = Turn::Waits;
                    self.served -= 1;
                }
            }
        }
        for waiter in self.for_work.values_mut().filter(|waiter| waiter.turn == Turn::Waits) {
            let is_left = self.served < offered;
            if !is_left && !may_be_over {
                self.is_anyone_behind = true;
                continue;
            }
            match (waiter.look)(state, now_ms) {
                Prospect::Now | Prospect::At(_) if !is_left => self.is_anyone_behind = true,
                Prospect::Now | Prospect::At(_) | Prospect::Never => {
                    self.served += 1;
                    waiter.call();
                }
                Prospect::Later => {}
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
mod tests;
