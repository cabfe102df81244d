//! System calls without the C library's functions that this library stands in for. All are safe after a fork.

use std::ffi::{c_int, c_void};
use std::ptr;

/// Writes to a descriptor.
pub fn write(fd: c_int, bytes: &[u8]) -> isize {
    // SAFETY: the slice is as long as it says.
    unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) as isize }
}

/// The path of an open file, as far as it fits.
pub fn path_of(fd: c_int, buffer: &mut [u8; 512]) -> &[u8] {
    let mut link = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut digits = [0u8; 10];
    let (mut number, mut count) = (fd.unsigned_abs(), 0);
    loop {
        digits[count] = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
        if number == 0 {
            break;
        }
    }
    for (place, digit) in link[14..].iter_mut().zip(digits[..count].iter().rev()) {
        *place = *digit;
    }
    // SAFETY: the link ends with a NUL, and the buffer is as long as it says.
    let length = unsafe {
        libc::syscall(libc::SYS_readlinkat, libc::AT_FDCWD, link.as_ptr(), buffer.as_mut_ptr(), buffer.len())
    };
    &buffer[..usize::try_from(length).unwrap_or(0)]
}

/// The size of an open file.
pub fn size_of(fd: c_int) -> usize {
    // SAFETY: an all-zero `stat` is one, and the call fills it.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        if libc::fstat(fd, &raw mut stat) == 0 { usize::try_from(stat.st_size).unwrap_or(0) } else { 0 }
    }
}

pub fn own_id() -> i32 {
    // SAFETY: it has no arguments and cannot fail.
    unsafe { libc::syscall(libc::SYS_getpid) as i32 }
}

pub fn parent() -> i32 {
    // SAFETY: it has no arguments and cannot fail.
    unsafe { libc::syscall(libc::SYS_getppid) as i32 }
}

pub fn signal(process: i32, signal: c_int) {
    // SAFETY: a signal to a process touches no memory of this one.
    unsafe { libc::syscall(libc::SYS_kill, process, signal) };
}

/// Waits for the end that is on its way.
pub fn wait_for_the_end() -> ! {
    loop {
        nap();
    }
}

pub fn nap() {
    let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    // SAFETY: the pause is there for the whole call, and the rest is not asked for.
    unsafe { libc::syscall(libc::SYS_nanosleep, &raw const pause, ptr::null_mut::<libc::timespec>()) };
}

/// Whether a process is stopped by a signal.
pub fn is_stopped(process: i32) -> bool {
    let mut name = [0u8; 32];
    let mut digits = [0u8; 10];
    let (mut number, mut count) = (process.unsigned_abs(), 0);
    loop {
        digits[count] = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
        if number == 0 {
            break;
        }
    }
    let parts = b"/proc/".iter().chain(digits[..count].iter().rev()).chain(b"/stat");
    for (place, byte) in name.iter_mut().zip(parts) {
        *place = *byte;
    }
    let mut stat = [0u8; 256];
    // SAFETY: the name ends with a NUL, and the buffer is as long as it says.
    let read = unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, name.as_ptr(), libc::O_RDONLY) as c_int;
        if fd < 0 {
            return false;
        }
        let read = libc::syscall(libc::SYS_read, fd, stat.as_mut_ptr(), stat.len());
        libc::syscall(libc::SYS_close, fd);
        read
    };
    let stat = &stat[..usize::try_from(read).unwrap_or(0)];
    let state = stat.iter().rposition(|byte| *byte == b')').and_then(|end| stat.get(end + 2));
    matches!(state, Some(b'T' | b't'))
}

/// Appends a line to a file, whose name ends with a NUL.
pub fn append_line(path: &[u8], line: &[u8]) {
    if path.is_empty() {
        return;
    }
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: the path ends with a NUL.
    unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600) as c_int;
        if fd >= 0 {
            write(fd, line);
            libc::syscall(libc::SYS_close, fd);
        }
    }
}

pub fn fail(errno: c_int) {
    // SAFETY: the place of this thread's error number is always valid.
    unsafe { *libc::__errno_location() = errno };
}

/// A page of zeros that forks share.
pub fn shared_page() -> *mut c_void {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping of its own touches nothing that is there.
    let page = unsafe { libc::mmap(ptr::null_mut(), 4096, access, kind, -1, 0) };
    if page == libc::MAP_FAILED { ptr::null_mut() } else { page }
}
