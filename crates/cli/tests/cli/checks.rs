//! Checks and reviews, from the command line.

use serde_json::{Value, json};

use crate::clients;
use crate::support::Team;

#[test]
fn a_check_that_fails_refuses_the_result_with_its_output_and_one_that_holds_completes_the_task() {
    let team = Team::new();
    let check = "cat proof || { echo 'no proof'; exit 9; }";
    team.ok(["add", "Prove it", "--id", "a", "--check", check, "--backoff", "0ms"]);
    let token = team.json(["claim", "--as", "w"])["token"].as_str().unwrap().to_owned();
    let refused = team.run(["complete", "a", "--as", "w", "--token", &token, "--result", "It is proved."]);
    refused.failed(3, "task `a` was refused by its check (exit code 9)");
    assert!(refused.stdout.contains("no proof\n"), "{refused:?}");
    let again = team.json(["claim", "--as", "w"]);
    assert!(again["feedback"][0]["text"].as_str().unwrap().contains("no proof"), "{again}");
    assert_eq!(again["feedback"][0]["cause"], "check");
    std::fs::write(team.path().join("proof"), "here\n").unwrap();
    let token = again["token"].as_str().unwrap();
    let done = team.json(["complete", "a", "--as", "w", "--token", token, "--result", "Now it is."]);
    assert_eq!((&done["status"], &done["check"]["passed"]), (&"completed".into(), &true.into()));
    let whole = std::fs::read_to_string(done["check"]["whole_output"].as_str().unwrap()).unwrap();
    assert_eq!(whole, "here\n");
}

#[test]
fn a_check_whose_runner_died_can_be_run_again() {
    let team = Team::new();
    // The first run ends the process that runs the check: the parent of its shell. A sandbox would keep it from that.
    let check = "test -e died || { touch died; kill -9 $PPID; }";
    team.ok(["add", "Prove it", "--id", "a", "--check", check]);
    team.ok(["claim", "--as", "w"]);
    let died = team.run(["complete", "a", "--as", "w", "--result", "done", "--no-sandbox"]);
    assert_eq!(died.code, -1, "it was killed: {died:?}");
    assert!(team.ok(["list"]).contains("verifying"));
    let remedy = "agent-team verify a, or agent-team run";
    let status = team.ok(["status"]);
    let line = status.lines().find(|line| line.starts_with("waits  a  verifying")).unwrap_or_default();
    assert!(line.contains("waits for its check to be run") && line.ends_with(remedy), "{status}");
    assert_eq!(team.json(["status"])["waiting_for_run"][0]["remedy"], remedy);
    assert_eq!(team.json(["show", "a"])["remedy"], remedy);
    assert!(team.ok(["list"]).contains(&format!("waits for its check to be run; {remedy}")));
    assert!(team.ok(["verify"]).starts_with("a  completed"));
    team.run(["verify", "a"]).failed(3, "task `a` is completed, and waits for no check");
    assert_eq!(team.ok(["verify"]), "nothing waits for its check\n");
    let nothing = team.json(["verify"]);
    assert_eq!(nothing, serde_json::json!({"id": null, "status": null, "check": null}), "as for a task");
}

