//! Bytes in one order: the log of agent-team, and what lies beside it.
//!
//! A team is an ordered log and what the log means. This crate has the log; what it means is the core's affair.
//!
//! | what | owner | on disk |
//! |---|---|---|
//! | [`Log`]: records in one order, in [memory](MemoryLog) or in a [file](FileLog) | `memory`, `file` | `log.jsonl`, `log.jsonl.lock`, `log.jsonl.synced` |
//! | [`BlobStore`]: large texts under their hashes | `blob` | `blobs/xx/<hash>` |
//! | [`Snapshot`]: a cache of what was folded | `snapshot` | `snapshot` |
//! | [`Presence`]: who is alive, by a lock that dies with its process | `presence`, `process` | `<name>.json` |
//! | [`Observed`]: a cache of when renewals were first seen here | `observed` | `observed` |
//!
//! # Invariants
//!
//! - A log is only ever appended to. No code here rewrites, cuts or renames one, whatever state it is in.
//! - What a reader is given is byte for byte what was appended; a changed bit is reported and never believed.
//! - Safety needs the total order alone. Locks only make it rare that writers get into each other's way.
//!
//! # What is absent
//!
//! Nothing here knows of tasks, agents or records' contents, reads the wall clock to decide anything, or is async:
//! every call blocks. Nothing of the other crates is used.

mod batch;
mod blob;
mod blocks;
pub mod conformance;
mod durable;
mod error;
mod file;
#[doc(hidden)]
pub mod framing;
mod log;
mod memory;
mod observed;
mod presence;
mod process;
mod record;
mod safeguard;
mod snapshot;
mod unique;
mod watch;

pub use batch::{Batch, Damage, DamageKind, Record};
pub use blob::{BlobHash, BlobStore, GetBlobError, ParseBlobHashError, PutBlobError};
pub use error::{AppendError, ReadError, SyncError, TurnError, Unfit};
pub use file::{Examination, ExamineError, FileLog, FileSystemWarning, OpenError, examine};
pub use log::{Digest, Log, Position, Turn};
pub use memory::MemoryLog;
pub use observed::Observed;
pub use presence::{AnnounceError, Presence, probe};
pub use process::{Liveness, ProcessIdentity};
pub use record::MAX_FRAMED_BYTES;
pub use snapshot::{SaveSnapshotError, SavedSnapshot, Snapshot};
pub use unique::unique_id;
pub use watch::{FolderWatch, Watch};
