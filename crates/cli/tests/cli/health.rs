//! What is said when something is damaged, unwritable, or not there.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;

use crate::support::{Ran, Team};

#[test]
fn a_corrupt_log_is_named_with_its_place_and_nothing_goes_on() {
    let team = Team::new();
    team.ok(["add", "Write the parser", "--id", "a"]);
    team.ok(["add", "Test it", "--id", "b"]);
    let path = team.path().join(".agent-team/log.jsonl");
    let log = fs::read_to_string(&path).unwrap();
    let at = log.find("Write the parser").unwrap();
    fs::write(&path, log.replacen("Write the parser", "Write the kernel", 1)).unwrap();
    team.run(["list"]).failed(1, "");
    let doctor = team.run(["doctor"]);
    assert_eq!(doctor.code, 1);
    let place = doctor.stdout.lines().find(|line| line.starts_with("corrupt")).unwrap();
    let byte: usize = place.split("at byte ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!(byte < at && at - byte < 300, "{place}");
}

#[test]
fn a_text_that_is_lost_is_named_and_the_rest_is_shown() {
    let team = Team::new();
    let long = format!("It begins here. {}", "word ".repeat(5_000));
    assert_eq!(team.with_input(["add", "Long", "--id", "l", "-d", "-"], &long).code, 0);
    fs::remove_dir_all(team.path().join(".agent-team/blobs")).unwrap();
    let doctor = team.run(["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.stdout.contains("lost text  named by record 1"), "{doctor:?}");
    assert!(team.ok(["show", "l"]).contains("It begins here."));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let team = Team::without_init();
    // Under root nothing is forbidden, so the command runs as somebody else, from a place that all may read.
    let binary = team.path().join("agent-team");
    fs::copy(env!("CARGO_BIN_EXE_agent-team"), &binary).unwrap();
    let locked = team.path().join("locked");
    fs::create_dir(&locked).unwrap();
    for path in [team.path(), &locked] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let mut init = team.program(binary.to_str().unwrap());
    init.arg("init").current_dir(&locked);
    if fs::metadata(team.path()).unwrap().uid() == 0 {
        init.uid(65_534).gid(65_534);
    }
    let ran = Ran::of(init.output().unwrap());
    fs::set_permissions(team.path(), fs::Permissions::from_mode(0o755)).unwrap();
    ran.failed(1, "locked/.agent-team: Permission denied");
}
