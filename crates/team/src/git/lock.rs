//! Lock files that a killed git left behind: each makes every later change of its ref fail, for ever.
//! One is removed only when no process can hold it; else it is reported.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{GitError, file};
use super::project::Project;

/// A lock younger than this may belong to a command that is just running.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// A lock file in the project's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The file.
    pub path: PathBuf,
    /// How long ago it was made.
    pub age: Duration,
    /// What was done about it.
    pub state: LockState,
}

/// What is known about a lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// Some process may hold it: wait, or end that process.
    MayBeHeld,
    /// Nobody holds it; it was left alone. The user can remove it.
    Stale,
    /// Nobody held it; it is gone.
    Removed,
}

/// Whether stale locks may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Only look.
    No,
    /// The caller holds the team's presence and knows that no other process of ours runs git here.
    OfRefsWhenAlone,
}

impl Project {
    /// Lists the lock files of refs and of the index, and removes those of refs that no process can hold, if
    /// that is wanted. A lock of the index is the user's and never removed.
    ///
    /// # Errors
    /// [`GitError::File`] when the repository cannot be read.
    pub fn locks(&self, removal: Removal) -> Result<Vec<Lock>, GitError> {
        let common = self.common_dir();
        let paths = locks_in(common)?;
        let git_runs = !paths.is_empty() && git_at_work(&[self.root(), common]) != GitAtWork::No;
        let mut locks = Vec::new();
        for path in paths {
            // A lock that is gone by now was held by a command that has ended.
            let Some(age) = age_of(&path) else { continue };
            // A ref's lock may have that name too.
            let is_of_refs = path != common.join("index.lock");
            let state = if git_runs || age < STALE_AFTER {
                LockState::MayBeHeld
            } else if removal == Removal::OfRefsWhenAlone && is_of_refs {
                std::fs::remove_file(&path).map_err(file("remove", &path))?;
                LockState::Removed
            } else {
                LockState::Stale
            };
            locks.push(Lock { path, age, state });
        }
        Ok(locks)
    }
}

/// The locks of refs and of the index in a git dir.
pub(super) fn locks_in(git_dir: &Path) -> Result<Vec<PathBuf>, GitError> {
    let mut paths = Vec::new();
    collect(&git_dir.join("refs"), &mut paths)?;
    for name in ["packed-refs.lock", "HEAD.lock", "index.lock"] {
        paths.extend(Some(git_dir.join(name)).filter(|path| path.is_file()));
    }
    Ok(paths)
}

fn collect(folder: &Path, locks: &mut Vec<PathBuf>) -> Result<(), GitError> {
    let names = match std::fs::read_dir(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(file("read", folder)(error)),
    };
    for name in names.flatten() {
        let path = name.path();
        if path.is_dir() {
            collect(&path, locks)?;
        } else if path.extension().is_some_and(|extension| extension == "lock") {
            locks.push(path);
        }
    }
    Ok(())
}

fn age_of(path: &Path) -> Option<Duration> {
    let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
    // A time in the future is a clock that was set: the lock counts as young.
    Some(changed.elapsed().unwrap_or_default())
}

/// Whether a git process is at work in one of some folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GitAtWork {
    /// None is.
    No,
    /// One may be: another user's, or processes cannot be listed.
    Perhaps,
    /// One is.
    Yes,
}

pub(super) fn git_at_work(folders: &[&Path]) -> GitAtWork {
    let Ok(processes) = std::fs::read_dir("/proc") else { return GitAtWork::Perhaps };
    let (mut has_seen_any, mut is_one_hidden) = (false, false);
    for process in processes.flatten() {
        let Ok(name) = std::fs::read_to_string(process.path().join("comm")) else { continue };
        has_seen_any = true;
        if !name.starts_with("git") {
            continue;
        }
        match std::fs::read_link(process.path().join("cwd")) {
            Ok(place) if folders.iter().any(|folder| place.starts_with(folder)) => return GitAtWork::Yes,
            Ok(_) => {}
            // It ended while we looked.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => is_one_hidden = true,
        }
    }
    if is_one_hidden || !has_seen_any { GitAtWork::Perhaps } else { GitAtWork::No }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::test_repository::TestRepository;
    use super::*;

    fn lock(user: &TestRepository, name: &str, age: Duration) -> PathBuf {
        let path = user.root().join(".git").join(name);
        let made = std::fs::File::create(&path).unwrap();
        made.set_modified(SystemTime::now() - age).unwrap();
        path
    }

    #[test]
    fn only_an_old_lock_of_a_ref_is_removed_and_only_when_asked() {
        let user = TestRepository::new();
        let hour = Duration::from_hours(1);
        let old = lock(&user, "refs/heads/main.lock", hour);
        let young = lock(&user, "refs/heads/other.lock", Duration::ZERO);
        let index = lock(&user, "index.lock", hour);
        let states = |removal| {
            let mut locks = user.project.locks(removal).unwrap();
            locks.sort_by(|a, b| a.path.cmp(&b.path));
            locks.into_iter().map(|lock| (lock.path, lock.state)).collect::<Vec<_>>()
        };
        let seen = [
            (index.clone(), LockState::Stale),
            (old.clone(), LockState::Stale),
            (young.clone(), LockState::MayBeHeld),
        ];
        assert_eq!(states(Removal::No), seen);
        assert_eq!(states(Removal::OfRefsWhenAlone)[1], (old.clone(), LockState::Removed));
        assert!(!old.exists() && young.exists() && index.exists());
    }
}
