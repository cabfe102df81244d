//! Texts that are too long for a record: as blobs in the team's folder, or in memory with a team that lives there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use agent_team_log::{BlobHash, BlobStore};

use crate::Error;
use crate::folder::TeamFolder;

/// Where they are.
pub(super) enum LongTexts {
    InFolder(BlobStore),
    InMemory(Mutex<BTreeMap<String, String>>),
}

impl LongTexts {
    /// Those of the team in a folder, or of one in memory.
    pub(super) fn of(folder: Option<&TeamFolder>) -> Self {
        folder.map_or_else(
            || Self::InMemory(Mutex::default()),
            |folder| Self::InFolder(BlobStore::new(&folder.blobs())),
        )
    }

    /// Those that lie beside a log that is only looked at.
    pub(super) fn beside(log: &Path) -> Self {
        let blobs = log.with_file_name("blobs");
        if blobs.is_dir() { Self::InFolder(BlobStore::new(&blobs)) } else { Self::of(None) }
    }

    /// Keeps a text, and gives its name.
    pub(super) fn put(&self, text: &str) -> Result<String, Error> {
        match self {
            Self::InFolder(blobs) => Ok(blobs.put(text.as_bytes())?.to_string()),
            Self::InMemory(texts) => {
                let name = BlobHash::of(text.as_bytes()).to_string();
                let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
                texts.insert(name.clone(), text.to_owned());
                Ok(name)
            }
        }
    }

    /// A text by its name; `None` if it was kept elsewhere, as by the team of which one in memory is a copy.
    pub(super) fn get(&self, name: &str) -> Result<Option<String>, Error> {
        match self {
            Self::InFolder(blobs) => {
                let hash: BlobHash =
                    name.parse().map_err(|_| Error::Input(format!("`{name}` names no blob")))?;
                Ok(Some(String::from_utf8_lossy(&blobs.get(&hash)?).into_owned()))
            }
            Self::InMemory(texts) => {
                Ok(texts.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
            }
        }
    }
}
