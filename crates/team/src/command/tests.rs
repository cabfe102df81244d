//! Commands as they misbehave in practice: they hang, fork, flood and hide behind other sessions.
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::sandbox::{Sandbox, SandboxChoice};

fn spec(folder: &TempDir, command: &str) -> CommandSpec {
    CommandSpec {
        // Process ids mean the same within and outside. How a sandbox changes what is shown here is shown there.
        environment: Environment::default()
            .with("PATH", std::env::var_os("PATH").unwrap())
            .confined(Sandbox::new(SandboxChoice::None)),
        ..CommandSpec::new(command, folder.path(), folder.path().join("output/it.txt"))
    }
}

async fn run(spec: &CommandSpec) -> CommandOutcome {
    spec.run(&CancellationToken::new()).await.unwrap()
}

/// The process ids that a command wrote into `pids`, one a line; waits until there are `count`.
async fn pids(folder: &TempDir, count: usize) -> Vec<Pid> {
    loop {
        let text = fs::read_to_string(folder.path().join("pids")).unwrap_or_default();
        if text.ends_with('\n') && text.lines().count() >= count {
            return text.lines().map(|line| Pid::from_raw(line.trim().parse().unwrap()).unwrap()).collect();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a process is gone, or is only a zombie that its new parent has not reaped yet.
async fn gone(pid: Pid) {
    let is_there = || {
        let status = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        let is_zombie = status.is_ok_and(|text| text.contains(") Z "));
        test_kill_process(pid).is_ok() && !is_zombie
    };
    let patience = async {
        while is_there() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), patience).await.expect("the process is still there");
}

#[tokio::test]
async fn both_outputs_come_in_their_order_and_the_exit_code_is_told() {
    let folder = TempDir::new().unwrap();
    let spec = spec(&folder, "echo one; echo two >&2; echo three; exit 3");
    let outcome = run(&spec).await;
    assert_eq!(outcome.ending, CommandEnding::Exited(3));
    assert_eq!(outcome.output.text, "one\ntwo\nthree\n");
    assert_eq!(fs::read_to_string(&spec.output_file).unwrap(), "one\ntwo\nthree\n");
    assert!(!outcome.succeeded());
}

#[tokio::test]
async fn what_there_is_to_read_can_be_read_to_its_end_in_part_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    // More than a pipe holds: whoever does not read it is not waited for.
    let input = vec![b'x'; 1 << 20];
    for (command, text) in [("wc -c", "1048576\n"), ("head -c 3", "xxx\n"), ("echo none", "none\n")] {
        let outcome = run(&CommandSpec { input: input.clone(), ..spec(&folder, command) }).await;
        assert_eq!((outcome.ending, outcome.output.text.as_str()), (CommandEnding::Exited(0), text));
    }
    assert_eq!(run(&spec(&folder, "wc -c")).await.output.text, "0\n", "without input there is nothing");
}

#[tokio::test]
async fn a_signal_is_told_from_an_exit() {
    let folder = TempDir::new().unwrap();
    assert_eq!(run(&spec(&folder, "kill -9 $$")).await.ending, CommandEnding::Killed(9));
}

#[tokio::test]
async fn there_is_nothing_to_read_on_standard_input() {
    let folder = TempDir::new().unwrap();
    assert_eq!(run(&spec(&folder, "cat; echo end")).await.output.text, "end\n");
}

#[tokio::test]
async fn the_time_limit_ends_grandchildren_that_ignore_the_first_signal() {
    let folder = TempDir::new().unwrap();
    let script =
        "trap '' TERM; sleep 1000 & echo $! > pids; sh -c 'echo $$ >> pids; sleep 1000; :' & wait; wait";
    let spec = CommandSpec { time_limit: Duration::from_secs(2), ..spec(&folder, script) };
    let outcome = run(&spec).await;
    assert_eq!(outcome.ending, CommandEnding::TimedOut);
    for pid in pids(&folder, 2).await {
        gone(pid).await;
    }
}

/// Runs until the command has written a process id, and stops it then.
async fn run_and_stop(folder: &TempDir, command: &str) -> (CommandOutcome, Vec<Pid>) {
    let (spec, stop) = (spec(folder, command), CancellationToken::new());
    let (outcome, pids) = tokio::join!(spec.run(&stop), async {
        let pids = pids(folder, 1).await;
        stop.cancel();
        pids
    });
    (outcome.unwrap(), pids)
}

#[tokio::test]
async fn what_is_said_while_ending_is_kept() {
    let folder = TempDir::new().unwrap();
    let script = "trap 'echo cleaning up; exit 0' TERM; echo $$ > pids; while :; do sleep 0.01; done";
    let (outcome, _) = run_and_stop(&folder, script).await;
    assert_eq!(outcome.ending, CommandEnding::Stopped);
    assert!(outcome.output.text.ends_with("cleaning up\n"), "{}", outcome.output.text);
}

#[tokio::test]
async fn what_outlives_the_shell_has_its_grace_too() {
    let folder = TempDir::new().unwrap();
    let child = r#"trap "sleep 0.2; echo saved; exit" TERM; echo $$ > pids; while :; do sleep 0.01; done"#;
    let (outcome, _) = run_and_stop(&folder, &format!("sh -c '{child}'; :")).await;
    assert!(outcome.output.text.ends_with("saved\n"), "{}", outcome.output.text);
}

#[tokio::test]
async fn a_stop_ends_the_group() {
    let folder = TempDir::new().unwrap();
    let (outcome, children) = run_and_stop(&folder, "sleep 1000 & echo $! > pids; wait").await;
    assert_eq!(outcome.ending, CommandEnding::Stopped);
    gone(children[0]).await;
}

#[tokio::test]
async fn what_is_stopped_already_never_starts() {
    let folder = TempDir::new().unwrap();
    let (spec, stop) = (spec(&folder, "touch started"), CancellationToken::new());
    stop.cancel();
    assert_eq!(spec.run(&stop).await.unwrap().ending, CommandEnding::Stopped);
    assert!(!folder.path().join("started").exists());
}

#[tokio::test]
async fn a_caller_that_loses_interest_ends_the_group() {
    let folder = TempDir::new().unwrap();
    let spec = spec(&folder, "sleep 1000 & echo $! > pids; wait");
    let stop = CancellationToken::new();
    let children = tokio::select! {
        _ = spec.run(&stop) => unreachable!("it sleeps"),
        children = pids(&folder, 1) => children,
    };
    gone(children[0]).await;
}

#[tokio::test]
async fn what_a_command_leaves_in_the_background_is_ended_with_it() {
    let folder = TempDir::new().unwrap();
    let outcome = run(&spec(&folder, "sleep 1000 & echo $! > pids; echo done")).await;
    assert_eq!((outcome.ending, outcome.output.text.as_str()), (CommandEnding::Exited(0), "done\n"));
    assert!(outcome.duration < Duration::from_secs(100));
    gone(pids(&folder, 1).await[0]).await;
}

#[tokio::test]
async fn a_daemon_that_holds_the_output_and_floods_it_does_not_keep_us() {
    let folder = TempDir::new().unwrap();
    // It loses its mark and so escapes us: the test ends it itself.
    let script = "env -i setsid sh -c 'echo $$ > pids; exec yes flood' & while ! test -s pids; do sleep 0.01; done; echo mine";
    let outcome = run(&spec(&folder, script)).await;
    let daemon = pids(&folder, 1).await[0];
    let _ = rustix::process::kill_process(daemon, rustix::process::Signal::KILL);
    assert_eq!(outcome.ending, CommandEnding::Exited(0));
    gone(daemon).await;
}

/// A shell script that leaves a daemon behind: in a session of its own, without a parent, silent.
const DAEMON: &str = "(setsid sh -c 'echo $$ >> pids; trap \"\" TERM HUP; while :; do sleep 0.05; done' \
                      > /dev/null 2>&1 < /dev/null &); while ! test -s pids; do sleep 0.01; done";

#[tokio::test]
async fn a_daemon_that_left_the_group_is_ended_with_its_command() {
    let folder = TempDir::new().unwrap();
    let outcome = run(&spec(&folder, &format!("{DAEMON}; echo done"))).await;
    assert_eq!((outcome.ending, outcome.output.text.as_str()), (CommandEnding::Exited(0), "done\n"));
    gone(pids(&folder, 1).await[0]).await;
}

#[tokio::test]
async fn a_daemon_is_ended_too_when_its_command_is_stopped_or_the_caller_goes() {
    let endless = format!("{DAEMON}; sleep 1000");
    let folder = TempDir::new().unwrap();
    let (outcome, daemons) = run_and_stop(&folder, &endless).await;
    assert_eq!(outcome.ending, CommandEnding::Stopped);
    gone(daemons[0]).await;

    let folder = TempDir::new().unwrap();
    let (spec, stop) = (spec(&folder, &endless), CancellationToken::new());
    let daemons = tokio::select! {
        _ = spec.run(&stop) => unreachable!("it sleeps"),
        daemons = pids(&folder, 1) => daemons,
    };
    gone(daemons[0]).await;
}

#[tokio::test]
async fn the_daemon_of_another_command_is_left_alone() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (endless, stop) = (spec(&first, &format!("{DAEMON}; sleep 1000")), CancellationToken::new());
    let (_, daemon) = tokio::join!(endless.run(&stop), async {
        let daemon = pids(&first, 1).await[0];
        run(&spec(&second, DAEMON)).await;
        gone(pids(&second, 1).await[0]).await;
        assert!(test_kill_process(daemon).is_ok(), "it belongs to a command that still runs");
        stop.cancel();
        daemon
    });
    gone(daemon).await;
}

