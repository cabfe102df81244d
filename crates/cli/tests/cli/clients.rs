//! Real coding agents as npm installs them, and fakes of ours for their providers (`tests/providers`).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
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

/// A real agent, and what its model calls.
pub struct Driven {
    pub with: &'static str,
    /// Where it is installed.
    pub installed: &'static [&'static str],
    pub model: &'static str,
    /// The fake of its provider.
    pub provider: &'static str,
    /// The call that runs a command.
    pub shell: fn(&str) -> Value,
    /// How a tool of the team's is called.
    pub team: &'static str,
    /// How often it calls its model by the way.
    pub calls_by_the_way: u64,
}
pub const CODEX: Driven = Driven {
    with: "codex",
    installed: &["n-xacp"],
    model: "fake",
    provider: "openai_responses.py",
    shell: |command| json!({"call": ["exec_command", {"cmd": command}]}),
    team: "mcp__team__",
    calls_by_the_way: 0,
};

pub const OPENCODE: Driven = Driven {
    with: "opencode",
    installed: &["n-opencode"],
    model: "anthropic/claude-sonnet-5-5",
    provider: "anthropic_messages.py",
    shell: |command| json!({"call": ["bash", {"command": command, "description": "Writes it"}]}),
    team: "team_",
    // It asks for a title.
    calls_by_the_way: 1,
};

pub const GEMINI: Driven = Driven {
    with: "gemini",
    installed: &["n-gemini"],
    model: "gemini-4-argon",
    provider: "gemini_content.py",
    shell: |command| json!({"call": ["run_shell_command", {"command": command}]}),
    team: "mcp_team_",
    calls_by_the_way: 0,
};

pub const QWEN: Driven = Driven {
    with: "qwen",
    installed: &["n-qwen"],
    model: "fake",
    provider: "openai_completions.py",
    shell: |command| json!({"call": ["run_shell_command", {"command": command, "is_background": false}]}),
    team: "mcp__team__",
    calls_by_the_way: 0,
};

pub const GOOSE: Driven = Driven {
    with: "goose",
    installed: &["n-goose"],
    model: "openai/fake",
    provider: "openai_completions.py",
    shell: |command| json!({"call": ["shell", {"command": command}]}),
    team: "team__",
    calls_by_the_way: 0,
};

pub const CLAUDE: Driven = Driven {
    with: "claude",
    installed: &["n-claude", "n-cacp"],
    model: "claude-sonnet-5-5",
    provider: "anthropic_messages.py",
    shell: |command| json!({"call": ["Bash", {"command": command, "description": "Works"}]}),
    team: "mcp__team__",
    calls_by_the_way: 0,
};

pub const CLAUDE_HEADLESS: Driven = Driven { with: "claude:headless", ..CLAUDE };

pub const CODEX_HEADLESS: Driven = Driven { with: "codex:headless", installed: &["n-codex"], ..CODEX };

impl Driven {
    pub fn of_team(&self, tool: &str, input: &Value) -> Value {
        json!({"call": [format!("{}{tool}", self.team), input]})
    }

    /// A team of such agents, which `config` names with their roles and their tasks. They may read these folders.
    pub fn team(&self, read: &[&Path], config: &str) -> Team {
        let team = team_in_a_repository();
        let head = format!("with = '{}'\nsandbox.read = {read:?}\n", self.with);
        std::fs::write(team.path().join("team.toml"), head + config).unwrap();
        team.ok(["trust", "--yes"]);
        team
    }

    /// A run of such a team, in which their provider answers.
    pub fn run(&self, installed: &Path, team: &Team, provider: &Provider) -> Command {
        let mut run = team.command(["run", "--yes", "--no-gate", "--budget-tokens", "10000000"]);
        let folders: Vec<PathBuf> = self.installed.iter().map(|of| programs(installed, of)).collect();
        find_in(&mut run, &folders);
        run.env("OPENAI_BASE_URL", format!("{}/v1", provider.url)).env("OPENAI_API_KEY", KEY);
        run.env("ANTHROPIC_BASE_URL", &provider.url).env("ANTHROPIC_API_KEY", KEY);
        run.env("GOOGLE_GEMINI_BASE_URL", &provider.url).env("GEMINI_API_KEY", KEY);
        run
    }
}
