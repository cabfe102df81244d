//! The real Claude Code, Codex and OpenCode over the Agent Client Protocol: they run commands in our sandbox, and obey what a
//! repository has for them once the user trusts it, and not before.

use serde_json::{Value, json};

use crate::clients::{self, KEY, Provider, find_in, programs};
use crate::support::Ran;

#[test]
fn claude_obeys_a_hook_of_the_repository_only_once_that_is_trusted() {
    let Some(installed) = clients::installed() else { return };
    let team = clients::team_in_a_repository();
    let hook = json!({"type": "command", "command": "touch hooked"});
    let settings = json!({"hooks": {"UserPromptSubmit": [{"hooks": [hook]}]}});
    std::fs::create_dir(team.path().join(".claude")).unwrap();
    std::fs::write(team.path().join(".claude/settings.json"), settings.to_string()).unwrap();
    let commit =
        "git add .claude && git -c user.name=ann -c user.email=ann@example.com commit -q -m Settings";
    assert!(team.program("sh").args(["-c", commit]).status().unwrap().success());
    let config =
        format!("with = 'claude'\nsandbox.read = ['{}']\n[[agent]]\nname = 'claude'\n", installed.display());
    let write = |file: &str| {
        let command = format!("echo hello > {file}");
        json!([
            {"call": ["Bash", {"command": command, "description": "Writes it"}]},
            {"call": ["mcp__team__finish", {"result": file}]},
        ])
    };
    let script = json!({"# Task goal:": write("a.txt"), "# Task goal-2:": write("b.txt")});
    let provider = Provider::start(&team, "anthropic_messages.py", &script);
    let run = |goal: &str| {
        let mut run = team.command(["run", goal, "--yes", "--no-gate", "--budget-tokens", "10000000"]);
        find_in(&mut run, &["n-claude", "n-cacp"].map(|name| programs(&installed, name)));
        run.env("ANTHROPIC_BASE_URL", &provider.url).env("ANTHROPIC_API_KEY", KEY);
        Ran::of(run.output().unwrap())
    };
    // What the user has said of team.toml says nothing of the settings that come later.
    let settings = team.path().join(".claude");
    let aside = tempfile::tempdir().unwrap();
    std::fs::rename(&settings, aside.path().join("claude")).unwrap();
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);
    std::fs::rename(aside.path().join("claude"), &settings).unwrap();

    let ran = run("Write a.txt");
    assert_eq!((ran.code, clients::merged(&team, "a.txt").as_str()), (0, "hello\n"), "{ran:?}");
    assert!(!is_merged(&team, "hooked"), "{ran:?}");

    team.ok(["trust", "--yes"]);
    let ran = run("Write b.txt");
    assert_eq!((ran.code, clients::merged(&team, "b.txt").as_str()), (0, "hello\n"), "{ran:?}");
    assert!(is_merged(&team, "hooked"), "{ran:?}");
}

fn is_merged(team: &crate::support::Team, path: &str) -> bool {
    let object = format!("main:{path}");
    team.program("git").args(["cat-file", "-e", &object]).output().unwrap().status.success()
}

/// An agent that runs a command and ends with the team's tool, each of whose calls counts once.
struct Driven {
    with: &'static str,
    installed: &'static str,
    model: &'static str,
    provider: &'static str,
    shell: Value,
    finish: &'static str,
}

impl Driven {
    fn does_a_task_of_so_many_calls(self, calls: u64) {
        let Some(installed) = clients::installed() else { return };
        let team = clients::team_in_a_repository();
        let Self { with, model, .. } = self;
        let config = format!(
            "with = '{with}'\nsandbox.read = ['{}']\n[[agent]]\nname = 'worker-1'\nmodel = '{model}'\n",
            installed.display()
        );
        std::fs::write(team.path().join("team.toml"), config).unwrap();
        team.ok(["trust", "--yes"]);
        let finish = json!({"call": [self.finish, {"result": "a.txt"}]});
        let script = json!({"# Task goal:": [self.shell, finish, {"say": "Done."}]});
        let provider = Provider::start(&team, self.provider, &script);
        let check = "grep -q hello a.txt";
        let mut run =
            team.command(["run", "Write a.txt", "--yes", "--check", check, "--budget-tokens", "10000000"]);
        find_in(&mut run, &[programs(&installed, self.installed)]);
        run.env("OPENAI_BASE_URL", format!("{}/v1", provider.url)).env("OPENAI_API_KEY", KEY);
        run.env("ANTHROPIC_BASE_URL", &provider.url).env("ANTHROPIC_API_KEY", KEY);
        let ran = Ran::of(run.output().unwrap());
        assert_eq!((ran.code, clients::merged(&team, "a.txt").as_str()), (0, "hello\n"), "{ran:?}");
        let spent = team.json(["budget", "agent:worker-1"])[0]["spent"].clone();
        let used = ["calls", "input_tokens", "output_tokens"].map(|kind| spent[kind].as_u64().unwrap());
        assert_eq!(used, [calls, calls * 100, calls * 20], "{spent}");
    }
}

#[test]
fn codex_over_its_adapter_runs_commands_and_each_call_counts_once() {
    let driven = Driven {
        with: "codex",
        installed: "n-xacp",
        model: "fake",
        provider: "openai_responses.py",
        shell: json!({"call": ["exec_command", {"cmd": "echo hello > a.txt && echo written"}]}),
        finish: "mcp__team__finish",
    };
    driven.does_a_task_of_so_many_calls(3);
}

#[test]
fn opencode_runs_commands_and_each_call_counts_once() {
    let driven = Driven {
        with: "opencode",
        installed: "n-opencode",
        model: "anthropic/claude-sonnet-4-5",
        provider: "anthropic_messages.py",
        shell: json!({"call": ["bash", {"command": "echo hello > a.txt", "description": "Writes it"}]}),
        finish: "team_finish",
    };
    // It asks for a title by the way.
    driven.does_a_task_of_so_many_calls(4);
}