#[tokio::test]
async fn an_endless_output_is_bounded() {
    let folder = TempDir::new().unwrap();
    let spec = CommandSpec { output_limit_bytes: 1 << 20, ..spec(&folder, "yes 'a line of text'") };
    let outcome = run(&spec).await;
    assert_eq!(outcome.ending, CommandEnding::OutputLimit);
    assert_eq!(fs::metadata(&spec.output_file).unwrap().len(), 1 << 20);
    assert_eq!(outcome.output.total_bytes, 1 << 20);
}

#[tokio::test]
async fn a_large_output_is_whole_in_the_file_and_cut_in_the_outcome() {
    let folder = TempDir::new().unwrap();
    let script = "seq 1 1000; echo 'ERROR disk full'; yes $(seq 1 1000) | tr '\\n' ' ' | fold -w 4000 | head -c 40000000";
    let spec = spec(&folder, script);
    let outcome = run(&spec).await;
    assert_eq!(outcome.ending, CommandEnding::Exited(0));
    assert_eq!(fs::metadata(&spec.output_file).unwrap().len(), outcome.output.total_bytes);
    assert!(outcome.output.total_bytes > 40_000_000);
    assert!(outcome.output.text.len() < 25_000);
    assert!(outcome.output.text.starts_with("1\n2\n"));
    assert!(outcome.output.text.contains("\nERROR disk full\n"));
    assert!(outcome.output.text.contains(&spec.output_file.display().to_string()));
}

