use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::test_repository::{TestRepository, captured, submission, user_git, write};
use super::super::{Captured, Problem};
use super::*;

#[test]
fn work_becomes_one_commit_by_the_agent_on_the_base() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    write(workspace.path(), "new file", "1\n");
    std::fs::remove_file(workspace.path().join("README")).unwrap();
    let capture = captured(&workspace, "a1");
    assert_eq!(capture.changed_files, ["README", "new file"]);
    assert_eq!(capture.base, user.tip("main"));
    assert!(!capture.is_empty);
    let shown = user.git(&["log", "-1", "--format=%an <%ae>|%cn|%B", "refs/agent-team/attempts/a1"]);
    assert_eq!(
        shown,
        "worker-1 <worker-1@agent-team.invalid>|agent-team|Did it\n\nTask: T1\nAgent: worker-1"
    );
    assert_eq!(user.git(&["log", "--format=%P", "-1", &capture.commit]), capture.base);
    assert_eq!(user.status(), "");
}

#[test]
fn a_workspace_has_its_branch_its_author_and_no_remote() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let inside = |arguments: &[&str]| user_git(user.home(), workspace.path(), arguments);
    assert_eq!(inside(&["symbolic-ref", "HEAD"]), "refs/heads/task/T1");
    assert_eq!(inside(&["config", "user.email"]), "worker-1@agent-team.invalid");
    assert_eq!(inside(&["remote"]), "");
    assert_eq!(inside(&["status", "--porcelain"]), "");
    assert_eq!(workspace.task().unwrap().as_deref(), Some("T1"));
    let reopened = Workspace::open(&user.project, "worker-1").unwrap().unwrap();
    assert_eq!(reopened.base().unwrap(), user.tip("main"));
    assert!(Workspace::open(&user.project, "worker-2").unwrap().is_none());
}

/// Whoever took it for the task's would deliver what the folder lacks of the new base as deletions.
#[test]
fn a_workspace_whose_preparation_was_cut_off_belongs_to_no_task() {
    let user = TestRepository::new();
    user.workspace("worker-1", "T1");
    // Where a lock should be there is a folder, which nothing clears away: it stops the preparation in its middle, as a
    // kill does.
    let lock = user.project.state_folder().join("capture/worker-1.git/refs/capture/last.lock");
    std::fs::create_dir_all(lock.join("full")).unwrap();
    assert!(Workspace::prepare(&user.project, "worker-1", "T2", &user.tip("main")).is_err());
    std::fs::remove_dir_all(&lock).unwrap();
    let found = Workspace::open(&user.project, "worker-1").unwrap().unwrap();
    assert_eq!(found.task().unwrap(), None);
    assert_eq!(user.workspace("worker-1", "T2").task().unwrap().as_deref(), Some("T2"));
}

#[test]
fn a_workspace_becomes_again_what_it_was_when_it_was_captured() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let base = workspace.base().unwrap();
    write(workspace.path(), "half", "1\n");
    std::fs::remove_file(workspace.path().join("README")).unwrap();
    captured(&workspace, "a1");
    user.write("later", "x\n");
    user.commit("Later");
    let other = user.workspace("worker-1", "T2");
    write(other.path(), "other", "2\n");
    let restore = |token: &str| Workspace::restore(&user.project, "worker-1", "T1", token).unwrap();

    assert!(restore("a2").is_none(), "nothing was captured there");
    assert_eq!(other.task().unwrap().as_deref(), Some("T2"), "so nothing is touched");
    let restored = restore("a1").unwrap();

    assert_eq!((restored.task().unwrap().as_deref(), restored.base().unwrap()), (Some("T1"), base));
    let capture = captured(&restored, "a3");
    assert_eq!(capture.changed_files, ["README", "half"]);
    assert_eq!(user.git(&["show", "refs/agent-team/kept/worker-1/1:other"]), "2", "what lay there is kept");
}

#[test]
fn an_untouched_workspace_gives_an_empty_capture() {
    let user = TestRepository::new();
    let capture = captured(&user.workspace("worker-1", "T1"), "a1");
    assert!(capture.is_empty && capture.changed_files.is_empty());
    assert_eq!(capture.own_commits, OwnCommits::None);
}

