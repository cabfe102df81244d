//! The command line of bubblewrap (bwrap(1)) for a policy. From version 0.8 on, which Debian 12 has.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use super::policy::{Access, Policy};
use super::private::Private;

/// Where a command finds folders of its own in the place of those that all programs share.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];
const SHARED_MEMORY: &str = "/dev/shm";

/// Namespaces of its own for everything: no network but its own loopback, and no process but its own.
const SEPARATE: [&str; 9] = [
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
    // Whoever ends this process, by whatever signal, ends all that it started.
    "--die-with-parent",
    // No terminal that it could write to, or type into.
    "--new-session",
    "--cap-drop",
    "ALL",
];

/// What stands at a path inside.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mount {
    /// A path of the machine.
    Bind { from: PathBuf, access: Access },
    /// Nothing.
    Hide,
    /// A symbolic link.
    Link(PathBuf),
    /// The processes inside.
    Processes,
    /// The devices that every program may use.
    Devices,
}

/// The arguments, up to the program that is confined.
pub(super) fn arguments(
    policy: &Policy,
    private: &Private,
    folder: &Path,
    status: BorrowedFd<'_>,
    filter: BorrowedFd<'_>,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = SEPARATE.map(OsString::from).into();
    let mut add = |words: &[&dyn AsRef<std::ffi::OsStr>]| {
        arguments.extend(words.iter().map(|word| word.as_ref().to_owned()));
    };
    let mut closed: Vec<PathBuf> = Vec::new();
    for (path, mount) in mounts(policy, private) {
        match mount {
            Mount::Bind { from, access: Access::Write } => add(&[&"--bind", &from, &path]),
            Mount::Bind { from, .. } => add(&[&"--ro-bind", &from, &path]),
            Mount::Hide if path.is_dir() => {
                add(&[&"--perms", &"0555", &"--tmpfs", &path]);
                closed.push(path);
            }
            Mount::Hide => add(&[&"--ro-bind", &"/dev/null", &path]),
            Mount::Link(to) => add(&[&"--symlink", &to, &path]),
            Mount::Processes => add(&[&"--proc", &path]),
            Mount::Devices => {
                add(&[&"--dev", &path]);
                closed.push(path);
            }
        }
    }
    closed.push("/".into());
    // Only now: what lies in them had to be made.
    closed.iter().for_each(|path| add(&[&"--remount-ro", path]));
    add(&[&"--chdir", &folder]);
    add(&[&"--json-status-fd", &status.as_raw_fd().to_string()]);
    add(&[&"--seccomp", &filter.as_raw_fd().to_string()]);
    add(&[&"--"]);
    arguments
}

/// What stands where, folders before what lies in them. Only what differs from what stands above it.
fn mounts(policy: &Policy, private: &Private) -> BTreeMap<PathBuf, Mount> {
    let mut mounts = BTreeMap::new();
    let bind = |from: &Path, access| Mount::Bind { from: from.to_owned(), access };
    mounts.insert(PathBuf::from("/proc"), Mount::Processes);
    mounts.insert("/dev".into(), Mount::Devices);
    mounts.insert(SHARED_MEMORY.into(), bind(&private.shared_memory(), Access::Write));
    for path in TEMPORARY {
        mounts.insert(path.into(), bind(&private.temporary(), Access::Write));
    }
    mounts.insert(private.root().to_owned(), bind(private.root(), Access::Write));
    for (path, access) in policy.named() {
        // Paths are in order, so what is above is there already.
        let above = path.ancestors().skip(1).find_map(|above| Some((above, mounts.get(above)?)));
        let here = match above {
            Some((above, Mount::Bind { from, access })) if from == above => Some(*access),
            _ => None,
        };
        match access {
            Access::Hidden if here.is_some() => mounts.insert(path.to_owned(), Mount::Hide),
            Access::Hidden => None,
            _ if here == Some(access) => None,
            _ => mounts.insert(path.to_owned(), bind(path, access)),
        };
    }
    for (alias, real) in policy.aliases() {
        let is_there = alias.ancestors().any(|above| match mounts.get(above) {
            Some(Mount::Bind { from, .. }) => from == above,
            Some(Mount::Link(_)) => true,
            _ => false,
        });
        if !is_there {
            mounts.insert(alias.to_owned(), Mount::Link(real.to_owned()));
        }
    }
    mounts
}
