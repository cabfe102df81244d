//! Where and how thoroughly is measured. Everything lies in one folder, which goes when the program ends.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::statistics::median;

/// Where and how thoroughly is measured.
pub struct Setting {
    folder: TempDir,
    quick: bool,
    made: Cell<u32>,
    path: OsString,
}

impl Setting {
    /// A setting in a new folder within `parent`.
    pub fn new(parent: &Path, quick: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("agent-team-bench-").tempdir_in(parent)?;
        Ok(Self { folder, quick, made: Cell::new(0), path: path_with_quickest_git()? })
    }

    /// How much of something: `quick` for a first look.
    pub fn choose<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// A new folder.
    pub fn folder(&self) -> Result<PathBuf> {
        let number = self.made.get() + 1;
        self.made.set(number);
        let folder = self.folder.path().join(number.to_string());
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// A program with nothing of this process's environment but the path, and an empty home.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.folder.path()).stdin(Stdio::null());
        command.env("PATH", &self.path);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
        command
    }

    /// The git that starts quickest of those on the path.
    pub fn git(&self) -> Result<PathBuf> {
        let folder = std::env::split_paths(&self.path).next().context("an empty path")?;
        Ok(folder.join("git"))
    }

    /// The path with a folder in front.
    pub fn path_after(&self, folder: &Path) -> Result<OsString> {
        let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&self.path));
        Ok(std::env::join_paths(folders)?)
    }

    /// The real binary, as it is released, built if need be.
    pub fn agent_team(&self) -> Result<PathBuf> {
        let here = std::env::current_exe()?;
        let binary = here.with_file_name("agent-team");
        let build = "cargo build --release -p agent-team-cli";
        let is_release = here.parent().is_some_and(|folder| folder.ends_with("release"));
        if is_release {
            // Cargo knows whether it is up to date; it needs its own environment.
            let mut cargo = Command::new("cargo");
            cargo.args(["build", "--release", "--quiet", "-p", "agent-team-cli"]);
            cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).stdout(Stdio::null());
            let built = cargo.status().is_ok_and(|status| status.success());
            if !built && !binary.is_file() {
                bail!("`{build}` failed, so there is no binary to measure: run it and see why");
            }
        }
        binary
            .is_file()
            .then_some(binary)
            .with_context(|| format!("there is no agent-team beside {}: run `{build}`", here.display()))
    }
}

/// The path, with the folder in front whose git starts quickest. A git that is a wrapper around the real one would make
/// everything that is compared with git look well.
fn path_with_quickest_git() -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let start_ms = |folder: &PathBuf| {
        let start = || -> Option<f64> {
            let mut git = Command::new(folder.join("git"));
            git.arg("--version").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let begun = Instant::now();
            git.status().ok()?.success().then(|| begun.elapsed().as_secs_f64() * 1e3)
        };
        (0..7).map(|_| start()).collect::<Option<Vec<_>>>().map(|times| median(&times))
    };
    let measured = folders.iter().filter_map(|folder| Some((start_ms(folder)?, folder)));
    let quickest = measured.min_by(|(one, _), (other, _)| one.total_cmp(other));
    let (_, quickest) = quickest.context("there is no git on the path")?;
    Ok(std::env::join_paths(std::iter::once(quickest).chain(&folders))?)
}
