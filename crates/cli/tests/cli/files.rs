//! Files of tasks.

use std::fs;

use crate::support::Team;

fn add(team: &Team, lines: &[&str]) -> crate::support::Ran {
    fs::write(team.path().join("tasks.jsonl"), lines.join("\n")).unwrap();
    team.run(["add", "--file", "tasks.jsonl"])
}

#[test]
fn tasks_of_a_file_may_refer_forward() {
    let team = Team::new();
    let ran = add(
        &team,
        &[r#"{"id":"b","title":"B","after":["a"]}"#, "", r#"{"id":"a","description":"Do A first."}"#],
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "b\na\n"), "{ran:?}");
    assert_eq!(team.json(["show", "b"])["waits_for"], "a");
    assert_eq!(team.json(["show", "a"])["title"], "Do A first.");
    let ran = team.with_input(["add", "--file", "-", "--json"], "{\"title\":\"C\"}\n{\"title\":\"D\"}\n");
    assert_eq!(ran.stdout, "{\"ids\":[\"t3\",\"t4\"]}\n");
}

#[test]
fn tasks_are_listed_and_taken_in_the_order_of_their_file() {
    let team = Team::new();
    let lines: Vec<String> =
        (1..=11).rev().map(|n| format!("{{\"id\":\"n{n}\",\"title\":\"Task {n}\"}}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(add(&team, &lines).code, 0);
    let listed = team.ok(["list"]);
    let ids: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!((ids[0], ids[1], ids[10]), ("n11", "n10", "n1"));
    assert_eq!(team.json(["claim", "--as", "w"])["id"], "n11");
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_added() {
    let team = Team::new();
    let good = r#"{"id":"good","title":"Good"}"#;
    add(&team, &[good, r#"{"title":"x","priority":"high"}"#])
        .failed(2, "tasks.jsonl:2:30: field `priority`: invalid type");
    add(&team, &[good, r#"{"titel":"x"}"#]).failed(2, "tasks.jsonl:2:8: field `titel`: unknown field");
    add(&team, &[good, r#"{"title":"x","after":["no way"]}"#])
        .failed(2, "tasks.jsonl:2:14: field `after`: `no way`");
    add(&team, &[good, "{"]).failed(2, "tasks.jsonl:2:1: EOF");
    add(&team, &[good, r#"{"id":"x","title":"X","after":["missing"]}"#])
        .failed(3, "`missing`, which does not exist");
    add(&team, &[good, good]).failed(3, "`good` stands twice");
    let cycle = [
        r#"{"id":"a","title":"A","after":["c"]}"#,
        r#"{"id":"b","title":"B","after":["a"]}"#,
        r#"{"id":"c","title":"C","after":["b"]}"#,
    ];
    let ran = add(&team, &cycle);
    ran.failed(3, "these tasks would wait for each other: ");
    assert!(["a", "b", "c"].iter().all(|id| ran.stderr.contains(id)), "{ran:?}");
    team.run(["add", "--file", "absent.jsonl"]).failed(2, "absent.jsonl: No such file");
    team.run(["add", "Title", "--file", "tasks.jsonl"]).failed(2, "cannot be used with");
    team.run(["add", "--priority", "1", "--file", "tasks.jsonl"]).failed(2, "cannot be used with");
    team.run(["add", "--budget-turns", "9", "--file", "tasks.jsonl"]).failed(2, "cannot be used with");
    assert_eq!(team.count("total"), 0);
}
