//! Whole runs with gates, checks and agents that misbehave, by mistake or on purpose. Repositories, commands and files
//! are real; only the model's words are scripted. What must hold: the run ends and says what was wrong, nothing that was
//! planted is run by us, the branch holds nothing that it should not, and no process is left.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::command::Environment;
use agent_team::sandbox::{Sandbox, SandboxChoice};
use agent_team::{AgentTeam, Progress, Reporter, RunOptions, RunOutcome, RunReport, Status};
use project::{
    TestProject, agent, attempt, feedback, finishes, gated, run, runs, script, task, view, workers, writes,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;

/// What a run said that begins with ERROR on the command line.
type Errors = Arc<Mutex<Vec<String>>>;

/// Commands that may do whatever the user may: what a sandbox keeps away must do no harm without one either.
fn unconfined(options: RunOptions) -> RunOptions {
    let environment = Environment::of_this_process().confined(Sandbox::new(SandboxChoice::None));
    RunOptions { environment: Some(environment), ..options }
}

/// A team of one worker whose model follows these rules, and the errors that its run reports.
fn team(project: &TestProject, rules: &[Value], options: RunOptions) -> (AgentTeam, Errors) {
    let mut team = project.team();
    workers(&mut team, 1, &agent(script(rules)));
    let errors = Errors::default();
    let told = errors.clone();
    let reporter = Reporter::to(move |progress| {
        let line = match progress {
            Progress::Failed { task, reason, .. } | Progress::Refused { task, reason } => {
                format!("{task}: {reason}")
            }
            Progress::Checked { task, passed: false, reason } => format!("{task}: {reason}"),
            Progress::Note(text) if text.starts_with("ERROR") || text.contains("tried again") => text,
            _ => return,
        };
        told.lock().unwrap().push(line);
    });
    team.options(RunOptions { reporter, ..options });
    (team, errors)
}

/// Fails unless one of the errors names the task and says why.
fn assert_told(errors: &Errors, task: &str, reason: &str) {
    let errors = errors.lock().unwrap();
    assert!(
        errors.iter().any(|line| line.contains(task) && line.contains(reason)),
        "{task}, {reason}: {errors:#?}"
    );
}

/// Resolves when no process has this argument; those that are still being ended are waited for.
async fn until_gone(argument: &str) {
    let argument = argument.to_owned();
    let waits = tokio::task::spawn_blocking(move || {
        while let Some(process) = running(&argument).next() {
            // Readable when it has ended: pidfd_open(2). One that ended meanwhile is no error.
            let Ok(process) = pidfd_open(process, PidfdFlags::empty()) else { continue };
            let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&PATIENCE)).unwrap();
            assert_eq!(ended, 1, "the process is still there");
        }
    });
    waits.await.unwrap();
}

/// How long a process may take to end.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// The processes that have this argument.
fn running(argument: &str) -> impl Iterator<Item = Pid> {
    let has = |process: &Path| {
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|part| part == argument.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|process| process.path());
    processes
        .filter(move |process| has(process))
        .filter_map(|process| Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?))
}

/// A daemon with this argument that left its command's group, has no parent and says nothing.
fn daemon(argument: &str) -> String {
    format!(
        "(setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 0.05; done' {argument} > /dev/null 2>&1 < /dev/null &)"
    )
}

/// The files of the target branch.
fn files(project: &TestProject) -> Vec<String> {
    project.git(&["ls-files"]).lines().map(str::to_owned).collect()
}