#[test]
fn nothing_that_an_agent_plants_in_its_repository_is_run() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let canary = user.home().join("canary");
    let trap = user.home().join("trap");
    std::fs::write(&trap, format!("#!/bin/sh\ntouch '{}'\ncat\n", canary.display())).unwrap();
    std::fs::set_permissions(&trap, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = workspace.path().join(".git/config");
    let trap = trap.display();
    let planted = format!(
        "[core]\n\tfsmonitor = {trap}\n\thooksPath = hooks\n\tsshCommand = {trap}\n\tpager = {trap}\n\
         [filter \"trap\"]\n\tclean = {trap}\n\tsmudge = {trap}\n\trequired = true\n\
         [diff]\n\texternal = {trap}\n[uploadpack]\n\tpackObjectsHook = {trap}\n[alias]\n\tadd = !{trap}\n"
    );
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + &planted).unwrap();
    write(workspace.path(), ".gitattributes", "* filter=trap diff=trap merge=trap\n");
    write(workspace.path(), "file", "content\n");
    for hook in ["reference-transaction", "pre-commit", "post-checkout", "post-index-change", "pre-auto-gc"] {
        let place = workspace.path().join(".git/hooks").join(hook);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(user.home().join("trap"), place).unwrap();
    }
    let capture = captured(&workspace, "a1");
    assert_eq!(user.git(&["show", &format!("{}:file", capture.commit)]), "content");
    user.workspace("worker-1", "T2");
    assert!(!canary.exists());

    // The trap is a real one: it springs for whoever runs git in there.
    std::fs::write(workspace.path().join(".git/config"), format!("[core]\n\tbare = false\n{planted}"))
        .unwrap();
    write(workspace.path(), "file", "other\n");
    user_git(user.home(), workspace.path(), &["status"]);
    assert!(canary.exists());
}

#[test]
fn a_missing_object_does_not_lead_git_to_a_command_of_the_agents() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let inside = |arguments: &[&str]| user_git(user.home(), workspace.path(), arguments);
    write(workspace.path(), "file", "content\n");
    inside(&["add", "--all"]);
    inside(&["commit", "-q", "-m", "Its blob goes missing"]);
    let blob = inside(&["rev-parse", "HEAD:file"]);
    let (folder, name) = blob.split_at(2);
    std::fs::remove_file(workspace.path().join(".git/objects").join(folder).join(name)).unwrap();
    let canary = user.home().join("canary");
    inside(&["config", "core.repositoryFormatVersion", "1"]);
    inside(&["config", "extensions.partialClone", "origin"]);
    inside(&["config", "remote.origin.promisor", "true"]);
    inside(&["config", "remote.origin.url", &user.root().to_string_lossy()]);
    inside(&["config", "remote.origin.uploadpack", &format!("touch '{}'; false", canary.display())]);
    // The trap is a real one: it springs for whoever reads the object in there.
    inside(&["-c", &format!("alias.read=!git cat-file blob {blob} || true"), "read"]);
    std::fs::remove_file(&canary).unwrap();
    let capture = captured(&workspace, "a1");
    assert!(matches!(capture.own_commits, OwnCommits::Unreadable { .. }), "{:?}", capture.own_commits);
    assert_eq!(capture.changed_files, ["file"]);
    assert!(!canary.exists());
}

#[test]
fn a_link_is_stored_as_a_link_and_not_followed() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    symlink("/etc/passwd", workspace.path().join("link")).unwrap();
    let capture = captured(&workspace, "a1");
    assert!(user.git(&["ls-tree", &capture.commit, "link"]).starts_with("120000 "));
    assert_eq!(user.git(&["show", &format!("{}:link", capture.commit)]), "/etc/passwd");
}

#[test]
fn a_tracked_folder_may_become_a_link() {
    let user = TestRepository::new();
    user.write("folder/file", "1\n");
    user.commit("Folder");
    let workspace = user.workspace("worker-1", "T1");
    std::fs::remove_dir_all(workspace.path().join("folder")).unwrap();
    symlink("/etc", workspace.path().join("folder")).unwrap();
    let capture = captured(&workspace, "a1");
    assert_eq!(capture.changed_files, ["folder", "folder/file"]);
    user.workspace("worker-1", "T2");
    assert_eq!(std::fs::read_to_string(workspace.path().join("folder/file")).unwrap(), "1\n");
}

#[test]
fn what_git_cannot_hold_goes_back_to_the_author() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    user_git(user.home(), workspace.path(), &["init", "-q", "vendor/lib"]);
    write(workspace.path(), "vendor/lib/code", "x");
    write(workspace.path(), "large", &"x".repeat(101));
    let order = Submission { file_limit_bytes: 100, ..submission("a1") };
    let Captured::Refused(problems) = workspace.capture(&order).unwrap() else { panic!("captured") };
    let large = Problem::TooLarge { path: "large".into(), size_bytes: 101, limit_bytes: 100 };
    assert_eq!(problems, [large, Problem::NestedRepository { path: "vendor/lib".into() }]);
    assert_eq!(user.project.read_ref("refs/agent-team/attempts/a1").unwrap(), None);

    std::fs::remove_dir_all(workspace.path().join("vendor/lib/.git")).unwrap();
    std::fs::remove_file(workspace.path().join("large")).unwrap();
    assert_eq!(captured(&workspace, "a1").changed_files, ["vendor/lib/code"]);
}

