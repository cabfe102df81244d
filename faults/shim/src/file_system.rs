//! Lets the program believe that its files are on another file system. It asks the kernel without the C library, so the
//! kernel is told to trap that one system call (seccomp), and the answer is made where the trap ends.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

static MAGIC: AtomicU32 = AtomicU32::new(0);

/// From here on `fstatfs` says `magic`.
pub fn pretend(magic: u32) {
    MAGIC.store(magic, Ordering::Release);
    let statement = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let number = u32::try_from(libc::SYS_fstatfs).unwrap_or_default();
    let mut filter = [
        // The first word that a filter sees is the number of the system call.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_TRAP),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: the handler has the form that SA_SIGINFO wants, and the filter outlives the call that copies it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = answer as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut());
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program);
    }
}

/// Fills the answer in and says that the call went well.
extern "C" fn answer(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives the registers as they were at `fstatfs(fd, answer)`, whose second argument the caller
    // promised to be such a structure.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let place = registers[libc::REG_RSI as usize] as *mut libc::statfs;
        let mut statistics: libc::statfs = std::mem::zeroed();
        statistics.f_type = MAGIC.load(Ordering::Acquire).into();
        place.write(statistics);
        registers[libc::REG_RAX as usize] = 0;
    }
}
