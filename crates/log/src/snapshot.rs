//! What was folded from a log up to a position, kept so that opening a long log is fast.
//!
//! A snapshot is a cache: it is believed only if it belongs to this very log, byte for byte up to its position,
//! and is itself undamaged. Anything else is as good as no snapshot. What is in it, this module does not know.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::safeguard::{Safeguard, Safeguards};
use crate::{Digest, Log, Position, ReadError, SyncError, Turn, durable};

const FILE_NAME: &str = "snapshot";
const LOCK_NAME: &str = "snapshot.lock";

/// A folded state, as bytes, and the position of the log that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Where folding goes on.
    pub position: Position,
    /// What was saved.
    pub bytes: Bytes,
}

/// Why a snapshot was not saved. Nothing is lost by that but time.
#[derive(Debug, thiserror::Error)]
pub enum SaveSnapshotError {
    /// The log could not be brought to stable storage.
    #[error("no snapshot was saved: {0}")]
    Sync(#[from] SyncError),
    /// The log up to the position could not be read.
    #[error("no snapshot was saved: {0}")]
    Read(#[from] ReadError),
    /// The file could not be written.
    #[error("no snapshot was saved: {0}")]
    Io(#[from] io::Error),
}

/// What a snapshot was made of; the first line of its file.
#[derive(Serialize, Deserialize)]
struct Origin {
    log: String,
    position: Position,
    digest: Digest,
}

impl Snapshot {
    /// Saves the snapshot of `log` in `folder`, in the place of any earlier one. The log is synced before: of what a
    /// snapshot covers nothing may be lost later.
    ///
    /// # Errors
    ///
    /// When the log cannot be synced or read up to the position, or the file cannot be written. An earlier snapshot
    /// then stays.
    pub fn save(&self, folder: &Path, log: &dyn Log) -> Result<(), SaveSnapshotError> {
        log.sync()?;
        let origin = self.origin(log.id(), log.digest(self.position)?)?;
        durable::replace_cache(&folder.join(FILE_NAME), &[&origin, &self.bytes])?;
        Ok(())
    }

    /// The right to save one in `folder`, until this is dropped; `None` if another process has it. Of many that fold the
    /// same log at the same time, one is enough.
    #[must_use]
    pub fn turn(folder: &Path) -> Option<Turn<'static>> {
        let path = folder.join(LOCK_NAME);
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(path).ok()?;
        lock.try_lock().ok().map(|()| Turn::held_by(lock))
    }

    /// What is written into the file of a snapshot of the log `id`, whose digest at the position is `digest`.
    #[doc(hidden)]
    pub fn to_file(&self, id: &str, digest: Digest) -> io::Result<Vec<u8>> {
        Ok(durable::seal(&[&self.origin(id, digest)?, &self.bytes[..]].concat()))
    }

    fn origin(&self, id: &str, digest: Digest) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(&Origin { log: id.to_owned(), position: self.position, digest })?;
        line.push(b'\n');
        Ok(line)
    }

    /// Where the snapshot in `folder` that `log` would believe ends, without reading all of it.
    #[must_use]
    pub fn position(folder: &Path, log: &dyn Log) -> Option<Position> {
        let mut file = BufReader::new(fs::File::open(folder.join(FILE_NAME)).ok()?);
        let mut lines = [Vec::new(), Vec::new()];
        for line in &mut lines {
            file.read_until(b'\n', line).ok()?;
        }
        let [_, origin] = lines;
        let origin: Origin = serde_json::from_slice(&origin).ok()?;
        (origin.log == log.id()).then_some(origin.position)
    }

    /// The snapshot of `log` in `folder`, or `None` if there is none that can be believed.
    ///
    /// Of the log only the end before the snapshot's position is read.
    #[must_use]
    pub fn load(folder: &Path, log: &dyn Log) -> Option<Self> {
        let file = fs::read(folder.join(FILE_NAME)).ok()?;
        Self::from_file(Safeguards::ALL, &file.into(), log.id(), |position| log.digest(position).ok())
    }

    /// The snapshot in the bytes of a file, if it can be believed for the log `id` with these digests.
    #[doc(hidden)]
    #[must_use]
    pub fn from_file(
        safeguards: Safeguards,
        file: &Bytes,
        id: &str,
        digest: impl FnOnce(Position) -> Option<Digest>,
    ) -> Option<Self> {
        let content = durable::unseal(safeguards, file)?;
        let line = content.get(..content.iter().position(|&byte| byte == b'\n')?)?;
        let origin: Origin = serde_json::from_slice(line).ok()?;
        let is_of_this_log = origin.log == id && digest(origin.position)? == origin.digest;
        let is_believed = is_of_this_log || !safeguards.on(Safeguard::SnapshotDigest);
        let begin = file.len() - content.len() + line.len() + 1;
        is_believed.then(|| Self { position: origin.position, bytes: file.slice(begin..) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileLog, MemoryLog};

    fn log_with_snapshot(folder: &Path) -> (FileLog, Snapshot) {
        let log = FileLog::open_or_create(&folder.join("log.jsonl")).unwrap();
        log.append(&[br#"{"id":"a"}"#, br#"{"id":"b"}"#]).unwrap();
        let position = log.read(Position::START, 1).unwrap().next();
        let snapshot = Snapshot { position, bytes: Bytes::from_static(b"two\nrecords") };
        snapshot.save(folder, &log).unwrap();
        (log, snapshot)
    }

    #[test]
    fn a_snapshot_stays_good_while_the_log_grows() {
        let folder = tempfile::tempdir().unwrap();
        let (log, snapshot) = log_with_snapshot(folder.path());
        log.append(&[br#"{"id":"c"}"#]).unwrap();
        assert_eq!(Snapshot::load(folder.path(), &log), Some(snapshot.clone()));
        let log = FileLog::open(log.path()).unwrap();
        assert_eq!(Snapshot::load(folder.path(), &log), Some(snapshot.clone()));
        let later = Snapshot { position: log.read(Position::START, 1).unwrap().next(), bytes: Bytes::new() };
        later.save(folder.path(), &log).unwrap();
        assert_eq!(Snapshot::load(folder.path(), &log), Some(later));
    }

    #[test]
    fn a_snapshot_of_another_log_or_of_changed_bytes_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = log_with_snapshot(folder.path());
        assert_eq!(Snapshot::load(folder.path(), &MemoryLog::new()), None);
        let mut bytes = fs::read(log.path()).unwrap();
        let last = bytes.len() - 5;
        bytes[last] ^= 1;
        fs::write(log.path(), &bytes).unwrap();
        let log = FileLog::open(log.path()).unwrap();
        assert_eq!(Snapshot::load(folder.path(), &log), None);
        bytes[last] ^= 1;
        bytes.truncate(last);
        fs::write(log.path(), &bytes).unwrap();
        let log = FileLog::open(log.path()).unwrap();
        assert_eq!(Snapshot::load(folder.path(), &log), None, "the log is shorter than the snapshot says");
    }

    #[test]
    fn a_damaged_or_missing_snapshot_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = log_with_snapshot(folder.path());
        let path = folder.path().join(FILE_NAME);
        let sound = fs::read(&path).unwrap();
        for byte in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[byte] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(Snapshot::load(folder.path(), &log), None, "byte {byte}");
            fs::write(&path, &sound[..byte]).unwrap();
            assert_eq!(Snapshot::load(folder.path(), &log), None, "cut at {byte}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(Snapshot::load(folder.path(), &log), None);
    }
}
