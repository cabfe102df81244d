//! The templates of `init`: each is a team that runs to a good end in rehearsal, wherever it begins.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Ran, Team};

const NAMES: [&str; 5] = ["feature", "bug-hunt", "review-panel", "port", "docs"];

/// A fresh git repository without a commit.
fn repository() -> Team {
    let repository = Team::without_init();
    assert!(repository.program("git").args(["init", "-q"]).status().unwrap().success());
    repository
}

fn shell(team: &Team, line: &str) -> Ran {
    Ran::of(team.program("sh").args(["-c", line]).output().unwrap())
}

fn team_toml(team: &Team) -> String {
    std::fs::read_to_string(team.path().join("team.toml")).unwrap()
}

#[test]
fn each_template_runs_to_a_good_end_in_a_fresh_repository() {
    for name in NAMES {
        let team = repository();
        assert!(team.ok(["init", "--template", name]).contains("team.toml"), "{name}");
        let ran = team.run(["run", "--yes"]);
        assert_eq!(ran.code, 0, "{name}: {ran:?}");
        assert!(ran.stderr.contains("REHEARSAL"), "{name}: {ran:?}");
        let report = team.json(["run", "--yes"]);
        assert_eq!(report["outcome"], "completed", "{name}: {report}");
        assert_eq!(report["errors"].as_array().unwrap().len(), 0, "{name}: {report}");
        assert!(report["total"].as_u64().unwrap() >= 4, "{name}: {report}");
        assert_eq!(team.count("total"), 0, "{name}: a rehearsal adds nothing");
    }
}

#[test]
fn each_template_runs_in_a_folder_without_git_and_teaches_by_comments() {
    for name in NAMES {
        let team = Team::without_init();
        team.ok(["init", "--template", name]);
        assert_eq!(team.run(["run", "--yes"]).code, 0, "{name}");
        let text = team_toml(&team);
        let comments = text.lines().filter(|line| line.starts_with('#')).count();
        assert!(comments >= 8, "{name} has {comments} lines of comments");
        assert!(text.contains("\n# with = "), "{name} says where the model is named");
    }
}

#[test]
fn each_template_can_be_run_with_a_model_once_it_is_committed() {
    for name in NAMES {
        let team = repository();
        team.ok(["init", "--template", name]);
        // The only thing that is not the user's to write here is the gate of a project that is not there.
        let text = team_toml(&team).replace("gate = \"make", "gate = \"true #");
        std::fs::write(team.path().join("team.toml"), text).unwrap();
        let script = r#"{"rules": [{"when": {"role": "reviewer"}, "give": {"text": "APPROVE"}}, {"give": {"text": "nothing to do"}}]}"#;
        std::fs::write(team.path().join("script.json"), script).unwrap();
        let commit = "git add -A && git -c user.name=U -c user.email=u@example.org commit -qm Start";
        assert_eq!(shell(&team, commit).code, 0);
        let ran = team.run(["run", "--yes", "--with", "script:script.json"]);
        // Checks are red without any work: that is what they are for. Everything before is done.
        assert!([0, 5].contains(&ran.code), "{name}: {ran:?}");
        assert!(!ran.stderr.contains("REHEARSAL") && team.count("total") > 0, "{name}: {ran:?}");
        assert_eq!(team.count("running") + team.count("ready"), 0, "{name}: {}", team.ok(["list"]));
    }
}

