//! What can go wrong with a log, one type per operation. A lawful "not now" is a value and not here.

use std::io;
use std::path::PathBuf;

use crate::Position;

/// Why records were not appended, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A record that no log takes. Nothing was written.
    #[error("record {index} of this append cannot be logged: {fault}")]
    Unfit {
        /// Which of the records, counted from 0.
        index: usize,
        /// What is wrong with it.
        fault: Unfit,
    },
    /// The log was opened for reading only. Nothing was written.
    #[error("the log was opened for reading only, by wish or since its file may not be written here")]
    ReadOnly,
    /// An earlier sync of this handle failed. Nothing was written.
    #[error("an earlier sync failed, so this handle cannot be trusted any more: open the log again")]
    SyncFailed,
    /// The system refused the write, or took only a part of it (a full disk). Ambiguous: the record after the
    /// first `appended` may be in the log, torn or whole. Read, and append again under the same id.
    #[error(
        "writing to the log failed after {appended} records (the next one may be there all the same): {source}"
    )]
    Io {
        /// How many records of this append were certainly written.
        appended: usize,
        /// What the system said.
        source: io::Error,
    },
}

/// What makes bytes unfit to be a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is too long once framed; larger texts belong into blobs.
    #[error("it takes {framed_bytes} bytes, and {limit_bytes} is the most; put large texts into a blob")]
    TooLarge {
        /// Its size with the frame around it.
        framed_bytes: usize,
        /// The largest size allowed, [`MAX_FRAMED_BYTES`](crate::MAX_FRAMED_BYTES).
        limit_bytes: usize,
    },
    /// It holds a line break or another raw control character.
    #[error("byte {offset} is a control character; a record is one line of JSON")]
    ControlCharacter {
        /// Where, in bytes from the record's start.
        offset: usize,
    },
    /// It is not a JSON object.
    #[error("it is not a JSON object ({reason})")]
    NotAnObject {
        /// What the parser says.
        reason: String,
    },
}

/// Why what was appended is not known to be on stable storage.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// This sync failed.
    #[error(
        "syncing the log failed, so what was appended may be lost with the machine; open the log again: {0}"
    )]
    Io(#[source] io::Error),
    /// An earlier sync of this handle, or the one that this call shared, failed.
    #[error("an earlier sync failed, so this handle cannot be trusted any more: open the log again")]
    Failed,
}

/// Why a log cannot be read at a position.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not what was appended. Nothing after them is believed until a person has looked.
    #[error("the log is corrupt at byte {position}: {reason}; restore it from a copy, or cut it off there")]
    Corrupt {
        /// Where.
        position: Position,
        /// How this is known.
        reason: &'static str,
    },
    /// The log ends before a position that was once read: somebody cut it off.
    #[error("the log {path} was cut off: it ends at byte {end}, and byte {seen} was there before")]
    Truncated {
        /// Which file.
        path: PathBuf,
        /// Where it ends now.
        end: Position,
        /// Up to where it reached before.
        seen: Position,
    },
    /// Another file has taken the log's place: records appended since are in either of the two.
    #[error("the log {path} was replaced by another file while in use; open it again")]
    Replaced {
        /// Which file.
        path: PathBuf,
    },
    /// The log's file is gone from its folder.
    #[error("the log {path} was deleted or moved away while in use")]
    Deleted {
        /// Which file.
        path: PathBuf,
    },
    /// The position is not one of this log's.
    #[error("position {position} is not in this log, which begins at {start} and ends at {end}")]
    OutOfRange {
        /// What was asked for.
        position: Position,
        /// Where the log begins.
        start: Position,
        /// Where the log ends.
        end: Position,
    },
    /// The system could not read.
    #[error("reading the log failed: {0}")]
    Io(#[from] io::Error),
}

/// Why the turn at the log's end cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The log was opened for reading only.
    #[error("the log was opened for reading only")]
    ReadOnly,
    /// The lock file cannot be used.
    #[error("the lock {path} cannot be used: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
