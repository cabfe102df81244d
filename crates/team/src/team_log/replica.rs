//! This process's copy of the team's state: the log, folded up to a position.
//!
//! It is made from a snapshot, where there is one to be believed, and saves one now and then. It decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use agent_team_core::machine::State;
use agent_team_core::record::Record;
use agent_team_core::record::codec::{DecodeError, Decoder, Encoder};
use agent_team_log::{Batch, Log, Position, ReadError, Snapshot};

use crate::Error;
use crate::folder::TeamFolder;
use crate::kept;
use crate::waiting::Ended;

/// How much of the log is read in one go, in bytes.
const READ_BYTES: usize = 4 << 20;
/// After how many further records a new snapshot is worth its cost, at least.
const SNAPSHOT_RECORDS: u64 = 4_000;
/// For how many further records of one's own others are remembered who wrote.
const OTHERS: u32 = 16;
/// How many batches are read and decoded ahead of those that are applied.
const AHEAD: usize = 2;

pub(super) struct Replica {
    pub state: State,
    pub position: Position,
    /// How many lines of the log were no records at all.
    pub unreadable: u64,
    decoder: Decoder,
    pub encoder: Encoder,
    snapshot_at: u64,
    /// The claims that ended, for those who wait for that.
    pub ended: Ended,
    /// More than 0 while others write too.
    others: u32,
    caught_up: Instant,
    /// Writes a snapshot, which nobody has to wait for but the end of this process.
    saving: Option<JoinHandle<()>>,
}

/// Records that this process is about to append, each with its line, so that reading one back is comparing bytes.
pub(super) struct Own(VecDeque<(Vec<u8>, Record)>);

impl Own {
    pub fn of(records: Vec<Record>, encoder: &mut Encoder) -> Result<Self, Error> {
        let with_line = |record: Record| Ok::<_, Error>((encoder.encode(&record)?, record));
        Ok(Self(records.into_iter().map(with_line).collect::<Result<_, _>>()?))
    }

    pub fn none() -> Self {
        Self(VecDeque::new())
    }

    /// The lines of all of them.
    pub fn lines(&self) -> Vec<&[u8]> {
        self.0.iter().map(|(line, _)| line.as_slice()).collect()
    }

    /// The lines that are not in the log yet, as far as the state knows.
    pub fn missing(&self, state: &State) -> Vec<&[u8]> {
        let missing = self.0.iter().filter(|(_, record)| !state.has_seen(record.id));
        missing.map(|(line, _)| line.as_slice()).collect()
    }

    /// The record of a line, if it is the next of these.
    fn take(&mut self, line: &[u8]) -> Option<Record> {
        self.0.pop_front_if(|(own, _)| own == line).map(|(_, record)| record)
    }
}

impl Replica {
    pub fn open(log: &Arc<dyn Log>, folder: Option<&TeamFolder>) -> Result<Self, Error> {
        let known = folder.and_then(|folder| kept::open(folder, log.as_ref()));
        let (state, position) = known.unwrap_or_else(|| (State::new(), Position::START));
        let mut replica = Self::of(state, position);
        replica.catch_up(log.as_ref(), &mut Own::none())?;
        // Whoever had to fold much spares the next one that.
        if let Some(folder) = folder.filter(|_| replica.since_snapshot() >= SNAPSHOT_RECORDS) {
            replica.save(log, folder);
        }
        Ok(replica)
    }

    /// A copy that begins with this state.
    pub fn of(state: State, position: Position) -> Self {
        Self {
            snapshot_at: state.records(),
            state,
            position,
            unreadable: 0,
            ended: Ended::default(),
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            others: 1,
            caught_up: Instant::now(),
            saving: None,
        }
    }

    /// Whether nobody else seems to write.
    pub fn is_alone(&self) -> bool {
        self.others == 0
    }

    /// Whether the log's end was looked at no longer ago than that.
    pub fn is_caught_up_since(&self, ago: Duration) -> bool {
        self.caught_up.elapsed() < ago
    }

