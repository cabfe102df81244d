//! The trait behind which every log stands, and the two small values it deals in.
//!
//! It promises one total order of records and nothing about what a record means. It must stay small enough
//! that a replicated stream or a git branch can stand behind it too.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AppendError, Batch, ReadError, SyncError, TurnError, Watch};

/// Records in one order, appended to by any number of writers and never changed.
///
/// A record is a JSON object on one line, given and returned as the very same bytes (without a line break).
/// All methods block; none may be called from an async task directly.
///
/// # Examples
///
/// ```
/// use agent_team_log::{Log, MemoryLog, Position};
///
/// let log = MemoryLog::new();
/// log.append(&[br#"{"id":"a"}"#, br#"{"id":"b"}"#])?;
/// let batch = log.read(Position::START, 1 << 20)?;
/// let records: Vec<_> = batch.records().map(|record| record.bytes).collect();
/// assert_eq!(records, [br#"{"id":"a"}"#, br#"{"id":"b"}"#]);
/// assert!(log.read(batch.next(), 1 << 20)?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Log: Send + Sync {
    /// The log's own id, made when it was created. Positions and digests mean something only together with it.
    fn id(&self) -> &str;

    /// Appends `records` in this order; records of other writers may come between them.
    ///
    /// All of them are checked before the first is written. When this returns, readers see the records, and they
    /// survive the death of any process; only [`Log::sync`] makes them survive the machine.
    ///
    /// # Errors
    ///
    /// [`AppendError::Unfit`] wrote nothing. **Any other error is ambiguous**: the record may be in the log, torn
    /// or whole. The caller reads, and if the record is not there appends it again under the same id.
    fn append(&self, records: &[&[u8]]) -> Result<(), AppendError>;

    /// Appends as [`Log::append`] does, and says where the records end if they are known to stand right behind `from`:
    /// then a read from there would give these records and nothing else, and can be spared.
    ///
    /// `None` says nothing, and is always allowed: whoever wants to know reads.
    ///
    /// # Errors
    ///
    /// As [`Log::append`].
    fn append_behind(&self, from: Position, records: &[&[u8]]) -> Result<Option<Position>, AppendError> {
        let _ = from;
        self.append(records).map(|()| None)
    }

    /// Returns once everything that was appended or read through this handle before this call is on stable storage.
    ///
    /// # Errors
    ///
    /// A failed sync is final: this handle refuses to append or sync ever after, because the system may by then
    /// have marked the lost pages as clean. Open the log again and read what is there.
    fn sync(&self) -> Result<(), SyncError>;

    /// Reads records from `from` on, up to about `max_bytes`, but at least one if there is one.
    ///
    /// `from` is [`Position::START`] or a `next` position that this log returned. A batch without
    /// records means that there is none for now. Torn records are stepped over and listed in [`Batch::damage`], which
    /// may also be there without a record.
    ///
    /// # Errors
    ///
    /// [`ReadError::Corrupt`] when the bytes at `from` are not what was appended; the records before them come
    /// first. The other errors say that the log was removed, replaced or cut off under the reader.
    fn read(&self, from: Position, max_bytes: usize) -> Result<Batch, ReadError>;

    /// Waits until a read from `from` would return something, at most for `timeout`; says whether it would.
    ///
    /// # Errors
    ///
    /// As [`Log::read`], except that corruption is left for `read` to find.
    fn wait(&self, from: Position, timeout: Duration) -> Result<bool, ReadError>;

    /// A descriptor that becomes readable when there may be more to read, for those who wait for other things at the
    /// same time. `None` where there is no such thing: then [`Log::wait`] in a thread is the way.
    fn watch(&self) -> Option<Watch> {
        None
    }

    /// Takes the brief exclusive turn at the log's end, or returns `None` once `patience` is over.
    ///
    /// A writer that reads the tail, decides and appends within its turn is rarely voided by another. This is a
    /// courtesy and never needed for safety: appends of those who did not wait are as good as any, so a stopped
    /// process cannot stop the team. Sync after the turn is dropped, not within it.
    ///
    /// # Errors
    ///
    /// When the lock cannot be used at all. A caller may then go on without it.
    fn turn(&self, patience: Duration) -> Result<Option<Turn<'_>>, TurnError>;

    /// The digest of what stands before `to`, which ties a snapshot to the log that it was made of.
    ///
    /// Another log, and one with another end there, have another digest; it need not cover all bytes. Whoever keeps it
    /// makes sure by [`Log::sync`] that what stands before `to` cannot be lost any more.
    ///
    /// # Errors
    ///
    /// As [`Log::read`]; bytes are not parsed, so corruption changes the digest and is no error.
    fn digest(&self, to: Position) -> Result<Digest, ReadError>;
}

/// A place between records: opaque, ordered, and stable for the life of a log.
///
/// Only positions that a log returned may be given back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// Before the first record of any log.
    pub const START: Self = Self(0);

    /// The position that an implementation of [`Log`] calls `value`; for the file log a byte offset in the whole log.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The number behind the position, for implementations of [`Log`] and for showing it to people.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A BLAKE3 digest of what stands before a position of a log, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest that is this BLAKE3 hash.
    #[must_use]
    pub fn new(hash: [u8; 32]) -> Self {
        Self(blake3::Hash::from_bytes(hash).to_hex().as_str().to_owned())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The turn at the log's end; it ends when this is dropped.
#[must_use = "the turn is over as soon as this is dropped"]
pub struct Turn<'a>(#[expect(dead_code, reason = "kept only to be dropped")] Box<dyn Held + 'a>);

impl<'a> Turn<'a> {
    /// A turn that ends when `lock` is dropped.
    pub fn held_by(lock: impl Send + 'a) -> Self {
        Self(Box::new(lock))
    }
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Turn")
    }
}

/// Anything whose drop gives the turn back.
trait Held: Send {}

impl<T: Send> Held for T {}
