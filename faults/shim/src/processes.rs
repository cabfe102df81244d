//! Starting programs and waiting for them: the standard library forks, and the fork calls `execvp`; or it calls
//! `posix_spawnp`. A fork acts on its parent, which is the program under test.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::Ordering;

use crate::act::{at_start, die};
use crate::plan::{self, Action, Call};
use crate::raw;

type Spawn = unsafe extern "C" fn(
    *mut libc::pid_t,
    *const c_char,
    *const c_void,
    *const c_void,
    *const *mut c_char,
    *const *mut c_char,
) -> c_int;
type Execute = unsafe extern "C" fn(*const c_char, *const *const c_char) -> c_int;

/// The next function of this name: the C library's.
fn real(name: &CStr) -> *mut c_void {
    // SAFETY: the name ends with a NUL.
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }
}

/// The arguments of a program, joined by blanks, as far as they fit.
///
/// # Safety
/// `arguments` is an array of strings that ends with a null, as C wants it.
unsafe fn joined(arguments: *const *const c_char, buffer: &mut [u8; 2048]) -> &[u8] {
    let mut length = 0;
    let mut index = 0;
    loop {
        // SAFETY: the array has not ended yet.
        let argument = unsafe { *arguments.add(index) };
        if argument.is_null() {
            break;
        }
        // SAFETY: it is one of the strings.
        let bytes = unsafe { CStr::from_ptr(argument) }.to_bytes();
        for byte in bytes.iter().chain(b" ") {
            if let Some(place) = buffer.get_mut(length) {
                *place = *byte;
                length += 1;
            }
        }
        index += 1;
    }
    &buffer[..length]
}

/// # Safety
/// As execvp(3) wants. It is called in a fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execvp(program: *const c_char, arguments: *const *const c_char) -> c_int {
    let mut buffer = [0; 2048];
    // SAFETY: as the caller promises.
    match at_start(unsafe { joined(arguments, &mut buffer) }) {
        Some(Action::KillBefore) => {
            raw::signal(raw::parent(), libc::SIGKILL);
            // SAFETY: it ends this process.
            unsafe { libc::_exit(127) }
        }
        Some(Action::KillAfter) if plan::get().is_some_and(|plan| plan.call == Some(Call::Wait)) => {
            if let Some(shared) = plan::shared() {
                shared.started.store(raw::own_id(), Ordering::Release);
            }
        }
        // Killed while the program that it started runs on.
        Some(Action::KillAfter) => raw::signal(raw::parent(), libc::SIGKILL),
        Some(Action::Stop) => {
            let parent = raw::parent();
            raw::signal(parent, libc::SIGSTOP);
            while !raw::is_stopped(parent) && raw::parent() == parent {
                raw::nap();
            }
            while raw::is_stopped(parent) {
                raw::nap();
            }
        }
        _ => {}
    }
    let real = real(c"execvp");
    if real.is_null() {
        raw::fail(libc::ENOSYS);
        return -1;
    }
    // SAFETY: the function of this name has this form.
    let real = unsafe { std::mem::transmute::<*mut c_void, Execute>(real) };
    // SAFETY: as the caller promises.
    unsafe { real(program, arguments) }
}

/// # Safety
/// As posix_spawnp(3) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawnp(
    id: *mut libc::pid_t,
    program: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: *const *mut c_char,
    environment: *const *mut c_char,
) -> c_int {
    let mut buffer = [0; 2048];
    // SAFETY: as the caller promises.
    let action = at_start(unsafe { joined(arguments.cast(), &mut buffer) });
    match action {
        Some(Action::KillBefore) => die(),
        Some(Action::Stop) => raw::signal(raw::own_id(), libc::SIGSTOP),
        _ => {}
    }
    let real = real(c"posix_spawnp");
    if real.is_null() {
        return libc::ENOSYS;
    }
    // SAFETY: the function of this name has this form.
    let real = unsafe { std::mem::transmute::<*mut c_void, Spawn>(real) };
    // SAFETY: as the caller promises.
    let result = unsafe { real(id, program, actions, attributes, arguments, environment) };
    if action == Some(Action::KillAfter) && result == 0 {
        if plan::get().is_none_or(|plan| plan.call != Some(Call::Wait)) {
            die();
        }
        if let Some(shared) = plan::shared() {
            // SAFETY: the real function has written it.
            shared.started.store(unsafe { *id }, Ordering::Release);
        }
    }
    result
}

/// # Safety
/// As waitpid(2) wants.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn waitpid(id: libc::pid_t, status: *mut c_int, options: c_int) -> libc::pid_t {
    let usage = std::ptr::null_mut::<libc::rusage>();
    // SAFETY: as the caller promises.
    let ended = unsafe { libc::syscall(libc::SYS_wait4, id, status, options, usage) as libc::pid_t };
    let started = plan::shared().map_or(0, |shared| shared.started.load(Ordering::Acquire));
    if ended > 0 && ended == started {
        die();
    }
    ended
}
