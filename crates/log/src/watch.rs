//! Notices that a file changed, through the system's file notifications.
//!
//! Notifications can be lost or unavailable (too many of them, a file system without them, another system than Linux),
//! so nothing may depend on them but a delay: whoever waits here also looks by itself now and then. What changed, and
//! whether it matters, this module does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A descriptor that becomes readable when a log may have changed, for those who wait for several things at once. It
/// never blocks; what is read from it says nothing more.
///
/// Look after [clearing](Watch::clear) it, never before: a change in between is then not slept through.
#[derive(Debug)]
pub struct Watch {
    notifications: OwnedFd,
}

impl Watch {
    /// Forgets the changes so far. What comes after this makes it readable again.
    pub fn clear(&self) {
        let mut events = [0_u8; 4096];
        while rustix::io::read(&self.notifications, &mut events).is_ok_and(|read| read > 0) {}
    }

    /// Waits for a change, at most for `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};

        let timeout = Timespec::try_from(timeout).ok();
        // A wait that is cut short only means one more look.
        let _ = poll(&mut [PollFd::new(&self.notifications, PollFlags::IN)], timeout.as_ref());
    }

    /// A watch of the file at `path`. Reading it is no change; that it is removed or gets another name is.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

        let notifications = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let changes =
            WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        add_watch(&notifications, path, changes)?;
        Ok(Self { notifications })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(_path: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notifications.as_fd()
    }
}

/// A descriptor that becomes readable when something changed in one of several folders: a file in it grew, or came.
#[derive(Debug)]
pub struct FolderWatch {
    watch: Watch,
    /// The folders, with what the system calls the watch of each.
    folders: BTreeMap<PathBuf, i32>,
}

impl FolderWatch {
    /// A watch of no folder yet.
    ///
    /// # Errors
    /// When the system has no notifications, or none left to give.
    #[cfg(target_os = "linux")]
    pub fn new() -> io::Result<Self> {
        use rustix::fs::inotify::{CreateFlags, init};

        let notifications = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { watch: Watch { notifications }, folders: BTreeMap::new() })
    }

    /// A watch of no folder yet.
    ///
    /// # Errors
    /// Always: it is written for Linux.
    #[cfg(not(target_os = "linux"))]
    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Watches these folders and no others. One that is not there is not watched; say it again when it may be.
    #[cfg(target_os = "linux")]
    pub fn set(&mut self, wanted: &BTreeSet<PathBuf>) {
        use rustix::fs::inotify::{WatchFlags, add_watch, remove_watch};

        // Files that come, grow and go.
        let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::DELETE;
        let notifications = &self.watch.notifications;
        self.folders.retain(|folder, watched| {
            let keep = wanted.contains(folder) && folder.is_dir();
            if !keep {
                // One whose folder is gone has ended by itself.
                let _ = remove_watch(notifications, *watched);
            }
            keep
        });
        for folder in wanted {
            if !self.folders.contains_key(folder)
                && let Ok(watched) = add_watch(notifications, folder, changes)
            {
                self.folders.insert(folder.clone(), watched);
            }
        }
    }

    /// Whether a folder is watched.
    pub fn watches(&self, folder: &Path) -> bool {
        self.folders.contains_key(folder)
    }

    /// Watches these folders and no others.
    #[cfg(not(target_os = "linux"))]
    pub fn set(&mut self, _wanted: &BTreeSet<PathBuf>) {}

    /// The descriptor, for those who wait for several things at once: as of a [`Watch`].
    ///
    /// # Errors
    /// When this process may not have another one.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.watch.notifications.try_clone()
    }
}

impl From<Watch> for OwnedFd {
    fn from(watch: Watch) -> Self {
        watch.notifications
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(watch: &Watch) -> bool {
        poll(&mut [PollFd::new(watch, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap()
            == 1
    }

    #[test]
    fn every_change_after_clearing_is_noticed_and_reading_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let watch = Watch::of(&path).unwrap();
        assert!(!is_readable(&watch));
        for _ in 0..3 {
            file.write_all(b"x").unwrap();
            file.write_all(b"y").unwrap();
            assert!(is_readable(&watch));
            watch.clear();
            assert!(!is_readable(&watch));
        }
        assert_eq!(fs::read(&path).unwrap().len(), 6);
        assert!(!is_readable(&watch));
        fs::remove_file(&path).unwrap();
        assert!(is_readable(&watch));
        assert!(Watch::of(&path).is_err());
    }

    #[test]
    fn what_grows_in_a_watched_folder_is_noticed_and_what_is_not_watched_any_more_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        fs::create_dir(&one).unwrap();
        let mut folders = FolderWatch::new().unwrap();
        folders.set(&[one.clone(), other.clone()].into());
        fs::write(one.join("transcript"), "x").unwrap();
        assert!(is_readable(&folders.watch));
        folders.watch.clear();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("transcript"), "x").unwrap();
        assert!(!is_readable(&folders.watch), "it was not there when it was to be watched");
        folders.set(&[other.clone()].into());
        folders.watch.clear();
        fs::write(one.join("transcript"), "y").unwrap();
        assert!(!is_readable(&folders.watch));
        fs::write(other.join("transcript"), "y").unwrap();
        assert!(is_readable(&folders.watch));
    }
}
