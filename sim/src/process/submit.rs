//! How a process writes: as `TeamLog::submit` does, one step after the other.

use agent_team_core::id::RecordId;
use agent_team_core::machine::{Command, Refusal, decide};
use agent_team_core::record::{Body, Record, Stage, codec};

use super::Process;
use crate::fault::Fault;
use crate::mutant::Habit;
use crate::world::{Appended, World};

/// How often a command is decided anew when others overtake it.
const TRIES_MAX: u32 = 64;
/// How often what is missing is appended.
const APPENDS_MAX: u32 = 3;

/// What a process wants to write, and how far it has come.
#[derive(Debug)]
pub struct Submit {
    command: Command,
    /// Bodies that are written without asking, and why they must not count.
    careless: Option<(Vec<Body>, Option<&'static str>)>,
    /// The format version that a careless writer claims.
    format: Option<u32>,
    phase: Phase,
    tries: u32,
    appends: u32,
    since_ms: u64,
    records: Vec<(Record, usize)>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Begin,
    Turn,
    Tail,
    Append(usize),
    Back,
    Sync,
}

/// What the process is told in the end.
#[derive(Debug)]
pub enum Told {
    /// It is done; these are the records.
    Done(Vec<RecordId>),
    /// A lawful no.
    Refused(Refusal),
}

impl Submit {
    /// Does what a command wishes, if the newest state allows it.
    pub fn new(command: impl Into<Command>) -> Self {
        Self {
            command: command.into(),
            careless: None,
            format: None,
            phase: Phase::Begin,
            tries: 0,
            appends: 0,
            since_ms: 0,
            records: Vec::new(),
        }
    }

    /// Writes bodies without asking whether they may be, and with the reason why they must not count, if it is certain.
    pub fn careless(bodies: Vec<Body>, must_not: Option<&'static str>) -> Option<Self> {
        let command = Command::Record(bodies.first()?.clone());
        Some(Self { careless: Some((bodies, must_not)), ..Self::new(command) })
    }

    /// The stage that a careless writer claims, if that is what it does.
    pub fn claimed_stage(&self) -> Option<Stage> {
        match &self.command {
            Command::Record(Body::TaskClaimed(body)) => Some(body.stage),
            _ => None,
        }
    }

    /// Whether it says without asking what the log's format has no words for. Whoever did so would be heard by nobody.
    fn is_too_new_for(&self, format: u32) -> bool {
        let bodies = self.careless.iter().flat_map(|(bodies, _)| bodies);
        self.format.is_none() && bodies.map(Body::format).max().is_some_and(|needed| needed > format)
    }

    /// The same, as if of another format version.
    pub fn of_format(mut self, format: u32) -> Self {
        self.format = Some(format);
        self
    }
}

impl Process {
    pub(super) fn submit(&mut self, submit: Submit) {
        self.submit = Some(submit);
    }

    /// Goes on with what it is writing, by one step.
    pub(super) fn go_on(&mut self, world: &mut World, mut submit: Submit) {
        match submit.phase {
            Phase::Begin => self.begin(world, submit),
            Phase::Turn => {
                if world.take_turn(self.pid, submit.since_ms) {
                    submit.phase = Phase::Tail;
                }
                self.submit = Some(submit);
            }
            Phase::Tail => self.decide(world, submit),
            Phase::Append(next) => self.append(world, submit, next),
            Phase::Back => self.read_back(world, submit),
            Phase::Sync => {
                if world.fault(Fault::SyncFailed) {
                    // The handle is done for; the process ends, and the next one reads what is there.
                    self.die(world);
                    return;
                }
                world.sync();
                self.acknowledge(world, submit, true);
            }
        }
    }

    fn begin(&mut self, world: &mut World, mut submit: Submit) {
        // Whoever writes alone needs neither a turn nor a look.
        if submit.careless.is_none()
            && self.is_alone(world)
            && !self.is_too_old()
            && let Ok(bodies) = decide(&self.state, &submit.command, self.clock_ms(world))
        {
            self.write_down(world, submit, bodies, None);
            return;
        }
        self.catch_up(world);
        if submit.careless.is_none()
            && let Err(refusal) = decide(&self.state, &submit.command, self.clock_ms(world))
        {
            self.told(world, Told::Refused(refusal));
            return;
        }
        submit.phase = Phase::Turn;
        submit.since_ms = world.now_ms;
        self.submit = Some(submit);
    }

    fn decide(&mut self, world: &mut World, submit: Submit) {
        self.catch_up(world);
        if submit.careless.is_some() && (self.is_too_old() || submit.is_too_new_for(self.state.format())) {
            world.give_turn_back(self.pid);
            self.job = super::Job::Idle;
            return;
        }
        let (bodies, must_not) = match &submit.careless {
            Some((bodies, must_not)) => (bodies.clone(), *must_not),
            None => match decide(&self.state, &submit.command, self.clock_ms(world)) {
                Ok(bodies) => (bodies, None),
                Err(refusal) => {
                    world.give_turn_back(self.pid);
                    self.told(world, Told::Refused(refusal));
                    return;
                }
            },
        };
        self.write_down(world, submit, bodies, must_not);
    }

