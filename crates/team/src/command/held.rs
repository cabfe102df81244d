//! A process that is held by a descriptor, so that what is done to it is done to no other that got its id.

use std::os::fd::OwnedFd;

use rustix::process::Pid;

/// A process, alive or just gone. Only Linux has such descriptors: elsewhere none can be held, and whoever ends only what it
/// holds ends nothing.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is none"))]
pub(super) struct Held(OwnedFd);

#[cfg(target_os = "linux")]
mod system {
    use std::os::fd::AsFd;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    use super::Held;

    /// How long one that was killed may take to go.
    const GOING: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

    pub(super) fn hold(id: Pid) -> Option<Held> {
        pidfd_open(id, PidfdFlags::empty()).ok().map(Held)
    }

    pub(super) fn kill(held: &Held) -> bool {
        pidfd_send_signal(held.0.as_fd(), Signal::KILL).is_ok()
    }

    pub(super) fn wait(held: &Held) {
        // It can be read from when it has ended.
        let _ = poll(&mut [PollFd::new(&held.0, PollFlags::IN)], Some(&GOING));
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use rustix::process::Pid;

    use super::Held;

    pub(super) fn hold(_: Pid) -> Option<Held> {
        None
    }

    pub(super) fn kill(_: &Held) -> bool {
        false
    }

    pub(super) fn wait(_: &Held) {}
}

impl Held {
    /// Holds the process that has this id now, if it can be held.
    pub(super) fn of(id: Pid) -> Option<Self> {
        system::hold(id)
    }

    /// Kills it; says whether it was there.
    pub(super) fn kill(&self) -> bool {
        system::kill(self)
    }

    /// Waits until it has ended, ten seconds at most. Blocks.
    pub(super) fn wait(&self) {
        system::wait(self);
    }
}
