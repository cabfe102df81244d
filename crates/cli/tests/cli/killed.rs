//! What outlives a run that is killed, and what becomes of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Team;

/// A team whose worker runs a command and finishes; `gate` must hold on what it delivers.
fn repository(command: &str, gate: &str) -> Team {
    let team = Team::without_init();
    let git = |arguments: &[&str]| assert!(team.program("git").args(arguments).status().unwrap().success());
    git(&["init", "--quiet", "--initial-branch", "main"]);
    git(&["config", "user.name", "U"]);
    git(&["config", "user.email", "u@example.org"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "begin"]);
    let calls =
        |name: &str, input: serde_json::Value| json!({"tool_calls": [{"name": name, "input": input}]});
    let words = json!({"rules": [{"steps": [
        calls("run", json!({"command": command})),
        calls("finish", json!({"result": "done"})),
    ]}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let config = format!(
        "with = 'script:words.json'\ngate = '{gate}'\n[[agent]]\nname = 'worker-1'\n[[task]]\nid = 'own'\ntitle = 'Own'\n"
    );
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    assert!(team.program("mkfifo").arg("told").status().unwrap().success());
    team.ok(["init"]);
    team
}

/// Without a sandbox the command could do harm; how one is ended that has a sandbox is shown by itself.
fn start(team: &Team) -> Child {
    team.command(["run", "--yes", "--no-sandbox"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the command says who it is.
fn heard(team: &Team) -> u32 {
    std::fs::read_to_string(team.path().join("told")).unwrap().trim().parse().unwrap()
}

/// The first time it writes down who it is, tells it to whoever listens, and waits for a word to write `file`. The second time it gives that word, and waits
/// until the first one has written or is no more.
fn twice(file: &str) -> String {
    format!(
        "if test -e $HOME/first; then touch $HOME/go; \
         until test -e {file} || ! grep -q . /proc/$(cat $HOME/first)/environ 2>/dev/null; do sleep 0.01; done; \
         else echo $$ > $HOME/first; cat $HOME/first > $HOME/told; until test -e $HOME/go; do sleep 0.01; done; echo STALE > {file}; fi"
    )
}

fn is_alive(process: u32) -> bool {
    std::fs::read(format!("/proc/{process}/environ")).is_ok_and(|environment| !environment.is_empty())
}

#[test]
fn a_command_that_outlives_its_run_writes_nothing_into_what_comes_next() {
    let team = repository(&twice("stale"), "true");
    let mut run = start(&team);
    let command = heard(&team);
    run.kill().unwrap();
    run.wait().unwrap();
    // Somebody else's program in the same folder is none of the attempt's.
    let workspace = team.path().join(".agent-team/workspaces/worker-1");
    let mut other = team.program("sleep").arg("600").current_dir(workspace).spawn().unwrap();
    let is_left = is_alive(command);
    let ran = team.run(["run", "--yes", "--no-sandbox"]);
    let (is_alive, other_lives) = (is_alive(command), other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(is_left && !is_alive && other_lives);
    assert!(!team.path().join("stale").exists(), "{ran:?}");
}

#[test]
fn a_gate_that_outlives_its_run_judges_and_writes_no_more() {
    let team = repository("echo new > new", "true");
    // The gate holds on the untouched target, and hangs on what is new.
    let gate = format!("if test -e new; then {}; fi", twice("$HOME/stale"));
    std::fs::write(team.path().join("gate.sh"), gate).unwrap();
    let config = std::fs::read_to_string(team.path().join("team.toml")).unwrap();
    let config = config.replace("'true'", "'sh $HOME/gate.sh'");
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    let mut run = start(&team);
    let command = heard(&team);
    run.kill().unwrap();
    run.wait().unwrap();
    let ran = team.run(["run", "--yes", "--no-sandbox"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!is_alive(command) && !team.path().join("stale").exists(), "{ran:?}");
    assert_eq!(std::fs::read_to_string(team.path().join("new")).unwrap(), "new\n");
}

#[test]
fn whoever_takes_a_task_from_a_dead_run_ends_what_it_started() {
    let team = repository(&twice("stale"), "true");
    let mut run = start(&team);
    let command = heard(&team);
    run.kill().unwrap();
    run.wait().unwrap();
    let lived = is_alive(command);
    team.ok(["claim", "own", "--as", "me"]);
    assert!(lived && !is_alive(command));
}

/// The processes that work in a folder.
fn working_in(folder: &Path) -> usize {
    let ids = std::fs::read_dir("/proc").unwrap().flatten();
    ids.filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|at| at == folder)).count()
}

/// A run that was killed while a confined command hides from it: the team, and where the command works.
fn killed_with_a_confined_command(kind: &str) -> (Team, PathBuf) {
    let hides = "env -i setsid sh -c 'sleep 1000' > /dev/null 2>&1 < /dev/null &";
    let team = repository(&format!("{hides} touch ready; sleep 1000"), "true");
    let mut config = std::fs::read_to_string(team.path().join("team.toml")).unwrap();
    config += &format!("[sandbox]\nkind = '{kind}'\n");
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    let workspace = std::fs::canonicalize(team.path()).unwrap().join(".agent-team/workspaces/worker-1");
    let mut run = team.command(["run", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !workspace.join("ready").exists() {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before its command");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    (team, workspace)
}

fn wait_until_nobody_works_in(workspace: &Path) {
    let patience = Instant::now() + Duration::from_secs(10);
    while working_in(workspace) > 0 {
        assert!(Instant::now() < patience, "somebody still works there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_command_in_a_namespace_ends_with_its_run_needs_bwrap() {
    let (_team, workspace) = killed_with_a_confined_command("bubblewrap");
    wait_until_nobody_works_in(&workspace);
}

#[test]
fn a_command_behind_the_kernels_rules_is_ended_by_whoever_comes_next() {
    let (team, workspace) = killed_with_a_confined_command("landlock");
    let lived = working_in(&workspace);
    team.ok(["claim", "own", "--as", "me"]);
    assert!(lived > 0, "it would have gone on");
    wait_until_nobody_works_in(&workspace);
}
