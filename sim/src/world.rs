//! What all processes share: time, the disk, the repository, the lock, the caches, and the witness who watches them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Write};
use std::rc::Rc;

use agent_team_core::id::{AgentId, RecordId};
use agent_team_core::record::{Record, codec};
use agent_team_log::framing::{AtCorruption, Safeguards, scan, tail_digest, write_framed, write_once};
use agent_team_log::{Batch, Digest, Position, ReadError, Snapshot};

use crate::check::{Cast, Verdict, Violation, Witness};
use crate::coverage::Coverage;
use crate::disk::{Disk, Extent};
use crate::fault::Fault;
use crate::git::Git;
use crate::mutant::Habit;
use crate::options::{Lock, Options};
use crate::random::Random;
use crate::trace::Trace;

/// The name of the one log.
const LOG: &str = "the-log";
/// How much of the log's tail ties a snapshot to it: enough to hold what is nowhere else.
const TAIL_BYTES: usize = 1024;
/// How long a process waits for its turn.
const PATIENCE_MS: u64 = 250;

/// A snapshot's file, as somebody left it.
#[derive(Debug, Clone)]
struct Saved {
    file: Vec<u8>,
    position: u64,
    /// Whether a power cut lost a part of what it covers.
    covers_lost: bool,
}

/// What came of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The writer heard that it is done.
    Done,
    /// The writer heard that it failed; it may be there all the same.
    Failed,
    /// The writer was killed meanwhile.
    Killed,
}

/// What all processes share.
#[derive(Debug)]
pub struct World {
    /// What the simulation was given.
    pub options: Options,
    /// The source of chance.
    pub random: Random,
    /// True time, in milliseconds.
    pub now_ms: u64,
    /// The log's file.
    pub disk: Disk,
    /// The repository.
    pub git: Git,
    /// Who watches.
    pub witness: Witness,
    /// What was reached.
    pub coverage: Coverage,
    /// What happened.
    pub trace: Trace,
    /// How often the machine was booted.
    pub boot: u32,
    /// Whether faults have stopped.
    pub calm: bool,
    /// The processes that live.
    pub alive: BTreeSet<u32>,
    /// When each claim's latest renewal was first seen by anyone on this machine.
    pub observed: BTreeMap<RecordId, (RecordId, u64)>,
    /// Numbers of the faults that happened.
    pub happened: Vec<u32>,
    /// The first thing that went wrong.
    pub violation: Option<Violation>,
    /// After how many records a snapshot is saved.
    pub snapshot_every: u64,
    /// Whether git recognises work that the branch holds already.
    pub recognises: bool,
    /// Whether the team is steered, plans, asks and notes: what the first format has no words for.
    pub is_steered: bool,
    lock_holder: Option<u32>,
    snapshots: Vec<Saved>,
    decoded: BTreeMap<u64, Option<Rc<Record>>>,
    rates: Vec<u32>,
    faults: u32,
    safeguards: Safeguards,
    last_id: u64,
    last_pid: u32,
}

impl World {
    /// The world of a simulation, before anything happened.
    #[must_use]
    pub fn new(options: &Options, cast: Cast, trace: bool) -> Self {
        let mut random = Random::new(options.seed);
        let rates = Fault::ALL.iter().map(|fault| rate(*fault, &mut random)).collect();
        Self {
            now_ms: 1_000_000,
            disk: Disk::default(),
            git: Git::default(),
            witness: Witness::new(cast),
            coverage: Coverage::default(),
            trace: Trace::new(trace),
            boot: 1,
            calm: false,
            alive: BTreeSet::new(),
            observed: BTreeMap::new(),
            happened: Vec::new(),
            violation: None,
            snapshot_every: random.between(20, 120),
            recognises: random.chance(500),
            is_steered: random.chance(850),
            lock_holder: None,
            snapshots: Vec::new(),
            decoded: BTreeMap::new(),
            rates,
            faults: 0,
            safeguards: Safeguards::without(&options.off.log()),
            last_id: 0,
            last_pid: 0,
            options: options.clone(),
            random,
        }
    }

