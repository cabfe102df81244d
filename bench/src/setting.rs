//! Where and how thoroughly is measured. Everything lies in one folder, which goes when the program ends.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// Where and how thoroughly is measured.
pub struct Setting {
    folder: TempDir,
    quick: bool,
    made: Cell<u32>,
}

impl Setting {
    /// A setting in a new folder within `parent`.
    pub fn new(parent: &Path, quick: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("agent-team-bench-").tempdir_in(parent)?;
        Ok(Self { folder, quick, made: Cell::new(0) })
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
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.folder.path()).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
        command
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
