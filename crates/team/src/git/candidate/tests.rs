use std::os::unix::fs::PermissionsExt;

use super::super::replay::Replayed;
use super::super::test_repository::{TestRepository, user_git, write};
use super::super::{GitError, Workspace};
use super::*;

fn candidate(rebased: Rebased) -> Candidate {
    match rebased {
        Rebased::Candidate(candidate) => candidate,
        other => panic!("no candidate: {other:?}"),
    }
}

#[test]
fn on_an_unmoved_target_the_capture_itself_is_the_candidate() {
    let user = TestRepository::new();
    let capture = user.work("worker-1", &[("a", "1\n")]);
    let merge = MergeWorktree::open(&user.project, 0).unwrap();
    let candidate = candidate(merge.rebase("m1", &user.tip("main"), &capture.commit).unwrap());
    assert_eq!((candidate.commit, candidate.tree), (capture.commit, capture.tree));
    assert_eq!(std::fs::read_to_string(merge.path().join("a")).unwrap(), "1\n");
}

#[test]
fn on_a_moved_target_the_change_keeps_author_and_trailers() {
    let user = TestRepository::new();
    let capture = user.work("worker-1", &[("a", "1\n")]);
    user.write("b", "2\n");
    let tip = user.commit("Meanwhile");
    let merge = MergeWorktree::open(&user.project, 0).unwrap();
    let first = candidate(merge.rebase("m1", &tip, &capture.commit).unwrap());
    assert_eq!(first.changed_files, ["a"]);
    let shown = user.git(&["log", "-1", "--format=%P %an %s %(trailers:key=Task,valueonly)", &first.commit]);
    assert_eq!(shown, format!("{tip} worker-1 Did it T1"));
    assert_eq!(user.tip_of("refs/agent-team/candidates/m1"), first.commit);
    assert_eq!(std::fs::read_to_string(merge.path().join("b")).unwrap(), "2\n");

    let again = candidate(merge.rebase("m2", &tip, &capture.commit).unwrap());
    assert_eq!(again.commit, first.commit, "the same work on the same tip is the same commit");
    user.project.drop_candidate("m1").unwrap();
    assert_eq!(user.project.read_ref("refs/agent-team/candidates/m1").unwrap(), None);
}

#[test]
fn a_conflict_names_files_and_shows_hunks() {
    let user = TestRepository::new();
    let capture = user.work("worker-1", &[("README", "hello from the worker\n"), ("fine", "1\n")]);
    user.write("README", "hello from main\n");
    let tip = user.commit("Meanwhile");
    let merge = MergeWorktree::open(&user.project, 0).unwrap();
    let Rebased::Conflict(conflict) = merge.rebase("m1", &tip, &capture.commit).unwrap() else { panic!() };
    assert_eq!(conflict.files, ["README"]);
    let hunk = "--- README\n@@ line 1 @@\n<<<<<<< target\nhello from main\n=======\nhello from the worker\n>>>>>>> yours\n";
    assert!(conflict.markers.contains(hunk), "{}", conflict.markers);
    assert!(conflict.markers.contains("CONFLICT (content)"), "{}", conflict.markers);

    let workspace = Workspace::prepare(&user.project, "worker-1", "T1", &tip).unwrap().workspace;
    let Replayed::Conflict(again) = workspace.replay(&capture.commit).unwrap() else { panic!() };
    assert_eq!(again.files, ["README"]);
    let status = user_git(user.home(), workspace.path(), &["status", "--porcelain"]);
    assert_eq!(status, " M README\n?? fine");
    let content = std::fs::read_to_string(workspace.path().join("README")).unwrap();
    assert!(content.contains("<<<<<<< target\nhello from main\n"), "{content}");
}

#[test]
fn deleting_what_the_target_changed_is_a_conflict_too() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    std::fs::remove_file(workspace.path().join("README")).unwrap();
    let capture = super::super::test_repository::captured(&workspace, "a1");
    user.write("README", "changed\n");
    let tip = user.commit("Meanwhile");
    let merge = MergeWorktree::open(&user.project, 0).unwrap();
    let Rebased::Conflict(conflict) = merge.rebase("m1", &tip, &capture.commit).unwrap() else { panic!() };
    assert_eq!(conflict.files, ["README"]);
    assert!(conflict.markers.contains("CONFLICT (modify/delete)"), "{}", conflict.markers);
}

#[test]
fn what_the_target_has_already_is_no_candidate() {
    let user = TestRepository::new();
    let capture = user.work("worker-1", &[("a", "1\n")]);
    user.write("a", "1\n");
    let tip = user.commit("Same");
    let merge = MergeWorktree::open(&user.project, 0).unwrap();
    assert_eq!(merge.rebase("m1", &tip, &capture.commit).unwrap(), Rebased::AlreadyThere);
    let nothing = user.work("worker-2", &[]);
    assert_eq!(merge.rebase("m2", &tip, &nothing.commit).unwrap(), Rebased::AlreadyThere);
}

