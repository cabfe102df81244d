//! A mixed team of real coding agents, to a merged and gated end: Claude Code over the Agent Client Protocol, Codex by its own
//! stream, the built-in agent, a shell script, and a Claude Code that drives itself and joins over MCP. Their models are fakes of ours.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::clients::{self, KEY, Provider, find_in, programs};
use crate::support::Ran;

fn call(tool: &str, input: &Value) -> Value {
    json!({"call": [tool, input]})
}

/// What Claude Code's model and the built-in agent's say.
fn of_anthropic() -> Value {
    let write = json!({"command": "echo hello > a.txt", "description": "Writes it"});
    let joined = [
        call("mcp__team__claim_task", &json!({"id": "outside"})),
        call("mcp__team__send", &json!({"to": "human", "text": "I looked."})),
        call("mcp__team__complete_task", &json!({"id": "outside", "result": "There is nothing yet."})),
        json!({"say": "Done."}),
    ];
    json!({
        "# Task a:": [call("Bash", &write), call("mcp__team__finish", &json!({"result": "a.txt"}))],
        "# Task c:": [
            call("write", &json!({"path": "c.txt", "content": "hello\n"})),
            call("finish", &json!({"result": "c.txt"})),
        ],
        "Do the task `outside`": joined,
    })
}

fn of_openai() -> Value {
    let write = json!({"cmd": "echo hello > b.txt"});
    json!({"# Task b:": [call("exec_command", &write), call("mcp__team__finish", &json!({"result": "b.txt"}))]})
}

/// Each task is for one of them, and the last file waits for what the outsider does.
const TEAM: &str = "
gate = '! ls | grep txt | xargs --no-run-if-empty grep -L hello | grep .'
[[agent]]
name = 'claude'
with = 'claude'
[[agent]]
name = 'codex'
with = 'codex:headless'
model = 'fake'
[[agent]]
name = 'built-in'
with = 'anthropic:claude-fake-1'
[[agent]]
name = 'script'
with = 'exec:echo hello > d.txt'
[[task]]
id = 'a'
title = 'Write a'
agent = 'claude'
check = 'test -e a.txt'
[[task]]
id = 'b'
title = 'Write b'
agent = 'codex'
[[task]]
id = 'c'
title = 'Write c'
agent = 'built-in'
[[task]]
id = 'outside'
title = 'Look'
agent = 'ann'
[[task]]
id = 'd'
title = 'Write d'
agent = 'script'
after = ['a', 'b', 'c', 'outside']
";

#[test]
fn agents_of_all_kinds_work_in_one_team() {
    let Some(installed) = clients::installed() else { return };
    let team = clients::team_in_a_repository();
    let anthropic = Provider::start(&team, "anthropic_messages.py", &of_anthropic());
    let openai = Provider::start(&team, "openai_responses.py", &of_openai());
    let config = format!("sandbox.read = ['{}']\n{TEAM}", installed.display());
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);
    team.ok(["add", "Look", "--id", "outside", "--agent", "ann"]);

    let ours = team.ok(["join", "claude", "--as", "ann"]);
    std::fs::write(team.path().join("mcp.json"), ours).unwrap();
    let mut outsider = team.program("claude");
    find_in(&mut outsider, &[programs(&installed, "n-claude")]);
    outsider.args([
        "-p",
        "Do the task `outside` of the team.",
        "--output-format",
        "json",
        "--mcp-config",
        "mcp.json",
    ]);
    outsider.args(["--strict-mcp-config", "--allowedTools", "mcp__team", "--model", "claude-fake-1"]);
    outsider.env("ANTHROPIC_BASE_URL", &anthropic.url).env("ANTHROPIC_API_KEY", "a-key-of-its-own");
    outsider.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("DISABLE_AUTOUPDATER", "1");
    outsider.env("MCP_CONNECTION_NONBLOCKING", "0");
    let outsider = outsider.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

    let mut run = team.command(["run", "--yes", "--budget-tokens", "10000000"]);
    let names = ["n-claude", "n-codex", "n-cacp"];
    find_in(&mut run, &names.map(|name| programs(&installed, name)));
    run.env("ANTHROPIC_BASE_URL", &anthropic.url).env("ANTHROPIC_API_KEY", KEY);
    run.env("OPENAI_BASE_URL", format!("{}/v1", openai.url)).env("OPENAI_API_KEY", KEY);
    let ran = Ran::of(run.output().unwrap());
    let outside = Ran::of(outsider.wait_with_output().unwrap());

    assert_eq!((ran.code, outside.code), (0, 0), "{ran:?} {outside:?}");
    for file in ["a.txt", "b.txt", "c.txt", "d.txt"] {
        assert_eq!(clients::merged(&team, file), "hello\n", "{file}: {ran:?}");
    }
    let tasks = team.json(["list"]);
    let who = |id: &str| {
        let task = tasks.as_array().unwrap().iter().find(|task| task["id"] == id).unwrap();
        task["author"].as_str().unwrap().to_owned()
    };
    let authors = ["a", "b", "c", "d", "outside"].map(who);
    assert_eq!(authors, ["claude", "codex", "built-in", "script", "ann"]);
    assert!(team.ok(["inbox", "--as", "human"]).contains("I looked."));
    let spent = |agent: &str| {
        team.json(["budget", &format!("agent:{agent}")])[0]["spent"]["calls"].as_u64().unwrap_or_default()
    };
    for agent in ["claude", "codex", "built-in"] {
        assert!(spent(agent) >= 2, "each call counts: {agent}");
    }
    let key = team.program("grep").args(["-rl", KEY, "."]).output().unwrap();
    assert!(key.stdout.is_empty(), "nobody has written the key: {key:?}");
}
