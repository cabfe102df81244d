//! What macOS tells of processes: sysctl(3) and `libproc.h`. It has never been run, only compiled.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;

use super::Status;

/// Whether those that have ended are looked for as well.
const ENDED_TOO: u64 = 1;

pub(super) fn machine() -> io::Result<String> {
    let mut id = [0_u8; 16];
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "the call has no other face")]
    // SAFETY: it writes sixteen bytes, which is what there is.
    match unsafe { libc::gethostuuid(id.as_mut_ptr(), &raw const at_once) } {
        0 => {
            let hash = blake3::derive_key("agent-team 2026 machine of a process identity", &id);
            Ok(blake3::Hash::from_bytes(hash).to_hex().as_str().to_owned())
        }
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn boot() -> io::Result<String> {
    text(c"kern.bootsessionuuid")
}

/// There is one for all.
pub(super) fn pid_namespace() -> io::Result<String> {
    Ok("macos".to_owned())
}

pub(super) fn status(pid: u32) -> io::Result<Option<Status>> {
    let Ok(pid) = i32::try_from(pid) else { return Ok(None) };
    let mut told = MaybeUninit::<libc::proc_bsdinfo>::uninit();
    let size = i32::try_from(size_of::<libc::proc_bsdinfo>()).map_err(io::Error::other)?;
    #[expect(unsafe_code, reason = "the call has no other face")]
    // SAFETY: it writes no more than the size that it is given, which is that of what is there.
    let written =
        unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, ENDED_TOO, told.as_mut_ptr().cast(), size) };
    if written == size {
        #[expect(unsafe_code, reason = "only the call knows that it has written all")]
        // SAFETY: all of it was written.
        let told = unsafe { told.assume_init() };
        let start = told.pbi_start_tvsec.saturating_mul(1_000_000).saturating_add(told.pbi_start_tvusec);
        return Ok(Some(Status { is_dead: told.pbi_status == libc::SZOMB, start }));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Nobody has the id.
        Some(libc::ESRCH) => Ok(None),
        _ => Err(error),
    }
}

pub(super) fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// What the kernel says under a name.
fn text(name: &CStr) -> io::Result<String> {
    let mut value = [0_u8; 128];
    let mut size = value.len();
    #[expect(unsafe_code, reason = "the call has no other face")]
    // SAFETY: it writes no more than the size that it is given, and says how much that was.
    let failed = unsafe {
        let value = value.as_mut_ptr().cast();
        libc::sysctlbyname(name.as_ptr(), value, &raw mut size, std::ptr::null_mut(), 0)
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    let value = CStr::from_bytes_until_nul(&value).map_err(io::Error::other)?;
    Ok(value.to_string_lossy().into_owned())
}
