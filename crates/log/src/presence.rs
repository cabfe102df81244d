//! Presence: a file that is locked for as long as its process lives.
//!
//! The operating system drops the lock when the process dies, however it dies, so others know at once. The file's
//! content, the process's identity, is for people and for judging claims; the lock alone says who is alive.
//! A presence file can be deleted at any time: its process then counts as dead, and what it holds is taken over.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::durable::Temporary;
use crate::{Liveness, ProcessIdentity};

/// How often a lock is tried that may be held only by somebody who probes, and the nap between.
const TRIES: u32 = 50;
const NAP: Duration = Duration::from_millis(1);

/// This process's presence under a name; it ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct Presence {
    path: PathBuf,
    file: File,
    identity: ProcessIdentity,
}

/// Why a presence was not announced.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// Somebody alive has this name.
    #[error("another process is present as `{name}` ({holder}); choose another name or end it")]
    Taken {
        /// The name.
        name: String,
        /// What its file says about the process.
        holder: String,
    },
    /// The name cannot be a file's name.
    #[error(
        "`{name}` cannot name a presence: use letters, digits, `-`, `_` and `.`, and no `.` at the start"
    )]
    InvalidName {
        /// The name.
        name: String,
    },
    /// The system refused.
    #[error("presence cannot be announced in {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Presence {
    /// Announces this process as `name` in `folder`, which must exist.
    ///
    /// A file that a dead process left is replaced. The file is locked before it has its name, so nobody ever sees
    /// it without its lock.
    ///
    /// # Errors
    ///
    /// [`AnnounceError::Taken`] when a living process has the name.
    pub fn announce(folder: &Path, name: &str) -> Result<Self, AnnounceError> {
        let path =
            path_of(folder, name).ok_or_else(|| AnnounceError::InvalidName { name: name.to_owned() })?;
        let announced = ProcessIdentity::current().and_then(|identity| {
            let content = serde_json::to_vec(&identity)?;
            let temporary = Temporary::write(&path, &content)?;
            temporary.file.lock()?;
            let has_name = take_name(&temporary, &path)?;
            Ok(if has_name { Some((identity, temporary.file.try_clone()?)) } else { None })
        });
        match announced {
            Ok(Some((identity, file))) => Ok(Self { path, file, identity }),
            Ok(None) => {
                let holder = fs::read_to_string(&path).unwrap_or_else(|_| "it is just starting".to_owned());
                Err(AnnounceError::Taken { name: name.to_owned(), holder })
            }
            Err(source) => Err(AnnounceError::Io { path, source }),
        }
    }

    /// The identity that was announced.
    #[must_use]
    pub fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Only one's own file: somebody may have deleted it, and another have announced the name since. A fork's copy is not the
        // process that was announced.
        if self.identity.pid == std::process::id() && is_at(&self.file, &self.path).unwrap_or(false) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the process that announced `name` in `folder` is alive.
///
/// A name that is not there was never announced, or its process ended: both are [`Liveness::Dead`].
#[must_use]
pub fn probe(folder: &Path, name: &str) -> Liveness {
    let Some(path) = path_of(folder, name) else { return Liveness::Unknown };
    try_probe(&path).unwrap_or(Liveness::Unknown)
}

fn try_probe(path: &Path) -> io::Result<Liveness> {
    loop {
        let Some(file) = open(path)? else { return Ok(Liveness::Dead) };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Ok(Liveness::Alive),
            Err(TryLockError::Error(error)) => return Err(error),
            // Between opening and locking another process may have taken the dead one's name: look again.
            Ok(()) if is_at(&file, path)? => return Ok(Liveness::Dead),
            Ok(()) => {}
        }
    }
}

/// Gives the locked `temporary` the name `path`, unless a living process has it.
fn take_name(temporary: &Temporary, path: &Path) -> io::Result<bool> {
    for _ in 0..TRIES {
        match fs::hard_link(&temporary.path, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            linked => return linked.map(|()| true),
        }
        let Some(left_behind) = open(path)? else { continue };
        match left_behind.try_lock() {
            // While its lock is held here, nobody else replaces the dead one's file.
            Ok(()) if is_at(&left_behind, path)? => return fs::rename(&temporary.path, path).map(|()| true),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => thread::sleep(NAP),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// Opens the file at `path`, or says that there is none.
fn open(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether `path` names `file`.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn path_of(folder: &Path, name: &str) -> Option<PathBuf> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_valid = !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_plain);
    is_valid.then(|| folder.join(format!("{name}.json")))
}
