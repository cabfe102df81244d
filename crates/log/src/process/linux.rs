//! What Linux tells of processes: proc(5).

use std::fs;
use std::io::{self, ErrorKind};

use super::Status;

pub(super) fn machine() -> io::Result<String> {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let id = match id.trim() {
        "" => boot()?,
        id => id.to_owned(),
    };
    // machine-id(5) asks not to give the id itself away.
    let hash = blake3::derive_key("agent-team 2026 machine of a process identity", id.as_bytes());
    Ok(blake3::Hash::from_bytes(hash).to_hex().as_str().to_owned())
}

pub(super) fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

pub(super) fn pid_namespace() -> io::Result<String> {
    Ok(fs::read_link("/proc/self/ns/pid")?.to_string_lossy().into_owned())
}

pub(super) fn status(pid: u32) -> io::Result<Option<Status>> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => match parse(&stat) {
            Some(status) => Ok(Some(status)),
            None => Err(io::Error::new(ErrorKind::InvalidData, "/proc/PID/stat is not as proc(5) says")),
        },
        Err(error) if error.kind() == ErrorKind::NotFound || is_no_such_process(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether there is a process of this id although `/proc` does not show it (it is mounted with `hidepid`).
pub(super) fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// The process ended between opening the file and reading it.
fn is_no_such_process(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// State and start time are fields 3 and 22 of proc(5); field 2 is a name that may hold blanks and brackets.
fn parse(stat: &str) -> Option<Status> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some(Status { is_dead: matches!(state, "Z" | "X" | "x"), start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let fields = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        let stat = |state| format!("42 (a) Z (b) {state} {fields}");
        assert_eq!(parse(&stat("S")), Some(Status { is_dead: false, start: 4711 }));
        assert_eq!(parse(&stat("Z")), Some(Status { is_dead: true, start: 4711 }));
        assert_eq!(parse("42 (a) S 1 2 3"), None);
    }
}
