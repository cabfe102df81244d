//! The log in a file, appended to by any number of processes, greppable and readable with jq.
//!
//! Records are framed lines (`frame`), appended with one `write(2)` each on a descriptor in append mode, which is
//! all the mutual exclusion that safety needs. The file is never rewritten, cut or renamed by anyone. It begins
//! with a header line (`header`) that gives the log its id; positions are byte offsets in the log as a whole, so
//! that a log may one day be several files. Beside it lie `<name>.lock`, an empty file for the turn at its end, and
//! `<name>.synced`, which says how far it is on disk.
//!
//! What a record says, this module does not know, and it holds no cache of records.

pub(crate) mod append;
pub(crate) mod digest;
mod examine;
mod file_system;
pub(crate) mod frame;
mod guard;
mod header;
pub(crate) mod scan;
mod sync;
mod synced;
mod turn;
mod wake;

use std::fs::{File, OpenOptions};
use std::io::{self, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use crate::safeguard::Safeguards;
use crate::{AppendError, Batch, Digest, Log, Position, ReadError, SyncError, Turn, TurnError, Watch};

pub use examine::{Examination, ExamineError, examine};
pub use file_system::FileSystemWarning;
pub use header::OpenError;

use guard::Guard;
use header::Header;
use scan::{AtCorruption, WINDOW_BYTES_MIN};
use sync::GroupSync;
use synced::Named;
use turn::TurnLock;
use wake::Wake;

/// What a read of the tail takes at most: what many writers append while one waits for its turn. To give back 64 KiB would have
/// the C library tidy up all that is free.
const TAIL_BYTES: usize = 32 * 1024;

/// A log in a file.
///
/// Any number of handles, threads and processes may use the same file at once. Only local file systems are
/// taken; one that cannot be known to be local gives a [`FileLog::warning`].
///
/// Reads make sure that the file was not replaced, deleted or cut off; of those at the log's end that find something new,
/// one in a millisecond. An append does not look. So a writer reads its record back before it acts on it.
///
/// # Examples
///
/// ```
/// use agent_team_log::{FileLog, Log, Position};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("log.jsonl");
/// let log = FileLog::open_or_create(&path)?;
/// log.append(&[br#"{"id":"a"}"#])?;
/// log.sync()?;
///
/// let other = FileLog::open(&path)?;
/// assert_eq!(other.id(), log.id());
/// assert_eq!(other.read(Position::START, 1 << 20)?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileLog {
    file: File,
    path: PathBuf,
    header: Header,
    warning: Option<FileSystemWarning>,
    read_only: bool,
    guard: Guard,
    sync: GroupSync,
    turn: TurnLock,
    wake: Wake,
}

impl FileLog {
    /// Opens the log at `path`, which must exist.
    ///
    /// # Errors
    ///
    /// [`OpenError::Missing`] when there is none; see [`OpenError`] for the rest.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, OpenOptions::new().read(true).append(true), false)
    }

    /// Opens the log at `path`, and makes an empty one first if there is none.
    ///
    /// Of several processes that do this at once one makes the log, and all open that one. The folder must exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open_or_create(path: &Path) -> Result<Self, OpenError> {
        match Self::open(path) {
            Err(OpenError::Missing { .. }) => {
                header::create(path)?;
                Self::open(path)
            }
            opened => opened,
        }
    }

    /// Opens the log at `path` for reading only, so that nothing in its folder is ever written.
    ///
    /// # Errors
    ///
    /// As [`FileLog::open`].
    pub fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, OpenOptions::new().read(true), true)
    }

    /// Where the log is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the user should know about the file system that holds the log.
    #[must_use]
    pub fn warning(&self) -> Option<FileSystemWarning> {
        self.warning
    }

    fn open_with(path: &Path, options: &OpenOptions, read_only: bool) -> Result<Self, OpenError> {
        let file = open(path, options).map_err(|source| OpenError::of_io(path, source))?;
        let warning = file_system::check(&file, path)?;
        let header = Header::read(&file, path)?;
        let guard =
            Guard::of(&file, path, header.length_bytes).map_err(|source| OpenError::of_io(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            header,
            warning,
            read_only,
            guard,
            sync: GroupSync::default(),
            turn: TurnLock::default(),
            wake: Wake::default(),
            file,
        })
    }

    /// The offset in the file at which a reader at `from` goes on, and the file's size.
    fn locate(&self, from: Position) -> Result<(u64, u64), ReadError> {
        let size_bytes = self.guard.check(&self.file, &self.path, self.header.start)?;
        let offset = from.value().checked_sub(self.header.start).filter(|&offset| offset <= size_bytes);
        let Some(offset) = offset else {
            let start = Position::new(self.header.start);
            let end = Position::new(self.header.start + size_bytes);
            return Err(ReadError::OutOfRange { position: from, start, end });
        };
        Ok((offset.max(self.header.length_bytes), size_bytes))
    }
}

impl FileLog {
    /// Appends records, and says how many bytes were written for them.
    fn append_bytes(&self, records: &[&[u8]]) -> Result<u64, AppendError> {
        crate::record::check_all(records)?;
        if self.read_only {
            return Err(AppendError::ReadOnly);
        }
        if self.sync.has_failed() {
            return Err(AppendError::SyncFailed);
        }
        append::append(&self.file, records)
    }

