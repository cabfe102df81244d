//! Whether this process was started by a hook, also where somebody cleared the variable that says so.
//!
//! The kernel keeps the environment that each process was started with, so the shell of a hook shows among the parents of
//! what it starts. A shell that was replaced by what it starts is no parent; but then that is the child of an agent-team,
//! and lacks the mark that this gives to all its commands. Where `/proc` is missing, only the variable tells; and one
//! that detaches itself from its parents is not found: a hook has the rights of the user, and this is no sandbox.

use std::fs;
use std::path::PathBuf;

use super::HOOK_VARIABLE;
use crate::command::MARK_VARIABLE;

/// How many parents are looked at: more than any shell has.
const PARENTS_MAX: usize = 256;

/// Whether a hook started this process, or one of those that started it.
pub fn is_called_by_hook() -> bool {
    if std::env::var_os(HOOK_VARIABLE).is_some() {
        return true;
    }
    let this = std::process::id();
    let line = std::iter::successors(Some(this), |process| parent(*process));
    let line: Vec<u32> = line.take(PARENTS_MAX).collect();
    let is_one_of_us = |process: u32| program(process).is_some_and(|name| program(this) == Some(name));
    line.iter().enumerate().any(|(at, process)| {
        // An environment that is not ours to read belongs to no hook of ours.
        let Ok(environment) = fs::read(format!("/proc/{process}/environ")) else { return false };
        let has = |name: &str| {
            environment.split(|byte| *byte == 0).any(|variable| {
                variable.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
            })
        };
        let is_cleared =
            || !has(MARK_VARIABLE) && line.get(at + 1).is_some_and(|parent| is_one_of_us(*parent));
        has(HOOK_VARIABLE) || is_cleared()
    })
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
