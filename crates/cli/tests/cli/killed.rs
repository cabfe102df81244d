//! What outlives a run that is killed, and what becomes of it.

use std::fs::{DirEntry, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

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
    let run = start(&team);
    let command = heard(&team);
    kill_with_sweeper(&team, run);
    // Somebody else's program in the same folder is none of the attempt's.
    let workspace = team.path().join(".agent-team/workspaces/worker-1");
    let mut other = team.program("sleep").arg("600").current_dir(workspace).spawn().unwrap();
    let is_left = is_alive(command);
    assert!(team.ok(["report"]).contains(" | cut off | "), "nothing goes on where nobody lives");
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
    let run = start(&team);
    let command = heard(&team);
    kill_with_sweeper(&team, run);
    let ran = team.run(["run", "--yes", "--no-sandbox"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!is_alive(command) && !team.path().join("stale").exists(), "{ran:?}");
    assert_eq!(std::fs::read_to_string(team.path().join("new")).unwrap(), "new\n");
}

#[test]
fn whoever_takes_a_task_from_a_dead_run_ends_what_it_started() {
    let team = repository(&twice("stale"), "true");
    let run = start(&team);
    let command = heard(&team);
    kill_with_sweeper(&team, run);
    let lived = is_alive(command);
    team.ok(["claim", "own", "--as", "me"]);
    assert!(lived && !is_alive(command));
}

fn kill(_: &Team, mut run: Child) {
    run.kill().unwrap();
    run.wait().unwrap();
}

/// Kills a run, and before that the program that would end what it leaves: as when a machine runs out of memory.
fn kill_with_sweeper(team: &Team, run: Child) {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", run.id())).unwrap().flatten();
    let of_threads =
        tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let all = of_threads.collect::<Vec<_>>().join(" ");
    let is_sweeper = |id: &&str| {
        let command = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        command.ends_with("\0sweep\0")
    };
    let sweeper = all.split_whitespace().find(is_sweeper).unwrap();
    assert!(team.program("kill").args(["-9", sweeper]).status().unwrap().success());
    kill(team, run);
}

/// A run that was killed while a confined command hides from it, and what is heard of the command.
fn killed_with_a_confined_command(kind: &str, kill: fn(&Team, Child)) -> (Team, Ends) {
    let team = repository("true", "true");
    let told = std::fs::canonicalize(team.path()).unwrap().join("told");
    // All that it starts holds the pipe open, whatever else it leaves behind.
    let hides = "env -i setsid sh -c 'sleep 1000' > /dev/null 2>&1 < /dev/null &";
    let command = format!("exec 9> {}; {hides} echo ready >&9; sleep 1000", told.display());
    let words =
        json!({"rules": [{"give": {"tool_calls": [{"name": "run", "input": {"command": command}}]}}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let mut config = std::fs::read_to_string(team.path().join("team.toml")).unwrap();
    config += &format!("[sandbox]\nkind = '{kind}'\nwrite = ['told']\n");
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);
    let run = team.command(["run", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ends = Ends::ready(&told);
    kill(&team, run);
    (team, ends)
}

/// The pipe that a command and all that it started hold open.
struct Ends(BufReader<File>);

impl Ends {
    /// Waits until the command says that it is ready.
    fn ready(pipe: &Path) -> Self {
        let mut pipe = BufReader::new(File::open(pipe).unwrap());
        let mut ready = String::new();
        pipe.read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Self(pipe)
    }

    /// Waits until all of them have ended. `false` if they have not within ten seconds.
    fn wait(mut self) -> bool {
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || tell.send(self.0.read_to_end(&mut Vec::new()).is_ok()));
        told.recv_timeout(Duration::from_secs(10)) == Ok(true)
    }
}

#[test]
fn a_command_in_a_namespace_ends_with_its_run_needs_bwrap() {
    let (_team, ends) = killed_with_a_confined_command("bubblewrap", kill);
    assert!(ends.wait(), "somebody still works there");
}

#[test]
fn a_command_behind_the_kernels_rules_is_ended_when_its_run_is_killed() {
    let (_team, ends) = killed_with_a_confined_command("landlock", kill);
    assert!(ends.wait(), "somebody still works there");
}

#[test]
fn a_command_without_a_sandbox_is_ended_when_its_run_is_killed() {
    // It forks, changes its session and does not heed who asks it to end.
    let forks = "trap \\\"\\\" TERM; exec 9> $HOME/told; setsid sh -c \\\"trap : TERM; sleep 1000 & wait\\\" & echo ready >&9; wait";
    let team = repository("", "true");
    let words = std::fs::read_to_string(team.path().join("words.json")).unwrap();
    let words = words.replace(r#""command":"""#, &format!(r#""command":"{forks}""#));
    std::fs::write(team.path().join("words.json"), words).unwrap();
    let run = start(&team);
    let ends = Ends::ready(&team.path().join("told"));
    kill(&team, run);
    assert!(ends.wait(), "somebody still works there");
}

#[test]
fn a_command_behind_the_kernels_rules_is_ended_by_whoever_comes_next() {
    let (team, ends) = killed_with_a_confined_command("landlock", kill_with_sweeper);
    // Who works there has its folder open.
    let workspace = std::fs::canonicalize(team.path()).unwrap().join(".agent-team/workspaces/worker-1");
    let is_in =
        |entry: &DirEntry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|at| at == workspace);
    let lived = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| is_in(&entry));
    team.ok(["claim", "own", "--as", "me"]);
    assert!(lived, "it would have gone on");
    assert!(ends.wait(), "somebody still works there");
}
