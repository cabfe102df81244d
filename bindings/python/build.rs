//! Puts the command `agent-team` beside the module, for the wheel to carry: `include` in `pyproject.toml` takes it from here.
//!
//! Only a wheel has need of it, so nothing happens without the feature `wheel`, which maturin turns on. Cargo cannot depend on a
//! program, so it is built by a second cargo in a folder of its own. `AGENT_TEAM_COMMAND` names one that is built already.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// The command's name, in the wheel as well.
const NAME: &str = "agent-team";

/// Where the sources stand that it is made of, from this folder.
const SOURCES: [&str; 2] = ["../../crates", "../../Cargo.lock"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=AGENT_TEAM_COMMAND");
    if env::var_os("CARGO_FEATURE_WHEEL").is_none() {
        return;
    }
    if let Err(reason) = put_command() {
        // Cargo shows it as an error of the build.
        println!("cargo::error=the wheel has no command: {reason}");
        exit(1);
    }
}

fn put_command() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let command = match env::var_os("AGENT_TEAM_COMMAND") {
        Some(built) => PathBuf::from(built),
        None => build(&out.join("command"))?,
    };
    println!("cargo::rerun-if-changed={}", command.display());
    let copied = std::fs::copy(&command, out.join(NAME));
    copied.map(drop).map_err(|error| format!("{}: {error}", command.display()))
}

/// Builds it as the module is built.
fn build(target: &Path) -> Result<PathBuf, String> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    for source in SOURCES {
        let source = here.join(source);
        if !source.exists() {
            return Err(format!(
                "{} is not there: build it in a checkout of the whole repository",
                source.display()
            ));
        }
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let triple = variable("TARGET")?;
    let profile = if variable("PROFILE")? == *"release" { "release" } else { "dev" };
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.args(["build", "--locked", "--package", "agent-team-cli", "--profile", profile, "--manifest-path"]);
    cargo.arg(here.join("../../Cargo.toml")).arg("--target").arg(&triple).arg("--target-dir").arg(target);
    // What the outer build tells its own build scripts and compiler is not meant for the inner one.
    for (name, _) in env::vars_os() {
        let is_ours = |name: &str| {
            ["CARGO_ENCODED_", "CARGO_FEATURE_", "CARGO_CFG_", "CARGO_PKG_", "DEP_", "PYO3_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        if name.to_str().is_some_and(is_ours) {
            cargo.env_remove(name);
        }
    }
    let status = cargo.status().map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err(format!("cargo ended with {status}"));
    }
    let folder = if profile == "dev" { "debug" } else { "release" };
    Ok(target.join(triple).join(folder).join(NAME))
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo does not say {name}"))
}
