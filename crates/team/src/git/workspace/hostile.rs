//! What agents do to their workspace to get at us or at others: by mistake, or on purpose.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use super::super::test_repository::{TestRepository, captured, submission, user_git, write};
use super::super::{Captured, Problem};
use super::*;

/// The problems for which a capture is refused.
fn problems(workspace: &Workspace) -> Vec<Problem> {
    match workspace.capture(&submission("a1")).unwrap() {
        Captured::Refused(problems) => problems,
        Captured::Done(capture) => panic!("captured {:?}", capture.changed_files),
    }
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn the_teams_own_folder_is_no_part_of_any_work() {
    let user = TestRepository::new();
    let log = user.root().join(".agent-team/log.jsonl");
    write(&user.root(), ".agent-team/log.jsonl", "the truth\n");
    for path in [".agent-team/log.jsonl", ".Agent-Team/log.jsonl", "sub/.agent-team/log.jsonl"] {
        let workspace = user.workspace("worker-1", "T1");
        write(workspace.path(), ".gitignore", "!.agent-team\n!.agent-team/**\n!.Agent-Team\n");
        write(workspace.path(), path, "forged\n");
        assert_eq!(problems(&workspace), [Problem::TeamsOwn { path: path.into() }]);
    }
    assert_eq!(std::fs::read_to_string(log).unwrap(), "the truth\n");
}

#[test]
fn a_pipe_where_git_opens_files_is_told_and_keeps_nobody() {
    let user = TestRepository::new();
    for path in [".gitignore", "deep/.gitattributes", ".gitmodules", "vendor/.git/HEAD"] {
        let workspace = user.workspace("worker-1", "T1");
        let place = workspace.path().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        make_pipe(&place);
        let found = problems(&workspace);
        assert!(
            matches!(&found[..], [Problem::Unstorable { path: named, .. }] if named == path),
            "{found:?}"
        );
        // What lies there is set aside for the next task, the pipe with it.
        let prepared = Workspace::prepare(&user.project, "worker-1", "T2", &user.tip("main")).unwrap();
        assert!(matches!(&prepared.kept[..], [Kept::Folder(_)]), "{:?}", prepared.kept);
        assert!(!place.exists());
    }
}

#[test]
fn a_pipe_where_git_opens_nothing_is_no_part_of_the_work() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    make_pipe(&workspace.path().join("pipe"));
    let _socket = std::os::unix::net::UnixListener::bind(workspace.path().join("socket")).unwrap();
    write(workspace.path(), "file", "1\n");
    assert_eq!(captured(&workspace, "a1").changed_files, ["file"]);
}

#[test]
fn a_tracked_file_that_became_a_pipe_goes_back_to_the_author() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    std::fs::remove_file(workspace.path().join("README")).unwrap();
    make_pipe(&workspace.path().join("README"));
    let found = problems(&workspace);
    assert!(matches!(&found[..], [Problem::Unstorable { path, .. }] if path == "README"), "{found:?}");
}

/// As root every folder can be read, and what is in it is captured.
#[test]
fn no_file_is_lost_in_a_folder_that_cannot_be_read() {
    let user = TestRepository::new();
    user.write("tracked/file", "1\n");
    user.write(".gitignore", "ignored\n");
    user.commit("Folder");
    for name in ["tracked", "new", "ignored"] {
        let workspace = user.workspace("worker-1", "T1");
        let folder = workspace.path().join(name);
        write(workspace.path(), &format!("{name}/file"), "2\n");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o000)).unwrap();
        let is_closed = std::fs::read_dir(&folder).is_err();
        let outcome = workspace.capture(&submission("a1")).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        match (outcome, is_closed, name) {
            (Captured::Done(capture), _, "ignored") => assert!(capture.is_empty),
            (Captured::Done(capture), false, _) => {
                assert_eq!(capture.changed_files, [format!("{name}/file")]);
            }
            (Captured::Refused(found), true, "tracked" | "new") => {
                let named = |problem: &Problem| matches!(problem, Problem::Unstorable { path, .. } if path.starts_with(name));
                assert!(found.iter().any(named), "{found:?}");
            }
            (outcome, ..) => panic!("{name}: {outcome:?}"),
        }
    }
}

#[test]
fn a_huge_file_is_neither_captured_nor_read_when_the_workspace_is_prepared_anew() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let huge = std::fs::File::create(workspace.path().join("huge")).unwrap();
    // A terabyte that takes no room: reading it would take an hour.
    huge.set_len(1 << 40).unwrap();
    let limit_bytes = submission("a1").file_limit_bytes;
    assert_eq!(
        problems(&workspace),
        [Problem::TooLarge { path: "huge".into(), size_bytes: 1 << 40, limit_bytes }]
    );
    let prepared = Workspace::prepare(&user.project, "worker-1", "T2", &user.tip("main")).unwrap();
    let [Kept::Folder(folder)] = prepared.kept.as_slice() else { panic!("{:?}", prepared.kept) };
    assert_eq!(std::fs::metadata(folder.join("huge")).unwrap().len(), 1 << 40);
}

#[test]
fn many_files_may_not_be_too_much_together() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    for number in 0..30 {
        let file = std::fs::File::create(workspace.path().join(format!("large-{number}"))).unwrap();
        file.set_len(submission("a1").file_limit_bytes).unwrap();
    }
    let size_bytes = 30 * submission("a1").file_limit_bytes;
    let limit_bytes = 20 * submission("a1").file_limit_bytes;
    assert_eq!(problems(&workspace), [Problem::TooMuch { size_bytes, limit_bytes }]);
}