#[test]
fn the_agents_own_commits_branches_and_stash_are_kept() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let inside = |arguments: &[&str]| user_git(user.home(), workspace.path(), arguments);
    write(workspace.path(), "step", "1\n");
    inside(&["add", "--all"]);
    inside(&["commit", "-q", "-m", "My step"]);
    let own = inside(&["rev-parse", "HEAD"]);
    let capture = captured(&workspace, "a1");
    assert_eq!(capture.own_commits, OwnCommits::Kept { reference: "refs/agent-team/attempts/a1-own".into() });
    assert_eq!(user.tip_of("refs/agent-team/attempts/a1-own"), own);
    assert_eq!(user.git(&["log", "-1", "--format=%an %s", &own]), "worker-1 My step");

    write(workspace.path(), "step", "stashed\n");
    inside(&["stash", "-q"]);
    inside(&["checkout", "-q", "-b", "side", "HEAD~1"]);
    write(workspace.path(), "other", "2\n");
    inside(&["add", "--all"]);
    inside(&["commit", "-q", "-m", "Side"]);
    let (stash, side) = (inside(&["rev-parse", "refs/stash"]), inside(&["rev-parse", "side"]));
    captured(&workspace, "a2");
    let holder = user.tip_of("refs/agent-team/attempts/a2-own");
    for commit in [own, stash, side] {
        assert!(user.project.is_ancestor(&commit, &holder).unwrap());
    }
}

#[test]
fn preparing_for_another_task_keeps_what_nobody_submitted() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    write(workspace.path(), "draft", "precious\n");
    let prepared = Workspace::prepare(&user.project, "worker-1", "T2", &user.tip("main")).unwrap();
    assert_eq!(prepared.kept, [Kept::Reference("refs/agent-team/kept/worker-1/1".into())]);
    assert_eq!(user.git(&["show", "refs/agent-team/kept/worker-1/1:draft"]), "precious");
    assert!(!workspace.path().join("draft").exists());

    write(workspace.path(), "submitted", "1\n");
    captured(&workspace, "a2");
    let prepared = Workspace::prepare(&user.project, "worker-1", "T3", &user.tip("main")).unwrap();
    assert_eq!(prepared.kept, [], "the capture's ref holds it already");
}

#[test]
fn a_repository_that_the_agent_deleted_or_damaged_is_made_anew() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    std::fs::remove_dir_all(workspace.path().join(".git")).unwrap();
    write(workspace.path(), "done", "1\n");
    let capture = captured(&workspace, "a1");
    assert!(matches!(capture.own_commits, OwnCommits::Unreadable { .. }));
    assert_eq!(capture.changed_files, ["done"]);
    user.workspace("worker-1", "T2");
    assert_eq!(user_git(user.home(), workspace.path(), &["status", "--porcelain"]), "");

    std::fs::write(workspace.path().join(".git/HEAD"), "garbage").unwrap();
    let prepared = Workspace::prepare(&user.project, "worker-1", "T3", &user.tip("main")).unwrap();
    assert!(prepared.kept.iter().any(|kept| matches!(kept, Kept::Folder(_))), "{:?}", prepared.kept);
    assert_eq!(user_git(user.home(), workspace.path(), &["status", "--porcelain"]), "");
}

#[test]
fn git_in_a_workspace_without_a_repository_does_not_find_the_users() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    std::fs::remove_dir_all(workspace.path().join(".git")).unwrap();
    let git = |variables: Vec<(&str, OsString)>| {
        let mut command = std::process::Command::new("git");
        command.args(["rev-parse", "--git-dir"]).current_dir(workspace.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", user.home()).envs(variables);
        command.output().unwrap().status.success()
    };
    assert!(git(Vec::new()), "without the variables it would");
    assert!(!git(workspace.environment()));
}

#[test]
fn what_cannot_be_kept_by_a_ref_is_set_aside_whole() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    user_git(user.home(), workspace.path(), &["init", "-q", "lib"]);
    write(workspace.path(), "lib/code", "precious\n");
    let prepared = Workspace::prepare(&user.project, "worker-1", "T2", &user.tip("main")).unwrap();
    let [Kept::Folder(folder)] = prepared.kept.as_slice() else { panic!("{:?}", prepared.kept) };
    assert_eq!(std::fs::read_to_string(folder.join("lib/code")).unwrap(), "precious\n");
    assert_eq!(captured(&prepared.workspace, "a2").changed_files, Vec::<String>::new());
}

