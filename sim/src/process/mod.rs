//! A simulated process: its copy of the state, what it is about to write, and what it does. It can be killed between any
//! two of its steps, and does what `team_log`, `task_queue`, `liveness` and `merge_queue` do, in their order.

mod chore;
mod job;
mod lead;
mod merge;
mod mistake;
mod observe;
mod plan;
mod steer;
mod submit;
mod talk;

use std::sync::Arc;

use agent_team_core::id::{AgentId, RecordId};
use agent_team_core::machine::{Outcome, Safeguard, State};
use agent_team_core::record::{Holder, ProcessId, Record, Role};

use crate::check::violation;
use crate::coverage::reason;
use crate::fault::Fault;
use crate::mutant::Habit;
use crate::world::{World, hash};
use job::Job;
use merge::Ending;
use submit::Submit;

/// For how long what was last read is taken for the newest by who writes alone.
const ALONE_MS: u64 = 100;
/// How long a holder without a lease may show no sign of life before it counts as stuck.
pub const STUCK_MS: u64 = 500;
/// How often, in records, all processes' states are compared while a simulation runs; at its end they are in any case.
const HASH_EVERY: u64 = 61;

/// Who a process is for, the same after every restart.
#[derive(Debug, Clone)]
pub struct Part {
    /// The agent that it works for.
    pub agent: AgentId,
    /// Its role.
    pub role: Role,
    /// Whether it is the human's.
    pub human: bool,
    /// Whether it has the only skill that there is.
    pub skilled: bool,
    /// Whether claims are held by a lease alone, as from a shell.
    pub by_lease: bool,
    /// The lease of its claims, if any.
    pub lease_ms: Option<u64>,
    /// Whether an orchestrator runs it.
    pub orchestrated: bool,
    /// Whether all its plans must be approved.
    pub plans: bool,
}

/// A process.
#[derive(Debug)]
pub struct Process {
    /// Who it is for.
    pub part: Part,
    /// Its number; a restart gives a new one.
    pub pid: u32,
    /// Whether it lives.
    pub alive: bool,
    /// Before this it does nothing: it sleeps, or was stopped.
    pub wakes_ms: u64,
    /// How far its clock is from the true time.
    pub skew_ms: u64,
    /// Whether it is a program of the next version.
    pub next_version: bool,
    state: State,
    position: u64,
    snapshot_at: u64,
    /// Whether the last look at the log's end found a record of somebody else, and when that was.
    others: bool,
    looked_ms: u64,
    joined: bool,
    submit: Option<Submit>,
    job: Job,
    /// What is to be ended, as its holders are gone.
    endings: Vec<Ending>,
    counter: u64,
}

impl Process {
    /// A process that is not running yet.
    #[must_use]
    pub fn new(part: Part) -> Self {
        Self {
            part,
            pid: 0,
            alive: false,
            wakes_ms: 0,
            skew_ms: 0,
            next_version: false,
            state: State::new(),
            position: 0,
            snapshot_at: 0,
            others: true,
            looked_ms: 0,
            joined: false,
            submit: None,
            job: Job::Idle,
            endings: Vec::new(),
            counter: 0,
        }
    }

    /// Starts it: opens the log, with the snapshot if there is one to believe.
    pub fn start(&mut self, world: &mut World, next_version: bool) {
        self.pid = world.new_pid();
        self.alive = true;
        self.next_version = next_version;
        self.wakes_ms = world.now_ms;
        self.skew_ms = 10_000 + if world.fault(Fault::Skew) { world.random.between(0, 5_000) } else { 0 };
        (self.submit, self.job, self.joined) = (None, Job::Idle, false);
        self.endings.clear();
        let program = u8::from(next_version);
        let believed = world.load_snapshot().and_then(|snapshot| {
            let made_by = *snapshot.bytes.first()?;
            let own = made_by == program || !world.keeps(Habit::OwnSnapshot);
            Some((
                State::from_snapshot(snapshot.bytes.slice(1..)).filter(|_| own)?,
                snapshot.position.value(),
            ))
        });
        let from_snapshot = believed.is_some();
        (self.state, self.position) = believed.unwrap_or_else(|| (State::new(), 0));
        let mut off = world.options.off.core();
        if next_version {
            off.push(Safeguard::NewerFormat);
        }
        self.state = std::mem::take(&mut self.state).without(&off);
        self.snapshot_at = self.state.records();
        world.note(&self.part.agent, self.pid, || {
            let how = if from_snapshot { "from a snapshot" } else { "anew" };
            format!("starts {how}{}", if next_version { ", of the next version" } else { "" })
        });
        if from_snapshot {
            self.compare(world);
        }
        self.catch_up(world);
    }

    /// Ends it, wherever it was.
    pub fn die(&mut self, world: &mut World) {
        let ids: Vec<RecordId> = self.job.reading().iter().map(|(id, _)| *id).collect();
        world.witness.not_handed(&self.part.agent, &ids);
        world.note(&self.part.agent, self.pid, || "is gone".into());
        self.alive = false;
        self.submit = None;
        self.job = Job::Idle;
        world.died(self.pid);
    }

    /// Its clock.
    fn clock_ms(&self, world: &World) -> u64 {
        world.now_ms + self.skew_ms
    }

    fn process_id(&self, world: &World) -> ProcessId {
        ProcessId {
            machine: "m".into(),
            boot: world.boot.to_string(),
            namespace: "n".into(),
            pid: self.pid,
            start: u64::from(self.pid),
        }
    }