    /// Whether a fault happens here and now.
    pub fn fault(&mut self, fault: Fault) -> bool {
        let rate = self.rates.get(fault as usize).copied().unwrap_or(0);
        if self.calm || rate == 0 || !self.random.chance(rate) {
            return false;
        }
        self.faults += 1;
        if self.options.without.contains(&fault) || self.options.skip.contains(&self.faults) {
            return false;
        }
        let number = self.faults;
        self.happened.push(number);
        *self.coverage.faults.entry(fault).or_default() += 1;
        self.trace.note(|| format!("  ! fault {number}: {}", fault.name()));
        true
    }

    /// Until when a process is stopped, if that happens to it right here, between two steps that belong together.
    pub fn stopped_until(&mut self, fault: Fault) -> Option<u64> {
        self.fault(fault).then(|| self.now_ms + self.random.between(100, 1500))
    }

    /// Whether processes keep a habit.
    #[must_use]
    pub fn keeps(&self, habit: Habit) -> bool {
        self.options.off.keeps(habit)
    }

    /// Notes what a checker says.
    pub fn check(&mut self, verdict: Verdict) {
        if let (Err(violation), None) = (verdict, &self.violation) {
            self.violation = Some(violation);
        }
    }

    /// A new id, which nobody has had.
    pub fn new_id(&mut self) -> RecordId {
        self.last_id += 1;
        RecordId(u128::from(self.last_id))
    }

    /// A text of about this length, and no part of it like any other's.
    pub fn filler(&mut self, length: usize) -> String {
        format!("{:x}.", self.new_id().0).repeat(length / 4 + 1)
    }

    /// A new process.
    pub fn new_pid(&mut self) -> u32 {
        self.last_pid += 1;
        self.alive.insert(self.last_pid);
        self.last_pid
    }

    /// A process is gone, and its locks with it.
    pub fn died(&mut self, pid: u32) {
        self.alive.remove(&pid);
        self.give_turn_back(pid);
        self.witness.died(pid, self.now_ms);
    }

    /// Asks for the turn at the log's end. Says whether to go on, with it or without.
    pub fn take_turn(&mut self, pid: u32, since_ms: u64) -> bool {
        if self.options.lock != Lock::Honest {
            return true;
        }
        match self.lock_holder {
            Some(holder) if holder != pid => {
                let tired = self.now_ms.saturating_sub(since_ms) >= PATIENCE_MS;
                let goes_on = tired || self.fault(Fault::NoTurn);
                if tired {
                    *self.coverage.faults.entry(Fault::NoTurn).or_default() += 1;
                }
                goes_on
            }
            _ => {
                self.lock_holder = Some(pid);
                true
            }
        }
    }

    /// Gives the turn back, if the process has it.
    pub fn give_turn_back(&mut self, pid: u32) {
        if self.lock_holder == Some(pid) {
            self.lock_holder = None;
        }
    }

    /// Appends a record's bytes, or any other line's, with whatever goes wrong.
    pub fn append(&mut self, record: &[u8], tag: usize) -> Appended {
        let mut framed = Vec::new();
        write_framed(self.safeguards, &mut framed, record);
        let tears = self.disk.tears(framed.len());
        let tear = self.random.pick(&tears).copied();
        let cut =
            if self.random.chance(400) { framed.len() - 1 } else { 1 + self.random.below(framed.len() - 1) };
        let from = self.disk.bytes().len();
        let (plan, outcome, shown) = if let Some(cut) = tear.filter(|_| self.fault(Fault::Tear)) {
            (vec![Some(cut), None], Some(Appended::Killed), None)
        } else if self.fault(Fault::ShortKilled) {
            (vec![Some(cut), None], Some(Appended::Killed), None)
        } else if self.fault(Fault::Short) {
            (vec![Some(cut)], None, None)
        } else if self.fault(Fault::Failed) {
            (vec![None], None, None)
        } else if self.fault(Fault::Landed) {
            (Vec::new(), Some(Appended::Failed), None)
        } else if self.fault(Fault::Partial) {
            (Vec::new(), None, Some(cut))
        } else {
            (Vec::new(), None, None)
        };
        let mut file = Appending { disk: &mut self.disk, plan: plan.into_iter(), tag, whole: Vec::new() };
        let written = write_once(&mut file, &framed);
        let whole = file.whole;
        self.witness.landed(&whole, self.now_ms);
        if let (Some(cut), Ok(())) = (shown, &written) {
            self.disk.show_only(from + cut);
        }
        outcome.unwrap_or(if written.is_ok() { Appended::Done } else { Appended::Failed })
    }