    /// Reads what came after all that was seen with one call of the system, if the name was looked up a moment ago.
    /// `None` if there is nothing new, or too much: then the long way is to be gone, which finds out why.
    fn read_tail(&self, from: Position) -> Result<Option<Batch>, ReadError> {
        let offset = from.value().checked_sub(self.header.start).filter(|_| self.guard.is_fresh());
        let Some(offset) = offset.filter(|&offset| self.guard.is_new(offset)) else { return Ok(None) };
        let mut bytes = Vec::with_capacity(TAIL_BYTES);
        let length = match rustix::io::pread(&self.file, spare_capacity(&mut bytes), offset) {
            Ok(length) => length,
            Err(Errno::INTR) => 0,
            Err(error) => return Err(io::Error::from(error).into()),
        };
        if length == 0 || length == bytes.capacity() {
            return Ok(None);
        }
        self.guard.saw(offset + length as u64);
        let base = self.header.start + offset;
        let batch = scan::scan(Safeguards::ALL, bytes, base, true, AtCorruption::Stop)?;
        Ok(Some(batch.last_of_log(true)).filter(|batch| !batch.is_empty()))
    }
}

impl Log for FileLog {
    fn id(&self) -> &str {
        &self.header.id
    }

    fn append(&self, records: &[&[u8]]) -> Result<(), AppendError> {
        self.append_bytes(records).map(|_| ())
    }

    fn append_behind(&self, from: Position, records: &[&[u8]]) -> Result<Option<Position>, AppendError> {
        let framed_bytes = self.append_bytes(records)?;
        // Only a read looks whether the file is still the log.
        if !self.guard.is_fresh() {
            return Ok(None);
        }
        // The descriptor stands behind what was appended through it last. That is at least as far as these records end,
        // and these end there at the earliest; so if they are equal, nothing stands in between.
        let end = self.header.start + (&self.file).stream_position().unwrap_or_default();
        if from.value() < self.header.start + self.header.length_bytes || from.value() + framed_bytes != end {
            return Ok(None);
        }
        self.guard.saw(end - self.header.start);
        Ok(Some(Position::new(end)))
    }

    fn sync(&self) -> Result<(), SyncError> {
        // How far this handle has appended, or read what others did.
        let end = || self.guard.seen().max((&self.file).stream_position().unwrap_or(u64::MAX));
        self.sync.sync(Named { file: &self.file, id: &self.header.id }, &self.path, end)
    }

    fn read(&self, from: Position, max_bytes: usize) -> Result<Batch, ReadError> {
        if let Some(batch) = self.read_tail(from)? {
            return Ok(batch);
        }
        let (mut offset, size_bytes) = self.locate(from)?;
        let mut stepped_over = Vec::new();
        loop {
            let (bytes, reaches_end) = read_window(&self.file, offset, size_bytes, max_bytes)?;
            let batch = scan::scan(
                Safeguards::ALL,
                bytes,
                self.header.start + offset,
                reaches_end,
                AtCorruption::Stop,
            )?;
            let batch = batch.after_damage(stepped_over).last_of_log(reaches_end);
            // An empty batch means that there is no more, so damage alone is none: it may fill a whole window.
            if reaches_end || !batch.is_empty() {
                return Ok(batch);
            }
            offset = batch.next().value() - self.header.start;
            stepped_over = batch.damage().to_vec();
        }
    }

    fn wait(&self, from: Position, timeout: Duration) -> Result<bool, ReadError> {
        self.wake.wait_until(&self.path, timeout, || {
            let (offset, size_bytes) = self.locate(from)?;
            if offset == size_bytes {
                return Ok(false);
            }
            let (bytes, reaches_end) = read_window(&self.file, offset, size_bytes, WINDOW_BYTES_MIN)?;
            Ok(!reaches_end || scan::has_line(&bytes))
        })
    }

    fn watch(&self) -> Option<Watch> {
        Watch::of(&self.path).ok()
    }

    fn turn(&self, patience: Duration) -> Result<Option<Turn<'_>>, TurnError> {
        if self.read_only {
            return Err(TurnError::ReadOnly);
        }
        self.turn.take(&self.path, patience)
    }

    fn digest(&self, to: Position) -> Result<Digest, ReadError> {
        // Positions before the first record all mean its place.
        let (offset, _) = self.locate(to)?;
        Ok(digest::of_file(&self.file, offset)?)
    }
}

/// Opens a file whose reads leave no trace, where that is allowed: to note the time of the last access takes longer than
/// to read what one other writer wrote.
#[cfg(target_os = "linux")]
fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NOATIME.bits().cast_signed();
    match options.clone().custom_flags(flags).open(path) {
        // Only the owner of the file may do so.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => options.open(path),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    options.open(path)
}

/// Reads up to about `max_bytes` from `offset`, and says whether they reach to `size_bytes`.
fn read_window(file: &File, offset: u64, size_bytes: u64, max_bytes: usize) -> io::Result<(Vec<u8>, bool)> {
    let rest_bytes = usize::try_from(size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; rest_bytes.min(max_bytes.max(WINDOW_BYTES_MIN))];
    file.read_exact_at(&mut bytes, offset)?;
    let reaches_end = bytes.len() == rest_bytes;
    Ok((bytes, reaches_end))
}
