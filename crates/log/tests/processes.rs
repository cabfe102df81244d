//! Several processes at one log, and what is left when one of them is killed.
//!
//! The other processes are this very test program, started with a role: see [`as_another_process`].

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use agent_team_log::{
    AnnounceError, FileLog, Liveness, Log, Position, Presence, ProcessIdentity, ReadError, probe,
};
use rustix::process::{Pid, Signal, kill_process};

const ROLE: &str = "AGENT_TEAM_LOG_TEST_ROLE";
const PING: &[u8] = br#"{"text":"ping"}"#;
const PONG: &[u8] = br#"{"text":"pong"}"#;
const LONG: Duration = Duration::from_secs(30);

/// Another process of this program, killed when it is dropped.
struct Other {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
}

impl Other {
    fn start(role: &str, folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "as_another_process", "--nocapture"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder)
            .env(ROLE, role)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, said }
    }

    /// Waits for the next thing that it says.
    fn says(&mut self) -> String {
        self.said.next().unwrap().unwrap()
    }

    /// Kills it at once, and returns all that it had still said.
    fn kill(&mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.said.by_ref().map_while(Result::ok).collect()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the tests here start as another process. Without a role it has nothing to do.
#[test]
fn as_another_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (role, name) = role.split_once(' ').unwrap();
    let log = || FileLog::open_or_create(Path::new("log.jsonl")).unwrap();
    match role {
        "create" => {
            let log = log();
            log.append(&[format!(r#"{{"by":"{name}"}}"#).as_bytes()]).unwrap();
            eprintln!("{}", log.id());
        }
        "append" => {
            let log = log();
            for number in 0.. {
                let text = "x".repeat(number * 37 % 9000);
                let record = format!(r#"{{"by":"{name}","number":{number},"text":"{text}"}}"#);
                log.append(&[record.as_bytes()]).unwrap();
                eprintln!("{number}");
            }
        }
        "echo" => {
            let log = log();
            let mut from = Position::START;
            loop {
                assert!(log.wait(from, LONG).unwrap());
                let batch = log.read(from, 1 << 20).unwrap();
                for _ping in batch.records().filter(|record| record.bytes == PING) {
                    log.append(&[PONG]).unwrap();
                }
                from = batch.next();
            }
        }
        "turn" => {
            let log = log();
            let _turn = log.turn(LONG).unwrap().unwrap();
            eprintln!("mine");
            std::thread::park();
        }
        "present" => {
            let _presence = Presence::announce(Path::new("."), name).unwrap();
            eprintln!("present");
            std::thread::park();
        }
        _ => panic!("no such role: {role}"),
    }
}

#[test]
fn processes_that_make_a_log_at_once_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut others: Vec<_> =
        (0..8).map(|number| Other::start(&format!("create {number}"), folder.path())).collect();
    let ids: BTreeSet<_> = others.iter_mut().map(Other::says).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let log = FileLog::open(&folder.path().join("log.jsonl")).unwrap();
    assert!(ids.contains(log.id()));
    assert_eq!(log.read(Position::START, 1).unwrap().len(), 8);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn nothing_acknowledged_is_lost_when_writers_are_killed() {
    const WRITERS: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..6 {
        let name = |writer: usize| format!("{round}-{writer}");
        let mut writers: Vec<_> = (0..WRITERS)
            .map(|writer| Other::start(&format!("append {}", name(writer)), folder.path()))
            .collect();
        for (writer, other) in writers.iter_mut().enumerate() {
            // Each is killed in the middle of its work, a little later every round.
            let mut numbers: Vec<_> = (0..=round * 20).map(|_| other.says()).collect();
            numbers.extend(other.kill());
            acknowledged.extend(numbers.into_iter().map(|number| (name(writer), number)));
        }
    }
    let log = FileLog::open(&folder.path().join("log.jsonl")).unwrap();
    let (mut from, mut found) = (Position::START, BTreeSet::new());
    loop {
        let batch = log.read(from, 1 << 20).unwrap();
        for record in batch.records() {
            let record: serde_json::Value = serde_json::from_slice(record.bytes).unwrap();
            found.insert((record["by"].as_str().unwrap().to_owned(), record["number"].to_string()));
        }
        if batch.is_empty() {
            break;
        }
        from = batch.next();
    }
    assert!(acknowledged.len() > WRITERS * 6);
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn the_turn_of_a_killed_process_is_free_and_that_of_a_stopped_one_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let log = FileLog::open_or_create(&folder.path().join("log.jsonl")).unwrap();
    let mut other = Other::start("turn x", folder.path());
    assert_eq!(other.says(), "mine");
    kill_process(Pid::from_child(&other.child), Signal::STOP).unwrap();
    assert!(log.turn(Duration::from_millis(2)).unwrap().is_none());
    log.append(&[b"{}"]).unwrap();
    log.sync().unwrap();
    assert_eq!(log.read(Position::START, 1).unwrap().len(), 1);
    other.kill();
    assert!(log.turn(Duration::ZERO).unwrap().is_some());
}

#[test]
fn a_killed_process_is_dead_at_once() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(probe(folder.path(), "worker"), Liveness::Dead, "never announced");
    let mut other = Other::start("present worker", folder.path());
    assert_eq!(other.says(), "present");
    let identity = ProcessIdentity::of(other.child.id()).unwrap().unwrap();
    let file = std::fs::read(folder.path().join("worker.json")).unwrap();
    assert_eq!(serde_json::from_slice::<ProcessIdentity>(&file).unwrap(), identity);
    for _ in 0..10 {
        assert_eq!(probe(folder.path(), "worker"), Liveness::Alive);
    }
    assert_eq!(identity.judge(), Liveness::Alive);
    let taken = Presence::announce(folder.path(), "worker").unwrap_err();
    assert!(matches!(taken, AnnounceError::Taken { .. }), "{taken}");

    kill_process(Pid::from_child(&other.child), Signal::STOP).unwrap();
    assert_eq!(probe(folder.path(), "worker"), Liveness::Alive, "a stopped process is not dead");
    other.kill();
    assert_eq!(probe(folder.path(), "worker"), Liveness::Dead);
    assert_eq!(identity.judge(), Liveness::Dead);
    let presence = Presence::announce(folder.path(), "worker").unwrap();
    assert_eq!(probe(folder.path(), "worker"), Liveness::Alive, "the name is taken over");
    drop(presence);
    assert_eq!(probe(folder.path(), "worker"), Liveness::Dead);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn of_many_that_announce_one_name_one_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut left_behind = Other::start("present worker", folder.path());
    assert_eq!(left_behind.says(), "present");
    left_behind.kill();
    let announced: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| Presence::announce(folder.path(), "worker"))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(announced.iter().filter(|presence| presence.is_ok()).count(), 1);
    assert_eq!(probe(folder.path(), "worker"), Liveness::Alive);
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", ".", "../x", "a/b", ".hidden", "a\0b", "ä"] {
        let refused = Presence::announce(folder.path(), name);
        assert!(matches!(refused, Err(AnnounceError::InvalidName { .. })), "{name:?}");
        assert_eq!(probe(folder.path(), name), Liveness::Unknown);
    }
}

#[test]
fn a_waiter_is_woken_by_the_system_and_not_by_the_slow_poll() {
    const ROUNDS: u32 = 20;
    let folder = tempfile::tempdir().unwrap();
    let log = FileLog::open_or_create(&folder.path().join("log.jsonl")).unwrap();
    let _other = Other::start("echo x", folder.path());
    let mut from = Position::START;
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        log.append(&[PING]).unwrap();
        loop {
            assert!(log.wait(from, LONG).unwrap());
            let batch = log.read(from, 1 << 20).unwrap();
            from = batch.next();
            if batch.records().any(|record| record.bytes == PONG) {
                break;
            }
        }
    }
    // The poll comes twice a second, and a round would wait for it once or twice.
    let each = begun.elapsed() / ROUNDS;
    assert!(each < Duration::from_millis(200), "a round took {each:?}");
}

#[test]
fn one_who_may_only_read_reads_and_waits_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    FileLog::open_or_create(&path).unwrap().append(&[b"{}"]).unwrap();
    let log = FileLog::open_read_only(&path).unwrap();
    let batch = log.read(Position::START, 1).unwrap();
    assert_eq!(batch.len(), 1);
    assert!(!log.wait(batch.next(), Duration::ZERO).unwrap());
    assert!(log.append(&[b"{}"]).is_err());
    assert!(log.turn(LONG).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(log.read(batch.next(), 1), Err(ReadError::Deleted { .. })));
}
