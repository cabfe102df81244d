//! Changing the team: a command is decided on the newest state, appended, and read back.
//!
//! This is the only place of the library that appends.

use std::time::{Duration, Instant};

use agent_team_core::id::AgentId;
use agent_team_core::machine::{Command, Refusal, State, decide};
use agent_team_core::record::{Body, NEWEST_FORMAT, Record};
use agent_team_log::Turn;

use super::replica::{Own, Replica};
use super::{Durability, TeamLog, Written};
use crate::Error;
use crate::outside::{new_id, now_ms};

/// How long a writer waits for its turn at the log's end before it appends without it.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often a command is decided anew when others overtake it.
const TRIES_MAX: u32 = 64;
/// How long it waits for its turn before it looks what others wrote meanwhile.
const PATIENCE_BETWEEN_LOOKS: Duration = Duration::from_millis(1);
/// For how long what was read of the log's end is thought to be the newest, where it hardly matters.
const RECENT: Duration = Duration::from_millis(5);
/// Since how long so little can have come that it is not worth a look before the turn is taken.
const JUST_NOW: Duration = Duration::from_micros(50);
/// How often an append that did not land is made again.
const APPENDS_MAX: u32 = 3;

impl TeamLog {
    /// Does what a command wishes, if the newest state allows it.
    ///
    /// When this returns, the record is in the log, took effect, and (with [`Durability::Power`], if it is a result,
    /// an approval, money or a merge) is on disk. A command that a race made void is decided again at once.
    ///
    /// # Errors
    /// [`Error::Refused`] with the refusal that the newest state gives; anything else means that something broke.
    pub fn submit(&self, by: &AgentId, command: &Command) -> Result<Written, Error> {
        self.submit_and_look(by, command, |_, written| written.clone())
    }

    /// Does what a command wishes, as [`submit`](Self::submit) does, and looks at the state that came of it.
    pub(crate) fn submit_and_look<T>(
        &self,
        by: &AgentId,
        command: &Command,
        look: impl FnOnce(&State, &Written) -> T,
    ) -> Result<T, Error> {
        let mut replica = self.lock();
        let (written, must_sync) = self.write(&mut replica, by, command)?;
        let seen = look(&replica.state, &written);
        drop(replica);
        self.keep_promise(must_sync)?;
        Ok(seen)
    }

    /// Has what was promised outside on disk.
    fn keep_promise(&self, must_sync: bool) -> Result<(), Error> {
        if must_sync && self.0.durability == Durability::Power {
            self.0.log.sync()?;
        }
        Ok(())
    }

