//! A folder with a team in it, and the command run there.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder of its own, with a team in it.
pub struct Team {
    folder: TempDir,
}

/// What one run of the command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Team {
    /// A new team.
    pub fn new() -> Self {
        let team = Self::without_init();
        assert_eq!(team.run(["init"]).code, 0);
        team
    }

    /// A folder without a team.
    pub fn without_init() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The command, to be run in the team's folder with nothing of our environment but the path.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_agent-team"));
        command.args(arguments);
        command
    }

    /// Another program in the same place, which finds the command as `$AGENT_TEAM`.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path()).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        command.env("AGENT_TEAM", env!("CARGO_BIN_EXE_agent-team"));
        command
    }

    /// Runs the command to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs the command, which must succeed, and gives what it printed.
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout
    }

    /// Runs the command with `--json`, which must succeed, and gives the value.
    pub fn json<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Value {
        let mut command = self.command(arguments);
        let ran = Ran::of(command.arg("--json").output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// What its agents did in all attempts, one JSON object a line.
    pub fn transcripts(&self) -> String {
        let attempts = std::fs::read_dir(self.path().join(".agent-team/attempts")).unwrap();
        let files = attempts.map(|attempt| attempt.unwrap().path().join("transcript.jsonl"));
        // Attempts of the merge queue have none.
        files.filter(|file| file.exists()).map(|file| std::fs::read_to_string(file).unwrap()).collect()
    }

    /// What its agents say at the moment.
    pub fn drafts(&self) -> String {
        let attempts = std::fs::read_dir(self.path().join(".agent-team/attempts"));
        let files = attempts.into_iter().flatten().map(|attempt| attempt.unwrap().path().join("draft.jsonl"));
        files.filter_map(|file| std::fs::read_to_string(file).ok()).collect()
    }

    /// Waits until the team is as it shall be, at the pace at which it is looked at: nothing tells the test.
    pub fn waits_for(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Runs the command with a text as its standard input.
    pub fn with_input<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, input: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }

    /// How many tasks there are of each status, as `status --json` counts them.
    pub fn count(&self, status: &str) -> u64 {
        self.json(["status"])[status].as_u64().unwrap()
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks the code and that the error's line holds some words.
    pub fn failed(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{self:?}");
        // On a busy machine it tells how far it has come, before it fails.
        let tells_progress = |line: &&str| {
            line.trim_start().split_once("s ").is_some_and(|(took, _)| took.parse::<f64>().is_ok())
        };
        let first = self.stderr.lines().find(|line| !tells_progress(line)).unwrap_or_default();
        assert!(first.contains(words), "`{words}` is not in {self:?}");
        assert!(code == 4 || first.starts_with("ERROR "), "{self:?}");
    }
}
