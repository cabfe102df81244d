//! What a repository asks for beyond the sandbox is not obeyed before the user has said so, as it is then.

use std::fs;

use serde_json::{Value, json};

use crate::clients::{self, KEY, Provider};
use crate::support::{Ran, Team};

/// A clone with a hook of its own that would run as the user, and a model whose agent writes one file.
fn cloned() -> Team {
    let team = Team::new();
    let rules = json!({"rules": [{"steps": [
        {"tool_calls": [{"name": "write", "input": {"path": "a", "content": "x\n"}}]},
        {"tool_calls": [{"name": "finish", "input": {"result": "Written."}}]},
    ]}]});
    fs::write(team.path().join("words.json"), rules.to_string()).unwrap();
    fs::create_dir(team.path().join("hooks")).unwrap();
    fs::write(team.path().join("hooks/added"), "touch ran\n").unwrap();
    configure(&team, "task_added = 'sh hooks/added'");
    team
}

fn configure(team: &Team, hooks: &str) {
    fs::write(team.path().join("team.toml"), format!("with = 'script:words.json'\n[hooks]\n{hooks}\n"))
        .unwrap();
}

fn trusted(listed: &Value) -> Vec<(&str, bool)> {
    let all = listed.as_array().unwrap().iter();
    all.map(|wish| (wish["what"].as_str().unwrap(), wish["trusted"].as_bool().unwrap())).collect()
}

#[test]
fn hooks_of_a_clone_are_neither_run_nor_passed_over_before_they_are_trusted() {
    let team = cloned();
    let words = "hooks.task_added = \"sh hooks/added\" (runs as you, outside of the sandbox); hooks/added";
    team.run(["add", "Write it"]).failed(3, words);
    let ran = team.run(["run", "Write it", "--no-gate", "--yes"]);
    ran.failed(3, words);
    assert!(ran.stderr.contains("hint: read it, then say so: agent-team trust"), "{ran:?}");
    assert!(!team.path().join("ran").exists());
    assert_eq!(team.count("total"), 0, "and what reads does not mind");
    team.run(["trust"]).failed(2, "there is no terminal to ask whether you trust hooks.task_added");

    team.ok(["trust", "--yes"]);
    team.ok(["add", "Write it"]);
    assert!(team.path().join("ran").exists());
    fs::write(team.path().join("hooks/added"), "touch other\n").unwrap();
    let ran = team.run(["add", "Write more"]);
    ran.failed(3, "trust: hooks/added (is run by a hook, as you)");
    let listed = team.json(["trust", "--list"]);
    assert_eq!(trusted(&listed), [("hooks.task_added = \"sh hooks/added\"", true), ("hooks/added", false)]);
    team.ok(["trust", "--revoke"]);
    assert!(trusted(&team.json(["trust", "--list"])).iter().all(|(_, trusted)| !trusted));
    configure(&team, "");
    let listed = team.ok(["trust"]);
    assert_eq!(listed, "this repository asks for nothing beyond the sandbox\n");
    team.ok(["add", "Write more"]);
}

#[test]
fn a_wider_sandbox_and_another_address_for_keys_want_trust_and_what_the_user_says_does_not() {
    let team = Team::new();
    team.ok(["add", "Check it", "--id", "a", "--check", "true"]);
    team.ok(["claim", "--as", "w"]);
    fs::write(team.path().join("team.toml"), "[sandbox]\nread = ['/srv']\n").unwrap();
    let complete = ["complete", "a", "--as", "w", "--result", "Done."];
    team.run(complete).failed(3, "sandbox.read = \"/srv\" (commands see it)");
    fs::write(team.path().join("team.toml"), "[sandbox]\nmax_processes = 99\n").unwrap();
    team.ok(complete);

    let config = "with = 'openai:gpt-5'\nbase_url = 'http://127.0.0.1:9/v1'\n";
    fs::write(team.path().join("team.toml"), config).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = team.command(["run", "Say it", "--yes", "--timeout", "1s"]);
        command.args(arguments).env("OPENAI_API_KEY", "none");
        Ran::of(command.output().unwrap())
    };
    run(&[]).failed(3, "base_url = \"http://127.0.0.1:9/v1\" (your key is sent there)");
    fs::write(team.path().join("team.toml"), "with = 'openai:gpt-5'\n").unwrap();
    let ran = run(&["--base-url", "http://127.0.0.1:9/v1"]);
    assert!(![2, 3].contains(&ran.code), "the user said it: {ran:?}");
}

#[test]
fn what_init_writes_itself_is_trusted_and_a_rehearsal_wants_no_trust() {
    let team = Team::without_init();
    team.ok(["init", "--template", "feature"]);
    let listed = team.json(["trust", "--list"]);
    let of_feature =
        ["hooks.before_merge = \"hooks/before-merge\"", "hooks/before-merge", "budget.usd = 5.00"];
    assert_eq!(trusted(&listed), of_feature.map(|what| (what, true)), "{listed}");
    let clone = cloned();
    configure(&clone, "task_added = 'touch ran'");
    let text = fs::read_to_string(clone.path().join("team.toml")).unwrap();
    fs::write(clone.path().join("team.toml"), text.replace("with = 'script:words.json'\n", "")).unwrap();
    let ran = clone.run(["run", "Write it"]);
    assert!(ran.code == 0 && ran.stdout.contains("rehearsed"), "{ran:?}");
    assert!(!clone.path().join("ran").exists());
}

