//! Finds and ends what a command left behind, wherever it went: a process that left the group by `setsid` still
//! carries the mark that the command was started with.
//!
//! The mark is a variable with an id that nobody else has. The kernel keeps the environment that a process was
//! started with, so a daemon cannot lose it by changing its variables, only by being started without them. A confined
//! one that does so is found all the same: it has a process namespace, or a number among its limits that it cannot
//! change. Where `/proc` is missing, nothing is found.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::Read;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::held::Held;

/// The variable that holds the mark. Within a command of another agent-team, that one's stands before it, so that
/// whoever ends the outer command finds what the inner ones left behind.
pub(crate) const VARIABLE: &str = "AGENT_TEAM_COMMAND";

/// How long an id is, in characters.
const ID_LENGTH: usize = 32;

/// How long the search goes on while there is still somebody: one who forks faster than we look is given up at last.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pause before the next look, in which those who were killed go.
const PAUSE: Duration = Duration::from_millis(1);

/// What the processes of one command carry.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    id: String,
    /// The number among the limits of its processes.
    number: Option<u64>,
}

impl Mark {
    pub(super) fn new(number: Option<u64>) -> Self {
        Self { id: agent_team_log::unique_id().simple().to_string(), number }
    }

    /// The value of the variable.
    pub(super) fn value(&self) -> OsString {
        let mut value = std::env::var_os(VARIABLE).map_or_else(OsString::new, |mut outer| {
            outer.push(":");
            outer
        });
        value.push(&self.id);
        value
    }

    /// One as [`Display`](fmt::Display) writes it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, number) = text.split_once(' ').unwrap_or((text, ""));
        // What fits everybody fits nobody.
        let is_id = id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self { id: id.to_owned(), number: number.parse().ok() })
    }

    /// Kills all who carry the mark, until there is none. Blocks.
    pub(super) fn end_all(&self) {
        end_all(|process, environment| self.is_on(process, environment));
    }

    /// Whether a process carries it.
    pub(super) fn is_on(&self, process: Pid, environment: &[u8]) -> bool {
        self.is_in(environment) || self.number.is_some_and(|number| is_among_limits(process, number))
    }

    fn is_in(&self, environment: &[u8]) -> bool {
        environment.windows(self.id.len()).any(|window| window == self.id.as_bytes())
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(formatter, "{} {number}", self.id),
            None => formatter.write_str(&self.id),
        }
    }
}

/// Whether a number stands among the limits of a process.
pub(crate) fn is_among_limits(process: Pid, number: u64) -> bool {
    let of =
        |what| fs::read_to_string(format!("/proc/{}/{what}", process.as_raw_nonzero())).unwrap_or_default();
    // One that has ended and waits for its parent still has its limits.
    of("limits").contains(&number.to_string()) && !of("stat").contains(") Z ")
}

/// Kills all processes that are meant, until there is none: each is shown by its id, with the environment it was started
/// with. Blocks.
pub(crate) fn end_all(mut is_meant: impl FnMut(Pid, &[u8]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while kill_all(&mut is_meant) > 0 && Instant::now() < deadline {
        std::thread::sleep(PAUSE);
    }
}

/// Kills those who are meant at this moment, and says how many there were.
fn kill_all(is_meant: &mut impl FnMut(Pid, &[u8]) -> bool) -> usize {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(Pid::from_raw);
    let mut buffer = Vec::new();
    let mut is_there = |id: Pid| read_environment(id, &mut buffer) && is_meant(id, &buffer);
    ids.filter(|id| is_there(*id) && kill(*id, &mut is_there)).count()
}

fn kill(id: Pid, is_meant: &mut impl FnMut(Pid) -> bool) -> bool {
    let Some(process) = Held::of(id) else { return false };
    // The id may have gone to a stranger between the look and the opening; from here on it is held.
    is_meant(id) && process.kill()
}

/// Reads what a process was started with, if it is ours to read: what is not, we did not give. One that is a zombie has no
/// environment any more.
fn read_environment(id: Pid, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    fs::File::open(format!("/proc/{}/environ", id.as_raw_nonzero()))
        .and_then(|mut file| file.read_to_end(buffer))
        .is_ok()
}
