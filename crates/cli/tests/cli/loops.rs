//! Shell loops as workers: any script can be one.

use std::path::Path;

use crate::support::{Ran, Team};

#[test]
fn the_worker_in_the_help_of_claim_works_as_it_stands() {
    let team = Team::new();
    team.ok(["add", "First", "--id", "a"]);
    team.ok(["add", "Second", "--id", "b", "--after", "a"]);
    let help = team.ok(["help", "claim"]);
    let (_, script) = help.split_once("A worker in a shell:\n").unwrap();
    // The help is indented; the end mark of a here-document must not be.
    let script: String =
        script.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect();
    let script = format!("agent-team() {{ \"$AGENT_TEAM\" \"$@\"; }}\n{script}");
    let ran = Ran::of(team.program("bash").args(["-c", &script]).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(team.json(["show", "b"])["result"], "did: Second");
}

#[test]
fn sixteen_loops_finish_a_graph_of_tasks_each_exactly_once() {
    let team = Team::without_init();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/loops");
    let ran = Ran::of(team.program("bash").arg(script).args(["200", "16"]).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("200 tasks, each exactly once, by 16 loops in "), "{ran:?}");
}