    /// Makes records of bodies, to be appended next.
    fn write_down(
        &mut self,
        world: &mut World,
        mut submit: Submit,
        bodies: Vec<Body>,
        must_not: Option<&'static str>,
    ) {
        let mut format = submit.format.unwrap_or(self.state.format());
        submit.records.clear();
        for body in bodies {
            let record = Record {
                id: world.new_id(),
                format,
                at_ms: self.clock_ms(world),
                by: self.by(),
                unconfined: false,
                body,
            };
            // What comes after it in one command is of the version that it raises the log to.
            if let (Body::FormatRaised(raised), None) = (&record.body, submit.format) {
                format = raised.version;
            }
            let tag = world.witness.writes(Some(record.clone()), self.pid, must_not);
            if submit.careless.is_some() {
                world.witness.did_not_ask(tag);
            }
            submit.records.push((record, tag));
        }
        submit.appends = 0;
        submit.phase = Phase::Append(0);
        self.wakes_ms = world.stopped_until(Fault::Pause).unwrap_or(self.wakes_ms);
        self.submit = Some(submit);
    }

    fn append(&mut self, world: &mut World, mut submit: Submit, next: usize) {
        let Some((record, tag)) = submit.records.get(next) else {
            submit.phase = Phase::Back;
            self.submit = Some(submit);
            return;
        };
        submit.phase = Phase::Append(next + 1);
        if !self.state.has_seen(record.id) {
            self.too_old_to_write(world);
            let mut line = codec::encode(record).unwrap_or_default();
            if world.fault(Fault::UnknownField)
                && let Some(rest) = line.strip_prefix(b"{")
            {
                line = [br#"{"mood":"fine","#, rest].concat();
            }
            let (id, kind) = (record.id.0, record.body.kind().to_owned());
            let appended = world.append(&line, *tag);
            world.note(&self.part.agent, self.pid, || format!("appends {kind} {id:x}: {appended:?}"));
            match appended {
                Appended::Done => {}
                Appended::Failed => submit.phase = Phase::Back,
                Appended::Killed => {
                    self.die(world);
                    return;
                }
            }
        }
        self.submit = Some(submit);
    }

    /// A program that has read of a format that it does not know must write nothing.
    fn too_old_to_write(&self, world: &mut World) {
        if self.is_too_old() {
            let what = format!("{} writes although it does not know the log's format", self.part.agent);
            world.check(crate::check::violation("old program", what));
        }
    }

    fn read_back(&mut self, world: &mut World, mut submit: Submit) {
        // Others need not wait until this one has seen what it wrote.
        world.give_turn_back(self.pid);
        if !world.keeps(Habit::ReadBack) {
            let tags: Vec<usize> = submit.records.iter().map(|(_, tag)| *tag).collect();
            let verdict = world.witness.told_effective(&tags);
            world.check(verdict);
            self.finish(world, submit);
            return;
        }
        self.catch_up(world);
        if submit.records.iter().any(|(record, _)| !self.state.has_seen(record.id)) {
            submit.appends += 1;
            let too_old = self.is_too_old() && world.keeps(Habit::StopAtNewFormat);
            if submit.appends >= APPENDS_MAX || too_old {
                // An error: nobody knows what came of it, and the program ends.
                world.note(&self.part.agent, self.pid, || "cannot append".into());
                self.die(world);
                return;
            }
            if !world.keeps(Habit::SameId) {
                for (record, tag) in
                    submit.records.iter_mut().filter(|(record, _)| !self.state.has_seen(record.id))
                {
                    record.id = world.new_id();
                    *tag = world.witness.writes(Some(record.clone()), self.pid, None);
                }
            }
            submit.phase = Phase::Append(0);
            self.submit = Some(submit);
            return;
        }
        let is_void = |record: &Record| self.state.why_void(record.id).is_some();
        for (_, tag) in submit.records.iter().filter(|(record, _)| is_void(record)) {
            world.witness.told_void(*tag);
        }
        // That somebody else raised the format first is no reason to decide again.
        let alone = submit.records.len() == 1;
        let counts = |record: &Record| alone || !matches!(record.body, Body::FormatRaised(_));
        let wanted = submit.records.iter().filter(|(record, _)| counts(record));
        let refusal = wanted.filter_map(|(record, _)| self.state.why_void(record.id)).next().cloned();
        let Some(refusal) = refusal else {
            let effective = submit.records.iter().filter(|(record, _)| !is_void(record));
            let tags: Vec<usize> = effective.map(|(_, tag)| *tag).collect();
            let verdict = world.witness.told_effective(&tags);
            world.check(verdict);
            self.finish(world, submit);
            return;
        };
        world.give_turn_back(self.pid);
        submit.tries += 1;
        if submit.careless.is_some() || submit.tries >= TRIES_MAX {
            self.told(world, Told::Refused(refusal));
        } else {
            submit.phase = Phase::Begin;
            self.submit = Some(submit);
        }
    }

    /// It counts: now it is synced if somebody outside is promised so, and then acknowledged.
    fn finish(&mut self, world: &mut World, mut submit: Submit) {
        world.give_turn_back(self.pid);
        if !submit.records.iter().any(|(record, _)| must_survive_power_cuts(&record.body)) {
            self.acknowledge(world, submit, false);
        } else if world.keeps(Habit::SyncFirst) {
            submit.phase = Phase::Sync;
            self.submit = Some(submit);
        } else {
            self.acknowledge(world, submit, true);
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "what was submitted is over")]
    fn acknowledge(&mut self, world: &mut World, submit: Submit, durable: bool) {
        if durable {
            let tags: Vec<usize> = submit.records.iter().map(|(_, tag)| *tag).collect();
            world.witness.told_durable(&tags);
        }
        self.told(world, Told::Done(submit.records.iter().map(|(record, _)| record.id).collect()));
    }
}

/// Whether a record is promised to someone outside, or costs money. As `team_log` has it.
fn must_survive_power_cuts(body: &Body) -> bool {
    !matches!(
        body,
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
            | Body::ModelLimited(_)
            | Body::FilesReserved(_)
            | Body::FilesReleased(_)
            | Body::Unknown { .. }
            | Body::Malformed { .. }
    )
}
