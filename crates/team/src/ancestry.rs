//! Who started this process: a hook, or a command that an agent, a check or the gate runs.
//!
//! A team's commands reach the program `agent-team`, as everything that the user may run. But what an agent says is never
//! an approval, a budget or an order, and neither may be what it types: a command looks at its own team and changes
//! nothing there. A hook is the user's; only plans it does not approve.
//!
//! The kernel keeps the environment that each process was started with, so the shell of a command shows among the parents
//! of what it starts, whatever variables were cleared since. A shell that was replaced by what it starts is no parent; but
//! then that is the child of an agent-team, and lacks the mark that this gives to all its commands. Where `/proc` is
//! missing, only the variables of this process tell; and one that detaches itself from its parents is not found: commands
//! have the rights of the user, and this is no sandbox.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::command::MARK_VARIABLE;
use crate::hooks::HOOK_VARIABLE;

/// The variable that names the folder of the team to the commands that a run has its agents, checks and gate run.
pub(crate) const WITHIN_VARIABLE: &str = "AGENT_TEAM_WITHIN";

/// The name of the program that has the verbs.
const COMMAND: &str = "agent-team";

/// How many parents are looked at: more than any shell has.
const PARENTS_MAX: usize = 256;

/// Who started this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Nobody of a team.
    Outside,
    /// A hook.
    Hook,
    /// A command of an agent, a check or the gate.
    Command,
    /// A command that has no mark, and so hides what it is; it may be a hook.
    Hidden,
}

/// Whether a hook started this process, or one of those that started it.
pub fn is_called_by_hook() -> bool {
    std::env::var_os(HOOK_VARIABLE).is_some() || matches!(caller(|_| false), Caller::Hook | Caller::Hidden)
}

/// Whether this process belongs to a command that the team of this folder has its agents, checks or gate run.
pub(crate) fn is_called_within(folder: &Path) -> bool {
    // A folder may have several names.
    let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = whole(folder);
    let of_folder = |value: &OsStr| whole(Path::new(value)) == folder;
    caller(of_folder) == Caller::Command
}

/// Who started this process; commands count of teams alone whose folder is as asked for.
fn caller(is_asked_for: impl Fn(&OsStr) -> bool) -> Caller {
    let this = std::process::id();
    let line = std::iter::successors(Some(this), |process| parent(*process));
    let line: Vec<u32> = line.take(PARENTS_MAX).collect();
    // Programs that use the library may start themselves; the command never does, but as a command of a team.
    let is_one_of_us = |process: u32| program(process).is_some_and(|name| name == COMMAND);
    let is_this = is_one_of_us(this);
    let mut found = Caller::Outside;
    for (at, process) in line.iter().enumerate() {
        // An environment that is not ours to read belongs to no command of ours.
        let Ok(environment) = fs::read(format!("/proc/{process}/environ")) else { continue };
        let is_hook = value(&environment, HOOK_VARIABLE).is_some();
        // A command may claim to be a hook; but what began as one has said so from the beginning.
        if !is_hook && value(&environment, WITHIN_VARIABLE).is_some_and(&is_asked_for) {
            return Caller::Command;
        }
        let is_hidden = || {
            let is_child = is_this && line.get(at + 1).is_some_and(|parent| is_one_of_us(*parent));
            is_child && value(&environment, MARK_VARIABLE).is_none()
        };
        if is_hook {
            found = Caller::Hook;
        } else if found == Caller::Outside && is_hidden() {
            found = Caller::Hidden;
        }
    }
    found
}

/// The value of a variable in an environment as the kernel shows it.
pub(crate) fn value<'a>(environment: &'a [u8], name: &str) -> Option<&'a OsStr> {
    let mut variables = environment.split(|byte| *byte == 0);
    variables
        .find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(OsStr::from_bytes)
}

/// The process that started another one, or took it over; none above the first.
fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program stands in brackets, and may hold anything, brackets too.
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(1)?.parse().ok().filter(|parent| *parent != 0)
}

/// The name of a process's program, wherever it lies: also of one that was replaced by a newer version since.
fn program(process: u32) -> Option<String> {
    let path: PathBuf = fs::read_link(format!("/proc/{process}/exe")).ok()?;
    let name = path.file_name()?.to_string_lossy().into_owned();
    Some(name.trim_end_matches(" (deleted)").to_owned())
}
