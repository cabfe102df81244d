use std::os::unix::fs::PermissionsExt;

use super::super::test_repository::{TestRepository, captured, user_git, write};
use super::super::{Candidate, Capture, FenceSet, MergeWorktree, Rebased, Workspace};
use super::*;

const FENCE: &str = "claim-1";

fn fenced(user: &TestRepository) {
    assert_eq!(user.project.set_fence("main", None, FENCE).unwrap(), FenceSet::Set);
}

fn intent<'a>(old: &'a str, new: &'a str, checkout: Option<&'a Path>) -> Intent<'a> {
    Intent { target: "main", fence: FENCE, branch: "main", old, new, checkout }
}

fn tried(user: &TestRepository, capture: &Capture, tip: &str) -> Candidate {
    let merge = MergeWorktree::open(&user.project, 0).unwrap();
    match merge.rebase("m1", tip, &capture.commit).unwrap() {
        Rebased::Candidate(candidate) => candidate,
        other => panic!("no candidate: {other:?}"),
    }
}

/// Lands a capture on main wherever `choose_landing` says.
fn land(user: &TestRepository, capture: &Capture) -> (Landing, Landed) {
    let landing = user.project.choose_landing("main").unwrap();
    let (branch, checkout) = match &landing {
        Landing::BranchOnly => ("main".to_owned(), None),
        Landing::Checkout { path } => ("main".to_owned(), Some(path.clone())),
        Landing::Gather { branch, checkout, .. } => (branch.clone(), checkout.clone()),
        Landing::Blocked { reason } => panic!("{reason}"),
    };
    let candidate = tried(user, capture, &user.tip(&branch));
    let intent = Intent {
        target: "main",
        fence: FENCE,
        branch: &branch,
        old: &candidate.target_tip,
        new: &candidate.commit,
        checkout: checkout.as_deref(),
    };
    let landed = user.project.land(&intent).unwrap();
    (landing, landed)
}

#[test]
fn a_clean_checkout_moves_along() {
    let user = TestRepository::new();
    fenced(&user);
    let capture = user.work("worker-1", &[("a", "1\n"), ("README", "better\n")]);
    user.write("notes", "untracked and not in the way\n");
    let (landing, landed) = land(&user, &capture);
    assert_eq!(landing, Landing::Checkout { path: user.root() });
    assert_eq!(landed, Landed::Landed { checkout: Some(CheckoutMove::Moved) });
    assert_eq!((user.read("a"), user.read("README")), ("1\n".into(), "better\n".into()));
    assert_eq!(user.status(), "?? notes");
    assert!(user.project.contains("main", &capture.commit).unwrap());
    let reflog = user.git(&["reflog", "-1", "--format=%gs", "main"]);
    assert_eq!(reflog, "agent-team: merged");
}

#[test]
fn a_touched_file_does_not_make_a_checkout_dirty() {
    let user = TestRepository::new();
    fenced(&user);
    let capture = user.work("worker-1", &[("README", "better\n")]);
    let readme = std::fs::File::open(user.root().join("README")).unwrap();
    readme.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let (_, landed) = land(&user, &capture);
    assert_eq!(landed, Landed::Landed { checkout: Some(CheckoutMove::Moved) });
}

#[test]
fn a_dirty_checkout_is_not_touched_and_work_gathers_until_it_can_be_brought_in() {
    let user = TestRepository::new();
    fenced(&user);
    let old = user.tip("main");
    let first = user.work("worker-1", &[("a", "1\n")]);
    let second = user.work("worker-2", &[("b", "2\n")]);
    user.write("README", "my own work\n");
    let (landing, landed) = land(&user, &first);
    let Landing::Gather { branch, reason, command, .. } = landing else { panic!("{landing:?}") };
    assert_eq!(
        (branch.as_str(), command.as_str()),
        ("agent-team/main", "git merge --ff-only agent-team/main")
    );
    assert_eq!(reason, "a file has changes that are not committed");
    assert_eq!(landed, Landed::Landed { checkout: None });
    assert_eq!((user.tip("main"), user.read("README")), (old.clone(), "my own work\n".into()));
    assert_eq!(user.status(), " M README");

    user.git(&["checkout", "-q", "README"]);
    let (landing, _) = land(&user, &second);
    assert!(matches!(landing, Landing::Gather { .. }), "earlier work must come in first: {landing:?}");
    let gathered = user.project.gathered("main").unwrap().unwrap();
    assert!(gathered.is_fast_forward);
    let root = user.root();
    let landed = user.project.land(&intent(&old, &gathered.tip, Some(&root))).unwrap();
    assert_eq!(landed, Landed::Landed { checkout: Some(CheckoutMove::Moved) });
    assert_eq!((user.read("a"), user.read("b")), ("1\n".into(), "2\n".into()));
    assert_eq!(user.project.gathered("main").unwrap(), None);
    assert_eq!(user.project.choose_landing("main").unwrap(), Landing::Checkout { path: root });
}

