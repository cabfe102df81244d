//! The log in memory, for tests, simulation and short programs. It is gone with the process.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{AppendError, Batch, Digest, Log, Position, ReadError, SyncError, Turn, TurnError, record};

/// A log that lives in this process. Share it between threads behind an `Arc`.
///
/// A position is the number of records before it.
#[derive(Debug)]
pub struct MemoryLog {
    id: String,
    records: Mutex<Vec<Box<[u8]>>>,
    appended: Condvar,
    turn_taken: Mutex<bool>,
    turn_over: Condvar,
}

impl MemoryLog {
    /// An empty log with an id of its own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            id: crate::unique_id().to_string(),
            records: Mutex::default(),
            appended: Condvar::new(),
            turn_taken: Mutex::default(),
            turn_over: Condvar::new(),
        }
    }

    fn records(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl Log for MemoryLog {
    fn id(&self) -> &str {
        &self.id
    }

    fn append(&self, records: &[&[u8]]) -> Result<(), AppendError> {
        self.append_behind(Position::START, records).map(|_| ())
    }

    fn append_behind(&self, from: Position, records: &[&[u8]]) -> Result<Option<Position>, AppendError> {
        record::check_all(records)?;
        let mut known = self.records();
        let is_next = known.len() as u64 == from.value();
        known.extend(records.iter().map(|&record| record.into()));
        self.appended.notify_all();
        Ok(is_next.then(|| Position::new(known.len() as u64)))
    }

    fn sync(&self) -> Result<(), SyncError> {
        Ok(())
    }

    fn read(&self, from: Position, max_bytes: usize) -> Result<Batch, ReadError> {
        let records = self.records();
        let rest = after(&records, from)?;
        let mut sizes = rest.iter().scan(0_usize, |total, record| {
            *total += record.len();
            Some(*total)
        });
        let first_bytes = sizes.next().unwrap_or_default();
        let count =
            rest.len().min(1 + sizes.take_while(|&total| total <= max_bytes.max(first_bytes)).count());
        let chosen = rest.iter().take(count);
        let mut batch = Batch::over(chosen.clone().flatten().copied().collect(), from);
        let mut start = 0;
        for (position, record) in (from.value()..).zip(chosen) {
            let end = start + record.len();
            batch.push(Position::new(position), Position::new(position + 1), start..end);
            start = end;
        }
        let is_last = batch.len() == rest.len();
        Ok(batch.last_of_log(is_last))
    }

    fn wait(&self, from: Position, timeout: Duration) -> Result<bool, ReadError> {
        let records = self.records();
        after(&records, from)?;
        let nothing_yet = |records: &mut Vec<Box<[u8]>>| records.len() as u64 <= from.value();
        let (records, _) = self
            .appended
            .wait_timeout_while(records, timeout, nothing_yet)
            .unwrap_or_else(PoisonError::into_inner);
        Ok(records.len() as u64 > from.value())
    }

    fn turn(&self, patience: Duration) -> Result<Option<Turn<'_>>, TurnError> {
        let taken = self.turn_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, _) = self
            .turn_over
            .wait_timeout_while(taken, patience, |taken| *taken)
            .unwrap_or_else(PoisonError::into_inner);
        if *taken {
            return Ok(None);
        }
        *taken = true;
        Ok(Some(Turn::held_by(TurnGuard(self))))
    }

    fn digest(&self, to: Position) -> Result<Digest, ReadError> {
        let records = self.records();
        after(&records, to)?;
        // Its id alone ties what was made of it to this log, of which nothing is ever lost.
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.id.as_bytes()).update(&to.value().to_le_bytes());
        Ok(Digest::new(*hasher.finalize().as_bytes()))
    }
}

struct TurnGuard<'a>(&'a MemoryLog);

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        *self.0.turn_taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.turn_over.notify_one();
    }
}

fn after(records: &[Box<[u8]>], from: Position) -> Result<&[Box<[u8]>], ReadError> {
    usize::try_from(from.value()).ok().and_then(|from| records.get(from..)).ok_or(ReadError::OutOfRange {
        position: from,
        start: Position::START,
        end: Position::new(records.len() as u64),
    })
}