#[test]
fn a_judge_sees_the_committed_tree_whatever_the_one_before_did() {
    let user = TestRepository::new();
    user.write(".gitignore", "built/\n");
    user.commit("Ignore");
    let capture = user.work("worker-1", &[("a", "1\n")]);
    let merge = MergeWorktree::open(&user.project, 0).unwrap();
    let candidate = candidate(merge.rebase("m1", &user.tip("main"), &capture.commit).unwrap());
    let canary = user.home().join("canary");
    write(merge.path(), "a", "changed by the check\n");
    write(merge.path(), "built/cache/x", "1");
    std::fs::set_permissions(merge.path().join("built/cache"), std::fs::Permissions::from_mode(0o555))
        .unwrap();
    write(merge.path(), "untracked", "1");
    let trap = format!("[core]\n\tfsmonitor = touch {}\n", canary.display());
    std::fs::write(merge.path().join(".git/config"), trap).unwrap();
    std::fs::remove_file(merge.path().join("README")).unwrap();
    merge.reset_pristine(&candidate).unwrap();
    assert!(!canary.exists());
    let mut names: Vec<_> = std::fs::read_dir(merge.path())
        .unwrap()
        .map(|name| name.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [".git", ".gitignore", "README", "a"]);
    assert_eq!(std::fs::read_to_string(merge.path().join("a")).unwrap(), "1\n");
    assert_eq!(user_git(user.home(), merge.path(), &["rev-parse", "HEAD"]), candidate.commit);
    assert_eq!(user_git(user.home(), merge.path(), &["status", "--porcelain"]), "");
}

#[test]
fn a_commit_that_is_not_there_is_an_error() {
    let user = TestRepository::new();
    let merge = MergeWorktree::open(&user.project, 0).unwrap();
    let missing = merge.rebase("m1", &user.tip("main"), &"1".repeat(40));
    assert!(matches!(missing, Err(GitError::Failed { .. })));
    let option = merge.rebase("m1", "--exec=touch x", &"1".repeat(40));
    assert!(matches!(option, Err(GitError::Name { .. })));
}

#[test]
fn what_git_neither_sees_nor_removes_is_gone_for_the_next_judge_too() {
    let user = TestRepository::new();
    let capture = user.work("worker-1", &[("file", "1\n")]);
    let bench = MergeWorktree::open(&user.project, 0).unwrap();
    let candidate = candidate(bench.rebase("a1", &user.tip("main"), &capture.commit).unwrap());
    for name in ["pipe", ".gitignore", ".gitattributes", "folder/pipe"] {
        let place = bench.path().join(name);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&place).status().unwrap().success());
    }
    let _socket = std::os::unix::net::UnixListener::bind(bench.path().join("socket")).unwrap();
    bench.reset_pristine(&candidate).unwrap();
    let names = std::fs::read_dir(bench.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, [".git", "README", "file"]);
}

#[test]
fn a_judge_that_puts_a_link_in_the_place_of_its_folder_does_not_get_another_one_cleaned() {
    let user = TestRepository::new();
    let capture = user.work("worker-1", &[("file", "1\n")]);
    let bench = MergeWorktree::open(&user.project, 0).unwrap();
    let candidate = candidate(bench.rebase("a1", &user.tip("main"), &capture.commit).unwrap());
    user.write("untracked", "precious\n");
    std::fs::remove_dir_all(bench.path()).unwrap();
    std::os::unix::fs::symlink(user.root(), bench.path()).unwrap();
    bench.reset_pristine(&candidate).unwrap();
    assert_eq!((user.read("untracked"), user.status()), ("precious\n".into(), "?? untracked".into()));
    assert_eq!(std::fs::read_to_string(bench.path().join("file")).unwrap(), "1\n");

    std::fs::remove_dir_all(bench.path()).unwrap();
    std::fs::write(bench.path(), "in the way").unwrap();
    let bench = MergeWorktree::open(&user.project, 0).unwrap();
    bench.reset_pristine(&candidate).unwrap();
    assert!(bench.path().join("README").is_file());
}

#[test]
fn a_judge_that_damages_our_git_dir_costs_the_next_one_nothing() {
    let user = TestRepository::new();
    let bench = MergeWorktree::open(&user.project, 0).unwrap();
    let ours = user.root().join(".agent-team/merge/0.git");
    let first = user.work("worker-1", &[("file", "1\n")]);
    let first = candidate(bench.rebase("a1", &user.tip("main"), &first.commit).unwrap());
    std::fs::write(ours.join("index"), "garbage").unwrap();
    bench.reset_pristine(&first).unwrap();
    assert!(bench.path().join("file").is_file());

    let second = user.work("worker-2", &[("other", "2\n")]);
    std::fs::remove_dir_all(ours.join("objects")).unwrap();
    candidate(bench.rebase("a2", &first.commit, &second.commit).unwrap());
    assert!(bench.path().join("file").is_file() && bench.path().join("other").is_file());
}