/// What the agent's repository says is not read, and the work is captured all the same.
fn own_commits_are_left_alone(workspace: &Workspace, token: &str) {
    let capture = captured(workspace, token);
    assert!(matches!(&capture.own_commits, OwnCommits::Unreadable { .. }), "{:?}", capture.own_commits);
    assert_eq!(capture.changed_files, ["file"]);
}

#[test]
fn a_repository_of_the_agents_that_would_keep_git_waiting_or_fill_the_memory_is_not_read() {
    let user = TestRepository::new();
    type Trap = (&'static str, fn(&Path));
    let traps: [Trap; 6] = [
        ("HEAD", make_pipe),
        ("packed-refs", make_pipe),
        ("refs/heads/pipe", make_pipe),
        ("objects/info/alternates", |place| symlink("/dev/zero", place).unwrap()),
        ("config", |place| symlink("/dev/zero", place).unwrap()),
        ("objects/pack/pack-1.pack", |place| std::fs::File::create(place).unwrap().set_len(1 << 40).unwrap()),
    ];
    for (number, (path, make)) in traps.into_iter().enumerate() {
        let workspace = user.workspace("worker-1", "T1");
        write(workspace.path(), "file", "1\n");
        let place = workspace.path().join(".git").join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        if place.exists() {
            std::fs::remove_file(&place).unwrap();
        }
        make(&place);
        own_commits_are_left_alone(&workspace, &format!("a{number}"));
    }
}

#[test]
fn a_repository_that_is_a_link_to_the_users_is_not_read() {
    let user = TestRepository::new();
    let links: [fn(&Path, PathBuf); 2] = [
        |place, target| symlink(target, place).unwrap(),
        |place, target| std::fs::write(place, format!("gitdir: {}\n", target.display())).unwrap(),
    ];
    for (number, link) in links.into_iter().enumerate() {
        let workspace = user.workspace("worker-1", "T1");
        write(workspace.path(), "file", "1\n");
        let inner = workspace.path().join(".git");
        std::fs::remove_dir_all(&inner).unwrap();
        link(&inner, user.root().join(".git"));
        own_commits_are_left_alone(&workspace, &format!("a{number}"));
        user.workspace("worker-1", "T2");
        assert_eq!(user.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "main");
        assert_eq!(user.status(), "");
    }
}

#[test]
fn a_workspace_that_is_a_link_to_another_folder_is_neither_captured_nor_cleaned() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let elsewhere = user.home().join("elsewhere");
    write(&elsewhere, "diary", "private\n");
    std::fs::remove_dir_all(workspace.path()).unwrap();
    symlink(&elsewhere, workspace.path()).unwrap();
    assert!(Workspace::open(&user.project, "worker-1").unwrap().is_none());
    user.workspace("worker-1", "T2");
    assert_eq!(std::fs::read_to_string(elsewhere.join("diary")).unwrap(), "private\n");
    assert!(!workspace.path().is_symlink());
}

#[test]
fn a_lock_that_a_killed_git_of_ours_left_behind_is_in_nobodys_way() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    write(workspace.path(), "file", "1\n");
    let ours = user.root().join(".agent-team/capture/worker-1.git");
    for lock in ["index.lock", "HEAD.lock", "refs/capture/last.lock"] {
        write(&ours, lock, "");
    }
    // The agent's own are in nobody's way in any case.
    write(workspace.path(), ".git/index.lock", "");
    let workspace = Workspace::open(&user.project, "worker-1").unwrap().unwrap();
    assert_eq!(captured(&workspace, "a1").changed_files, ["file"]);
    user.workspace("worker-1", "T2");
}

#[test]
fn names_that_git_takes_for_its_own_are_refused_and_names_that_differ_by_case_are_not() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    write(workspace.path(), "case", "lower\n");
    write(workspace.path(), "CASE", "upper\n");
    write(workspace.path(), "--upload-pack=touch canary", "option\n");
    assert_eq!(captured(&workspace, "a1").changed_files, ["--upload-pack=touch canary", "CASE", "case"]);
    for name in [".GIT/config", "sub/.Git/hooks/pre-commit", "git~1", "sub/.git\u{200c}/config"] {
        let workspace = user.workspace("worker-1", "T1");
        write(workspace.path(), name, "[core]\n\tfsmonitor = true\n");
        assert_eq!(problems(&workspace).len(), 1, "{name}");
    }
}

#[test]
fn a_submodule_that_an_agent_adds_goes_back_and_its_gitmodules_alone_runs_nothing() {
    let user = TestRepository::new();
    let canary = user.home().join("canary");
    let workspace = user.workspace("worker-1", "T1");
    let evil = format!(
        "[submodule \"x\"]\n\tpath = x\n\turl = --upload-pack=touch {0}\n\tupdate = !touch {0}\n",
        canary.display()
    );
    user_git(user.home(), workspace.path(), &["init", "-q", "x"]);
    user_git(user.home(), &workspace.path().join("x"), &["config", "user.email", "x@example.org"]);
    user_git(user.home(), &workspace.path().join("x"), &["config", "user.name", "x"]);
    user_git(user.home(), &workspace.path().join("x"), &["commit", "-q", "--allow-empty", "-m", "Inner"]);
    write(workspace.path(), ".gitmodules", &evil);
    assert_eq!(problems(&workspace), [Problem::NestedRepository { path: "x".into() }]);
    std::fs::remove_dir_all(workspace.path().join("x")).unwrap();
    assert_eq!(captured(&workspace, "a1").changed_files, [".gitmodules"]);
    assert!(!canary.exists());
}
