//! The functions of the C library through which Rust's standard library reaches files.
//!
//! Each asks what is to become of the call, and makes the system call itself: the real function is not needed.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use crate::act::{Verdict, at_file, at_path, die};
use crate::plan::Call;
use crate::raw;

/// Lets a system call happen, or not.
fn decide(verdict: &Verdict, call: impl FnOnce() -> isize) -> isize {
    match verdict {
        Verdict::Fail(errno) => {
            raw::fail(*errno);
            -1
        }
        Verdict::GoAndDie | Verdict::Torn(_) => {
            call();
            die()
        }
        Verdict::Go | Verdict::Short(_) => call(),
    }
}

/// A path that C gave.
///
/// # Safety
/// It is null, or ends with a NUL and stays for the call.
unsafe fn bytes_of(path: *const c_char) -> Option<&'static [u8]> {
    // SAFETY: as the caller promises.
    (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) }.to_bytes())
}

fn write_at(fd: c_int, bytes: &[u8], write: impl FnOnce(usize) -> isize) -> isize {
    let verdict = at_file(Call::Write, fd, bytes);
    let length = match verdict {
        Verdict::Short(length) | Verdict::Torn(length) => length,
        _ => bytes.len(),
    };
    decide(&verdict, || write(length))
}

/// # Safety
/// As write(2) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, length: usize) -> isize {
    // SAFETY: the caller promises so many bytes there.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) };
    // SAFETY: the same bytes, or fewer.
    write_at(fd, bytes, |length| unsafe { libc::syscall(libc::SYS_write, fd, buffer, length) as isize })
}

/// # Safety
/// As pwrite(2) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, buffer: *const c_void, length: usize, at: i64) -> isize {
    // SAFETY: the caller promises so many bytes there.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) };
    // SAFETY: the same bytes, or fewer.
    write_at(fd, bytes, |length| unsafe {
        libc::syscall(libc::SYS_pwrite64, fd, buffer, length, at) as isize
    })
}

/// # Safety
/// As fsync(2) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: it touches no memory.
    decide(&at_file(Call::Sync, fd, &[]), || unsafe { libc::syscall(libc::SYS_fsync, fd) as isize }) as c_int
}

/// # Safety
/// As fdatasync(2) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: it touches no memory.
    let call = || unsafe { libc::syscall(libc::SYS_fdatasync, fd) as isize };
    decide(&at_file(Call::Sync, fd, &[]), call) as c_int
}

/// # Safety
/// As rename(2) wants. The new name is what counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(old: *const c_char, new: *const c_char) -> c_int {
    // SAFETY: both are paths of the caller.
    let verdict = at_path(Call::Rename, || unsafe { bytes_of(new) });
    let here = libc::AT_FDCWD;
    // SAFETY: both are paths of the caller.
    decide(&verdict, || unsafe { libc::syscall(libc::SYS_renameat2, here, old, here, new, 0) as isize })
        as c_int
}

/// # Safety
/// As linkat(2) wants. The new name is what counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linkat(
    from: c_int,
    old: *const c_char,
    to: c_int,
    new: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: both are paths of the caller.
    let verdict = at_path(Call::Link, || unsafe { bytes_of(new) });
    // SAFETY: both are paths of the caller.
    decide(&verdict, || unsafe { libc::syscall(libc::SYS_linkat, from, old, to, new, flags) as isize })
        as c_int
}

/// # Safety
/// As mkdir(2) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: c_uint) -> c_int {
    // SAFETY: it is a path of the caller.
    let verdict = at_path(Call::Mkdir, || unsafe { bytes_of(path) });
    // SAFETY: it is a path of the caller.
    decide(&verdict, || unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path, mode) as isize })
        as c_int
}

/// # Safety
/// As open(2) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { openat64(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As open(2) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { openat64(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As openat(2) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(folder: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: it is a path of the caller.
    let verdict = at_path(Call::Open, || unsafe { bytes_of(path) });
    // SAFETY: it is a path of the caller.
    decide(&verdict, || unsafe { libc::syscall(libc::SYS_openat, folder, path, flags, mode) as isize })
        as c_int
}
