//! Large texts beside the log, each under the hash of its content.
//!
//! A record holds the hash, so a blob must be on stable storage before the record that names it is appended; that
//! is why `put` always syncs. A blob never changes. Removing those that no record names is not done here.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::durable;

/// The name of a blob: the BLAKE3 hash of its content, as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobHash(String);

/// Text that is no blob's hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a blob's hash: it must be 64 lower-case hexadecimal digits")]
pub struct ParseBlobHashError(String);

impl BlobHash {
    /// The hash of `content`.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(blake3::hash(content).to_hex().as_str().to_owned())
    }

    /// The hash as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BlobHash {
    type Err = ParseBlobHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for BlobHash {
    type Error = ParseBlobHashError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_hash = text.len() == 2 * blake3::OUT_LEN
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash { Ok(Self(text)) } else { Err(ParseBlobHashError(text)) }
    }
}

impl From<BlobHash> for String {
    fn from(hash: BlobHash) -> Self {
        hash.0
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Blobs in a folder, shared by any number of processes.
///
/// A blob lies in a sub-folder named after the first two digits of its hash, so that no folder grows too large.
///
/// # Examples
///
/// ```
/// use agent_team_log::BlobStore;
///
/// # let folder = tempfile::tempdir()?;
/// let blobs = BlobStore::new(&folder.path().join("blobs"));
/// let hash = blobs.put(b"a long text")?;
/// assert_eq!(blobs.get(&hash)?, b"a long text");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BlobStore {
    folder: PathBuf,
}

/// Why a blob was not stored.
#[derive(Debug, thiserror::Error)]
#[error("the blob {path} cannot be stored: {source}")]
pub struct PutBlobError {
    path: PathBuf,
    source: io::Error,
}

/// Why a blob cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GetBlobError {
    /// There is none of this hash.
    #[error("there is no blob {0} here")]
    Missing(BlobHash),
    /// Its content does not have its hash. Storing the right content again mends it.
    #[error("the blob {path} is damaged: its content does not have this hash; restore it from a copy")]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// The system could not read it.
    #[error("the blob {path} cannot be read: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BlobStore {
    /// The store in `folder`, which is made when the first blob is stored.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Stores `content`, and returns its hash once it is on stable storage.
    ///
    /// Content that is there already is synced all the same, since whoever stored it may have died before it was;
    /// a damaged blob of this hash is replaced.
    ///
    /// # Errors
    ///
    /// When the content, or its name, could not be written and synced. No record may name it then.
    pub fn put(&self, content: &[u8]) -> Result<BlobHash, PutBlobError> {
        let hash = BlobHash::of(content);
        let path = self.path(&hash);
        self.store(&path, content).map_err(|source| PutBlobError { path, source })?;
        Ok(hash)
    }

    /// The content that has `hash`, verified.
    ///
    /// # Errors
    ///
    /// See [`GetBlobError`].
    pub fn get(&self, hash: &BlobHash) -> Result<Vec<u8>, GetBlobError> {
        let path = self.path(hash);
        match fs::read(&path) {
            Ok(content) if BlobHash::of(&content) == *hash => Ok(content),
            Ok(_) => Err(GetBlobError::Damaged { path }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(GetBlobError::Missing(hash.clone())),
            Err(source) => Err(GetBlobError::Io { path, source }),
        }
    }

    /// Where the blob of `hash` lies, whether or not it is there.
    #[must_use]
    pub fn path(&self, hash: &BlobHash) -> PathBuf {
        self.folder.join(hash.0.get(..2).unwrap_or_default()).join(&hash.0)
    }

    fn store(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = durable::folder_of(path);
        durable::create_folder(&self.folder)?;
        durable::create_folder(folder)?;
        if fs::read(path).is_ok_and(|there| there == content) {
            File::open(path)?.sync_all()?;
            durable::sync_folder(folder)
        } else {
            durable::replace(path, content)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, BlobStore) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobStore::new(&folder.path().join("blobs"));
        (folder, blobs)
    }

    #[test]
    fn content_is_found_by_its_hash_and_stored_once() {
        let (_folder, blobs) = store();
        let hash = blobs.put(b"text").unwrap();
        assert_eq!(blobs.put(b"text").unwrap(), hash);
        assert_ne!(blobs.put(b"").unwrap(), hash);
        assert_eq!(blobs.get(&hash).unwrap(), b"text");
        assert_eq!(fs::read_dir(blobs.path(&hash).parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_blob_is_never_returned_and_is_mended_by_storing_it_again() {
        let (_folder, blobs) = store();
        let hash = blobs.put(b"text").unwrap();
        for damaged in [&b"tex"[..], b"texT", b""] {
            fs::write(blobs.path(&hash), damaged).unwrap();
            assert!(matches!(blobs.get(&hash), Err(GetBlobError::Damaged { .. })));
        }
        blobs.put(b"text").unwrap();
        assert_eq!(blobs.get(&hash).unwrap(), b"text");
    }

    #[test]
    fn a_blob_that_is_not_there_is_missing() {
        let (_folder, blobs) = store();
        assert!(matches!(blobs.get(&BlobHash::of(b"never stored")), Err(GetBlobError::Missing(_))));
    }

    #[test]
    fn only_a_hash_is_parsed_as_one() {
        let hash = BlobHash::of(b"text");
        assert_eq!(hash.as_str().parse(), Ok(hash.clone()));
        assert_eq!(serde_json::from_str::<BlobHash>(&serde_json::to_string(&hash).unwrap()).unwrap(), hash);
        for text in ["", "../../etc/passwd", &hash.as_str().to_uppercase(), &hash.as_str()[1..]] {
            assert!(text.parse::<BlobHash>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<BlobHash>("\"abc\"").is_err());
    }
}
