use super::super::test_repository::{TestRepository, program, user_git};
use super::*;

#[test]
fn a_repository_is_found_from_a_folder_inside_it() {
    let user = TestRepository::new();
    user.write("a b/c/file", "x");
    let found = Project::discover(&program(user.home()), &user.root().join("a b/c")).unwrap();
    assert_eq!(found.root(), user.root());
    assert_eq!(found.target(None).unwrap(), "main");
}

#[test]
fn folders_without_a_work_tree_are_refused_with_what_to_do() {
    let user = TestRepository::new();
    let home = user.home();
    let program = program(home);
    std::fs::create_dir(home.join("empty")).unwrap();
    let nothing = Project::discover(&program, &home.join("empty")).unwrap_err();
    assert!(matches!(nothing, DiscoverError::NotARepository { .. }), "{nothing}");
    user_git(home, home, &["init", "-q", "--bare", "bare.git"]);
    let bare = Project::discover(&program, &home.join("bare.git")).unwrap_err();
    assert!(matches!(bare, DiscoverError::Bare { .. }), "{bare}");
    let inside = Project::discover(&program, &user.root().join(".git")).unwrap_err();
    assert!(matches!(inside, DiscoverError::InsideGitFolder { .. }), "{inside}");
}

#[test]
fn a_target_needs_a_branch_with_a_commit() {
    let user = TestRepository::new();
    assert!(matches!(user.project.target(Some("none")), Err(TargetError::NoSuchBranch { .. })));
    user.git(&["checkout", "-q", "--detach"]);
    assert!(matches!(user.project.target(None), Err(TargetError::Detached)));
    assert_eq!(user.project.target(Some("main")).unwrap(), "main");
    user.git(&["checkout", "-q", "--orphan", "fresh"]);
    assert!(matches!(user.project.target(None), Err(TargetError::Unborn { branch }) if branch == "fresh"));
}

#[test]
fn the_state_folder_is_excluded_once() {
    let user = TestRepository::new();
    let exclude = user.root().join(".git/info/exclude");
    std::fs::write(&exclude, "*.log").unwrap();
    user.project.exclude_state_folder().unwrap();
    user.project.exclude_state_folder().unwrap();
    assert_eq!(std::fs::read_to_string(exclude).unwrap(), "*.log\n.agent-team/\n");
    user.write(".agent-team/log.jsonl", "{}");
    assert_eq!(user.status(), "");
}

#[test]
fn whether_a_branch_contains_a_commit_has_an_answer_for_everything() {
    let user = TestRepository::new();
    let first = user.tip("main");
    let second = user.commit("Second");
    assert!(user.project.contains("main", &first).unwrap());
    assert!(user.project.contains("main", &second).unwrap());
    assert!(!user.project.contains("main", &"0".repeat(40)).unwrap());
    assert!(!user.project.contains("other", &first).unwrap());
    user.git(&["branch", "old/branch", &first]);
    assert!(!user.project.contains("old/branch", &second).unwrap());
}