#[test]
fn the_list_names_each_with_what_it_is_for() {
    let team = Team::without_init();
    let list = team.ok(["init", "--template", "list"]);
    assert_eq!(list.lines().map(|line| line.split_whitespace().next().unwrap()).collect::<Vec<_>>(), NAMES);
    let json = team.json(["init", "--template", "list"]);
    let names: Vec<_> =
        json.as_array().unwrap().iter().map(|template| template["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    assert!(json.as_array().unwrap().iter().all(|template| template["about"].as_str().unwrap().len() > 20));
    assert_eq!(std::fs::read_dir(team.path()).unwrap().count(), 0, "nothing is made");
}

#[test]
fn an_unknown_template_is_refused_with_the_one_that_was_perhaps_meant() {
    let team = Team::without_init();
    let ran = team.run(["init", "--template", "bughunt"]);
    ran.failed(2, "invalid value 'bughunt'");
    assert!(ran.stderr.contains("'bug-hunt'"), "{ran:?}");
    assert_eq!(std::fs::read_dir(team.path()).unwrap().count(), 0, "nothing is made");
}

#[test]
fn no_file_is_ever_overwritten() {
    for taken in ["team.toml", "oracle/cases/text-1"] {
        let team = Team::without_init();
        std::fs::create_dir_all(team.path().join("oracle/cases")).unwrap();
        std::fs::write(team.path().join(taken), "mine").unwrap();
        let ran = team.run(["init", "--template", "port"]);
        ran.failed(3, &format!("there is {taken} in "));
        assert!(ran.stderr.contains("a template overwrites nothing"), "{ran:?}");
        assert_eq!(std::fs::read_to_string(team.path().join(taken)).unwrap(), "mine");
        assert!(!team.path().join(".agent-team").exists() && !team.path().join("oracle/compare").exists());
    }
}

#[test]
fn a_template_comes_into_a_team_that_is_there_and_says_what_it_wrote() {
    let team = Team::new();
    team.ok(["add", "One"]);
    let made = team.json(["init", "--template", "port"]);
    assert_eq!((&made["created"], made["files"].as_array().unwrap().len()), (&false.into(), 3));
    let mode = std::fs::metadata(team.path().join("oracle/compare")).unwrap().permissions().mode();
    assert_eq!(mode & 0o100, 0o100, "it can be run");
    assert_eq!(team.run(["run", "--yes"]).code, 0, "what was there is rehearsed too");
}

#[test]
fn the_oracle_of_the_port_shows_the_first_difference() {
    let team = Team::without_init();
    team.ok(["init", "--template", "port"]);
    let compare = |old: &str, new: &str, case: &str| {
        shell(&team, &format!("OLD='{old}' NEW='{new}' oracle/compare {case}"))
    };
    let same = compare("cat", "cat -", "");
    assert_eq!((same.code, same.stdout.as_str()), (0, "1 cases, all the same\n"), "{same:?}");
    let other = compare("cat", "tr a-z A-Z", "text");
    assert_eq!(other.code, 1);
    assert!(
        other.stdout.contains("oracle/cases/text-1 differs") && other.stdout.contains("+A LINE"),
        "{other:?}"
    );
    let codes = compare("cat", "sh -c \"cat; exit 3\"", "");
    assert_eq!(codes.code, 1, "exit codes are compared too: {codes:?}");
    let none = compare("cat", "cat", "numbers");
    assert_eq!(none.code, 1, "to compare nothing proves nothing: {none:?}");
}

#[test]
fn the_gate_of_the_docs_finds_links_that_lead_nowhere() {
    let team = Team::without_init();
    team.ok(["init", "--template", "docs"]);
    assert_eq!(shell(&team, "./check-links").code, 0, "there is no page yet");
    std::fs::create_dir(team.path().join("docs")).unwrap();
    let page = "[a](b.md#part), [c](https://example.org/x), [d](#here) and [e](../README.md)\n";
    std::fs::write(team.path().join("docs/a.md"), page).unwrap();
    std::fs::write(team.path().join("docs/b.md"), "b\n").unwrap();
    let broken = shell(&team, "./check-links");
    assert_eq!((broken.code, broken.stdout.as_str()), (1, "./docs/a.md: ../README.md leads nowhere\n"));
    std::fs::write(team.path().join("README.md"), "r\n").unwrap();
    assert_eq!(shell(&team, "./check-links").code, 0);
}