    /// Reads the log from a position on.
    ///
    /// # Errors
    /// When it holds what nobody appended.
    pub fn read(&self, from: u64) -> Result<Batch, ReadError> {
        let from_byte = usize::try_from(from).unwrap_or(usize::MAX);
        let bytes = self.disk.visible().get(from_byte..).unwrap_or_default();
        scan(self.safeguards, bytes.to_vec(), from, true, AtCorruption::Stop)
    }

    /// Whether there is nothing to read from a position on.
    #[must_use]
    pub fn is_at_end(&self, from: u64) -> bool {
        self.disk.visible().len() as u64 == from
    }

    /// The record in bytes at a position; all processes read the same bytes there, so each is decoded once.
    pub fn decode(&mut self, position: u64, bytes: &[u8]) -> Option<Rc<Record>> {
        self.decoded.entry(position).or_insert_with(|| codec::decode(bytes).ok().map(Rc::new)).clone()
    }

    /// Puts the log onto stable storage.
    pub fn sync(&mut self) {
        self.disk.sync();
    }

    /// Cuts the power.
    pub fn cut_power(&mut self, nul_pages: bool) {
        let synced = self.disk.synced();
        let order: Vec<Extent> = self.witness.order().to_vec();
        let left = self.disk.cut_power(&mut self.random, nul_pages, &order);
        let verdict = self.witness.power_cut(left, synced);
        self.check(verdict);
        // That a page is gone from the middle of what a snapshot covers, nobody can see: therefore the sync before saving.
        if self.keeps(Habit::SyncFirstForSnapshot) && nul_pages {
            self.snapshots.retain(|snapshot| snapshot.position <= synced as u64);
        }
        for snapshot in &mut self.snapshots {
            snapshot.covers_lost |= snapshot.position > synced as u64;
        }
        self.decoded.clear();
        self.observed.clear();
        self.boot += 1;
        self.lock_holder = None;
    }

    /// Saves a snapshot, once all that it covers is on stable storage.
    pub fn save_snapshot(&mut self, position: u64, bytes: Vec<u8>) {
        if self.keeps(Habit::SyncFirstForSnapshot) {
            // Somebody's older program may not have done so.
            if !self.fault(Fault::SnapshotOverwritten) {
                self.disk.sync();
            }
        }
        let snapshot = Snapshot { position: Position::new(position), bytes: bytes.into() };
        if let Ok(file) = snapshot.to_file(LOG, digest(self.disk.bytes(), position)) {
            self.snapshots.push(Saved { file, position, covers_lost: false });
        }
    }

    /// Opens the snapshot that is there, as far as it is to be believed.
    pub fn load_snapshot(&mut self) -> Option<Snapshot> {
        let mut saved = self.snapshots.last()?.clone();
        if let Some(lost) = self.snapshots.iter().rev().find(|saved| saved.covers_lost) {
            saved = lost.clone();
        } else if self.fault(Fault::SnapshotStale) {
            let older = self.random.below(self.snapshots.len());
            saved = self.snapshots.get(older)?.clone();
        }
        if self.fault(Fault::SnapshotCut) {
            let length = self.random.below(saved.file.len());
            saved.file.truncate(length);
        } else if self.fault(Fault::SnapshotDamaged) {
            let at = self.random.below(saved.file.len());
            let bit = self.random.below(8);
            saved.file.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
        } else if self.fault(Fault::SnapshotForeign) {
            saved.file = foreign(&saved)?;
        }
        let bytes = self.disk.bytes();
        let digest = |position: Position| {
            (position.value() <= bytes.len() as u64).then(|| digest(bytes, position.value()))
        };
        Snapshot::from_file(self.safeguards, &saved.file.into(), LOG, digest)
    }

    /// Changes one bit of the log, and makes sure that nobody believes what it then says.
    pub fn flip_a_bit(&mut self) {
        let before = self.disk.bytes().to_vec();
        if before.is_empty() || !self.fault(Fault::BitFlip) {
            return;
        }
        let sound = lines(self.safeguards, &before);
        let mut after = before;
        let at = self.random.below(after.len());
        let bit = self.random.below(8);
        after.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
        let found = lines(self.safeguards, &after);
        let believed = found.iter().find(|(position, line)| sound.get(*position) != Some(*line));
        let verdict = match believed {
            Some((position, _)) => crate::check::violation(
                "bits",
                format!("a record at {position} was believed, and bit {bit} of byte {at} had changed"),
            ),
            None => Ok(()),
        };
        self.check(verdict);
    }

