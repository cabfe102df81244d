//! Help, usage errors, and the completions.

use crate::support::Team;

const VERBS: [&str; 44] = [
    "mcp",
    "init",
    "add",
    "split",
    "list",
    "show",
    "diff",
    "status",
    "watch",
    "trust",
    "claim",
    "graph",
    "report",
    "web",
    "complete",
    "fail",
    "renew",
    "release",
    "hand-out",
    "retry",
    "cancel",
    "verify",
    "review",
    "send",
    "inbox",
    "join",
    "leave",
    "log",
    "doctor",
    "completions",
    "set",
    "reassign",
    "plan",
    "say",
    "interrupt",
    "pause",
    "resume",
    "stop",
    "answer",
    "agent",
    "note",
    "reserve",
    "budget",
    "--help",
];

#[test]
fn every_verb_has_help_with_examples_that_begin_with_the_command() {
    let team = Team::without_init();
    for verb in VERBS {
        let help = if verb == "--help" { team.ok(["--help"]) } else { team.ok(["help", verb]) };
        let (_, examples) =
            help.split_once("Examples:\n").unwrap_or_else(|| panic!("{verb} has no examples"));
        assert!(examples.contains("agent-team "), "{verb}");
    }
}

#[test]
fn the_list_of_verbs_in_this_test_is_whole() {
    let help = Team::without_init().ok(["--help"]);
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let listed = rest.lines().take_while(|line| !line.is_empty());
    for verb in listed.filter_map(|line| line.split_whitespace().next()) {
        let written_elsewhere = ["help", "run", "demo"].contains(&verb);
        assert!(written_elsewhere || VERBS.contains(&verb), "{verb}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_is_wrong() {
    let team = Team::new();
    team.run(["frobnicate"]).failed(2, "unrecognized subcommand 'frobnicate'");
    team.run(["claim"]).failed(2, "--as <NAME>");
    team.run(["show", "a b"]).failed(2, "only the letters");
    team.run(["claim", "--as", "w", "--lease", "soon"]).failed(2, "write a duration like");
    let ran = team.run(["list", "--status", "odd", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!((error["code"].as_u64(), ran.code, ran.stdout.as_str()), (Some(2), 2, ""));
}

#[test]
fn without_a_team_it_is_said_how_to_make_one() {
    let ran = Team::without_init().run(["status"]);
    ran.failed(2, "there is no team in");
    assert!(ran.stderr.contains("  hint: `agent-team init` makes one here"), "{ran:?}");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let team = Team::without_init();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(team.ok(["completions", shell]).contains("claim"), "{shell}");
    }
}