#[test]
fn work_that_gathered_beside_commits_of_the_user_is_merged_by_him() {
    let user = TestRepository::new();
    fenced(&user);
    let capture = user.work("worker-1", &[("a", "1\n")]);
    user.write("README", "my own work\n");
    land(&user, &capture);
    user.commit("My own");
    let gathered = user.project.gathered("main").unwrap().unwrap();
    assert!(!gathered.is_fast_forward);
    let Landing::Gather { command, .. } = user.project.choose_landing("main").unwrap() else { panic!() };
    user.git(&command.split(' ').skip(1).chain(["--no-edit"]).collect::<Vec<_>>());
    assert_eq!(user.project.gathered("main").unwrap(), None);
}

#[test]
fn many_may_begin_to_gather_at_the_same_time() {
    let user = TestRepository::new();
    for round in 0..5 {
        // What gathered last time is in the target by now, so that the branch starts anew.
        user.write("README", &format!("{round}\n"));
        user.git(&["commit", "-aqm", "newer"]);
        let gather = || user.project.gather("main", "a file is in the way").unwrap();
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(gather)).collect();
            for one in all {
                assert!(matches!(one.join().unwrap(), Landing::Gather { .. }));
            }
        });
        assert_eq!(user.tip("agent-team/main"), user.tip("main"));
    }
}

#[test]
fn a_gather_branch_that_the_user_looks_at_is_not_moved_under_him() {
    let user = TestRepository::new();
    user.git(&["branch", "agent-team/main"]);
    user.git(&["worktree", "add", "-q", "../beside", "agent-team/main"]);
    user.write("README", "my own work\n");
    let landing = user.project.choose_landing("main").unwrap();
    assert!(matches!(&landing, Landing::Blocked { reason } if reason.contains("beside")), "{landing:?}");
}

#[test]
fn an_untracked_file_in_the_way_stops_the_landing_before_anything_moves() {
    let user = TestRepository::new();
    fenced(&user);
    let old = user.tip("main");
    let capture = user.work("worker-1", &[("notes", "the worker's\n")]);
    user.write("notes", "mine\n");
    let (_, landed) = land(&user, &capture);
    assert!(matches!(&landed, Landed::CheckoutBusy { reason } if reason.contains("notes")), "{landed:?}");
    assert_eq!((user.tip("main"), user.read("notes")), (old, "mine\n".into()));
    let Landing::Gather { branch, .. } = user.project.gather("main", "a file is in the way").unwrap() else {
        panic!()
    };
    assert_eq!(user.tip(&branch), capture.base);
}

#[test]
fn nothing_lands_behind_a_moved_fence() {
    let user = TestRepository::new();
    fenced(&user);
    let capture = user.work("worker-1", &[("a", "1\n")]);
    let candidate = tried(&user, &capture, &user.tip("main"));
    user.project.move_fence("main", "ended claim-1").unwrap();
    let root = user.root();
    for checkout in [None, Some(root.as_path())] {
        let landed = user.project.land(&intent(&candidate.target_tip, &candidate.commit, checkout)).unwrap();
        assert_eq!(landed, Landed::FenceMoved);
    }
    assert_eq!(user.tip("main"), candidate.target_tip);
    assert!(!user.project.contains("main", &candidate.commit).unwrap());
    assert_eq!(user.status(), "");
}

#[test]
fn nothing_lands_on_a_tip_that_was_not_tested() {
    let user = TestRepository::new();
    fenced(&user);
    let capture = user.work("worker-1", &[("a", "1\n")]);
    let candidate = tried(&user, &capture, &user.tip("main"));
    let now = user.commit("Meanwhile");
    let landed = user.project.land(&intent(&candidate.target_tip, &candidate.commit, None)).unwrap();
    assert_eq!(landed, Landed::TipMoved { now: Some(now.clone()) });
    assert_eq!(user.tip("main"), now);
}