#[test]
fn results_are_approved_or_sent_back() {
    let team = Team::new();
    team.ok(["add", "Judge it", "--id", "a", "--review", "--backoff", "0ms"]);
    team.ok(["claim", "--as", "w"]);
    team.ok(["complete", "a", "--as", "w", "--result", "first"]);
    team.run(["review", "a", "--as", "w", "--approve"]).failed(3, "an author does not review their own work");
    team.run(["review", "a", "--as", "x", "--approve"]).failed(3, "reviews are for reviewers");
    assert!(team.ok(["review", "a", "--reject", "Too short."]).starts_with("a  ready"));
    let again = team.json(["claim", "--as", "w"]);
    assert_eq!(
        (&again["feedback"][0]["cause"], &again["feedback"][0]["text"]),
        (&"review".into(), &"Too short.".into())
    );
    let token = again["token"].as_str().unwrap();
    team.ok(["complete", "a", "--as", "w", "--token", token, "--result", "second"]);
    team.ok(["join", "--as", "critic", "--role", "reviewer"]);
    let approves = ["review", "a", "--as", "critic", "--approve"];
    let unnamed = team.run(approves);
    unnamed.failed(3, "the result of attempt 2 at task `a` waits: say that it is the one you have read");
    let of_the_first = team.run([&approves[..], &["--attempt", "1"]].concat());
    of_the_first.failed(3, "the result of attempt 2 at task `a` waits, not that of attempt 1");
    let command = "agent-team review a --approve --attempt 2";
    assert!(unnamed.stderr.contains(command) && of_the_first.stderr.contains(command), "{unnamed:?}");
    assert!(team.ok(["review", "a"]).contains(command));
    let approved = team.ok([&approves[..], &["--attempt", "2"]].concat());
    assert!(approved.starts_with("a  completed  w"), "{approved}");
}

#[test]
fn whoever_reviews_sees_the_result_and_what_its_check_printed() {
    let team = Team::new();
    team.ok(["add", "Judge it", "--id", "a", "--check", "echo three of three", "--review"]);
    team.run(["review", "a"]).failed(3, "task `a` is ready, and waits for no review");
    team.ok(["claim", "--as", "w"]);
    team.ok(["complete", "a", "--as", "w", "--result", "I wrote it."]);
    let shown = team.ok(["review", "a"]);
    for words in
        ["I wrote it.", "its check:", "`echo three of three` exit code 0", "three of three", "--approve"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let json = team.json(["review", "a"]);
    assert_eq!(json["check_output"], "`echo three of three` exit code 0\nthree of three");
    assert_eq!(json["gate"], Value::Null, "there is none");
    assert!(team.ok(["show", "a"]).contains("three of three"));
    assert_eq!(team.json(["show", "a"])["status"], "reviewing", "a look decides nothing");
}

#[test]
fn what_an_agent_changed_is_seen_where_its_check_refused_it() {
    let team = clients::team_in_a_repository();
    let calls = |name: &str, input: Value| json!({"tool_calls": [{"name": name, "input": input}]});
    let words = json!({"rules": [{"steps": [
        calls("write", json!({"path": "sum", "content": "five\n\u{1b}[31m\n"})),
        calls("finish", json!({"result": "It is five."})),
    ]}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let config = "with = 'script:words.json'\n[[agent]]\nname = 'worker-1'\n\
                  [[task]]\nid = 'add'\ntitle = 'Add'\ncheck = 'grep -q four sum'\nattempts = 1\n\
                  [[task]]\nid = 'later'\ntitle = 'Later'\nafter = ['add']\n";
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);
    let ran = team.run(["run", "--yes"]);
    assert!(ran.code == 5 && ran.stdout.contains("ERROR add failed (attempts)"), "{ran:?}");

    let shown = team.ok(["diff", "add"]);
    assert!(shown.starts_with("add: of attempt 1 by worker-1, sent back: check\n"), "{shown}");
    assert!(shown.contains("\n+five\n+\\u{1b}[31m\n"), "{shown}");
    let change = &team.json(["diff", "add"])["change"];
    assert_eq!(
        (&change["stage"], &change["attempt"]),
        (&json!({"sent_back": "check"}), &json!(1)),
        "{change}"
    );
    let colours = team.ok(["diff", "add", "--color", "always"]);
    assert!(colours.contains("\u{1b}[32m+five"), "{colours:?}");
    let commit = team.json(["show", "add"])["feedback"][0]["commit"]["commit"].clone();
    assert!(
        team.ok(["show", "add"]).contains(&format!("worker-1: check, commit {}", commit.as_str().unwrap()))
    );

    assert!(team.ok(["diff", "later"]).starts_with("there is no change of files for `later`"));
    assert_eq!(team.json(["diff", "later"]), json!({"change": null}));
    team.run(["diff", "nothing"]).failed(3, "there is no task `nothing`");
}