    /// Does what a command wishes, if the newest state is as the question says; else nothing is written. Whoever writes
    /// takes a turn, so what others write comes before the question or after the record; only one that waited for its turn
    /// in vain may come in between, as this one then does.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub(crate) fn submit_if(
        &self,
        by: &AgentId,
        command: &Command,
        is_so: impl Fn(&State) -> bool,
    ) -> Result<Option<Written>, Error> {
        let mut replica = self.lock();
        for _ in 0..TRIES_MAX {
            let turn = self.wait_for_turn(&mut replica, |_| Ok(()))?;
            if let Some(found) = replica.state.newer_format() {
                return Err(Error::NewerFormat { found, known: NEWEST_FORMAT });
            }
            if !is_so(&replica.state) {
                return Ok(None);
            }
            let bodies = decide(&replica.state, command, now_ms())?;
            let must_sync = bodies.iter().any(must_survive_power_cuts);
            if let Some(written) = self.append_bodies(&mut replica, by, bodies, turn)? {
                drop(replica);
                self.keep_promise(must_sync)?;
                return Ok(Some(written));
            }
        }
        Err(Error::Overtaken { tries: TRIES_MAX })
    }

    fn write(
        &self,
        replica: &mut Replica,
        by: &AgentId,
        command: &Command,
    ) -> Result<(Written, bool), Error> {
        for _ in 0..TRIES_MAX {
            // Whoever writes alone needs neither a turn nor a look: what was read back last is the newest. Nor does a
            // record that no other can overtake. Should that be wrong, the record is void, and a refusal is given by
            // a newer state.
            let is_known =
                replica.is_caught_up_since(RECENT) && (replica.is_alone() || is_undisputed(command));
            let turn = if is_known { None } else { self.take_turn(replica, command)? };
            if let Some(found) = replica.state.newer_format() {
                return Err(Error::NewerFormat { found, known: NEWEST_FORMAT });
            }
            let bodies = match decide(&replica.state, command, now_ms()) {
                Err(_) if is_known => {
                    self.catch_up(replica, &mut Own::none())?;
                    decide(&replica.state, command, now_ms())?
                }
                decided => decided?,
            };
            let must_sync = bodies.iter().any(must_survive_power_cuts);
            if let Some(written) = self.append_bodies(replica, by, bodies, turn)? {
                return Ok((written, must_sync));
            }
        }
        Err(Error::Overtaken { tries: TRIES_MAX })
    }

    /// Appends what was decided, and reads it back; `None` if it took no effect.
    fn append_bodies(
        &self,
        replica: &mut Replica,
        by: &AgentId,
        bodies: Vec<Body>,
        turn: Option<Turn<'_>>,
    ) -> Result<Option<Written>, Error> {
        let mut format = replica.state.format();
        let mut ids = Vec::with_capacity(bodies.len());
        let unconfined = self.is_unconfined();
        let record = |body| {
            let id = new_id();
            let record = Record { id, format, at_ms: now_ms(), by: by.clone(), unconfined, body };
            match &record.body {
                // That somebody else raised it first is no reason to decide again.
                Body::FormatRaised(raised) => format = raised.version,
                _ => ids.push(id),
            }
            record
        };
        let records: Vec<Record> = bodies.into_iter().map(record).collect();
        if let [raised] = records.as_slice()
            && ids.is_empty()
        {
            ids.push(raised.id);
        }
        self.append(replica, records, turn)?;
        let is_void = ids.iter().any(|id| replica.state.why_void(*id).is_some());
        Ok((!is_void).then_some(Written { ids }))
    }

    /// Takes the turn and applies what came before it. Without the turn a proposal is only voided more often.
    fn take_turn(&self, replica: &mut Replica, command: &Command) -> Result<Option<Turn<'_>>, Error> {
        // Most is applied before the turn is taken, so that others need not wait for that.
        if !replica.is_caught_up_since(JUST_NOW) || is_undisputed(command) {
            self.catch_up(replica, &mut Own::none())?;
        }
        if is_undisputed(command) {
            return Ok(None);
        }
        // Whoever is refused needs no turn: many who wait for work would keep those from it who have some.
        self.wait_for_turn(replica, |state| decide(state, command, now_ms()).map(|_| ()))
    }

    /// Waits for the turn, and not for ever, as long as there is something to be done in it.
    fn wait_for_turn(
        &self,
        replica: &mut Replica,
        is_needed: impl Fn(&State) -> Result<(), Refusal>,
    ) -> Result<Option<Turn<'_>>, Error> {
        let log = self.0.log.as_ref();
        let begun = Instant::now();
        let mut turn = log.turn(Duration::ZERO).ok().flatten();
        self.catch_up(replica, &mut Own::none())?;
        while turn.is_none() && begun.elapsed() < PATIENCE {
            is_needed(&replica.state)?;
            turn = log.turn(PATIENCE_BETWEEN_LOOKS).ok().flatten();
            self.catch_up(replica, &mut Own::none())?;
        }
        Ok(turn)
    }

    /// Appends records and reads them back. An append that failed may have landed, so what is there is looked at
    /// before it is appended again, under the same id.
    fn append(
        &self,
        replica: &mut Replica,
        records: Vec<Record>,
        mut turn: Option<Turn<'_>>,
    ) -> Result<(), Error> {
        if self.is_past() {
            return Err(Error::Past { records: replica.state.records() });
        }
        if self.is_within() {
            return Err(Error::WithinCommand);
        }
        let mut own = Own::of(records, &mut replica.encoder)?;
        let appended = self.0.log.append_behind(replica.position, &own.lines());
        // Others need not wait until this one has seen what it wrote.
        turn.take();
        if let Ok(Some(end)) = appended {
            let before = replica.state.records();
            replica.apply_own(own, end);
            self.tell_news(replica, before);
            return Ok(());
        }
        let mut failure = appended.err();
        for _ in 1..APPENDS_MAX {
            self.catch_up(replica, &mut own)?;
            let lines = own.missing(&replica.state);
            if lines.is_empty() {
                return Ok(());
            }
            if let Some(found) = replica.state.newer_format().filter(|_| failure.is_some()) {
                return Err(Error::NewerFormat { found, known: NEWEST_FORMAT });
            }
            failure = self.0.log.append(&lines).err();
        }
        self.catch_up(replica, &mut own)?;
        match failure {
            _ if own.missing(&replica.state).is_empty() => Ok(()),
            Some(failure) => Err(failure.into()),
            None => Err(Error::Overtaken { tries: APPENDS_MAX }),
        }
    }
}