#[test]
fn a_crash_between_branch_and_checkout_is_repaired_any_number_of_times() {
    let user = TestRepository::new();
    let capture = user.work("worker-1", &[("a", "1\n"), ("README", "better\n")]);
    user.git(&["update-ref", "refs/heads/main", &capture.commit]);
    assert_ne!(user.status(), "");
    let (root, old, new) = (user.root(), &capture.base, &capture.commit);
    for _ in 0..2 {
        assert_eq!(user.project.sync_checkout(&root, old, new).unwrap(), CheckoutMove::Moved);
        assert_eq!((user.status(), user.read("README")), (String::new(), "better\n".into()));
    }
    let later = user.commit("Later");
    let left = user.project.sync_checkout(&root, old, new).unwrap();
    assert!(matches!(left, CheckoutMove::Left { .. }), "{left:?}");
    assert_eq!((user.tip("main"), user.status()), (later, String::new()));
}

#[test]
fn a_crash_while_files_are_written_is_repaired() {
    let user = TestRepository::new();
    user.write("gone", "1\n");
    user.write("stays", "1\n");
    user.commit("More");
    let workspace = user.workspace("worker-1", "T1");
    for (path, content) in [("a", "1\n"), ("b", "2\n"), ("README", "better\n"), ("stays", "2\n")] {
        write(workspace.path(), path, content);
    }
    std::fs::remove_file(workspace.path().join("gone")).unwrap();
    let capture = captured(&workspace, "a1");
    user.git(&["update-ref", "refs/heads/main", &capture.commit]);
    // What git had written when it was killed: no index yet.
    user.write("a", "1\n");
    user.write("README", "better\n");
    std::fs::remove_file(user.root().join("gone")).unwrap();
    let moved = user.project.sync_checkout(&user.root(), &capture.base, &capture.commit).unwrap();
    assert_eq!((moved, user.status()), (CheckoutMove::Moved, String::new()));
    assert_eq!(user.read("b") + &user.read("stays"), "2\n2\n");
}

#[test]
fn a_repair_leaves_what_the_user_wrote_meanwhile() {
    let user = TestRepository::new();
    let capture = user.work("worker-1", &[("README", "better\n"), ("a", "1\n")]);
    user.git(&["update-ref", "refs/heads/main", &capture.commit]);
    user.write("README", "mine\n");
    let left = user.project.sync_checkout(&user.root(), &capture.base, &capture.commit).unwrap();
    assert!(matches!(&left, CheckoutMove::Left { reason } if reason.contains("README")), "{left:?}");
    assert_eq!(user.read("README"), "mine\n");
}

#[test]
fn an_operation_in_progress_makes_a_checkout_the_users_alone() {
    let user = TestRepository::new();
    user.git(&["checkout", "-q", "-b", "side"]);
    user.write("README", "side\n");
    user.git(&["commit", "-qam", "Side"]);
    user.git(&["checkout", "-q", "main"]);
    user.write("README", "main\n");
    user.commit("Main");
    let conflicting = std::process::Command::new("git")
        .args(["rebase", "side"])
        .current_dir(user.root())
        .env_clear()
        .env("HOME", user.home())
        .env("PATH", std::env::var_os("PATH").unwrap())
        .output()
        .unwrap();
    assert!(!conflicting.status.success());
    let checkout = user.project.checkout_of("main").unwrap().expect("the rebase will come back to main");
    assert_eq!(checkout.state, CheckoutState::Dirty { reason: "a rebase is in progress".into() });
    assert_eq!(user.project.checkout_of("side").unwrap(), None);
}

#[test]
fn a_linked_worktree_moves_with_its_branch() {
    let user = TestRepository::new();
    fenced(&user);
    user.git(&["checkout", "-q", "-b", "elsewhere"]);
    user.git(&["worktree", "add", "-q", "../with space", "main"]);
    let capture = user.work("worker-1", &[("a", "1\n")]);
    let (landing, _) = land(&user, &capture);
    let beside = std::fs::canonicalize(user.home().join("with space")).unwrap();
    assert_eq!(landing, Landing::Checkout { path: beside.clone() });
    assert_eq!(std::fs::read_to_string(beside.join("a")).unwrap(), "1\n");
    assert!(!user.root().join("a").exists());
}

