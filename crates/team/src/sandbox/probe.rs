//! Finds out what confines commands on this machine, by trying it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use super::{Sandbox, SandboxChoice, SandboxError, SandboxKind, landlock};
use crate::command::Environment;

/// The variable by which a program knows that it may be behind the walls of an agent-team. The kernel says whether it
/// is.
pub(super) const AROUND_VARIABLE: &str = "AGENT_TEAM_CONFINED";

/// A variable that names what shall be thought missing, for tests of what happens then. It only ever takes away.
const LACKS_VARIABLE: &str = "AGENT_TEAM_SANDBOX_LACKS";

/// Where bubblewrap is looked for besides `PATH`.
const USUAL_FOLDERS: [&str; 2] = ["/usr/bin", "/bin"];

/// What confines commands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The user wants nothing.
    Unconfined,
    /// This process is confined itself, and nothing that it starts can leave.
    Around,
    /// The program.
    Bubblewrap(PathBuf),
    /// The kernel.
    Landlock,
}

impl Found {
    pub(super) fn kind(&self) -> SandboxKind {
        match self {
            Self::Unconfined => SandboxKind::Unconfined,
            Self::Around => SandboxKind::Around,
            Self::Bubblewrap(_) => SandboxKind::Bubblewrap,
            Self::Landlock => SandboxKind::Landlock,
        }
    }
}

/// What was found of each way: itself, or why not.
type Tried<T> = Result<T, String>;

/// What confines commands as it is wanted, and has a door if there shall be one. Each way is tried once in a process.
pub(super) fn find(choice: SandboxChoice, has_door: bool) -> Result<Found, SandboxError> {
    static BUBBLEWRAP: OnceLock<Tried<Found>> = OnceLock::new();
    static LANDLOCK: OnceLock<Tried<Found>> = OnceLock::new();
    if is_around() {
        return Ok(Found::Around);
    }
    let bubblewrap = || BUBBLEWRAP.get_or_init(try_bubblewrap).clone();
    // Its rules name ports, and not the machines that they are on.
    let landlock = || match has_door {
        true => Err("Landlock has no way to a network of which nothing else is to be reached".to_owned()),
        false => LANDLOCK.get_or_init(try_landlock).clone(),
    };
    choose(choice, &bubblewrap, &landlock)
}

fn choose(
    choice: SandboxChoice,
    bubblewrap: &dyn Fn() -> Tried<Found>,
    landlock: &dyn Fn() -> Tried<Found>,
) -> Result<Found, SandboxError> {
    let ways: &[&dyn Fn() -> Tried<Found>] = match choice {
        SandboxChoice::None => return Ok(Found::Unconfined),
        SandboxChoice::Auto => &[bubblewrap, landlock],
        SandboxChoice::Bubblewrap => &[bubblewrap],
        SandboxChoice::Landlock => &[landlock],
    };
    let mut reasons = Vec::new();
    for way in ways {
        match way() {
            Ok(found) => return Ok(found),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(SandboxError::Unavailable { reasons })
}

/// Whether this process is behind the walls of an agent-team. A variable alone proves nothing; that it can gain no
/// rights and has a filter does, as nobody but a sandbox starts a program like that.
fn is_around() -> bool {
    let status = || fs::read_to_string("/proc/self/status").unwrap_or_default();
    env::var_os(AROUND_VARIABLE).is_some() && is_confined(&status())
}

fn is_confined(status: &str) -> bool {
    let has = |line: &str| status.lines().any(|known| known.split_whitespace().eq(line.split(' ')));
    has("NoNewPrivs: 1") && has("Seccomp: 2")
}

fn try_bubblewrap() -> Tried<Found> {
    if is_thought_missing("bubblewrap") {
        return Err("bubblewrap is thought missing".to_owned());
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&folders).chain(USUAL_FOLDERS.map(PathBuf::from));
    let program = folders
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("bwrap"))
        .find(|file| file.is_file());
    let found = Found::Bubblewrap(program.ok_or("bubblewrap is not installed")?);
    try_out(&found).map_err(|reason| format!("bubblewrap does not work here: {reason}"))?;
    Ok(found)
}

fn try_landlock() -> Tried<Found> {
    if is_thought_missing("landlock") {
        return Err("Landlock is thought missing".to_owned());
    }
    landlock::is_there()?;
    try_out(&Found::Landlock).map_err(|reason| format!("Landlock does not work here: {reason}"))?;
    Ok(Found::Landlock)
}

fn is_thought_missing(name: &str) -> bool {
    env::var(LACKS_VARIABLE).is_ok_and(|lacks| lacks.split(',').any(|word| word == name))
}

/// Runs a command that does nothing.
fn try_out(found: &Found) -> Tried<()> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    // An empty one would find nothing; without any the usual folders are looked through.
    let environment = Environment::of_parent(env::var_os("PATH").map(|path| ("PATH".into(), path)));
    let arguments = [OsStr::new("-c"), OsStr::new(":")];
    let mut made = Sandbox::default()
        .enclose_in(found, OsStr::new("sh"), &arguments, Path::new("/"), &environment)
        .map_err(|error| words(&error))?;
    let output = made.command.stdin(Stdio::null()).output().map_err(|error| words(&error))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(complaint.lines().next().unwrap_or("it ends without a word").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_nothing_to_be_had_nothing_is_run_and_every_reason_is_told() {
        let no = |reason: &'static str| move || Err(reason.to_owned());
        let choose = |choice| choose(choice, &no("no program"), &no("an old kernel"));
        for (choice, told) in [
            (SandboxChoice::Auto, "there is no sandbox for commands: no program; an old kernel"),
            (SandboxChoice::Bubblewrap, "there is no sandbox for commands: no program"),
            (SandboxChoice::Landlock, "there is no sandbox for commands: an old kernel"),
        ] {
            assert_eq!(choose(choice).unwrap_err().to_string(), told);
        }
        assert_eq!(choose(SandboxChoice::None).unwrap(), Found::Unconfined);
    }

    #[test]
    fn bubblewrap_comes_first_and_what_is_named_is_not_replaced() {
        let (bubblewrap, landlock) = (Found::Bubblewrap("/bin/bwrap".into()), Found::Landlock);
        let both = |choice| choose(choice, &|| Ok(bubblewrap.clone()), &|| Ok(landlock.clone())).unwrap();
        assert_eq!(both(SandboxChoice::Auto), bubblewrap);
        assert_eq!(both(SandboxChoice::Landlock), landlock);
        let none = || Err("missing".to_owned());
        assert_eq!(choose(SandboxChoice::Auto, &none, &|| Ok(landlock.clone())).unwrap(), landlock);
        assert!(choose(SandboxChoice::Bubblewrap, &none, &|| Ok(landlock.clone())).is_err());
    }

    #[test]
    fn a_filter_alone_is_no_sandbox() {
        assert!(is_confined("Name:\tsh\nNoNewPrivs:\t1\nSeccomp:\t2\n"));
        assert!(!is_confined("NoNewPrivs:\t0\nSeccomp:\t2\n"), "as in a container");
        assert!(!is_confined("NoNewPrivs:\t1\nSeccomp:\t0\n"));
    }
}
