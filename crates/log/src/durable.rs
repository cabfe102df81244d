//! Small files that are there whole or not at all, whatever dies.
//!
//! Each is written under a temporary name in the same folder, synced, and only then given its name; then the
//! folder is synced, for a name is lost with the machine until it is. Caches spare the syncs and carry a checksum.
//! Temporary files begin with a dot and end with `.tmp`; one that is left over belongs to a process that died and
//! may be removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::safeguard::{Safeguard, Safeguards};

/// Puts a file with `bytes` in the place of `path`, whether or not there is one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = Temporary::write(path, bytes)?;
    temporary.file.sync_all()?;
    fs::rename(&temporary.path, path)?;
    sync_folder(folder_of(path))
}

/// Puts a file with `parts`, one after the other, in the place of `path`. Syncs nothing: it is for files of which a loss
/// costs only time, and which are [sealed](seal).
pub(crate) fn replace_cache(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut temporary = Temporary::write(path, &[])?;
    parts.iter().try_for_each(|part| temporary.file.write_all(part))?;
    fs::rename(&temporary.path, path)
}

/// Puts a file with `bytes` at `path`, or fails with `AlreadyExists` if there is one.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = Temporary::write(path, bytes)?;
    temporary.file.sync_all()?;
    let linked = fs::hard_link(&temporary.path, path);
    sync_folder(folder_of(path))?;
    linked
}

/// Makes `folder` and those above it that are missing, and syncs its name.
///
/// The name is synced even if it is there: whoever made the folder may have died before that.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    let parent = folder_of(folder);
    if !folder.is_dir() {
        if !parent.is_dir() {
            create_folder(parent)?;
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    sync_folder(parent)
}

/// Makes the names in `folder` survive the machine.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that holds `path`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `bytes` with a checksum before them, for files that are caches: see [`unseal`].
pub(crate) fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = seal_of(bytes);
    sealed.extend_from_slice(bytes);
    sealed
}

/// What stands before sealed bytes: their CRC-32 and their length. Nobody gains anything by forging a cache.
fn seal_of(bytes: &[u8]) -> Vec<u8> {
    format!("{:08x} {:016x}\n", crc32fast::hash(bytes), bytes.len()).into_bytes()
}

/// How long a seal is.
pub(crate) const SEAL_BYTES: usize = 8 + 1 + 16 + 1;

/// How many bytes a seal says that it seals.
pub(crate) fn sealed_length(seal: &[u8]) -> Option<usize> {
    let digits = seal.get(9..SEAL_BYTES - 1)?;
    usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// What was sealed, or `None` if it is damaged.
pub(crate) fn unseal(safeguards: Safeguards, sealed: &[u8]) -> Option<&[u8]> {
    let (seal, bytes) = sealed.split_at_checked(SEAL_BYTES)?;
    let matches = seal_of(bytes) == seal;
    (matches || !safeguards.on(Safeguard::SnapshotSeal)).then_some(bytes)
}

/// A file under a temporary name beside `path`; the name is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub path: PathBuf,
    pub file: File,
}

impl Temporary {
    pub(crate) fn write(beside: &Path, bytes: &[u8]) -> io::Result<Self> {
        let path = folder_of(beside).join(format!(".{}.tmp", crate::unique_id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let mut temporary = Self { path, file };
        temporary.file.write_all(bytes)?;
        Ok(temporary)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename the name is gone already; otherwise a left-over is harmless.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_comes_back_unless_a_bit_changed() {
        let sealed = seal(b"some text");
        assert_eq!(unseal(Safeguards::ALL, &sealed), Some(&b"some text"[..]));
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(Safeguards::ALL, &damaged), None, "bit {bit}");
        }
        assert_eq!(unseal(Safeguards::ALL, b""), None);
    }

    #[test]
    fn a_second_creation_is_refused_and_leaves_the_first_and_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        create(&path, b"first").unwrap();
        assert_eq!(create(&path, b"second").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        replace(&path, b"third").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
