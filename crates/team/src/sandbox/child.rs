//! What a child does to itself between fork and exec. Everything is prepared before: here no memory is taken and no
//! lock, since another thread may have held one when the process was copied.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::BpfProgram;

use super::landlock;

/// How much rather than others the command is ended when the machine has no memory left, of a thousand.
const OUT_OF_MEMORY_SCORE: &[u8] = b"500";

/// What the child does.
#[derive(Debug, Default)]
pub(super) struct Child {
    /// Descriptors that it passes on; all others but the first three are closed.
    pub(super) keep: Vec<OwnedFd>,
    /// How many processes its user may have from its point of view.
    pub(super) processes: Option<u64>,
    /// What is put into force in this process itself, where no other program does it.
    pub(super) walls: Option<Walls>,
}

/// What confines a process without namespaces.
#[derive(Debug)]
pub(super) struct Walls {
    pub(super) rules: OwnedFd,
    pub(super) filters: Vec<BpfProgram>,
    /// A number that all its processes carry and none can lose, in a limit that says nothing else.
    pub(super) mark: u64,
}

impl Child {
    /// Has `command` do this before it becomes its program. What fails keeps it from starting.
    #[expect(unsafe_code, reason = "only the child can confine itself")]
    pub(super) fn prepare(self, command: &mut Command) {
        // SAFETY: the closure makes system calls alone: it takes no memory, no lock, and does not unwind.
        unsafe {
            command.pre_exec(move || self.begin());
        }
    }

    fn begin(&self) -> io::Result<()> {
        close_all_at_exec()?;
        self.keep.iter().try_for_each(|descriptor| keep(descriptor.as_raw_fd()))?;
        be_ended_first();
        if let Some(most) = self.processes {
            limit_processes(most)?;
        }
        if let Some(walls) = &self.walls {
            walls.put_up()?;
        }
        Ok(())
    }
}

impl Walls {
    fn put_up(&self) -> io::Result<()> {
        // Those whose parents end become this one's children, so that they are found below it as long as it runs.
        let this = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(this))?;
        let mark = Rlimit { current: Some(self.mark), maximum: Some(self.mark) };
        rustix::process::setrlimit(Resource::Rttime, mark)?;
        rustix::thread::set_no_new_privs(true)?;
        let none = CapabilitySet::empty();
        let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
        rustix::thread::set_capabilities(None, none)?;
        landlock::restrict(&self.rules)?;
        self.filters.iter().try_for_each(|filter| {
            seccompiler::apply_filter(filter).map_err(|_| io::Error::from_raw_os_error(libc::ENOSYS))
        })
    }
}

/// What this process was given by its own parent is not for the command.
#[expect(unsafe_code, reason = "the system call has no other face")]
fn close_all_at_exec() -> io::Result<()> {
    // SAFETY: the call takes three integers, and no descriptor is closed now.
    match unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[expect(unsafe_code, reason = "the descriptor is known by its number alone")]
fn keep(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: the call takes three integers.
    match unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn limit_processes(most: u64) -> io::Result<()> {
    let known = rustix::process::getrlimit(Resource::Nproc);
    let most = Some(known.maximum.map_or(most, |known| known.min(most)));
    Ok(rustix::process::setrlimit(Resource::Nproc, Rlimit { current: most, maximum: most })?)
}

/// A wish: where it cannot be had, the limits of the sandbox hold all the same.
fn be_ended_first() {
    if let Ok(file) = rustix::fs::open(c"/proc/self/oom_score_adj", OFlags::WRONLY, Mode::empty()) {
        let _ = rustix::io::write(file, OUT_OF_MEMORY_SCORE);
    }
}
