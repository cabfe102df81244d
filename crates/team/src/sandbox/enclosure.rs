//! A program made ready to be started behind the walls, and what goes with it from then on.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::child::{Child, Walls};
use super::door::{Door, Opening};
use super::policy::Access;
use super::private::Private;
use super::probe::{AROUND_VARIABLE, Found};
use super::usage::Most;
use super::{Sandbox, SandboxError, bubblewrap, landlock, seccomp, system};
use crate::command::{Environment, in_memory};

/// A program that can be started, and what goes with it.
#[derive(Debug)]
pub(crate) struct Enclosure {
    /// The program, with its environment and folder. Its standard streams are the caller's concern. To be dropped
    /// once it is started: it holds what only the child shall hold.
    pub(crate) command: Command,
    /// The folder that it has for itself.
    pub(crate) private: Option<Private>,
    /// How much it may use.
    pub(crate) most: Option<Most>,
    /// A number that its processes carry and cannot lose, where they have no namespace.
    pub(crate) mark: Option<u64>,
    /// The way out that is opened for it.
    pub(crate) door: Option<Opening>,
    /// Where bubblewrap tells how it goes.
    pub(crate) status: Option<OwnedFd>,
}

impl Sandbox {
    /// Whether a program that works in a folder does not see a path, though it is there.
    #[cfg(feature = "drivers")]
    pub(crate) fn hides_from(&self, folder: &Path, environment: &Environment, path: &Path) -> bool {
        let confined =
            matches!(self.kind(), Ok(super::SandboxKind::Bubblewrap | super::SandboxKind::Landlock));
        let policy = || self.policy(folder, &variables(environment));
        let real = std::fs::canonicalize(path);
        confined && real.is_ok_and(|real| policy().access(&real) == Access::Hidden)
    }

    /// Makes a program ready that works in `folder`.
    ///
    /// # Errors
    /// When what is wanted is not to be had here, or cannot be set up.
    pub(crate) fn enclose(
        &self,
        program: &OsStr,
        arguments: &[&OsStr],
        folder: &Path,
        environment: &Environment,
    ) -> Result<Enclosure, SandboxError> {
        self.enclose_in(&self.found()?, program, arguments, folder, environment)
    }

    pub(super) fn enclose_in(
        &self,
        found: &Found,
        program: &OsStr,
        arguments: &[&OsStr],
        folder: &Path,
        environment: &Environment,
    ) -> Result<Enclosure, SandboxError> {
        let kind = found.kind();
        let made = match found {
            Found::Unconfined | Found::Around => {
                let mut command = Command::new(program);
                command.args(arguments).current_dir(folder).env_clear().envs(environment.iter());
                Ok(Enclosure { command, private: None, most: None, mark: None, door: None, status: None })
            }
            Found::Bubblewrap(path) => self.by_bubblewrap(path, program, arguments, folder, environment),
            Found::Landlock => self.by_landlock(program, arguments, folder, environment),
        };
        made.map_err(|reason| SandboxError::set_up(kind, reason))
    }

    fn by_bubblewrap(
        &self,
        bubblewrap: &Path,
        program: &OsStr,
        arguments: &[&OsStr],
        folder: &Path,
        environment: &Environment,
    ) -> Result<Enclosure, String> {
        let variables = variables(environment);
        let private = self.private().map_err(words)?;
        let mut policy = self.policy(folder, &variables);
        let folder = std::path::absolute(folder).map_err(words)?;
        policy.set(private.root(), Access::Write);
        if let Some(door) = &self.0.door {
            policy.set(door.keeper(), Access::Read);
        }
        let (said, status) = io::pipe().map_err(words)?;
        let filter: OwnedFd =
            in_memory(&seccomp::bytes(&seccomp::beside_namespaces()?)).map_err(words)?.into();
        let mut command = Command::new(bubblewrap);
        command.env_clear().envs(environment.iter());
        command.args(bubblewrap::arguments(&policy, &private, &folder, status.as_fd(), filter.as_fd()));
        let (mut keep, mut opening) = (Vec::new(), None);
        if let Some(door) = &self.0.door {
            let (ours, theirs) = door.ends().map_err(words)?;
            command.arg(door.keeper()).args(Door::words(&theirs));
            command.envs(door.variables());
            keep.push(theirs);
            opening = Some(ours);
        }
        command.arg(program).args(arguments);
        // It finds its own way to the folder, which it may know by another name outside.
        command.current_dir("/");
        // Some programs refuse a home that lies below the folder for temporary files, as it may here.
        let temporary = self.0.home.as_ref().map_or_else(|| "/tmp".into(), |_| private.temporary());
        surround(&mut command, &self.home(&private), &temporary, &variables);
        keep.extend([status.into(), filter]);
        let most = Most::of(self.0.limits);
        Child { keep, processes: Some(most.processes_of_user()), walls: None }.prepare(&mut command);
        Ok(Enclosure {
            command,
            private: Some(private),
            most: Some(most),
            mark: None,
            door: opening,
            status: Some(said.into()),
        })
    }

    fn by_landlock(
        &self,
        program: &OsStr,
        arguments: &[&OsStr],
        folder: &Path,
        environment: &Environment,
    ) -> Result<Enclosure, String> {
        let variables = variables(environment);
        let private = self.private().map_err(words)?;
        let mut policy = self.policy(folder, &variables);
        policy.set(private.root(), Access::Write);
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env_clear().envs(environment.iter());
        surround(&mut command, &self.home(&private), &private.temporary(), &variables);
        let mark = private.mark();
        let walls =
            Walls { rules: landlock::rules(&policy)?, filters: seccomp::instead_of_namespaces()?, mark };
        let most = Most::of(self.0.limits);
        let processes = Some(most.processes_of_user());
        Child { keep: Vec::new(), processes, walls: Some(walls) }.prepare(&mut command);
        Ok(Enclosure {
            command,
            private: Some(private),
            most: Some(most),
            mark: Some(mark),
            door: None,
            status: None,
        })
    }

    fn home(&self, private: &Private) -> PathBuf {
        self.0.home.clone().unwrap_or_else(|| private.home())
    }

    fn private(&self) -> io::Result<Private> {
        Private::new(&self.0.private.clone().unwrap_or_else(std::env::temp_dir))
    }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn variables(environment: &Environment) -> impl Fn(&str) -> Option<PathBuf> {
    |name| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
}

/// The variables that tell of the sandbox. The home is another one, so toolchains that lie in the user's are named.
fn surround(
    command: &mut Command,
    home: &Path,
    temporary: &Path,
    variables: &dyn Fn(&str) -> Option<PathBuf>,
) {
    let [cargo, rustup] = system::rust_homes(variables);
    for (name, folder) in [("CARGO_HOME", cargo), ("RUSTUP_HOME", rustup)] {
        if let Some(folder) = folder {
            command.env(name, folder);
        }
    }
    command.env("HOME", home).env("TMPDIR", temporary).env(AROUND_VARIABLE, "1");
}
