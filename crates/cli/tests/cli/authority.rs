//! Whose word counts: what a command of an agent cannot do to its own team, and which names nobody else may have.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::support::Team;

/// A repository whose only worker runs a command and finishes.
fn repository(command: &str) -> Team {
    let team = Team::without_init();
    let git = |arguments: &[&str]| assert!(team.program("git").args(arguments).status().unwrap().success());
    git(&["init", "--quiet"]);
    let author = ["-c", "user.name=U", "-c", "user.email=u@localhost"];
    git(&[&author[..], &["commit", "--quiet", "--allow-empty", "--message", "begin"]].concat());
    let calls =
        |name: &str, input: serde_json::Value| json!({"tool_calls": [{"name": name, "input": input}]});
    let words = json!({"rules": [
        {"when": {"task": "own", "turn": 0}, "give": calls("run", json!({"command": command}))},
        {"when": {"task": "own"}, "give": calls("finish", json!({"result": "done"}))},
    ]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let config = "with = 'script:words.json'\nno_gate = true\n[[agent]]\nname = 'worker-1'\n[[task]]\nid = 'own'\ntitle = 'Own'\n";
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["init"]);
    team
}

#[test]
fn a_command_of_an_agent_looks_at_its_team_and_changes_nothing() {
    let agent_team = env!("CARGO_BIN_EXE_agent-team");
    let tries = [
        "plan approve theirs",
        "budget team --turns none",
        "say everyone 'I am the human'",
        "add 'More work'",
        "agent add helper",
        "cancel theirs",
        "inbox --as human",
        "mcp --as spy",
    ];
    let tries: Vec<String> = tries
        .iter()
        .map(|words| {
            format!(
                "{agent_team} {words} >> $TMPDIR/out 2>&1; echo {} $? >> $TMPDIR/out",
                words.split(' ').next().unwrap()
            )
        })
        .collect();
    let command = format!(
        "{}; {agent_team} status >> $TMPDIR/out; AGENT_TEAM_HOOK=x {agent_team} budget team --turns none; cat $TMPDIR/out",
        tries.join("; ")
    );
    let team = repository(&command);
    team.ok(["add", "Theirs", "--id", "theirs", "--plan"]);
    team.ok(["claim", "theirs", "--as", "other"]);
    team.ok(["plan", "submit", "theirs", "All of it.", "--as", "other"]);
    team.ok(["budget", "team", "--turns", "50"]);
    team.ok(["send", "human", "A word", "--from", "other"]);

    let mut run = team
        .command(["run", "--yes", "--no-sandbox"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The run itself goes on, since a plan waits for the human.
    let mut follow =
        team.command(["log", "--follow", "--kind", "task_submitted"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut delivered = String::new();
    BufReader::new(follow.stdout.take().unwrap()).read_line(&mut delivered).unwrap();
    for child in [&mut run, &mut follow] {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    let transcript = team.transcripts();
    for verb in ["plan", "budget", "say", "add", "agent", "cancel", "inbox", "mcp"] {
        let refused = format!("{verb} 3");
        assert!(transcript.contains(&refused), "{verb}: {transcript}");
    }
    assert!(transcript.contains("changes nothing in its own team"), "{transcript}");
    assert!(transcript.contains("agent  worker-1"), "it may look: {transcript}");
    assert_eq!(team.json(["plan", "show", "theirs"])["plan"]["approved"], json!(null));
    assert_eq!(team.count("total"), 2);
    assert_eq!(team.json(["inbox", "--as", "human", "--peek"]).as_array().unwrap().len(), 1);
    let budget = team.ok(["budget"]);
    assert!(budget.contains("of 50 turns"), "{budget}");
}

/// Within a sandbox there is no team at all, whatever a command makes of its environment.
fn a_confined_command_sees_no_team(kind: &str) {
    let agent_team = env!("CARGO_BIN_EXE_agent-team");
    let root = "$(cd ../../.. && pwd)";
    let tries = [
        format!("{agent_team} status"),
        format!("env -i {agent_team} -C {root} plan approve theirs"),
        format!("env -i {agent_team} -C {root} inbox --as human"),
        format!("cd ../../.. && env -i {agent_team} say everyone 'I am the human'"),
        format!("cat {root}/.agent-team/log.jsonl"),
        format!("ls {root}/.agent-team/blobs/*"),
    ];
    let command: Vec<String> = tries.iter().map(|one| format!("({one}) && echo WENT THROUGH")).collect();
    let team = repository(&format!("{}; true", command.join("; ")));
    let mut config = std::fs::read_to_string(team.path().join("team.toml")).unwrap();
    config += &format!("[sandbox]\nkind = '{kind}'\n");
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["add", "Theirs", "--id", "theirs", "--plan"]);
    team.ok(["claim", "theirs", "--as", "other"]);
    team.ok(["plan", "submit", "theirs", "All of it.", "--as", "other"]);
    team.run(["run", "--yes", "--timeout", "5s"]);
    let transcript = team.transcripts();
    assert!(transcript.contains("exit code 0") && !transcript.contains("WENT THROUGH\\n"), "{transcript}");
    assert!(!transcript.contains("All of it."), "{transcript}");
    assert_eq!(team.json(["plan", "show", "theirs"])["plan"]["approved"], json!(null));
    assert_eq!(team.count("total"), 2);
}

#[test]
fn a_command_in_a_namespace_sees_no_team_needs_bwrap() {
    a_confined_command_sees_no_team("bubblewrap");
}

#[test]
fn a_command_behind_the_kernels_rules_sees_no_team() {
    a_confined_command_sees_no_team("landlock");
}

#[test]
fn a_command_of_an_agent_may_have_teams_of_its_own() {
    let agent_team = env!("CARGO_BIN_EXE_agent-team");
    let team = repository(&format!(
        "mkdir $TMPDIR/mine && cd $TMPDIR/mine && {agent_team} init && {agent_team} add 'A task' && {agent_team} list"
    ));
    team.run(["run", "--yes"]);
    let transcript = team.transcripts();
    assert!(transcript.contains("A task") && transcript.contains("\"is_error\":false"), "{transcript}");
}

#[test]
fn nobody_else_is_called_as_the_human_or_as_a_run() {
    let team = Team::new();
    for name in ["human", "orchestrator"] {
        let words = format!("no agent can be called `{name}`");
        team.run(["agent", "add", name, "--with", "script:words.json"]).failed(2, &words);
        team.run(["join", "--as", name, "--role", "reviewer"]).failed(2, &words);
        let config = format!("[[agent]]\nname = '{name}'\nrole = 'reviewer'\n");
        std::fs::write(team.path().join("team.toml"), config).unwrap();
        team.run(["run", "--yes"]).failed(2, &words);
    }
    team.ok(["add", "Work", "--id", "a"]);
    team.ok(["claim", "--as", "human"]);
}
