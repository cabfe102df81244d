//! Notices that a file changed, through the system's file notifications.
//!
//! Notifications can be lost or unavailable (too many of them, a file system without them, another system than Linux),
//! so nothing may depend on them but a delay: whoever waits here also looks by itself now and then. What changed, and
//! whether it matters, this module does not know.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
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
}
