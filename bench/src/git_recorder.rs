//! What git is told: this program under the name `git`, in front of the real one on the path.
//!
//! It notes each command (arguments, folder, environment, input, exit code) and runs it. The commands can then be run
//! again with nothing in between, on the same repository: that is what git itself costs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::statistics::monotonic_ns;

/// Where the real git is. Not `GIT_…`: the library lets none of those through.
const PROGRAM: &str = "BENCH_GIT";
/// The file of what was noted.
const NOTES: &str = "BENCH_GIT_NOTES";

/// The date of commits whose date nobody sets.
const DATE: &str = "@1764000000 +0000";

/// One command that git was given.
#[derive(Debug, Serialize, Deserialize)]
pub struct GitCall {
    /// When it began.
    pub begun_ns: u64,
    arguments: Vec<String>,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    input: Vec<u8>,
    code: Option<i32>,
}

/// Makes a folder with a `git` that notes what it is told, and says which variables it needs.
pub fn install(folder: &Path, git: &Path, notes: &Path) -> Result<[(&'static str, PathBuf); 2]> {
    std::os::unix::fs::symlink(std::env::current_exe()?, folder.join("git"))?;
    Ok([(PROGRAM, git.to_owned()), (NOTES, notes.to_owned())])
}

/// What was noted, in the order in which it began.
pub fn read(notes: &Path) -> Result<Vec<GitCall>> {
    let text = std::fs::read_to_string(notes).context("git was never called")?;
    let mut calls: Vec<GitCall> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    calls.sort_by_key(|call| call.begun_ns);
    Ok(calls)
}

/// Notes and runs a command, if this program was called `git`.
pub fn play_if_called_git() -> Option<ExitCode> {
    let name = std::env::args_os().next()?;
    (Path::new(&name).file_name() == Some(OsStr::new("git"))).then(|| match play() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("agent-team-bench as git: {error:#}");
            ExitCode::FAILURE
        }
    })
}

fn play() -> Result<ExitCode> {
    let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let (program, notes) = (variable(PROGRAM)?, variable(NOTES)?);
    let mut call = GitCall {
        begun_ns: monotonic_ns(),
        arguments: std::env::args().skip(1).collect(),
        folder: std::env::current_dir()?,
        environment: std::env::vars().filter(|(name, _)| name != PROGRAM && name != NOTES).collect(),
        input: Vec::new(),
        code: None,
    };
    // A commit that is made again must be the same one.
    for date in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
        call.environment.entry(date.to_owned()).or_insert_with(|| DATE.to_owned());
    }
    std::io::stdin().lock().read_to_end(&mut call.input)?;
    let mut child = call.command(Path::new(&program)).spawn()?;
    give_input(&mut child, &call.input)?;
    call.code = child.wait()?.code();
    let line = format!("{}\n", serde_json::to_string(&call)?);
    OpenOptions::new().create(true).append(true).open(notes)?.write_all(line.as_bytes())?;
    Ok(call.code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

impl GitCall {
    /// Runs it again, and makes sure that it ends as it did: how long that takes.
    pub fn replay(&self, git: &Path) -> Result<Duration> {
        let begun = Instant::now();
        let mut child = self.command(git).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        give_input(&mut child, &self.input)?;
        let output = child.wait_with_output()?;
        let elapsed = begun.elapsed();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let arguments = &self.arguments;
        ensure!(output.status.code() == self.code, "git {arguments:?} ended otherwise: {complaint}");
        Ok(elapsed)
    }

    /// The folder of the repository that it makes, if it makes one.
    pub fn makes_repository(&self) -> Option<&Path> {
        self.arguments.iter().any(|argument| argument == "init").then_some(&self.folder)
    }

    fn command(&self, git: &Path) -> Command {
        let mut command = Command::new(git);
        command.args(&self.arguments).current_dir(&self.folder).env_clear().envs(&self.environment);
        command.stdin(if self.input.is_empty() { Stdio::null() } else { Stdio::piped() });
        command
    }
}

/// Writes the input beside the program, which may print before it has read all.
fn give_input(child: &mut std::process::Child, input: &[u8]) -> Result<()> {
    let Some(mut pipe) = child.stdin.take() else { return Ok(()) };
    thread::scope(|scope| scope.spawn(|| pipe.write_all(input)).join().unwrap_or(Ok(())))?;
    Ok(())
}