/// The file with all that a gate printed.
fn output_of_gate(project: &TestProject, contains: &str) -> PathBuf {
    let attempts = std::fs::read_dir(project.root().join(".agent-team/attempts")).unwrap();
    let mut files = attempts.map(|entry| entry.unwrap().path().join("gate.txt"));
    let holds =
        |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(contains.as_bytes()));
    files.find(holds).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_never_ends_on_one_piece_of_work_costs_that_work_and_not_the_run() {
    let project = TestProject::new();
    let work = |name: &str| attempt(name, 1, &[writes(name, "x\n"), finishes("Done.")]);
    let gate = "test ! -e endless || { echo begun; trap '' TERM; sleep 98761.1; sleep 98761.1; }";
    let options = RunOptions { gate_limit: Some(Duration::from_millis(500)), ..gated(gate) };
    let (team, errors) = team(&project, &[work("endless"), work("good")], options);
    team.add_task(task("endless").attempts(1).priority(1)).unwrap();
    team.add_task(task("good")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Stuck);
    assert_eq!(
        (view(&team, "endless").status, view(&team, "good").status),
        (Status::Failed, Status::Completed)
    );
    assert_eq!(files(&project), ["README", "good"]);
    assert_told(&errors, "endless", "over its time limit");
    assert!(feedback(&team, "endless")[0].contains("begun"), "{:?}", feedback(&team, "endless"));
    until_gone("98761.1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_and_a_check_that_leave_daemons_pass_and_leave_none() {
    let project = TestProject::new();
    let rules =
        [attempt("work", 1, &[runs(&daemon("daemon-of-agent")), writes("new", "x\n"), finishes("Done.")])];
    let (team, _) = team(&project, &rules, gated(&daemon("daemon-of-gate")));
    team.add_task(task("work").check(daemon("daemon-of-check"))).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    assert_eq!(project.read("new"), "x\n");
    for name in ["daemon-of-agent", "daemon-of-gate", "daemon-of-check"] {
        until_gone(name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_prints_more_than_is_kept_is_judged_by_how_it_ends() {
    let project = TestProject::new();
    let rules = [attempt("loud", 1, &[writes("loud", "x\n"), finishes("Done.")])];
    let gate = "echo the gate; test ! -e loud || head -c 70000000 /dev/zero | tr '\\0' x | fold -w 100000; echo; echo the end";
    let (team, _) = team(&project, &rules, gated(gate));
    team.add_task(task("loud")).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    assert_eq!(project.read("loud"), "x\n");
    let outputs = std::fs::read_dir(project.root().join(".agent-team/attempts")).unwrap();
    let longest = outputs
        .filter_map(|entry| entry.unwrap().path().join("gate.txt").metadata().ok())
        .map(|kept| kept.len());
    let kept = agent_team::command::CommandSpec::OUTPUT_KEPT_BYTES;
    assert!((kept..kept + 100).contains(&longest.max().unwrap()), "as much as is kept, and a note");
    assert!(output_of_gate(&project, "the gate\n").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_writes_into_the_projects_own_folder_is_told_of_and_does_not_spoil_the_target() {
    let project = TestProject::new();
    let rules = [attempt("work", 1, &[writes("new", "x\n"), finishes("Done.")])];
    let root = project.root();
    let gate = format!("touch {0}/stray; test ! -e new || echo changed >> {0}/README", root.display());
    let (team, errors) = team(&project, &rules, unconfined(gated(&gate)));
    team.add_task(task("work")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed);
    assert_told(&errors, "stray", "the project's own folder changed");
    assert_told(&errors, "work", "a check or gate that writes outside of its folder");
    assert!(report.errors.iter().any(|error| error.contains("stray")), "{:?}", report.errors);
    assert_eq!(files(&project), ["README"]);
    assert_eq!(project.git(&["ls-tree", "--name-only", "agent-team/main"]), "README\nnew");
    assert_eq!(project.git(&["show", "agent-team/main:README"]), "hello");
}

/// One deed of an agent in its workspace: the task's name, the command, and what becomes of it.
struct Deed {
    name: &'static str,
    command: String,
    becomes: Becomes,
}

enum Becomes {
    /// It is merged, with these files.
    Merged(&'static [&'static str]),
    /// It goes back with this reason, and the second attempt, which does no such thing, is merged.
    SentBack(&'static str),
}
use Becomes::{Merged, SentBack};

fn deeds(trap: &Path, huge_bytes: u64) -> Vec<Deed> {
    let deed = |name, command: &str, becomes| Deed { name, command: command.to_owned(), becomes };
    let trap = trap.display();
    let plant = format!(
        "for hook in pre-commit post-checkout reference-transaction post-index-change pre-auto-gc; do \
           mkdir -p .git/hooks; ln -s {trap} .git/hooks/$hook; done; \
         git config core.fsmonitor {trap}; git config core.sshCommand {trap}; git config core.pager {trap}; \
         git config filter.trap.clean {trap}; git config filter.trap.smudge {trap}; \
         git config filter.trap.process {trap}; git config filter.trap.required true; \
         git config diff.trap.textconv {trap}; git config merge.trap.driver {trap}; git config diff.external {trap}; \
         git config uploadpack.packObjectsHook {trap}; git config alias.add '!{trap}'; \
         echo 'plants/* filter=trap diff=trap merge=trap' > .gitattributes; mkdir plants; echo x > plants/file"
    );
    vec![
        deed("deletes", "rm -rf .git; echo x > deletes", Merged(&["deletes"])),
        deed("plants", &plant, Merged(&[".gitattributes", "plants/file"])),
        deed(
            "links",
            "ln -s /etc/passwd passwd; ln -s ../../../.. out; ln -s /etc etc; ln -s nowhere dangling",
            Merged(&["dangling", "etc", "out", "passwd"]),
        ),
        deed(
            "cases",
            "echo x > case; echo x > CASE; echo x > ./--exec=sh",
            Merged(&["--exec=sh", "CASE", "case"]),
        ),
        deed("locks", "touch .git/index.lock .git/HEAD.lock; echo x > locks", Merged(&["locks"])),
        deed("pipe", "mkfifo pipe; echo x > piped", Merged(&["piped"])),
        deed("gitignore", "mkfifo .gitignore; echo x > ignored", SentBack("git would wait for ever")),
        deed("nested", "git init -q lib; echo x > lib/code", SentBack("lib is a git repository of its own")),
        deed(
            "submodule",
            "git -c protocol.file.allow=always -c user.name=a -c user.email=a submodule --quiet add $PWD/../../.. sub",
            SentBack("sub is a git repository of its own"),
        ),
        deed("huge", &format!("truncate -s {huge_bytes} huge"), SentBack("over the limit of 1000")),
        deed(
            "smuggles",
            "echo '!.agent-team' > .gitignore; mkdir .agent-team; echo forged > .agent-team/log.jsonl",
            SentBack(".agent-team/log.jsonl is in the team's own folder"),
        ),
        deed(
            "gits",
            "mkdir sub; mkdir sub/.GIT; echo x > sub/.GIT/config",
            SentBack("is a git repository of its own"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_agent_does_to_its_workspace_is_merged_as_files_or_goes_back_and_runs_nothing() {
    let project = TestProject::new();
    let (canary, trap) = (project.beside("canary"), project.beside("trap"));
    std::fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", canary.display())).unwrap();
    std::fs::set_permissions(&trap, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let deeds = deeds(&trap, 1 << 40);
    let rules: Vec<Value> = deeds
        .iter()
        .flat_map(|deed| {
            let mended = format!("{}-mended", deed.name);
            [
                attempt(deed.name, 1, &[runs(&deed.command), finishes("Done.")]),
                attempt(deed.name, 2, &[writes(&mended, "x\n"), finishes("Mended.")]),
            ]
        })
        .collect();
    let (team, errors) =
        team(&project, &rules, unconfined(RunOptions { max_file_bytes: Some(1_000), ..gated("true") }));
    for deed in &deeds {
        team.add_task(task(deed.name)).unwrap();
    }

    let report = run(&team).await;

    assert_eq!(
        report.outcome,
        RunOutcome::Completed,
        "{:?}\n{:#?}",
        report.unfinished,
        errors.lock().unwrap()
    );
    let mut expected = vec!["README".to_owned()];
    for deed in &deeds {
        match deed.becomes {
            Merged(files) => expected.extend(files.iter().map(|file| (*file).to_owned())),
            SentBack(reason) => {
                expected.push(format!("{}-mended", deed.name));
                assert_told(&errors, deed.name, reason);
                assert!(feedback(&team, deed.name)[0].contains(reason), "{:?}", feedback(&team, deed.name));
            }
        }
    }
    expected.sort();
    assert_eq!(files(&project), expected);
    assert!(
        project
            .git(&["ls-files", "--stage", "passwd", "out", "etc"])
            .lines()
            .all(|line| line.starts_with("120000 "))
    );
    assert_eq!(project.changes(), "");
    assert_eq!(std::fs::read_to_string(&canary).unwrap_or_default(), "", "nothing that was planted was run");
    let log = std::fs::read_to_string(project.root().join(".agent-team/log.jsonl")).unwrap();
    assert!(!log.starts_with("forged"));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_cannot_be_captured_fails_its_attempt_and_never_counts_as_done() {
    let project = TestProject::new();
    let ours = project.root().join(".agent-team/capture/worker-1.git");
    let ours = ours.display();
    let elsewhere = project.beside("elsewhere");
    let deeds = [
        ("spoils", format!("echo garbage > {ours}/index"), "its work cannot be captured"),
        ("deletes", format!("rm -rf {ours}"), "is gone"),
        ("empties", format!("rm -rf {ours}/objects"), "is gone"),
        (
            "links",
            format!(
                "mkdir -p {0}; echo private > {0}/diary; mv $PWD $PWD-gone; ln -s {0} $PWD",
                elsewhere.display()
            ),
            "is gone",
        ),
    ];
    let rules = deeds.iter().flat_map(|(name, command, _)| {
        let deed = attempt(name, 1, &[runs(&format!("echo x > first; {command}")), finishes("Done.")]);
        [deed, attempt(name, 2, &[writes(name, "x\n"), finishes("Mended.")])]
    });
    let (team, errors) = team(&project, &rules.collect::<Vec<_>>(), unconfined(gated("true")));
    for (name, ..) in &deeds {
        team.add_task(task(name)).unwrap();
    }
    let report = run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Completed, "{:#?}", errors.lock().unwrap());
    for (name, _, reason) in &deeds {
        assert_told(&errors, name, reason);
    }
    assert_eq!(files(&project), ["README", "deletes", "empties", "links", "spoils"]);
    assert_eq!(std::fs::read_to_string(elsewhere.join("diary")).unwrap(), "private\n");
}

/// So many small files in one piece of work.
async fn many_files(count: usize) -> RunReport {
    let project = TestProject::new();
    let make = format!("mkdir many; cd many; seq {count} | while read n; do echo > $n; done");
    let (team, _) = team(
        &project,
        &[attempt("many", 1, &[runs(&make), finishes("Done.")])],
        gated("test -d many || test ! -e many"),
    );
    team.add_task(task("many")).unwrap();
    let report = run(&team).await;
    assert_eq!(files(&project).len(), count + 1);
    assert_eq!(project.changes(), "");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_small_files_are_one_piece_of_work() {
    assert_eq!(many_files(10_000).await.outcome, RunOutcome::Completed);
}
