//! Which process is meant, on any machine and after any number of restarts, and whether it still lives.
//!
//! A process id alone says little: it is reused, and means another process on another machine or in another
//! container. Nothing here ends, signals or watches a process.

use std::io;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// A process, known for good.
///
/// Two processes that are never the same one never have equal identities.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The machine: a hash of `/etc/machine-id`, or of the boot id on a machine that has none.
    pub machine: String,
    /// The run of the machine's kernel that the process belongs to.
    pub boot: String,
    /// The process-id namespace (a container has its own) in which `pid` means it, as the kernel numbers them.
    pub pid_namespace: String,
    /// The process id within that namespace.
    pub pid: u32,
    /// When it started, in the kernel's clock ticks since boot; tells it from others that had its id.
    pub start: u64,
}

/// Whether a process is alive, as far as this one can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs (or is stopped, or hangs: a lease is for those).
    Alive,
    /// It is gone for good.
    Dead,
    /// This process cannot know: the other is on another machine or in another container.
    Unknown,
}

impl ProcessIdentity {
    /// The identity of this process.
    ///
    /// # Errors
    ///
    /// When the system does not tell (there is no `/proc`).
    pub fn current() -> io::Result<Self> {
        Self::of(std::process::id())?.ok_or_else(|| io::Error::other("this process is not in /proc"))
    }

    /// The identity of the process that has the id `pid` now, in this process's namespace; `None` if none has.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn of(pid: u32) -> io::Result<Option<Self>> {
        let Some(status) = system::status(pid)?.filter(|status| !status.is_dead) else { return Ok(None) };
        let Here { machine, boot, pid_namespace } = Here::of_this_process()?.clone();
        Ok(Some(Self { machine, boot, pid_namespace, pid, start: status.start }))
    }

    /// Judges whether this process is alive, from what can be seen here.
    ///
    /// Another boot of the same machine means dead. Machines that share a machine id (copied images) are told
    /// apart by nothing, so two that run at once must not have the same one.
    #[must_use]
    pub fn judge(&self) -> Liveness {
        self.try_judge().unwrap_or(Liveness::Unknown)
    }

    fn try_judge(&self) -> io::Result<Liveness> {
        let here = Here::of_this_process()?;
        if self.machine != here.machine {
            return Ok(Liveness::Unknown);
        }
        if self.boot != here.boot {
            return Ok(Liveness::Dead);
        }
        if self.pid_namespace != here.pid_namespace {
            return Ok(Liveness::Unknown);
        }
        Ok(match system::status(self.pid)? {
            Some(status) if status.is_dead || status.start != self.start => Liveness::Dead,
            Some(_) => Liveness::Alive,
            None if system::exists(self.pid) => Liveness::Unknown,
            None => Liveness::Dead,
        })
    }
}

/// The id of this run of the machine's kernel.
pub(crate) fn boot_id() -> io::Result<String> {
    Here::of_this_process().map(|here| here.boot.clone())
}

/// Where this process lives, which does not change as long as it does: asked for once, since those who wait judge others
/// several times a second.
#[derive(Debug, Clone)]
struct Here {
    machine: String,
    boot: String,
    pid_namespace: String,
}

impl Here {
    fn of_this_process() -> io::Result<&'static Self> {
        static HERE: OnceLock<Here> = OnceLock::new();
        if let Some(here) = HERE.get() {
            return Ok(here);
        }
        let here = Self {
            machine: system::machine()?,
            boot: system::boot()?,
            pid_namespace: system::pid_namespace()?,
        };
        Ok(HERE.get_or_init(|| here))
    }
}

/// What the kernel tells of a process.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    /// A zombie has ended; only its parent has not looked yet.
    is_dead: bool,
    start: u64,
}

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "macos")), path = "other.rs")]
mod system;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_always_the_same() {
        let current = ProcessIdentity::current().unwrap();
        assert_eq!(current, ProcessIdentity::current().unwrap());
        assert_eq!(current.judge(), Liveness::Alive);
        let json = serde_json::to_string(&current).unwrap();
        assert_eq!(serde_json::from_str::<ProcessIdentity>(&json).unwrap(), current);
    }

    #[test]
    fn judging_follows_machine_then_boot_then_namespace_then_process() {
        let current = ProcessIdentity::current().unwrap();
        let other = || "another".to_owned();
        let elsewhere = ProcessIdentity { machine: other(), boot: other(), ..current.clone() };
        assert_eq!(elsewhere.judge(), Liveness::Unknown);
        let earlier_boot = ProcessIdentity { boot: other(), pid_namespace: other(), ..current.clone() };
        assert_eq!(earlier_boot.judge(), Liveness::Dead);
        let container = ProcessIdentity { pid_namespace: other(), start: 0, ..current.clone() };
        assert_eq!(container.judge(), Liveness::Unknown);
        let reused = ProcessIdentity { start: current.start + 1, ..current.clone() };
        assert_eq!(reused.judge(), Liveness::Dead);
        let gone = ProcessIdentity { pid: i32::MAX as u32, ..current };
        assert_eq!(gone.judge(), Liveness::Dead);
    }

    #[test]
    fn a_zombie_and_one_that_was_reaped_are_dead() {
        let mut child = std::process::Command::new("sleep")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .arg("60")
            .spawn()
            .unwrap();
        let identity = ProcessIdentity::of(child.id()).unwrap().unwrap();
        assert_eq!(identity.judge(), Liveness::Alive);
        child.kill().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let until_it_ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), until_it_ended).unwrap();
        assert_eq!(identity.judge(), Liveness::Dead, "it is a zombie");
        assert_eq!(ProcessIdentity::of(child.id()).unwrap(), None);
        child.wait().unwrap();
        assert_eq!(identity.judge(), Liveness::Dead, "it was reaped");
    }
}