    /// What is known of a holder's process by its presence: whether it is certainly gone.
    #[must_use]
    pub fn is_gone(&self, process: &agent_team_core::record::ProcessId) -> bool {
        process.boot != self.boot.to_string() || !self.alive.contains(&process.pid)
    }

    /// A line for people, with the time.
    pub fn note(&mut self, agent: &AgentId, pid: u32, line: impl FnOnce() -> String) {
        let now_ms = self.now_ms;
        self.trace.note(|| format!("{now_ms:>8} {agent}/{pid} {}", line()));
    }
}

/// All records that a reader finds in a log, by position, up to what it cannot believe.
fn lines(safeguards: Safeguards, bytes: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut from = 0;
    loop {
        let rest = usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default().to_vec();
        let Ok(batch) = scan(safeguards, rest, from, true, AtCorruption::Stop) else { return found };
        if batch.is_empty() {
            return found;
        }
        found.extend(batch.records().map(|record| (record.position.value(), record.bytes.to_vec())));
        from = batch.next().value();
    }
}

/// The snapshot of another log that is as long as this one was, and says nothing.
fn foreign(saved: &Saved) -> Option<Vec<u8>> {
    let mut bytes = vec![0];
    bytes.extend(agent_team_core::machine::State::new().to_snapshot().ok()?);
    let snapshot = Snapshot { position: Position::new(saved.position), bytes: bytes.into() };
    snapshot.to_file("another-log", Digest::new([7; 32])).ok()
}

/// The digest of a log up to a position, as a file has it, only that less of the tail is looked at: logs are short here.
fn digest(bytes: &[u8], to: u64) -> Digest {
    let end = usize::try_from(to).unwrap_or(usize::MAX).min(bytes.len());
    tail_digest(to, bytes.get(end.saturating_sub(TAIL_BYTES)..end).unwrap_or_default())
}

/// A hash of bytes, eight at a time.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64 ^ 0xcbf2_9ce4_8422_2325;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        hash = (hash.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    hash ^ (hash >> 32)
}

/// A file that takes of each write what the plan says: so much, or nothing with an error; all once the plan is over.
struct Appending<'a> {
    disk: &'a mut Disk,
    plan: std::vec::IntoIter<Option<usize>>,
    tag: usize,
    whole: Vec<Extent>,
}

impl Write for Appending<'_> {
    fn write(&mut self, framed: &[u8]) -> io::Result<usize> {
        let taken = match self.plan.next() {
            Some(Some(taken)) => taken,
            Some(None) => return Err(ErrorKind::Other.into()),
            None => framed.len(),
        };
        let before = self.disk.bytes().len();
        self.whole.extend(self.disk.append(framed, taken, self.tag));
        let written = self.disk.bytes().len() - before;
        if written == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How often a fault happens in this simulation, of a thousand opportunities: in many simulations never.
fn rate(fault: Fault, random: &mut Random) -> u32 {
    let (often, usual) = match fault {
        Fault::Kill => (700, 8),
        Fault::Tear => (600, 250),
        Fault::Partial | Fault::Short => (500, 20),
        Fault::ShortKilled | Fault::Failed | Fault::Landed => (500, 12),
        Fault::FullDisk | Fault::ClockSet => (300, 3),
        Fault::SyncFailed => (300, 5),
        Fault::Pause => (600, 10),
        Fault::MergePause => (600, 500),
        Fault::UserCommit => (500, 8),
        Fault::NoTurn => (300, 50),
        Fault::Skew | Fault::Poison => (500, 500),
        Fault::PowerCut => (400, 4),
        Fault::NulPages => (800, 800),
        Fault::SnapshotStale => (500, 200),
        Fault::SnapshotCut | Fault::SnapshotDamaged | Fault::SnapshotForeign => (400, 150),
        Fault::SnapshotOverwritten => (700, 500),
        Fault::Raised => (400, 60),
        Fault::UnknownKind | Fault::UnknownField | Fault::NotARecord => (400, 20),
        Fault::Careless => (800, 500),
        Fault::BitFlip => (500, 1000),
    };
    let happens = random.chance(often);
    let strength = u32::try_from(random.between(1, 4)).unwrap_or(1);
    if happens { (usual * strength / 2).clamp(1, 1000) } else { 0 }
}