/// Whether no record of others can come in between but one that ends the claim which this one names: a turn at the log's
/// end would keep others waiting for nothing.
fn is_undisputed(command: &Command) -> bool {
    match command {
        Command::Fail { .. } | Command::Record(_) => true,
        Command::AddTasks { .. }
        | Command::ReplaceTask { .. }
        | Command::EditTask { .. }
        | Command::RetryTask { .. }
        | Command::CancelTask { .. }
        | Command::Claim { .. }
        | Command::Expire { .. }
        | Command::SetPolicy { .. }
        | Command::SetBudget { .. }
        | Command::Pause { .. }
        | Command::Reassign { .. }
        | Command::GiveUp { .. }
        | Command::JudgePlan { .. } => false,
    }
}

/// Whether a record is promised to someone outside, or costs money: then it is synced before it is acknowledged.
fn must_survive_power_cuts(body: &Body) -> bool {
    match body {
        Body::TaskAdded(_)
        | Body::BatchClosed(_)
        | Body::TaskEdited(_)
        | Body::TaskRetried(_)
        | Body::TaskCancelled(_)
        | Body::TaskSubmitted(_)
        | Body::TaskFailed(_)
        | Body::LateResult(_)
        | Body::CheckReported(_)
        | Body::ReviewGiven(_)
        | Body::MergeIntended(_)
        | Body::Merged(_)
        | Body::MergeRefused(_)
        | Body::MessageSent(_)
        | Body::PolicySet(_)
        | Body::BudgetSet(_)
        | Body::SpendingReserved(_)
        | Body::SpendingSettled(_)
        | Body::TaskReassigned(_)
        | Body::TaskDelegated(_)
        | Body::TaskGivenUp(_)
        | Body::PauseSet(_)
        | Body::PlanSubmitted(_)
        | Body::PlanJudged(_)
        | Body::NoteAdded(_)
        | Body::FormatRaised(_) => true,
        Body::RunStarted(_)
        | Body::RunEnded(_)
        | Body::AgentJoined(_)
        | Body::AgentLeft(_)
        | Body::TaskClaimed(_)
        | Body::ClaimRenewed(_)
        | Body::ClaimReleased(_)
        | Body::ClaimExpired(_)
        | Body::TurnJournalled(_)
        | Body::MessagesDelivered(_)
        | Body::MessagesRead(_)
        // Whoever calls again is told again.
        | Body::ModelLimited(_)
        | Body::FilesReserved(_)
        | Body::FilesReleased(_)
        | Body::Unknown { .. }
        | Body::Malformed { .. } => false,
    }
}
