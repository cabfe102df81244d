//! Claims: their printed forms, their exit codes, and how they end.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

use crate::support::{Ran, Team};

/// A process that does nothing until it is ended.
struct Sleeper(Child);

impl Sleeper {
    fn start(team: &Team) -> Self {
        Self(team.program("sleep").arg("1000").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn one_task() -> Team {
    let team = Team::new();
    team.ok(["add", "Write it", "--id", "a", "--description", "All of it."]);
    team
}

#[test]
fn a_claim_prints_what_its_holder_needs() {
    let team = one_task();
    team.ok(["add", "Then this", "--id", "b", "--after", "a", "--check", "true"]);
    let printed = team.ok(["claim", "--as", "w"]);
    let first: Vec<&str> = printed.lines().next().unwrap().split('\t').collect();
    assert_eq!((first[0], first[1].len(), first[2]), ("a", 32, "Write it"));
    assert!(printed.contains("\nAll of it.\n"), "{printed}");
    team.ok(["complete", "a", "--as", "w", "--result", "The result of a."]);
    let task = team.json(["claim", "--as", "w"]);
    assert_eq!((&task["id"], &task["attempt"], &task["check"]), (&"b".into(), &1.into(), &"true".into()));
    assert_eq!(task["dependencies"][0]["result"], "The result of a.");
    assert_eq!(task["token"].as_str().unwrap().len(), 32);
}

#[test]
fn exit_codes_tell_why_there_is_no_task() {
    let team = Team::new();
    team.run(["claim", "--as", "w", "--wait"]).failed(4, "no task has been added yet");
    team.ok(["add", "A", "--id", "a"]);
    team.ok(["claim", "a", "--as", "w"]);
    team.run(["claim", "--as", "x"]).failed(3, "nothing fits x right now");
    team.run(["claim", "a", "--as", "x"]).failed(3, "w has the work claim on task `a`");
    team.run(["claim", "--as", "x", "--timeout", "10ms"]).failed(124, "no work for x in time");
    team.run(["claim", "--as", "x", "--pid", "4194305"]).failed(2, "there is no such process");
    let json = team.run(["claim", "--as", "x", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!((&error["code"], &error["refused"]["refusal"]), (&3.into(), &"nothing_now".into()));
    team.ok(["complete", "a", "--as", "w", "--result", "done"]);
    team.run(["claim", "--as", "x", "--wait"]).failed(4, "all tasks have ended");
    team.run(["claim", "a", "--as", "x"]).failed(3, "task `a` is completed");
}

#[test]
fn a_claim_that_waits_gets_what_becomes_ready() {
    let team = one_task();
    team.ok(["add", "Then this", "--id", "b", "--after", "a"]);
    team.ok(["claim", "a", "--as", "w1"]);
    let waiting =
        team.command(["claim", "b", "--as", "w2", "--wait"]).stdout(Stdio::piped()).spawn().unwrap();
    team.ok(["complete", "a", "--as", "w1", "--result", "done"]);
    let waited = Ran::of(waiting.wait_with_output().unwrap());
    assert!(waited.stdout.starts_with("b\t"), "{waited:?}");
}

#[test]
fn a_certain_task_that_can_never_be_had_is_not_waited_for() {
    let team = one_task();
    team.ok(["add", "Then this", "--id", "b", "--after", "a"]);
    team.ok(["cancel", "a"]);
    team.run(["claim", "b", "--as", "w", "--wait"])
        .failed(4, "task `b` is blocked and waits for a (cancelled)");
}

#[test]
fn a_lease_that_is_over_gives_the_task_to_who_waits_and_the_late_result_is_kept() {
    let team = one_task();
    let token = team.json(["claim", "--as", "w1", "--lease", "20ms"])["token"].as_str().unwrap().to_owned();
    let second = team.json(["claim", "--as", "w2", "--wait", "--timeout", "60s"]);
    assert_eq!((&second["id"], &second["attempt"]), (&"a".into(), &2.into()));
    let late = team.run(["complete", "a", "--as", "w1", "--token", &token, "--result", "Too late."]);
    late.failed(3, "its lease was over and the task was taken back");
    assert!(late.stderr.contains("  hint: the result is kept"), "{late:?}");
    assert_eq!(team.json(["show", "a"])["late"][0]["result"], "Too late.");
    assert!(team.ok(["show", "a"]).contains("late result by w1"));
    assert!(team.ok(["status"]).contains("late results  1"));
    team.ok(["complete", "a", "--as", "w2", "--result", "In time."]);
    assert_eq!(team.json(["show", "a"])["result"], "In time.");
}

#[test]
fn a_renewed_lease_goes_on_and_a_released_task_is_free() {
    let team = one_task();
    team.ok(["claim", "--as", "w1"]);
    assert!(team.ok(["renew", "a", "--as", "w1"]).starts_with("a  running  w1"));
    team.run(["renew", "a", "--as", "w2"]).failed(3, "w1 has the work claim");
    assert!(team.ok(["release", "a", "--as", "w1", "--reason", "lunch"]).starts_with("a  ready"));
    assert_eq!(team.json(["claim", "--as", "w2"])["id"], "a");
}

#[test]
fn a_task_is_free_at_once_when_the_process_of_its_claim_ends() {
    let team = one_task();
    let sleeper = Sleeper::start(&team);
    team.ok(["claim", "--as", "w1", "--pid", &sleeper.pid()]);
    team.run(["claim", "--as", "w2"]).failed(3, "nothing fits w2 right now");
    drop(sleeper);
    let status = team.json(["status"]);
    assert_eq!(
        (&status["taken_back"][0]["task"], &status["taken_back"][0]["cause"]),
        (&"a".into(), &"process_gone".into())
    );
    let doing = |status: &serde_json::Value| {
        let all = status["doing"].as_array().unwrap();
        all.iter().find(|state| state["agent"] == "w1").unwrap().clone()
    };
    assert_eq!(doing(&team.json(["status"]))["doing"], "dead", "and stays so");
    assert!(team.ok(["status"]).contains("dead: its process is gone, and a went back"));
    assert_eq!(team.json(["claim", "--as", "w2"])["attempt"], 2);
    assert_eq!(doing(&team.json(["status"]))["doing"], "dead", "whoever has the task now");
    team.ok(["release", "a", "--as", "w2"]);
    team.ok(["claim", "--as", "w1"]);
    assert_eq!(doing(&team.json(["status"]))["doing"], "working", "it is back");
}

#[test]
fn who_waits_notices_that_the_process_of_a_claim_ended() {
    let team = one_task();
    let sleeper = Sleeper::start(&team);
    team.ok(["claim", "--as", "w1", "--pid", &sleeper.pid()]);
    let waiting = team.command(["claim", "--as", "w2", "--wait"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(sleeper);
    assert!(Ran::of(waiting.wait_with_output().unwrap()).stdout.starts_with("a\t"));
}

#[test]
fn nothing_is_claimed_for_processes_that_ended_while_they_waited() {
    let team = one_task();
    team.ok(["claim", "--as", "boss"]);
    let sleepers = ["w1", "w2", "w3"].map(|worker| (worker, Sleeper::start(&team)));
    let waiting = sleepers.each_ref().map(|(worker, sleeper)| {
        let mut claim = team.command(["claim", "--as", worker, "--wait", "--pid", &sleeper.pid()]);
        claim.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    // Members are those who know whom they wait for.
    while team.json(["status"])["agents"].as_array().unwrap().len() < 4 {}
    drop(sleepers);
    for waiting in waiting {
        Ran::of(waiting.wait_with_output().unwrap()).failed(2, "it has ended, and nothing is claimed for it");
    }
    team.ok(["release", "a", "--as", "boss"]);
    let task = team.json(["show", "a"]);
    assert_eq!((&task["status"], task["claims"].as_array().unwrap().len()), (&"ready".into(), 1));
}

#[test]
fn the_claim_is_found_by_token_environment_or_name_but_never_guessed() {
    let team = one_task();
    team.ok(["claim", "--as", "w"]);
    team.ok(["release", "a", "--as", "w"]);
    let token = team.json(["claim", "--as", "w"])["token"].as_str().unwrap().to_owned();
    let guess = team.run(["complete", "a", "--as", "w", "--result", "x"]);
    guess.failed(3, "it is not certain which claim is meant");
    assert!(guess.stderr.contains("$AGENT_TEAM_TOKEN"), "{guess:?}");
    let mut named = team.command(["complete", "a", "--as", "w", "--result", "-"]);
    named.env("AGENT_TEAM_TOKEN", token);
    assert_eq!(Ran::of(named.output().unwrap()).stdout, "a  completed  w  Write it\n");
}

#[test]
fn ctrl_c_ends_a_wait_with_130() {
    let team = one_task();
    team.ok(["claim", "--as", "w1"]);
    let waiting = team.command(["claim", "--as", "w2", "--wait"]).stderr(Stdio::piped()).spawn().unwrap();
    let pid = waiting.id().to_string();
    assert!(team.program("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = waiting.wait_with_output().unwrap().status;
    // Before the handler is there, the signal itself ends the process; a shell shows 130 for both.
    assert!(ended.code() == Some(130) || ended.signal() == Some(2), "{ended:?}");
}
