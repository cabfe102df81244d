//! Whether a call is the one that is meant, and what is done then.

use std::ffi::c_int;
use std::sync::atomic::Ordering;

use crate::plan::{self, Action, Call, Plan};
use crate::raw;

/// What becomes of a call at which nobody is killed before it.
pub enum Verdict {
    /// It goes through.
    Go,
    /// It goes through, and then the program is killed.
    GoAndDie,
    /// It takes the first bytes.
    Short(usize),
    /// It takes the first bytes, and then the program is killed.
    Torn(usize),
    /// It fails.
    Fail(c_int),
}

impl Plan {
    fn wants_path(&self, path: &[u8]) -> bool {
        path.ends_with(&self.end) && contains(path, &self.path)
    }

    fn wants_bytes(&self, bytes: &[u8]) -> bool {
        self.holds.iter().all(|part| contains(bytes, part))
    }
}

/// Judges a call on a path.
pub fn at_path(call: Call, path: impl FnOnce() -> Option<&'static [u8]>) -> Verdict {
    let Some(plan) = plan::get().filter(|plan| plan.call == Some(call)) else { return Verdict::Go };
    let Some(path) = path() else { return Verdict::Go };
    if plan.wants_path(path) { next(plan, path, 0, 0) } else { Verdict::Go }
}

/// Judges a call on an open file, with the bytes that are written to it.
pub fn at_file(call: Call, fd: c_int, bytes: &[u8]) -> Verdict {
    let Some(plan) = plan::get().filter(|plan| plan.call == Some(call)) else { return Verdict::Go };
    if !plan.wants_bytes(bytes) {
        return Verdict::Go;
    }
    let mut buffer = [0; 512];
    let path = raw::path_of(fd, &mut buffer);
    if !plan.wants_path(path) {
        return Verdict::Go;
    }
    let to_boundary = 4096 - raw::size_of(fd) % 4096;
    if plan.action == Action::Torn(None) && to_boundary >= bytes.len() {
        return Verdict::Go;
    }
    next(plan, path, bytes.len(), to_boundary)
}

/// Whether a program with these arguments, joined by blanks, is the one whose start is meant.
pub fn at_start(arguments: &[u8]) -> Option<Action> {
    let plan = plan::get().filter(|plan| matches!(plan.call, Some(Call::Start | Call::Wait)))?;
    (plan.wants_bytes(arguments) && is_next(plan)).then(|| {
        raw::append_line(&plan.report, b"hit start\n");
        plan.action
    })
}

fn is_next(plan: &Plan) -> bool {
    let Some(shared) = plan::shared() else { return false };
    let number = shared.seen.fetch_add(1, Ordering::AcqRel) + 1;
    number == plan.nth || (plan.always && number > plan.nth)
}

fn next(plan: &Plan, path: &[u8], length: usize, to_boundary: usize) -> Verdict {
    if !is_next(plan) {
        return Verdict::Go;
    }
    raw::append_line(&plan.report, b"hit ");
    raw::append_line(&plan.report, path);
    raw::append_line(&plan.report, b"\n");
    match plan.action {
        Action::KillBefore => die(),
        Action::KillAfter => Verdict::GoAndDie,
        Action::Stop => {
            raw::signal(raw::own_id(), libc::SIGSTOP);
            Verdict::Go
        }
        Action::Torn(bytes) => Verdict::Torn(bytes.unwrap_or(to_boundary).min(length)),
        Action::Short(bytes) => Verdict::Short(bytes.min(length)),
        Action::Fail(errno) => Verdict::Fail(errno),
    }
}

/// Ends this process as `kill -9` does.
pub fn die() -> ! {
    raw::signal(raw::own_id(), libc::SIGKILL);
    raw::wait_for_the_end()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}
