//! A failing suite becomes tasks: a small calculator that should do what another one does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Ran, Team};

/// Adds, subtracts, multiplies, and says what it does not understand. What is right.
const ORACLE: &str = r#"#!/bin/sh
while read -r a op b; do
    case $op in
        plus) echo $((a + b)) ;;
        minus) echo $((a - b)) ;;
        times) echo $((a * b)) ;;
        *) echo "error: unknown operator '$op'" >&2; exit 1 ;;
    esac
done < "$1"
"#;

/// It cannot multiply, subtracts the wrong way round, and crashes on a loop.
const CANDIDATE: &str = r#"#!/bin/sh
while read -r a op b; do
    case $op in
        plus) echo $((a + b)) ;;
        minus) echo $((b - a)) ;;
        loop) kill -SEGV $$ ;;
        *) echo "$1: error: unknown operator '$op'" >&2; exit 1 ;;
    esac
done < "$1"
"#;

const BOTH: [&str; 4] = ["--candidate", "./candidate {}", "--oracle", "./oracle {}"];

fn script(team: &Team, name: &str, text: &str) {
    let path = team.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A team with the two calculators and six inputs: two pass, three need `times`, one subtracts.
fn calculators() -> Team {
    let team = Team::new();
    script(&team, "oracle", ORACLE);
    script(&team, "candidate", CANDIDATE);
    fs::create_dir(team.path().join("in")).unwrap();
    let inputs = [
        ("add", "1 plus 2\n3 plus 4\n"),
        ("bad", "1 over 2\n"),
        ("mul-1", "1 plus 1\n2 times 3\n4 plus 4\n"),
        ("mul-2", "7 times 6\n"),
        ("mul-3", "1 plus 2\n1 plus 3\n5 times 5\n9 times 9\n"),
        ("sub", "5 plus 5\n9 minus 4\n8 minus 8\n"),
    ];
    for (name, text) in inputs {
        fs::write(team.path().join("in").join(name), text).unwrap();
    }
    team
}

fn split<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["split"][..], &BOTH, more].concat()
}

