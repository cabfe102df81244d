//! Real coding agents as npm installs them, and fakes of ours for their providers (`tests/providers`).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Team;

/// The key of the user, which nobody sees but a provider.
pub const KEY: &str = "sk-canary-of-the-user";

/// Where they are installed: a folder with `n-claude`, `n-codex` and `n-cacp`, each with its `node_modules`. `None` where nobody says.
pub fn installed() -> Option<PathBuf> {
    let clients = std::env::var_os("AGENT_TEAM_CLIENTS").map(PathBuf::from);
    if clients.is_none() {
        eprintln!("skipped: AGENT_TEAM_CLIENTS does not say where coding agents are installed");
    }
    clients
}

/// The folder with the program that npm has installed below one of these.
pub fn programs(clients: &Path, of: &str) -> PathBuf {
    let folder = clients.join(of).join("node_modules/.bin");
    assert!(folder.exists(), "{} is not there", folder.display());
    folder
}

/// Puts folders before the others in which a command finds programs.
pub fn find_in(command: &mut Command, folders: &[PathBuf]) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = folders.iter().cloned().chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(all).unwrap());
}

/// A team in a git repository.
pub fn team_in_a_repository() -> Team {
    let team = Team::new();
    let git = "git init -q -b main . && git -c user.name=ann -c user.email=ann@example.com commit -q --allow-empty -m begin";
    assert!(team.program("sh").args(["-c", git]).status().unwrap().success());
    team
}

/// What a file holds on the branch main.
pub fn merged(team: &Team, path: &str) -> String {
    let output = team.program("git").args(["show", &format!("main:{path}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A fake provider that follows a script, until this is dropped.
pub struct Provider {
    folder: TempDir,
    process: Child,
    pub url: String,
}

impl Provider {
    pub fn start(team: &Team, program: &str, script: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("script.json"), script.to_string()).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/providers").join(program);
        let mut process = team.program("python3");
        process.arg(program).args(["script.json", "asked.jsonl"]).current_dir(folder.path());
        process.env("PYTHONDONTWRITEBYTECODE", "1");
        let mut process = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut port).unwrap();
        Self { folder, process, url: format!("http://127.0.0.1:{}", port.trim()) }
    }

    /// What it was asked so far, one request a line.
    pub fn asked(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("asked.jsonl")).unwrap_or_default()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
