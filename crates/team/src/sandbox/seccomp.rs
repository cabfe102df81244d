//! Which calls of the kernel a command cannot make, as programs for its filter (seccomp(2)).
//!
//! A list of what is refused, not of what is allowed: commands are compilers and test suites of all kinds. Refused is
//! what reaches beyond the sandbox, and what no such program needs.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Compare, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// The resource by which processes of a command are known: how long they may compute as real-time ones, which none is.
/// See [`child`](super::child).
pub(super) const MARKED_RESOURCE: u64 = libc::RLIMIT_RTTIME as u64;

/// What neither way allows: kernel keyrings, which are the user's and no files; pushing characters into the user's
/// terminal; the machine's own business.
const NEVER: [libc::c_long; 21] = [
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_open_by_handle_at,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_syslog,
];

/// What Landlock does not see, and a network namespace would: sockets. And what would lead around this filter, or make
/// another view of the files.
const WITHOUT_NAMESPACES: [libc::c_long; 13] = [
    libc::SYS_socket,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
];

/// Calls for which programs have another way if the kernel does not know them. Their arguments, or what they do,
/// cannot be looked at: a new thread may be a new namespace, a ring makes sockets.
const UNKNOWN: [libc::c_long; 2] = [libc::SYS_clone3, libc::SYS_io_uring_setup];

/// The bit that tells the calls of the x32 ABI from their usual numbers.
const X32_BIT: i64 = 0x4000_0000;

/// Filters of a command that has namespaces of its own.
pub(super) fn beside_namespaces() -> Result<BpfProgram, String> {
    filter(rules(&NEVER)?, libc::EPERM)
}

/// Filters of a command that has none.
pub(super) fn instead_of_namespaces() -> Result<Vec<BpfProgram>, String> {
    let mut refused = rules(&NEVER)?;
    refused.extend(rules(&WITHOUT_NAMESPACES)?);
    let flag = |flag: libc::c_int| -> Result<SeccompCondition, String> {
        let flag = u64::from(flag.cast_unsigned());
        condition(0, Length::Qword, Compare::MaskedEq(flag), flag)
    };
    add(&mut refused, libc::SYS_clone, [vec![flag(libc::CLONE_NEWUSER)?]])?;
    // A pair is joined already; but a datagram can be sent to anybody.
    let kind = u64::from(0xf_u32);
    let datagram = u64::from(libc::SOCK_DGRAM.cast_unsigned());
    let pair = condition(1, Length::Dword, Compare::MaskedEq(kind), datagram)?;
    add(&mut refused, libc::SYS_socketpair, [vec![pair]])?;
    let resource = |at| condition(at, Length::Dword, Compare::Eq, MARKED_RESOURCE);
    let sets = condition(2, Length::Qword, Compare::Ne, 0)?;
    add(&mut refused, libc::SYS_setrlimit, [vec![resource(0)?]])?;
    add(&mut refused, libc::SYS_prlimit64, [vec![resource(1)?, sets]])?;
    Ok(vec![filter(refused, libc::EPERM)?, filter(rules(&UNKNOWN)?, libc::ENOSYS)?])
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn rules(calls: &[libc::c_long]) -> Result<Rules, String> {
    let mut rules = Rules::new();
    for call in calls {
        add(&mut rules, *call, [])?;
    }
    // Characters that look as if the user had typed them, and the console's own clipboard.
    let request = |value: libc::Ioctl| condition(1, Length::Dword, Compare::Eq, u64::from(value as u32));
    add(&mut rules, libc::SYS_ioctl, [vec![request(libc::TIOCSTI)?], vec![request(libc::TIOCLINUX)?]])?;
    Ok(rules)
}

/// Adds a call, in each of the cases; in all if there is none.
fn add(
    rules: &mut Rules,
    call: libc::c_long,
    cases: impl IntoIterator<Item = Vec<SeccompCondition>>,
) -> Result<(), String> {
    let cases: Result<Vec<_>, _> = cases.into_iter().map(SeccompRule::new).collect();
    let cases = cases.map_err(|error| error.to_string())?;
    if ARCH == "x86_64" {
        rules.insert(call | X32_BIT, cases.clone());
    }
    rules.insert(call, cases);
    Ok(())
}

fn condition(at: u8, length: Length, compare: Compare, value: u64) -> Result<SeccompCondition, String> {
    SeccompCondition::new(at, length, compare, value).map_err(|error| error.to_string())
}

fn filter(rules: Rules, errno: libc::c_int) -> Result<BpfProgram, String> {
    let machine = TargetArch::try_from(ARCH).map_err(|error| error.to_string())?;
    let refuse = SeccompAction::Errno(errno.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, machine);
    filter.and_then(BpfProgram::try_from).map_err(|error| error.to_string())
}

/// A filter's program as bytes, as other programs take it.
pub(super) fn bytes(program: &BpfProgram) -> Vec<u8> {
    let bytes = |step: &seccompiler::sock_filter| {
        let [code_a, code_b] = step.code.to_ne_bytes();
        let [k_a, k_b, k_c, k_d] = step.k.to_ne_bytes();
        [code_a, code_b, step.jt, step.jf, k_a, k_b, k_c, k_d]
    };
    program.iter().flat_map(bytes).collect()
}