/// The id of the task whose reason holds some words.
fn task(report: &Value, words: &str) -> String {
    let groups = report["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["reason"].as_str().unwrap().contains(words));
    group.unwrap_or_else(|| panic!("no `{words}` in {report}"))["task"].as_str().unwrap().to_owned()
}

fn shell(team: &Team, command: &str) -> Ran {
    Ran::of(team.program("sh").args(["-c", command]).output().unwrap())
}

/// Without the lines that say how far it is: they come when it takes longer than a second, as on a machine that is busy.
fn without_progress(ran: Ran) -> Ran {
    let is_progress = |line: &&str| {
        let time = line.trim_start().split_once("s ").map(|(time, _)| time);
        line.starts_with(' ') && time.is_some_and(|time| time.parse::<f64>().is_ok())
    };
    let kept = ran.stderr.split_inclusive('\n').filter(|line| !is_progress(line)).collect();
    Ran { stderr: kept, ..ran }
}

#[test]
fn failures_of_one_bug_become_one_task_with_the_smallest_input_and_a_check_of_its_own() {
    let team = calculators();
    let report = team.json(split(&["in"]));
    assert_eq!((report["inputs"].as_u64(), report["passed"].as_u64()), (Some(6), Some(2)), "{report}");
    assert_eq!(report["groups"].as_array().unwrap().len(), 2);
    let times = task(&report, "unknown operator");
    let group = &report["groups"][0];
    assert_eq!(group["inputs"], serde_json::json!(["in/mul-1", "in/mul-2", "in/mul-3"]));
    let shown = team.json(["show", &times]);
    let title = shown["title"].as_str().unwrap();
    assert!(
        title.starts_with("3 of 6 inputs: exit code 1, not 0: in/mul-1: error: unknown operator"),
        "{title}"
    );
    assert_eq!(shown["labels"][0], "split");

    let minus = task(&report, "line 2 is");
    let smallest = PathBuf::from(report["groups"][1]["smallest"]["file"].as_str().unwrap());
    assert_eq!(fs::read_to_string(&smallest).unwrap(), "9 minus 4\n");
    let description = team.json(["show", &minus])["description"].as_str().unwrap().to_owned();
    for words in [
        &format!("./candidate {}", smallest.display()),
        "1 of 3 lines of in/sub, each of them needed:\n    9 minus 4\n",
        "Expected:\n    (exit code 0)\n    5\n",
        "Actual:\n    (exit code 0)\n    -5\n",
        "--sample 10% --as YOUR-NAME",
    ] {
        assert!(description.contains(words), "`{words}` is not in {description}");
    }

    // The check proves its own task and no other.
    script(&team, "candidate", &CANDIDATE.replace("b - a", "a - b"));
    let check = |id: &str| team.json(["show", id])["check"].as_str().unwrap().to_owned();
    assert_eq!(shell(&team, &check(&minus)).code, 0);
    let red = shell(&team, &check(&times));
    red.failed(3, "3 of 3 inputs did not pass");
    assert!(
        red.stdout
            .starts_with("ERROR in/mul-1: exit code 1, not 0: in/mul-1: error: unknown operator 'times'\n")
    );
    // In a checkout the check runs the checkout's candidate and inputs, and where it lacks inputs the original ones.
    let checkout = team.path().join(".agent-team/checkout");
    fs::create_dir_all(checkout.join("in")).unwrap();
    for file in ["oracle", "candidate"] {
        fs::copy(team.path().join(file), checkout.join(file)).unwrap();
    }
    fs::write(checkout.join("candidate"), ORACLE).unwrap();
    fs::write(checkout.join("in/mul-1"), "1 plus 1\n").unwrap();
    let there =
        Ran::of(team.program("sh").args(["-c", &check(&times)]).current_dir(&checkout).output().unwrap());
    assert_eq!((there.code, there.stdout.as_str()), (0, "3 of 3 inputs passed\n"), "{there:?}");
}

#[test]
fn splitting_again_adds_only_what_is_not_there_and_a_bug_that_comes_back_gets_a_new_task() {
    let team = calculators();
    let first = team.ok(split(&["in"]));
    assert!(first.starts_with("6 inputs: 2 passed, 4 failed in 2 groups\n"), "{first}");
    let again = team.ok(split(&["in"]));
    assert_eq!(again.matches("there already (ready)").count(), 2, "{again}");
    assert_eq!(team.count("total"), 2);
    let times = task(&team.json(split(&["in"])), "unknown operator");
    team.ok(["claim", "--as", "w", &times]);
    let claimed = team.json(split(&["in"]));
    assert_eq!(claimed["groups"][0]["status"], "running");
    team.ok(["cancel", &times]);
    assert_eq!(task(&team.json(split(&["in"])), "unknown operator"), format!("{times}-2"));
    assert_eq!(team.count("total"), 3);
}

#[test]
fn a_dry_run_writes_nothing_and_needs_no_team() {
    let team = calculators();
    let shown = team.ok(split(&["in", "--dry-run"]));
    assert_eq!(shown.matches("  new  ").count(), 2, "{shown}");
    assert_eq!(team.count("total"), 0);
    assert!(!team.path().join(".agent-team/split").exists());
    fs::remove_dir_all(team.path().join(".agent-team")).unwrap();
    assert_eq!(team.ok(split(&["in", "--dry-run"])), shown);
    team.run(split(&["in"])).failed(2, "there is no team");
}

#[test]
fn the_gate_holds_from_the_beginning_and_falls_when_something_breaks() {
    let team = calculators();
    let gate = |report: &Value| report["gate"].as_str().unwrap().to_owned();
    let before = gate(&team.json(split(&["in"])));
    assert!(!before.contains(team.path().to_str().unwrap()), "the team may move: {before}");
    // In a checkout that has the programs, and neither the inputs nor the lists.
    let checkout = team.path().join(".agent-team/merge/0");
    fs::create_dir_all(&checkout).unwrap();
    for name in ["oracle", "candidate"] {
        fs::copy(team.path().join(name), checkout.join(name)).unwrap();
    }
    assert_eq!(shell(&team, &format!("cd .agent-team/merge/0 && {before}")).stdout, "2 of 2 inputs passed\n");
    assert_eq!(shell(&team, &before).stdout, "2 of 2 inputs passed\n");
    script(&team, "candidate", &CANDIDATE.replace("a + b", "a + b + 1"));
    shell(&team, &before).failed(3, "1 of 2 inputs did not pass");
    // What is mended belongs to the gate as soon as the suite is split again, also to one that is in force.
    script(&team, "candidate", ORACLE);
    let after = gate(&team.json(split(&["in"])));
    assert!(!after.contains("--except"), "{after}");
    for gate in [&before, &after] {
        assert_eq!(shell(&team, gate).stdout, "6 of 6 inputs passed\n", "{gate}");
    }
}

#[test]
fn samples_differ_between_agents_and_stay_the_same() {
    let team = calculators();
    let names: String = (0..40).map(|number| format!("case-{number}\n")).collect();
    let sample = |agent: &str| {
        let arguments = [
            "split",
            "--run",
            "--candidate",
            "false",
            "--inputs-from",
            "-",
            "--sample",
            "10%",
            "--as",
            agent,
        ];
        let ran = team.with_input(arguments, &names);
        ran.failed(3, "4 of 4 inputs did not pass");
        ran.stdout
    };
    assert_eq!(sample("worker-1"), sample("worker-1"));
    assert_ne!(sample("worker-1"), sample("worker-2"));
    team.run(["split", "--run", "--candidate", "true", "--sample", "10", "x"]).failed(2, "is no share");
}

#[test]
fn of_inputs_that_fail_together_the_smallest_set_becomes_the_task() {
    let team = Team::new();
    // As when half of a program's files are compiled by the new compiler: two that do not fit each other.
    script(
        &team,
        "link",
        "#!/bin/sh\nall=\" $* \"\ncase $all in *' sched.c '*) case $all in *' irq.c '*) echo 'panic: no stack' >&2; exit 1; esac; esac\n",
    );
    let names = ["acpi.c", "fork.c", "irq.c", "mm.c", "net.c", "sched.c", "tty.c", "vfs.c"];
    let arguments = ["split", "--together", "--candidate", "./link {}"];
    let report = team.json(arguments.iter().chain(&names));
    assert_eq!(report["groups"][0]["inputs"], serde_json::json!(["irq.c", "sched.c"]), "{report}");
    let check = team.json(["show", &task(&report, "panic")])["check"].as_str().unwrap().to_owned();
    shell(&team, &check).failed(3, "2 of 2 inputs did not pass");
    let gate = report["gate"].as_str().unwrap();
    assert_eq!(shell(&team, gate).stdout, "6 of 6 inputs passed\n");
}

#[test]
fn many_sets_of_one_bug_are_one_task_whose_check_runs_each_of_them() {
    let team = Team::new();
    script(
        &team,
        "build",
        "#!/bin/sh\nfor file; do case $file in bad-*) echo error: no such type; exit 1; esac; done\n",
    );
    let names: Vec<String> =
        (1..=20).flat_map(|number| [format!("good-{number}"), format!("bad-{number}")]).collect();
    let arguments = ["split", "--together", "--candidate", "./build {}"].map(str::to_owned);
    let report = team.json(arguments.iter().chain(&names));
    assert_eq!(report["groups"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["passed"], 20);
    let check = team.json(["show", &task(&report, "no such type")])["check"].as_str().unwrap().to_owned();
    shell(&team, &check).failed(3, "1 of 1 inputs did not pass");
    script(&team, "build", "#!/bin/sh\nfor file; do test $file != bad-20 || exit 1; done\n");
    shell(&team, &check).failed(3, "1 of 1 inputs did not pass");
    script(&team, "build", "#!/bin/sh\n");
    assert_eq!(shell(&team, &check).stdout.matches("1 of 1 inputs passed\n").count(), 20);
}

/// Splits a suite of this many sets that fail by one bug, in a folder below the team's, moves the project, and gives the
/// task's check, which must hold for what was moved.
fn moved(sets: usize) -> String {
    let team = Team::without_init();
    let (old, new) = (team.path().join("old"), team.path().join("new"));
    let at = |folder: &Path, arguments: &[&str]| {
        Ran::of(team.command(arguments).current_dir(folder).output().unwrap())
    };
    let json = |ran: Ran| -> Value { serde_json::from_str(&ran.stdout).unwrap() };
    fs::create_dir_all(old.join("src")).unwrap();
    let broken =
        "#!/bin/sh\nfor file; do case $file in bad-*) echo error: no such type; exit 1; esac; done\n";
    script(&team, "old/src/build", broken);
    assert_eq!(at(&old, &["init"]).code, 0);
    let names: Vec<String> = (1..=sets).map(|number| format!("bad-{number}")).collect();
    let split = ["split", "--json", "--together", "--candidate", "./build {}"];
    let names = names.iter().map(String::as_str);
    let report = json(at(&old.join("src"), &split.into_iter().chain(names).collect::<Vec<_>>()));
    let shown = json(at(&old, &["show", &task(&report, "no such type"), "--json"]));
    let check = shown["check"].as_str().unwrap().to_owned();
    assert!(!check.contains(old.to_str().unwrap()), "{check}");

    fs::rename(&old, &new).unwrap();
    let shell = |folder: &Path| {
        Ran::of(team.program("sh").args(["-c", &check]).current_dir(folder).output().unwrap())
    };
    let red = shell(&new);
    red.failed(3, "1 of 1 inputs did not pass");
    assert_eq!(red.stdout.matches("ERROR ").count(), 1, "the first set that fails ends it: {red:?}");
    // In a checkout the check runs the checkout's candidate.
    let checkout = new.join(".agent-team/merge/0");
    fs::create_dir_all(checkout.join("src")).unwrap();
    script(&team, "new/.agent-team/merge/0/src/build", "#!/bin/sh\n");
    let green = shell(&checkout);
    assert_eq!((green.code, green.stdout.matches("1 of 1 inputs passed\n").count()), (0, sets), "{green:?}");
    check
}

#[test]
fn a_check_holds_in_a_project_that_was_moved() {
    assert!(!moved(3).contains("--check-file"));
}

#[test]
fn a_check_that_is_too_long_for_a_task_holds_in_a_project_that_was_moved() {
    let check = moved(45);
    assert!(check.contains(" split --check-file .agent-team/split/split-exit-code-1"), "{check}");
    let team = Team::new();
    team.run(["split", "--check-file", "gone"]).failed(2, "gone: No such file or directory");
    team.run(["split", "--check-file", "gone", "--candidate", "true"]).failed(2, "--candidate");
    team.run(["split", "in"]).failed(2, "--candidate");
}

#[test]
fn what_cannot_be_judged_or_is_unsteady_becomes_no_task() {
    let team = calculators();
    script(&team, "flaky", "#!/bin/sh\ntest -e seen-$1 || { touch seen-$1; exit 1; }\n");
    let report = team.json(["split", "--candidate", "./flaky", "a", "b"]);
    assert_eq!((&report["unsteady"], team.count("total")), (&serde_json::json!(["a", "b"]), 0));
    script(&team, "oracle", &ORACLE.replace("times) echo", "times) kill -9 $$; echo"));
    let report = team.json(split(&["in"]));
    assert_eq!(report["unjudged"].as_array().unwrap().len(), 3, "{report}");
    assert_eq!(report["unjudged"][0]["reason"], "the oracle: killed by signal 9");
    assert_eq!(team.count("total"), 1);
}

#[test]
fn a_command_that_is_not_there_is_no_bug_of_many_inputs() {
    let team = calculators();
    let ran = team.run(["split", "--candidate", "./absent {}", "in"]);
    ran.failed(2, "nothing can be judged: exit code 127: ");
    let ran = team.run(["split", "--candidate", "./candidate {}", "--oracle", "./absent {}", "in"]);
    ran.failed(2, "nothing can be judged: the oracle: exit code 127: ");
    team.run(["split", "--candidate", "true"]).failed(2, "no input is named");
    team.run(["split", "--candidate", "true", "--inputs-from", "absent"]).failed(2, "absent: No such file");
    team.run(["split", "--candidate", "true", "x", "--as", "w"]).failed(2, "--sample");
    assert_eq!(team.count("total"), 0);
}

#[test]
fn crashes_and_hanging_inputs_are_reasons_of_their_own() {
    let team = calculators();
    fs::write(team.path().join("in/crash"), "1 loop 2\n").unwrap();
    let candidate = ["split", "--run", "--timeout", "300ms", "--candidate"];
    let ran = team.run(candidate.iter().chain(&["./candidate {}", "in/crash"]));
    assert!(ran.stdout.starts_with("ERROR in/crash: killed by signal 11"), "{ran:?}");
    let ran = team.run(candidate.iter().chain(&["sleep 1000 #", "in/crash"]));
    assert!(ran.stdout.starts_with("ERROR in/crash: timed out\n"), "{ran:?}");
}

#[test]
fn the_most_tasks_are_the_largest_groups_and_the_rest_is_said() {
    let team = calculators();
    let said = team.ok(split(&["in", "--tasks", "1"]));
    assert!(said.contains("  3 inputs  ") && said.contains("1 group more: split again"), "{said}");
    assert_eq!(team.count("total"), 1);
    assert!(team.ok(split(&["in", "--tasks", "1"])).contains("added  "), "there is room for the next one");
    assert_eq!(team.count("total"), 2);
}

#[test]
fn an_interrupted_split_ends_its_commands_and_adds_nothing() {
    let team = Team::new();
    script(&team, "slow", "#!/bin/sh\necho $$ > started-$1\nexec sleep 1000\n");
    let mut command = team.command(["split", "--timeout", "1h", "--candidate", "./slow", "a", "b"]);
    let child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let started = team.path().join("started-a");
    let pid = loop {
        match fs::read_to_string(&started) {
            Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
            _ => std::thread::yield_now(),
        }
    };
    assert!(team.program("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::of(child.wait_with_output().unwrap());
    without_progress(ran).failed(130, "interrupted");
    // Of one that has ended and is not yet reaped, nothing is left but its place.
    let left = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(left.is_empty(), "the command goes on");
    assert_eq!(team.count("total"), 0);
}

#[test]
fn what_was_meant_to_be_a_path_and_is_none_becomes_no_task() {
    let team = calculators();
    let ran = team.run(split(&["in", "no/such"]));
    assert!(ran.stderr.contains("--inputs-from"), "{ran:?}");
    ran.failed(2, "`no/such` is neither a file nor a folder");
    assert_eq!(team.count("total"), 0);
    let ran = without_progress(team.run(["split", "--candidate", "true", "nosuchdir"]));
    let warning = "WARNING `nosuchdir` is neither a file nor a folder: it is taken for a name\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (0, warning), "{ran:?}");
    for names in [&["test_a", "test_b"][..], &["in/add", "in/sub"], &["in/a::test_a", "in/a::test_b"]] {
        let ran = without_progress(team.run([&["split", "--candidate", "true"], names].concat()));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    }
    let list =
        without_progress(team.with_input(["split", "--candidate", "true", "--inputs-from", "-"], "test/a\n"));
    assert_eq!((list.code, list.stderr.as_str()), (0, ""), "{list:?}");
}
