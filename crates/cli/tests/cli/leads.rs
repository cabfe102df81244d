//! Leads from the command line: tasks handed out in parts, plans that wait for the user, failures planned anew, what is shown.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::{Ran, Team};

fn claim(team: &Team, agent: &str, task: &str) -> String {
    team.json(["claim", task, "--as", agent])["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_delegated_task_is_split_by_a_lead_and_delivered_when_its_parts_are_done() {
    let team = Team::new();
    team.ok(["join", "--as", "lea", "--role", "lead"]);
    team.ok(["join", "--as", "w1", "--lead", "lea"]);
    team.ok(["add", "The API", "--id", "api", "--delegate"]);
    team.run(["claim", "api", "--as", "w1"]).failed(3, "w1 may not take");
    let token = claim(&team, "lea", "api");
    team.run(["hand-out", "api", "--as", "lea", "--token", &token])
        .failed(3, "no part that it could wait for");
    team.ok(["add", "GET", "--id", "get", "--parent", "api", "--for-team", "lea"]);
    let complete = ["complete", "api", "--as", "lea", "--token", &token, "--result", "done"];
    team.run(complete).failed(3, "has parts that are not done: get");
    let handed_out = team.ok(["hand-out", "api", "--as", "lea", "--token", &token]);
    assert!(handed_out.contains("blocked"), "{handed_out}");
    assert!(team.ok(["show", "api"]).contains("1 of its 1 parts"), "{}", team.ok(["show", "api"]));
    let part = claim(&team, "w1", "get");
    team.ok(["complete", "get", "--as", "w1", "--token", &part, "--result", "it gets"]);
    let again = claim(&team, "lea", "api");
    team.ok(["complete", "api", "--as", "lea", "--token", &again, "--result", "it works"]);
    let shown = team.json(["show", "api"]);
    assert_eq!((&shown["delegate"], &shown["parts"]), (&json!(true), &json!(["get"])));
    let log = team.ok(["log", "--kind", "task_delegated"]);
    assert!(log.contains("handed out in parts"), "{log}");
}

#[test]
fn what_is_below_a_delegated_task_is_cancelled_with_it_and_dependencies_change() {
    let team = Team::new();
    team.ok(["join", "--as", "lea", "--role", "lead"]);
    team.ok(["add", "The API", "--id", "api", "--delegate"]);
    team.ok(["add", "GET", "--id", "get", "--parent", "api"]);
    team.ok(["add", "PUT", "--id", "put", "--parent", "api"]);
    team.run(["set", "put", "--after", "api"]).failed(3, "would wait for each other");
    team.ok(["set", "put", "--after", "get"]);
    assert_eq!(team.json(["show", "put"])["status"], "blocked");
    team.ok(["set", "put", "--after", ""]);
    assert_eq!(team.json(["show", "put"])["status"], "ready");
    team.ok(["cancel", "api"]);
    assert_eq!(team.count("cancelled"), 3);
    team.run(["add", "DELETE", "--parent", "api"]).failed(3, "task `api` is cancelled");
}

/// What a scripted lead and its workers say in a run whose first task fails.
fn rules() -> Value {
    let calls = |name: &str, input: Value| json!({"tool_calls": [{"name": name, "input": input}]});
    json!({"rules": [
        {"when": {"task": "summary"}, "give": {"text": "Done in another way."}},
        {"when": {"task": "plan"}, "steps": [
            calls("add_tasks", json!({"tasks": [
                {"id": "api", "title": "The API", "delegate": true, "lead": "api-lead"},
                {"id": "page", "title": "The page", "after": ["api"]},
            ]})),
            calls("finish", json!({"result": "Two tasks."})),
        ]},
        {"when": {"task": "api", "agent": "api-lead"}, "steps": [
            calls("add_tasks", json!({"tasks": [{"id": "get", "title": "GET"}]})),
            calls("wait", json!({})),
            calls("finish", json!({"result": "The API works."})),
        ]},
        {"when": {"task": "get", "agent": "api-1"}, "give": calls("give_up", json!({"reason": "no such route"}))},
        {"when": {"task": "replan-get", "agent": "api-lead"}, "steps": [
            calls("replace_task", json!({"id": "get", "tasks": [{"id": "route", "title": "A route"}]})),
            calls("finish", json!({"result": "A route first."})),
        ]},
        {"when": {"role": "worker"}, "give": calls("finish", json!({"result": "ok"}))},
    ]})
}

#[test]
fn a_team_of_team_toml_plans_a_failure_anew_and_says_so() {
    let team = Team::new();
    std::fs::write(team.path().join("words.json"), rules().to_string()).unwrap();
    let config = "goal = 'A page over an API'\nwith = 'script:words.json'\nreplans = 2\n\
                  [[agent]]\nname = 'lead-1'\nrole = 'lead'\n\
                  [[agent]]\nname = 'api-lead'\nrole = 'lead'\nmembers = ['api-1']\n\
                  [[agent]]\nname = 'api-1'\n[[agent]]\nname = 'worker-1'\n";
    std::fs::write(team.path().join("team.toml"), config).unwrap();

    let ran = team.run(["run", "--yes", "--json"]);

    assert_eq!(ran.code, 0, "{ran:?}");
    // What is said along is an object for each thing, where a program reads it.
    let said = ran.stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let said: Vec<String> = said.map(|object| object["note"].as_str().unwrap().to_owned()).collect();
    assert!(said.iter().any(|note| note == "get failed: a lead plans anew (1 of 2)"), "{said:?}");
    let status = team.json(["status"]);
    assert_eq!(status["replans"], json!([{"within": "api", "used": 1, "most": 2}]));
    assert!(team.ok(["status"]).contains("planned anew  1 of 2 failures within api"));
    assert_eq!(team.json(["show", "api"])["parts"], json!(["get", "replan-get", "route"]));
    let route = team.json(["show", "route"]);
    assert_eq!((&route["author"], &route["team"]), (&json!("api-1"), &json!("api-lead")));
    assert!(team.ok(["show", "replan-get"]).contains("plans anew"), "{}", team.ok(["show", "replan-get"]));
    assert_eq!(team.json(["show", "page"])["author"], "worker-1");
}

const RUN: [&str; 7] = ["run", "A page", "--agents", "2", "--with", "script:words.json", "--no-gate"];

/// A team whose lead splits its goal into one task.
fn with_a_goal() -> Team {
    let team = Team::new();
    let calls = |name: &str, input: Value| json!({"tool_calls": [{"name": name, "input": input}]});
    let finishes = calls("finish", json!({"result": "done"}));
    let tasks = json!({"tasks": [{"id": "page", "title": "The page", "role": "worker"}]});
    let words = json!({"rules": [
        {"when": {"task": "summary"}, "give": {"text": "It is done."}},
        {"when": {"task": "plan"}, "steps": [calls("add_tasks", tasks), finishes.clone()]},
        {"give": finishes},
    ]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    team
}

/// Begins a run that has no terminal, and waits until its lead waits for the user.
fn begin_until_it_waits(team: &Team, arguments: &[&str], plan: &str) -> Child {
    let mut run = team.command(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines().map_while(Result::ok);
    let waits = format!("WAITS lead-1 for you to judge its plan: agent-team plan show {plan}");
    assert!(said.any(|line| line.contains(&waits)));
    // The run goes on writing.
    std::thread::spawn(move || said.for_each(drop));
    run
}

#[test]
fn without_a_terminal_the_leads_tasks_wait_for_a_word_whatever_becomes_of_the_run() {
    let team = with_a_goal();
    let mut run = begin_until_it_waits(&team, &RUN, "plan");
    run.kill().unwrap();
    run.wait().unwrap();
    // Nobody holds the task any more, and what it waits for is told everywhere.
    let status = team.json(["status"]);
    assert_eq!(
        (&status["plans"], &status["total"]),
        (&json!(["plan"]), &json!(1)),
        "nothing was added unasked"
    );
    assert!(team.ok(["status"]).contains("agent-team plan show plan"));
    for told in [team.ok(["list"]), team.ok(["show", "plan"])] {
        assert!(told.contains("the human to approve the plan of lead-1"), "{told}");
    }

    let mut run = begin_until_it_waits(&team, &RUN, "plan");
    team.ok(["plan", "approve", "plan"]);
    assert!(run.wait().unwrap().success());
    assert_eq!(team.count("completed"), 2);
}

#[test]
fn who_said_yes_is_not_asked_for_what_an_earlier_run_was_to_ask() {
    let team = with_a_goal();
    let mut run = begin_until_it_waits(&team, &RUN, "plan");
    run.kill().unwrap();
    run.wait().unwrap();
    let ran = team.run(RUN.into_iter().chain(["--yes"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(team.count("completed"), 2);
    assert_eq!(team.json(["plan", "show", "plan"])["plan"]["judged_by"], "human");
}

#[test]
fn who_said_yes_to_the_leads_tasks_has_not_agreed_to_another_plan() {
    let team = with_a_goal();
    let words = json!({"rules": [{"give": {"tool_calls": [
        {"name": "add_tasks", "input": {"tasks": [{"title": "The page", "role": "worker"}]}}]}}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    team.ok(["add", "Own", "--id", "own", "--role", "lead", "--approver", "human"]);
    let run = ["run", "--agents", "2", "--with", "script:words.json", "--no-gate", "--yes"];
    let mut run = begin_until_it_waits(&team, &run, "own");
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(team.json(["plan", "show", "own"])["plan"]["approved"], Value::Null);
}

#[test]
fn what_was_typed_before_a_plan_was_shown_is_no_word_on_it() {
    let team = with_a_goal();
    let tasks = json!({"tasks": [{"id": "page", "title": "The page", "role": "worker"}]});
    let words = json!({"rules": [{"give": {"tool_calls": [{"name": "add_tasks", "input": tasks}], "delay_ms": 500}}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let steps = json!([["begins plan", "y\n"], ["Approve it?", "Smaller.\n"], ["Approve it?", ""]]);
    let typed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/typed.py");

    let mut terminal = team.program("python3");
    terminal.arg(typed).arg(steps.to_string()).arg(env!("CARGO_BIN_EXE_agent-team")).args(RUN);
    let ran = Ran::of(terminal.output().unwrap());

    assert_eq!(ran.stdout.matches("Approve it?").count(), 2, "{ran:?}");
    let judged = team.ok(["log", "--kind", "plan_judged", "--json"]);
    let judged: Vec<Value> = judged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [only] = judged.as_slice() else { panic!("{judged:?}") };
    let said = &only["record"]["body"];
    assert_eq!((&said["approved"], &said["feedback"]), (&json!(false), &json!("Smaller.")));
    assert_eq!(team.json(["list"]).as_array().unwrap().len(), 1, "nothing was added");
}

#[test]
fn a_goal_that_is_not_proved_says_how_to_go_on_and_is_not_rehearsed_away() {
    let team = with_a_goal();
    let ran = team.run(RUN.iter().chain(&["--yes", "--check", "test -e never"]));
    assert_eq!(ran.code, 5, "{ran:?}");
    let said = ran.stdout.clone() + &ran.stderr;
    assert_eq!(
        said.matches("ERROR the goal is not proved: `test -e never` exit code 1").count(),
        1,
        "{said}"
    );
    assert!(!said.contains("ERROR the check"), "{said}");
    let again = "add what is missing (agent-team add TITLE), then go on with: agent-team run 'A page' --agents 2 --with script:words.json";
    assert!(said.contains(again), "{said}");
    let status = team.json(["status"]);
    assert_eq!(
        (&status["goal"]["check"], &status["goal"]["outcome"]),
        (&json!("test -e never"), &json!("unproved"))
    );
    assert!(team.ok(["status"]).contains(": `test -e never` failed"), "{status}");

    let words = "no model is named, and the goal of the last run is not proved";
    team.run(["run", "--agents", "2"]).failed(2, words);
}