#[test]
fn a_branch_that_nobody_has_checked_out_moves_alone() {
    let user = TestRepository::new();
    let target = "feature/größe";
    user.git(&["branch", target]);
    user.project.set_fence(target, None, FENCE).unwrap();
    assert_eq!(user.project.choose_landing(target).unwrap(), Landing::BranchOnly);
    let capture = user.work("worker-1", &[("a", "1\n")]);
    let intent = Intent { target, branch: target, ..intent(&capture.base, &capture.commit, None) };
    assert_eq!(user.project.land(&intent).unwrap(), Landed::Landed { checkout: None });
    assert_eq!(user.tip(target), capture.commit);
    assert_eq!(user.tip("main"), capture.base);
}

#[test]
fn the_users_configuration_and_hooks_do_not_get_in_the_way() {
    let user = TestRepository::with_user_configuration(
        "[commit]\n\tgpgsign = true\n[user]\n\tsigningkey = none\n[diff]\n\tnoprefix = true\n[core]\n\tautocrlf = false\n\
         [init]\n\tdefaultBranch = trunk\n[status]\n\tshort = true\n\tbranch = true\n[fetch]\n\tprune = true\n\
         [fetch]\n\tfsckObjects = true\n[color]\n\tui = always\n[log]\n\tshowSignature = true\n[merge]\n\tff = false\n",
    );
    fenced(&user);
    for name in ["pre-commit", "reference-transaction", "post-checkout", "post-index-change", "pre-receive"] {
        let hook = user.root().join(".git/hooks").join(name);
        write(hook.parent().unwrap(), name, "#!/bin/sh\nexit 1\n");
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let capture = user.work("worker-1", &[("a", "1\n")]);
    let (_, landed) = land(&user, &capture);
    assert_eq!(landed, Landed::Landed { checkout: Some(CheckoutMove::Moved) });
    let workspace = user.workspace("worker-2", "T2");
    write(workspace.path(), "b", "2\n");
    user_git(user.home(), workspace.path(), &["add", "--all"]);
    user_git(user.home(), workspace.path(), &["commit", "-q", "-m", "An agent commits without a key"]);
}

#[test]
fn a_repository_with_sha256_works_the_same() {
    let user = TestRepository::with_object_format("sha256");
    fenced(&user);
    let capture = user.work("worker-1", &[("a", "1\n")]);
    assert_eq!(capture.commit.len(), 64);
    let (_, landed) = land(&user, &capture);
    assert_eq!(landed, Landed::Landed { checkout: Some(CheckoutMove::Moved) });
}

#[test]
fn a_shallow_clone_works_the_same() {
    let user = TestRepository::new();
    user.commit("Second");
    user.git(&["clone", "-q", "--depth=1", &format!("file://{}", user.root().display()), "../shallow"]);
    let program = super::super::test_repository::program(user.home());
    let project = Project::discover(&program, &user.home().join("shallow")).unwrap();
    let base = project.tip("main").unwrap().unwrap();
    let workspace = Workspace::prepare(&project, "worker-1", "T1", &base).unwrap().workspace;
    write(workspace.path(), "a", "1\n");
    let capture = captured(&workspace, "a1");
    assert!(project.has_commit(&capture.commit).unwrap());
    user_git(user.home(), workspace.path(), &["log", "--oneline"]);
}

#[test]
fn a_checkout_that_is_locked_lags_behind_and_is_moved_later() {
    let user = TestRepository::new();
    fenced(&user);
    let capture = user.work("worker-1", &[("a", "1\n")]);
    user.git(&["update-ref", "refs/heads/main", &capture.commit]);
    let lock = user.root().join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    let error =
        user.project.sync_checkout(&user.root(), &capture.base, &capture.commit).unwrap_err().to_string();
    assert!(error.contains("if none runs, remove the lock file"), "{error}");
    std::fs::remove_file(&lock).unwrap();
    let moved = user.project.sync_checkout(&user.root(), &capture.base, &capture.commit).unwrap();
    assert_eq!((moved, user.read("a")), (CheckoutMove::Moved, "1\n".into()));
}
