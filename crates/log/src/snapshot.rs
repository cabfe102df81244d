//! What was folded from a log up to a position, kept so that opening a long log is fast.
//!
//! A snapshot is a cache: it is believed only if it belongs to this very log, and is itself undamaged. Anything else is
//! as good as no snapshot. What is in it, this module does not know.
//!
//! The file is a sealed head (what log and position it is of, and a checksum of each block) and the blocks. So whoever
//! needs a small part reads a small part.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::blocks::{Blocks, sums, sums_bytes};
use crate::durable::{self, SEAL_BYTES};
use crate::safeguard::{Safeguard, Safeguards};
use crate::{Digest, Log, Position, ReadError, SyncError, Turn};

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

/// A snapshot that stays in its file until parts of it are asked for.
///
/// Of what is read every byte is what was written, or else it is an error. The file is kept open, so that a later
/// snapshot does not disturb.
#[derive(Debug)]
pub struct SavedSnapshot {
    origin: Origin,
    blocks: Blocks,
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

/// What a snapshot was made of, and how long it is; the first line of its file after the seal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Origin {
    log: String,
    position: Position,
    digest: Digest,
    size_bytes: usize,
}

impl Origin {
    /// What is told by the head of a file, and the checksums that stand behind it.
    fn of(safeguards: Safeguards, head: &Bytes) -> Option<(Self, Bytes)> {
        let content = durable::unseal(safeguards, head)?;
        let end = content.iter().position(|&byte| byte == b'\n')?;
        let origin: Self = serde_json::from_slice(content.get(..end)?).ok()?;
        let sums = head.slice(head.len() - content.len() + end + 1..);
        (sums.len() == sums_bytes(origin.size_bytes)).then_some((origin, sums))
    }

    fn is_of(&self, id: &str, digest: impl FnOnce(Position) -> Option<Digest>) -> bool {
        self.log == id && digest(self.position).is_some_and(|found| found == self.digest)
    }
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
        let head = self.head(log.id(), log.digest(self.position)?)?;
        durable::replace_cache(&folder.join(FILE_NAME), &[&head, &self.bytes])?;
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
        Ok([&self.head(id, digest)?, &self.bytes[..]].concat())
    }

    fn head(&self, id: &str, digest: Digest) -> io::Result<Vec<u8>> {
        let (log, size_bytes) = (id.to_owned(), self.bytes.len());
        let mut head = serde_json::to_vec(&Origin { log, position: self.position, digest, size_bytes })?;
        head.push(b'\n');
        head.extend(sums(&self.bytes));
        Ok(durable::seal(&head))
    }

    /// Where the snapshot in `folder` that `log` would believe ends, without reading all of it.
    #[must_use]
    pub fn position(folder: &Path, log: &dyn Log) -> Option<Position> {
        let mut file = BufReader::new(File::open(folder.join(FILE_NAME)).ok()?);
        let mut lines = [Vec::new(), Vec::new()];
        for line in &mut lines {
            file.read_until(b'\n', line).ok()?;
        }
        let [_, origin] = lines;
        let origin: Origin = serde_json::from_slice(&origin).ok()?;
        (origin.log == log.id()).then_some(origin.position)
    }

    /// The snapshot of `log` in `folder`, all of it, or `None` if there is none that can be believed.
    #[must_use]
    pub fn load(folder: &Path, log: &dyn Log) -> Option<Self> {
        let saved = SavedSnapshot::open(folder, log)?;
        let bytes = saved.read(0, saved.length()).ok()?;
        Some(Self { position: saved.position(), bytes })
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
        let head_bytes = SEAL_BYTES.checked_add(durable::sealed_length(file)?)?;
        let head = (head_bytes <= file.len()).then(|| file.slice(..head_bytes))?;
        let (origin, expected) = Origin::of(safeguards, &head)?;
        let bytes = file.slice(head_bytes..);
        let is_whole = bytes.len() == origin.size_bytes && sums(&bytes) == expected;
        let is_sound = is_whole || !safeguards.on(Safeguard::SnapshotSeal);
        let is_believed = origin.is_of(id, digest) || !safeguards.on(Safeguard::SnapshotDigest);
        (is_sound && is_believed).then_some(Self { position: origin.position, bytes })
    }
}

impl SavedSnapshot {
    /// The snapshot of `log` in `folder`, or `None` if there is none that can be believed.
    ///
    /// Of the log only the end before the snapshot's position is read, and of the snapshot only its head: a block that
    /// is damaged shows when it is read.
    #[must_use]
    pub fn open(folder: &Path, log: &dyn Log) -> Option<Self> {
        let file = File::open(folder.join(FILE_NAME)).ok()?;
        let file_bytes = usize::try_from(file.metadata().ok()?.len()).ok()?;
        let mut seal = [0; SEAL_BYTES];
        file.read_exact_at(&mut seal, 0).ok()?;
        let head_bytes = SEAL_BYTES.checked_add(durable::sealed_length(&seal)?)?;
        let body_bytes = file_bytes.checked_sub(head_bytes)?;
        let mut head = vec![0; head_bytes];
        file.read_exact_at(&mut head, 0).ok()?;
        let (origin, sums) = Origin::of(Safeguards::ALL, &head.into())?;
        let saved = Self { blocks: Blocks::new(file, head_bytes as u64, origin.size_bytes, sums), origin };
        (saved.length() == body_bytes && saved.is_of(log)).then_some(saved)
    }

    /// Where folding goes on.
    #[must_use]
    pub fn position(&self) -> Position {
        self.origin.position
    }

    /// How many bytes were saved.
    #[must_use]
    pub fn length(&self) -> usize {
        self.blocks.length()
    }

    /// So many of the saved bytes, from `at` on.
    ///
    /// # Errors
    /// When there are not as many, they cannot be read, or are not what was saved.
    pub fn read(&self, at: usize, length: usize) -> io::Result<Bytes> {
        self.blocks.read(at..at.checked_add(length).ok_or(io::ErrorKind::UnexpectedEof)?)
    }

    /// Copies the saved bytes from `at` on into `to`.
    ///
    /// # Errors
    /// As [`SavedSnapshot::read`].
    pub fn copy(&self, at: usize, to: &mut [u8]) -> io::Result<()> {
        self.blocks.copy(at, to)
    }

    /// Whether this is a snapshot of `log`.
    #[must_use]
    pub fn is_of(&self, log: &dyn Log) -> bool {
        self.origin.is_of(log.id(), |position| log.digest(position).ok())
    }

    /// Whether these are the bytes that were saved.
    #[must_use]
    pub fn is_made_of(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length() && sums(bytes) == self.blocks.sums()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    fn an_open_snapshot_outlives_its_file_and_tells_when_a_byte_is_not_what_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let (log, snapshot) = log_with_snapshot(folder.path());
        let open = || SavedSnapshot::open(folder.path(), &log).unwrap();
        let (early, late) = (open(), open());
        assert!(late.is_made_of(&snapshot.bytes) && !late.is_made_of(b"two\nrecorda"));
        assert_eq!((late.position(), late.read(4, 3).unwrap()), (snapshot.position, "rec".into()));
        let path = folder.path().join(FILE_NAME);
        fs::rename(&path, folder.path().join("moved")).unwrap();
        assert_eq!(early.read(0, early.length()).unwrap(), snapshot.bytes);
        let mut bytes = fs::read(folder.path().join("moved")).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(open().read(0, 1).is_err());
        assert!(late.read(0, late.length() + 1).is_err());
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
