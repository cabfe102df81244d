//! The folder that one command has for itself: its home and its temporary files. Gone with the command.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A folder that goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Private {
    root: PathBuf,
    id: uuid::Uuid,
}

/// How the names of these folders begin.
const PREFIX: &str = "agent-team-";

/// The marks of the commands whose folders are still there: of those that run, and of those whose agent-team was
/// killed.
pub(crate) fn marks_in(parent: &Path) -> Vec<u64> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let ids = entries
        .filter_map(|entry| uuid::Uuid::parse_str(entry.file_name().to_str()?.strip_prefix(PREFIX)?).ok());
    ids.map(mark_of).collect()
}

/// A number that no other command has, far above what any process computes in microseconds.
fn mark_of(id: uuid::Uuid) -> u64 {
    let (_, random) = id.as_u64_pair();
    random >> 2 | 1 << 62
}

impl Private {
    /// Makes one in `parent`, which is made if it is not there.
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        let id = agent_team_log::unique_id();
        let root = fs::canonicalize(parent)?.join(format!("{PREFIX}{}", id.simple()));
        let private = Self { root, id };
        for folder in [private.root.clone(), private.home(), private.temporary(), private.shared_memory()] {
            DirBuilder::new().mode(0o700).create(folder)?;
        }
        Ok(private)
    }

    /// All of it.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The number by which the command's processes are known: see [`Walls`](super::child::Walls).
    pub(super) fn mark(&self) -> u64 {
        mark_of(self.id)
    }

    /// What the command takes for the user's home.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// What it takes for the folder for temporary files.
    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Where its processes find the memory that they share, if they have a `/dev` of their own.
    pub(super) fn shared_memory(&self) -> PathBuf {
        self.root.join("shm")
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if fs::remove_dir_all(&self.root).is_err() {
            // Some programs take the right to write from folders that they cache in.
            make_writable(&self.root);
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

fn make_writable(folder: &Path) {
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_all_that_is_in_it_and_with_nothing_that_links_lead_to() {
        let parent = tempfile::tempdir().unwrap();
        let outside = parent.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "text").unwrap();
        let private = Private::new(&parent.path().join("private")).unwrap();
        let cache = private.home().join("cache");
        fs::create_dir(&cache).unwrap();
        fs::write(cache.join("file"), "text").unwrap();
        std::os::unix::fs::symlink(&outside, cache.join("link")).unwrap();
        fs::set_permissions(&cache, Permissions::from_mode(0o500)).unwrap();
        let root = private.root().to_owned();
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        drop(private);
        assert!(!root.exists() && outside.join("file").exists());
    }
}
