//! The rules of Landlock (landlock(7)) for a policy, made where the command is started; the child only puts them into
//! force.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, Scope,
};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;

use super::policy::{Access, Grant, Policy};

/// The version that has all that is needed: it keeps commands from truncating files, from devices, from connecting, and
/// from ending processes outside. With less of it the sandbox would have holes, so it is refused.
const NEEDED: ABI = ABI::V6;

/// Devices that every program may use, and that hold nothing.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// What the kernel tells of processes. Of those outside only what everybody sees: the rest wants the right to trace
/// them, which Landlock takes away.
const PROCESSES: &str = "/proc";

/// The rules, as the kernel holds them.
pub(super) fn rules(policy: &Policy) -> Result<OwnedFd, String> {
    let words = |error: landlock::RulesetError| error.to_string();
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEEDED)))
        .and_then(|rules| rules.scope(Scope::from_all(NEEDED)))
        .and_then(Ruleset::create)
        .map_err(words)?;
    let devices = DEVICES.iter().map(|path| grant(path, Access::Write));
    let processes = grant(PROCESSES, Access::Read);
    for grant in policy.grants().into_iter().chain(devices).chain([processes]) {
        let broken = |error: Errno| format!("{}: {error}", grant.path.display());
        // A path of a policy is real: where there is a link by now, somebody put it there.
        let opened = openat2(
            CWD,
            &grant.path,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::NO_SYMLINKS,
        );
        let opened = match opened {
            Ok(opened) => opened,
            // What is not granted is hidden.
            Err(Errno::NOENT | Errno::LOOP | Errno::ACCESS | Errno::NOTDIR) => continue,
            Err(error) => return Err(broken(error)),
        };
        let kind = FileType::from_raw_mode(fstat(&opened).map_err(broken)?.st_mode);
        let allowed = allowed(&grant, kind == FileType::Directory);
        if !allowed.is_empty() {
            rules = rules.add_rule(PathBeneath::new(opened, allowed)).map_err(words)?;
        }
    }
    Option::<OwnedFd>::from(rules).ok_or_else(|| "this kernel has no Landlock".to_owned())
}

fn grant(path: &str, access: Access) -> Grant {
    Grant { path: path.into(), access, names_only: false }
}

/// The kernel's rights for a grant. Devices are made by nobody, whatever the user may.
fn allowed(grant: &Grant, is_folder: bool) -> BitFlags<AccessFs> {
    let all = AccessFs::from_all(NEEDED) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let rights = match (grant.names_only, grant.access) {
        (true, _) => AccessFs::ReadDir.into(),
        (false, Access::Write) => all,
        (false, _) => AccessFs::from_read(NEEDED),
    };
    if is_folder { rights } else { rights & AccessFs::from_file(NEEDED) }
}

/// Whether this kernel has all that is needed; if not, why.
pub(super) fn is_there() -> Result<(), String> {
    rules(&Policy::default()).map(drop).map_err(|error| {
        let version = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        format!("this kernel ({}) lacks Landlock version {}: {error}", version.trim(), NEEDED as i32)
    })
}

/// Has the rules hold for this process and all that it starts. For a child between fork and exec: it takes no memory.
#[expect(unsafe_code, reason = "the system call has no other face that takes no memory")]
pub(super) fn restrict(rules: &OwnedFd) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: the call takes two integers.
    match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