#[test]
fn unusual_file_names_survive() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let names = ["--all", "-x", "a\nb", "größe", "tab\there", "with space", "*", ":(top)x"];
    for name in names {
        write(workspace.path(), name, name);
    }
    let mut expected = names.to_vec();
    expected.sort_unstable();
    assert_eq!(captured(&workspace, "a1").changed_files, expected);
}

#[test]
fn ignored_files_are_no_work_and_stay_for_the_next_task() {
    let user = TestRepository::new();
    user.write(".gitignore", "target/\n");
    user.commit("Ignore");
    std::fs::write(user.root().join(".git/info/exclude"), "/.agent-team/\nlocal\n").unwrap();
    let workspace = user.workspace("worker-1", "T1");
    write(workspace.path(), "target/built", "1");
    write(workspace.path(), "local", "1");
    assert!(captured(&workspace, "a1").is_empty);
    user.workspace("worker-1", "T2");
    assert!(workspace.path().join("target/built").exists());
}

#[test]
fn ids_that_would_leave_their_folder_are_refused() {
    let user = TestRepository::new();
    let base = user.tip("main");
    for (agent, task) in [("../x", "T"), ("a", "../x"), ("-a", "T"), ("", "T"), ("a", "x.lock")] {
        let refused = Workspace::prepare(&user.project, agent, task, &base);
        assert!(matches!(refused, Err(GitError::Name { .. })), "{agent:?} {task:?}");
    }
}

#[test]
fn trailers_cannot_be_forged_by_the_message() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let order = Submission { message: "Title\n\nTask: other\nAgent: boss\n", ..submission("a1") };
    let Captured::Done(capture) = workspace.capture(&order).unwrap() else { panic!("refused") };
    let trailers = user.git(&["log", "-1", "--format=%(trailers)", &capture.commit]);
    assert_eq!(trailers.trim_end(), "Task: T1\nAgent: worker-1");
}

#[test]
fn agents_work_at_the_same_time() {
    let user = TestRepository::new();
    let names: Vec<String> = (0..6).map(|number| format!("worker-{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let user = &user;
            scope.spawn(move || {
                for round in ["a", "b"] {
                    let workspace = user.workspace(name, round);
                    write(workspace.path(), name, round);
                    captured(&workspace, &format!("{name}-{round}"));
                }
            });
        }
    });
    for name in &names {
        assert_eq!(user.git(&["show", &format!("refs/agent-team/attempts/{name}-b:{name}")]), "b");
    }
}

#[test]
fn a_submodule_of_the_project_stays_as_it_is() {
    let user = TestRepository::new();
    user_git(user.home(), user.home(), &["clone", "-q", "project", "library"]);
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../library", "library"];
    user.git(&add);
    user.commit("A submodule");
    let workspace = user.workspace("worker-1", "T1");
    write(workspace.path(), "file", "1\n");
    assert_eq!(captured(&workspace, "a1").changed_files, ["file"]);

    // An agent that fetches the submodule itself, with a trap in it, changes nothing and springs nothing.
    let inside = workspace.path().join("library");
    user_git(user.home(), workspace.path(), &["clone", "-q", "../../../../library", "library"]);
    let canary = user.home().join("canary");
    let trap = format!("[core]\n\tfsmonitor = \"touch {};true\"\n", canary.display());
    write(&inside, ".git/config", &trap);
    write(&inside, "README", "changed\n");
    write(
        workspace.path(),
        ".gitmodules",
        "[submodule \"library\"]\n\tpath = library\n\turl = x\n\tignore = none\n",
    );
    assert_eq!(captured(&workspace, "a2").changed_files, [".gitmodules", "file"]);
    assert!(!canary.exists());
}

#[test]
fn what_lies_in_a_workspace_is_seen_while_somebody_works_in_it() {
    let user = TestRepository::new();
    let workspace = user.workspace("worker-1", "T1");
    let program = GitProgram::from_process_environment();
    let seen_for =
        |task: &str| patch_of_workspace(&program, "worker-1", task, workspace.path(), 1 << 20).unwrap();
    let seen = || seen_for("T1");
    assert_eq!(seen(), "");
    write(workspace.path(), "README", "other\n");
    write(workspace.path(), "new file", "1\n");
    let patch = seen();
    assert!(patch.contains("+other") && patch.ends_with("new file: new file\n"), "{patch}");
    // It was only looked at: what is captured is the same.
    assert_eq!(captured(&workspace, "a1").changed_files, ["README", "new file"]);
    assert_eq!(seen_for("T2"), "");
    assert_eq!(patch_of_workspace(&program, "worker-1", "T1", user.home(), 1 << 20).unwrap(), "");
}
