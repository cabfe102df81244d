//! Adding, listing, showing, retrying and cancelling tasks.

use std::process::Stdio;

use crate::support::{Ran, Team};

#[test]
fn a_team_is_in_no_repository_that_is_made_around_it() {
    let team = Team::new();
    let git = |arguments: &[&str]| team.program("git").args(arguments).output().unwrap().stdout;
    git(&["init", "--quiet"]);
    assert_eq!(String::from_utf8(git(&["status", "--porcelain"])).unwrap(), "");
}

#[test]
fn a_team_is_made_once_and_found_from_below() {
    let team = Team::without_init();
    assert!(team.ok(["init"]).starts_with("Made a team in "));
    assert!(team.ok(["init"]).contains("already"));
    assert_eq!(team.json(["init"])["created"], false);
    let below = team.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let ran = Ran::of(team.command(["add", "Write it", "--id", "w"]).current_dir(&below).output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "w\n"), "{ran:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut list = team.command(["list", "-C"]);
    list.arg(&below).current_dir(elsewhere.path());
    assert_eq!(Ran::of(list.output().unwrap()).stdout, "w  ready  -  Write it  [waits for a worker]\n");
}

#[test]
fn git_ignores_the_folder_of_a_team_at_any_depth() {
    let team = Team::without_init();
    assert!(team.program("git").args(["init", "-q", "."]).status().unwrap().success());
    team.ok(["init"]);
    team.ok(["init", "deeper"]);
    let status = team.program("git").args(["status", "--porcelain"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&status.stdout), "");
}

#[test]
fn many_processes_make_one_team_at_once() {
    let team = Team::without_init();
    let children: Vec<_> =
        (0..8).map(|_| team.command(["init"]).stdout(Stdio::null()).spawn().unwrap()).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    team.ok(["add", "Write it"]);
    let doctor = team.json(["doctor"]);
    assert_eq!(
        (&doctor["sound"], &doctor["records"], doctor["damage"].as_array().unwrap().len()),
        (&true.into(), &1.into(), 0)
    );
}

#[test]
fn tasks_and_what_they_wait_for_are_shown_as_a_picture() {
    let team = Team::new();
    team.ok(["add", "Write \"it\"", "--id", "write"]);
    team.ok(["add", "Read it", "--id", "read", "--after", "write"]);
    let mermaid = team.ok(["graph"]);
    assert!(mermaid.starts_with("flowchart LR\n") && mermaid.contains("n0 --> n1"), "{mermaid}");
    let dot = team.ok(["graph", "--format", "dot"]);
    assert!(dot.contains("\"write\" -> \"read\";") && dot.contains("Write \\\"it\\\""), "{dot}");
    let svg = team.json(["graph", "--format", "svg"]);
    assert_eq!(svg["format"], "svg");
    assert!(svg["graph"].as_str().unwrap().starts_with("<svg "), "{svg}");
}

#[test]
fn of_a_title_that_is_too_long_nothing_is_lost() {
    let team = Team::new();
    let title = "Port the parser ".repeat(20);
    team.ok(["add", &title, "--id", "long", "--description", "And keep the API."]);
    let shown = team.json(["show", "long"]);
    assert!(shown["title"].as_str().unwrap().ends_with("…"), "{shown}");
    let description = shown["description"].as_str().unwrap();
    assert_eq!(description, format!("{}\n\nAnd keep the API.", title.trim()));
}

#[test]
fn a_task_has_what_was_asked_for() {
    let team = Team::new();
    team.ok(["add", "First", "--id", "a"]);
    team.ok(["add", "Second", "--id", "b"]);
    let wishes = "--id c --after a,b --priority 3 --role worker --agent w1 --attempts 5 --backoff 2s --check true \
                  --time-limit 1h30m --label x --label y --parent a --review --allow-protected";
    let input = "line one\nline two\n";
    let mut arguments = vec!["add", "Third", "--description", "-"];
    arguments.extend(wishes.split_whitespace());
    assert_eq!(team.with_input(&arguments, input).stdout, "c\n");
    let task = team.json(["show", "c"]);
    assert_eq!(task["description"], input);
    assert_eq!(task["after"], serde_json::json!(["a", "b"]));
    assert_eq!(task["labels"], serde_json::json!(["x", "y"]));
    assert_eq!((&task["attempts"], &task["time_limit_ms"]), (&5.into(), &5_400_000.into()));
    assert_eq!((&task["status"], &task["waits_for"]), (&"blocked".into(), &"a, b".into()));
    let shown = team.ok(["show", "c"]);
    for words in ["waits for", "a, b", "  line one\n  line two\n", "time limit", "check"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn a_long_description_is_shown_whole() {
    let team = Team::new();
    let long = "word ".repeat(20_000);
    assert_eq!(team.with_input(["add", "Long", "--id", "l", "-d", "-"], &long).code, 0);
    assert_eq!(team.json(["show", "l"])["description"], long);
    assert_eq!(team.json(["claim", "--as", "w"])["description"], long);
}

#[test]
fn lists_are_filtered_and_counts_add_up() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a", "--label", "red"]);
    team.ok(["add", "B", "--id", "b", "--after", "a"]);
    team.ok(["add", "C", "--id", "c", "--label", "red,blue"]);
    team.ok(["cancel", "c"]);
    team.ok(["claim", "a", "--as", "w1"]);
    assert_eq!(team.ok(["list", "--status", "blocked,cancelled"]).lines().count(), 2);
    assert!(team.ok(["list", "--label", "red", "--label", "blue"]).starts_with("c  cancelled"));
    assert!(team.ok(["list", "--agent", "w1"]).starts_with("a  running  w1  A"));
    assert_eq!(team.json(["list"]).as_array().unwrap().len(), 3);
    let status = team.json(["status"]);
    let parts = ["completed", "failed", "running", "ready", "blocked", "cancelled"];
    let sum: u64 = parts.iter().map(|part| status[part].as_u64().unwrap()).sum();
    assert_eq!((sum, status["total"].as_u64()), (3, Some(3)));
}

#[test]
fn cancelled_and_failed_tasks_are_wanted_again_by_retry() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a"]);
    team.ok(["add", "B", "--id", "b", "--after", "a"]);
    team.ok(["cancel", "a", "--dependents"]);
    assert_eq!(team.count("cancelled"), 2);
    team.run(["claim", "--as", "w"]).failed(4, "no work will come for w");
    team.ok(["retry", "a", "b"]);
    assert_eq!((team.count("ready"), team.count("blocked")), (1, 1));
    team.ok(["claim", "a", "--as", "w"]);
    team.ok(["fail", "a", "--as", "w", "--error", "It cannot be done.", "--for-good"]);
    let status = team.ok(["status"]);
    assert!(status.contains("stuck") && status.contains("waits for a (failed: given_up)"), "{status}");
    team.run(["retry", "nobody"]).failed(3, "there is no task `nobody`");
    team.run(["cancel", "a", "nobody"]).failed(3, "there is no task `nobody`");
}

#[test]
fn a_long_text_is_a_string_too_its_beginning_in_a_list_and_all_of_it_shown() {
    let team = Team::new();
    let long = "word ".repeat(2_000);
    assert_eq!(team.with_input(["add", "A", "--id", "a", "--description", "-"], &long).code, 0);
    let listed = team.json(["list"]);
    let beginning = listed[0]["description"].as_str().unwrap();
    assert!(beginning.starts_with("word ") && beginning.len() < 300, "{beginning}");
    assert_eq!(team.json(["show", "a"])["description"], long);
}