#[tokio::test]
async fn of_an_output_that_is_too_long_to_keep_beginning_and_end_are_kept_and_the_rest_is_counted() {
    let folder = TempDir::new().unwrap();
    let script = "echo first; yes 'a line of text' | head -c 9000000; echo; echo last";
    let spec = CommandSpec { output_kept_bytes: 1 << 20, ..spec(&folder, script) };
    let outcome = run(&spec).await;
    assert_eq!((outcome.ending, outcome.output.total_bytes), (CommandEnding::Exited(0), 9_000_012));
    let kept = fs::read_to_string(&spec.output_file).unwrap();
    let (head, tail) = kept.split_once("... 7,951,436 bytes left out ...").unwrap();
    assert!(head.starts_with("first\n") && tail.ends_with("\nlast\n"));
    assert_eq!((head.len(), tail.len()), (524_289, 524_289), "a line break on either side of the note");
    assert!(outcome.output.text.starts_with("first\n") && outcome.output.text.ends_with("\nlast\n"));
}

#[tokio::test]
async fn an_output_that_just_fits_is_kept_whole() {
    let folder = TempDir::new().unwrap();
    let spec = CommandSpec { output_kept_bytes: 1_000, ..spec(&folder, "yes | head -c 1000") };
    assert_eq!(run(&spec).await.output.total_bytes, 1_000);
    assert_eq!(fs::read_to_string(&spec.output_file).unwrap(), "y\n".repeat(500));
}

#[tokio::test]
async fn a_gigabyte_of_output_is_counted_and_costs_64_mib_of_disk() {
    let folder = TempDir::new().unwrap();
    // Of long lines, as each line is cleaned and looked at.
    let spec = spec(&folder, "yes \"$(seq -s ' ' 1000)\" | head -c 1073741824; echo; echo last");
    let outcome = run(&spec).await;
    assert_eq!((outcome.ending, outcome.output.total_bytes), (CommandEnding::Exited(0), (1 << 30) + 6));
    assert!(fs::metadata(&spec.output_file).unwrap().len() < CommandSpec::OUTPUT_KEPT_BYTES + 100);
    assert!(outcome.output.text.ends_with("\nlast\n") && outcome.output.text.len() < 25_000);
    let memory = fs::read_to_string("/proc/self/status").unwrap();
    let peak = memory.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    println!("{} s, {peak}", outcome.duration.as_secs_f64());
}

#[tokio::test]
async fn keys_in_our_environment_never_reach_the_child() {
    let folder = TempDir::new().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let parent = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "CLAUDECODE", "AGENT_TEAM_TOKEN", "EDITOR"]
        .map(|name| (name.into(), "secret".into()));
    let environment = Environment::of_parent(parent.into_iter().chain([("PATH".into(), path)]))
        .with("GEMINI_API_KEY", "secret")
        .with("GREETING", "hello")
        .confined(Sandbox::new(SandboxChoice::None));
    let spec = CommandSpec { environment, ..spec(&folder, "env") };
    let text = run(&spec).await.output.text;
    assert!(text.contains("GREETING=hello\n") && text.contains("TERM=dumb\n"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    // The real environment does not pass either, beyond what the shell itself sets.
    let names = text.lines().filter_map(|line| line.split('=').next());
    let mut names: Vec<&str> = names.filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name)).collect();
    names.sort_unstable();
    assert_eq!(names, ["AGENT_TEAM_COMMAND", "GREETING", "LANG", "PATH", "TERM"]);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_an_error_that_names_it() {
    let folder = TempDir::new().unwrap();
    let spec = CommandSpec { folder: folder.path().join("absent"), ..spec(&folder, "true") };
    let error = spec.run(&CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}
