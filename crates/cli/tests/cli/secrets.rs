//! Secrets of the user, which agents and commands may be given and may say: written nowhere.

use serde_json::{Value, json};

use crate::clients;
use crate::support::Ran;

/// A worker whose command prints what it is given, and which says that everywhere.
#[test]
fn a_secret_that_somebody_says_is_written_nowhere() {
    let canary = "canary-0123456789";
    let team = clients::team_in_a_repository();
    let says = |name: &str, input: Value| json!({"tool_calls": [{"name": name, "input": input}]});
    let words = json!({"rules": [{"when": {"task": "a"}, "steps": [
        says("run", json!({"command": "echo $DEPLOY_TOKEN; printf '%s' $DEPLOY_TOKEN | head -c 9; sleep 0; echo; echo $DEPLOY_TOKEN >&2"})),
        says("send", json!({"to": "human", "text": format!("It is {canary}.")})),
        says("note", json!({"text": format!("Use {canary}.")})),
        says("add_tasks", json!({"tasks": [{"title": format!("Change {canary}"), "description": format!("{canary}!")}]})),
        says("run", json!({"command": "echo new > new"})),
        says("finish", json!({"result": format!("I found {canary}.")})),
    ]}, {"give": says("finish", json!({"result": "Done."}))}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let config = "with = 'script:words.json'\ngate = 'echo gate $DEPLOY_TOKEN'\nenvironment.pass = ['DEPLOY_TOKEN']\n\
                  [[agent]]\nname = 'worker-1'\n[[task]]\nid = 'a'\ntitle = 'Deploy'\ncheck = 'echo $DEPLOY_TOKEN'\n";
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);

    let ran = Ran::of(team.command(["run", "--yes"]).env("DEPLOY_TOKEN", canary).output().unwrap());

    assert!(ran.code == 0 || ran.code == 5, "{ran:?}");
    let found = team.program("grep").args(["-rl", canary, ".agent-team"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{ran:?}");
    assert!(!format!("{ran:?}").contains(canary), "{ran:?}");
    let commits = team.program("git").args(["log", "--all", "--format=%B"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&commits.stdout).contains(canary), "{commits:?}");
    let said = team.command(["note", canary]).env("DEPLOY_TOKEN", canary).output().unwrap();
    assert!(said.status.success());
    assert!(team.ok(["note"]).contains("[redacted]"), "what the human says, too");
    let inbox = team.ok(["inbox", "--as", "human"]);
    assert!(inbox.contains("It is [redacted]."), "{inbox}");
    assert!(team.ok(["show", "a"]).contains("I found [redacted]."));
}