#[test]
fn a_driven_agent_does_not_see_the_settings_of_a_repository_that_nobody_trusts() {
    let team = Team::new();
    let files = [(".mcp.json", "{}"), (".claude/settings.json", "{\"hooks\": {}}"), (".env", "KEY=1")];
    for (path, text) in files {
        let path = team.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let git = "git init -q -b main . && git add .mcp.json .claude .env && \
               git -c user.name=ann -c user.email=ann@example.com commit -q -m begin && \
               git config user.name ann && git config user.email ann@example.com";
    assert!(team.program("sh").args(["-c", git]).status().unwrap().success());
    let work = "cat .mcp.json .claude/settings.json .env > seen 2>/dev/null; echo done";
    let run = |goal: &str, more: &[&str]| {
        let with = format!("exec:{work}");
        let mut command =
            team.command(["run", goal, "--no-gate", "--yes", "--timeout", "60s", "--with", &with]);
        Ran::of(command.args(more).output().unwrap())
    };
    let seen = || {
        let shown = team.program("git").args(["show", "main:seen"]).output().unwrap();
        String::from_utf8(shown.stdout).unwrap()
    };
    let refused = run("Look without walls", &["--no-sandbox"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!((refused.stdout.clone() + &refused.stderr).contains("cannot be hidden"), "{refused:?}");
    team.ok(["cancel", "goal"]);

    let ran = run("Look", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(seen(), "");
    let said = ran.stdout + &ran.stderr;
    assert!(said.contains("NOTE coding agents do not see .claude, .env, .mcp.json"), "{said}");
    let kept = team.program("git").args(["show", "--stat", "--format=", "main"]).output().unwrap();
    let kept = String::from_utf8(kept.stdout).unwrap();
    assert!(kept.contains("seen") && !kept.contains(".mcp.json") && !kept.contains(".env"), "{kept}");

    team.ok(["trust", "--yes"]);
    let ran = run("Look again", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(seen(), "{}{\"hooks\": {}}KEY=1");
}

#[test]
fn whoever_is_asked_at_a_terminal_has_seen_what_for() {
    let team = cloned();
    let typed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/typed.py");
    let answers = |answer: &str, then: &str| {
        let steps = json!([["do you trust it as it is?", answer], [then, ""]]);
        let mut terminal = team.program("python3");
        terminal.arg(typed).arg(steps.to_string()).arg(env!("CARGO_BIN_EXE_agent-team")).arg("trust");
        Ran::of(terminal.output().unwrap()).stdout
    };
    let said = answers("n\n", "nothing more is trusted");
    let (shown, _) = said.split_once("Have you read it").unwrap();
    assert!(shown.contains("sh hooks/added") && shown.contains("is run by a hook, as you"), "{said}");
    assert!(trusted(&team.json(["trust", "--list"])).iter().all(|(_, trusted)| !trusted), "{said}");
    let said = answers("y\n", "trusted, as it is now");
    assert!(said.contains("trusted, as it is now"), "{said}");
    assert!(trusted(&team.json(["trust", "--list"])).iter().all(|(_, trusted)| *trusted));
}

#[test]
fn money_is_not_spent_by_the_limits_of_a_clone_before_they_are_trusted() {
    let team = clients::team_in_a_repository();
    let script = json!({"# Task goal": [
        {"call": ["write", {"path": "a.txt", "content": "hello\n"}]},
        {"call": ["finish", {"result": "Written."}]},
    ]});
    let provider = Provider::start(&team, "anthropic_messages.py", &script);
    let config =
        "with = 'anthropic:claude-sonnet-4-5'\nno_gate = true\ngoal = 'Write a.txt'\n[budget]\nusd = 50.0\n";
    fs::write(team.path().join("team.toml"), config).unwrap();
    let run = |arguments: &[&str]| {
        let mut run = team.command([&["run"], arguments].concat());
        run.env("ANTHROPIC_BASE_URL", &provider.url).env("ANTHROPIC_API_KEY", KEY);
        Ran::of(run.output().unwrap())
    };
    let ran = run(&[]);
    ran.failed(2, "this calls anthropic:claude-sonnet-4-5 by the limits of team.toml (budget.usd = 50.00), and there is no");
    assert!(ran.stderr.contains("hint: say that you trust them: agent-team trust"), "{ran:?}");
    assert_eq!(provider.asked(), "");
    // Nor is it counted by a price of the clone's.
    let cheap = format!("{config}[prices.'claude-*']\ninput = 0.0\noutput = 0.0\n");
    fs::write(team.path().join("team.toml"), cheap).unwrap();
    run(&["--budget-usd", "1"])
        .failed(3, "prices.\"claude-*\" = { input = 0.00, output = 0.00 } (your money is counted by it)");
    assert_eq!(provider.asked(), "");

    fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);
    let ran = run(&[]);
    assert_eq!((ran.code, clients::merged(&team, "a.txt").as_str()), (0, "hello\n"), "{ran:?}");
}
