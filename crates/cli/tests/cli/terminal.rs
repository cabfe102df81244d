//! What reaches a terminal: nothing that an agent wrote can act on it, and colours only where they are wanted.

use std::process::Stdio;

use crate::support::{Ran, Team};

/// A title bar, red text, an 8-bit control sequence introducer, reversed writing, a bell and a carriage return.
const NASTY: &str = "x\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}2J\u{202e}y\rz";

#[test]
fn text_of_agents_cannot_act_on_the_terminal() {
    let team = Team::new();
    assert_eq!(team.run(["add", NASTY]).code, 3, "a title is one line without control characters");
    team.ok(["add", "A", "--id", "a", "--description", NASTY, "--backoff", "0ms"]);
    team.ok(["claim", "--as", "w"]);
    team.ok(["fail", "a", "--as", "w", "--error", NASTY]);
    team.ok(["send", "w", NASTY, "--from", "v"]);
    let verbs: [&[&str]; 9] = [
        &["list"],
        &["show", "a"],
        &["inbox", "--as", "w", "--peek"],
        &["inbox", "--as", "v", "--sent"],
        &["log"],
        &["log", "--json"],
        &["status"],
        &["claim", "--as", "w"],
        &["show", "a", "--json"],
    ];
    for verb in verbs {
        let printed = team.ok(verb);
        let acts = |c: &char| (c.is_control() && !['\n', '\t'].contains(c)) || *c == '\u{202e}';
        assert_eq!(printed.chars().find(acts), None, "{verb:?}: {printed:?}");
    }
    assert_eq!(team.json(["show", "a"])["description"], NASTY);
    let said = team.run(["show", NASTY]).stderr;
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn colours_are_for_terminals_or_when_asked_for() {
    let team = Team::new();
    team.ok(["add", "A", "--id", "a"]);
    team.ok(["cancel", "a"]);
    assert!(!team.ok(["list"]).contains('\u{1b}'));
    assert!(team.ok(["list", "--color", "always"]).contains("\u{1b}[2mcancelled\u{1b}[0m"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let team = Team::new();
    let tasks: String = (0..2_000).map(|n| format!("{{\"title\":\"Task {n} of many\"}}\n")).collect();
    assert_eq!(team.with_input(["add", "--file", "-"], &tasks).code, 0);
    let mut list = team.command(["list"]);
    let mut child = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}