    fn by(&self) -> AgentId {
        self.part.agent.clone()
    }

    /// How its claims are known to be alive.
    fn holder(&self, world: &World) -> Arc<Holder> {
        let process = self.process_id(world);
        let presence = Some(format!("process-{}", self.pid)).filter(|_| !self.part.by_lease);
        Arc::new(Holder {
            process: Some(process).filter(|_| !self.part.by_lease),
            presence,
            lease_ms: self.part.lease_ms,
            orchestrated: self.part.orchestrated,
        })
    }

    /// Makes one step.
    pub fn step(&mut self, world: &mut World) {
        match self.submit.take() {
            Some(submit) => self.go_on(world, submit),
            None => self.act(world),
        }
    }

    /// Whether it is too old for what it read.
    pub fn is_too_old(&self) -> bool {
        self.state.newer_format().is_some() && !self.next_version
    }

    /// Whether it knows of no task that somebody could still do something about.
    pub fn sees_the_end(&self) -> bool {
        let counts = self.state.counts();
        counts.ready + counts.blocked + counts.running == 0
    }

    /// Whether it is about to write something.
    pub fn is_writing(&self) -> bool {
        self.submit.is_some()
    }

    /// Whether it is at nothing.
    pub fn is_idle(&self) -> bool {
        !self.is_writing()
            && matches!(self.job, Job::Idle)
            && self.endings.is_empty()
            && self.unread().is_empty()
            && self.asked().is_none()
    }

    /// Reads the whole log anew, without a snapshot, and writes nothing.
    pub fn audit(&mut self, world: &mut World, next_version: bool) {
        self.next_version = next_version;
        self.snapshot_at = u64::MAX / 2;
        let mut off = world.options.off.core();
        off.extend(Some(Safeguard::NewerFormat).filter(|_| next_version));
        self.state = State::new().without(&off);
        self.catch_up(world);
    }

    /// What it knows, in a few words.
    #[must_use]
    pub fn view(&self) -> String {
        let tasks = self.state.tasks().filter(|task| !task.status.is_ended()).map(|task| {
            let holder = task.claim.as_ref().map_or_else(String::new, |claim| format!(" ({})", claim.agent));
            let spec = &task.spec;
            let wants = format!("{:?}/{:?}/{:?}/{:?}", spec.agent, spec.role, spec.skill, task.back_to);
            format!("{} {}{holder} wants {wants}", task.id(), task.status)
        });
        tasks.collect::<Vec<_>>().join(", ")
    }

    /// Reads and applies what came since the last look.
    pub fn catch_up(&mut self, world: &mut World) {
        self.others = false;
        self.looked_ms = world.now_ms;
        loop {
            let batch = match world.read(self.position) {
                Ok(batch) => batch,
                Err(error) => {
                    world.check(violation("read", format!("the log cannot be read: {error}")));
                    return;
                }
            };
            for record in batch.records() {
                self.apply(world, record.position.value(), record.bytes);
            }
            self.position = batch.next().value();
            if batch.is_empty() {
                break;
            }
        }
        if world.disk.visible().len() == world.disk.bytes().len() {
            let verdict = world.witness.read_all(self.state.records());
            world.check(verdict);
        }
        if self.state.records() >= self.snapshot_at + world.snapshot_every {
            self.save(world);
        }
    }

    fn apply(&mut self, world: &mut World, position: u64, bytes: &[u8]) {
        let (id, outcome) = match world.decode(position, bytes) {
            None => {
                self.state.skip();
                *world.coverage.void.entry("no record").or_default() += 1;
                (None, 4)
            }
            Some(record) => {
                self.others |= record.by != self.part.agent;
                let outcome = self.state.apply(Record::clone(&record));
                let (name, code) = match &outcome {
                    Outcome::Effective => ("", 0),
                    Outcome::Void(refusal) => (reason(refusal), 1),
                    Outcome::Repeated => ("repeated", 2),
                    Outcome::Unknown
                        if matches!(record.body, agent_team_core::record::Body::Unknown { .. }) =>
                    {
                        ("unknown kind", 3)
                    }
                    Outcome::Unknown => ("malformed", 3),
                };
                if code != 0 {
                    *world.coverage.void.entry(name).or_default() += 1;
                }
                (Some(record.id), code)
            }
        };
        let seq = self.state.records();
        let verdict = world.witness.applied(seq, position, id, outcome);
        world.check(verdict);
        if seq.is_multiple_of(HASH_EVERY) {
            self.compare(world);
        }
    }

    /// Whether nobody else seems to write, so that a record can be decided without a look at the log's end.
    fn is_alone(&self, world: &World) -> bool {
        !self.others && world.now_ms.saturating_sub(self.looked_ms) < ALONE_MS
    }

    /// Compares its state with the others'.
    pub fn compare(&self, world: &mut World) {
        let bytes = self.state.to_snapshot().unwrap_or_default();
        let verdict = world.witness.hashed(self.state.records(), self.next_version, hash(&bytes));
        world.check(verdict);
    }

    fn save(&mut self, world: &mut World) {
        self.snapshot_at = self.state.records();
        let mut bytes = vec![u8::from(self.next_version)];
        bytes.extend(self.state.to_snapshot().unwrap_or_default());
        world.save_snapshot(self.position, bytes);
    }
}