    /// Applies one's own records, which are known to be the next in the log and to end at `end`.
    pub fn apply_own(&mut self, own: Own, end: Position) {
        for (_, record) in own.0 {
            self.apply(Ok(record));
        }
        self.position = end;
        self.others = self.others.saturating_sub(1);
        self.caught_up = Instant::now();
    }

    /// Applies what came since the last time. What stands in `own` need not be decoded.
    pub fn catch_up(&mut self, log: &dyn Log, own: &mut Own) -> Result<(), Error> {
        let batch = log.read(self.position, READ_BYTES)?;
        let mut foreign = false;
        for record in batch.records() {
            let decoded = match own.take(record.bytes) {
                Some(own) => Ok(own),
                None => {
                    foreign = true;
                    self.decoder.decode(record.bytes)
                }
            };
            self.apply(decoded);
        }
        self.position = batch.next();
        if !batch.is_last() {
            self.catch_up_far(log)?;
        }
        self.others = if foreign { OTHERS } else { self.others.saturating_sub(1) };
        self.caught_up = Instant::now();
        Ok(())
    }

    fn apply(&mut self, decoded: Result<Record, DecodeError>) {
        match decoded {
            Ok(record) => {
                self.ended.note(&record.body);
                self.state.apply(record);
            }
            Err(_) => {
                self.state.skip();
                self.unreadable += 1;
            }
        }
    }

    /// Applies a long tail, while another thread reads and decodes ahead.
    fn catch_up_far(&mut self, log: &dyn Log) -> Result<(), Error> {
        let (batches, decoded) = sync_channel::<Result<Decoded, ReadError>>(AHEAD);
        let mut decoder = std::mem::take(&mut self.decoder);
        let mut position = self.position;
        thread::scope(|scope| {
            scope.spawn(move || {
                loop {
                    let batch = log.read(position, READ_BYTES).map(|batch| Decoded::of(&batch, &mut decoder));
                    let is_last = batch.as_ref().map_or(true, |batch| batch.is_last);
                    position = batch.as_ref().map_or(position, |batch| batch.next);
                    // Nobody listens any more after an error.
                    if batches.send(batch).is_err() || is_last {
                        return;
                    }
                }
            });
            for batch in decoded {
                let batch = batch?;
                batch.records.into_iter().for_each(|record| self.apply(record));
                self.position = batch.next;
            }
            Ok(())
        })
    }

    fn since_snapshot(&self) -> u64 {
        self.state.records().saturating_sub(self.snapshot_at)
    }

    /// Saves a snapshot if it is worth its cost, which grows with the state.
    pub fn save_if_due(&mut self, log: &Arc<dyn Log>, folder: &TeamFolder) {
        if self.since_snapshot() < SNAPSHOT_RECORDS + self.snapshot_at / 2 {
            return;
        }
        // Another process may just have saved one.
        let found = Snapshot::position(&folder.cache(), log.as_ref()).map_or(0, Position::value);
        if found < self.position.value() / 4 * 3 {
            self.save(log, folder);
        }
        self.snapshot_at = self.state.records();
    }

    /// A snapshot is a cache: that it cannot be written harms nobody.
    fn save(&mut self, log: &Arc<dyn Log>, folder: &TeamFolder) {
        self.snapshot_at = self.state.records();
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            return;
        }
        // Another process may be saving one at this moment.
        let Some(turn) = Snapshot::turn(&folder.cache()) else { return };
        let Ok(bytes) = self.state.to_snapshot() else { return };
        let snapshot = Snapshot { position: self.position, bytes: bytes.into() };
        let (log, cache) = (Arc::clone(log), folder.cache());
        let write = move || {
            let _ = snapshot.save(&cache, log.as_ref());
            drop(turn);
        };
        self.saving = thread::Builder::new().name("snapshot".to_owned()).spawn(write).ok();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(saving) = self.saving.take() {
            let _ = saving.join();
        }
    }
}

/// A batch, decoded.
struct Decoded {
    records: Vec<Result<Record, DecodeError>>,
    next: Position,
    is_last: bool,
}

impl Decoded {
    fn of(batch: &Batch, decoder: &mut Decoder) -> Self {
        let records = batch.records().map(|record| decoder.decode(record.bytes)).collect();
        Self { records, next: batch.next(), is_last: batch.is_last() }
    }
}
