//! Races that take a log of their own to be met for certain.

use std::time::Duration;

use agent_team_core::id::{AgentId, TaskId};
use agent_team_core::machine::Command;
use agent_team_core::record::{FORMAT, FormatRaised, NEWEST_FORMAT, Record, TaskSpec, codec};
use agent_team_log::{AppendError, Batch, Digest, Position, ReadError, SyncError, Turn, TurnError};

use super::*;

/// A log whose first append fails, while a newer program raises the format.
struct Overtaken {
    log: MemoryLog,
    has_failed: Mutex<bool>,
}

impl Log for Overtaken {
    fn id(&self) -> &str {
        self.log.id()
    }

    fn append(&self, records: &[&[u8]]) -> Result<(), AppendError> {
        let mut has_failed = self.has_failed.lock().unwrap();
        if *has_failed {
            return self.log.append(records);
        }
        *has_failed = true;
        let body = FormatRaised { version: NEWEST_FORMAT + 1 }.into();
        let raised =
            Record { id: new_id(), format: FORMAT, at_ms: 0, by: AgentId::human(), unconfined: false, body };
        self.log.append(&[&codec::encode(&raised).unwrap()])?;
        Err(AppendError::Io { appended: 0, source: ErrorKind::StorageFull.into() })
    }

    fn sync(&self) -> Result<(), SyncError> {
        self.log.sync()
    }

    fn read(&self, from: Position, max_bytes: usize) -> Result<Batch, ReadError> {
        self.log.read(from, max_bytes)
    }

    fn wait(&self, from: Position, timeout: Duration) -> Result<bool, ReadError> {
        self.log.wait(from, timeout)
    }

    fn turn(&self, patience: Duration) -> Result<Option<Turn<'_>>, TurnError> {
        self.log.turn(patience)
    }

    fn digest(&self, to: Position) -> Result<Digest, ReadError> {
        self.log.digest(to)
    }
}

#[test]
fn a_program_that_is_too_old_does_not_append_again_what_failed() {
    let log = Arc::new(Overtaken { log: MemoryLog::new(), has_failed: Mutex::new(false) });
    let team_log = TeamLog::over(log.clone(), None, Durability::Process, false).unwrap();
    let id: TaskId = "t1".parse().unwrap();
    let wish =
        Command::AddTasks { tasks: vec![TaskSpec::new(id, "Late")], batch: new_id(), limits: Vec::new() };
    let outcome = team_log.submit(&AgentId::human(), &wish);
    assert!(
        matches!(outcome, Err(Error::NewerFormat { found, .. }) if found == NEWEST_FORMAT + 1),
        "{outcome:?}"
    );
    assert_eq!(log.read(Position::START, 1 << 20).unwrap().len(), 1, "nothing but what raised the format");
}

#[test]
fn what_is_written_only_if_something_is_so_is_not_written_when_somebody_made_it_otherwise() {
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
    let of_one = TeamLog::over(log.clone(), None, Durability::Process, false).unwrap();
    let of_another = TeamLog::over(log, None, Durability::Process, false).unwrap();
    let human = AgentId::human();
    let add = |id: &str| {
        let tasks = vec![TaskSpec::new(id.parse().unwrap(), "Work")];
        Command::AddTasks { tasks, batch: new_id(), limits: Vec::new() }
    };
    let has = |count| move |state: &State| state.counts().total == count;
    assert!(of_one.submit_if(&human, &add("a"), has(0)).unwrap().is_some());
    of_another.submit(&human, &add("b")).unwrap();
    assert_eq!(of_one.submit_if(&human, &add("c"), has(1)).unwrap().map(|written| written.id()), None);
    assert!(of_one.submit_if(&human, &add("c"), has(2)).unwrap().is_some());
    assert_eq!(of_another.look(|state| state.counts().total).unwrap(), 3);
}

#[test]
fn a_team_in_memory_keeps_texts_of_any_length() {
    let log = TeamLog::in_memory().unwrap();
    let long = "long ".repeat(100_000);
    let kept = log.text(long.clone()).unwrap();
    assert!(kept.preview().len() < 1_000, "no record could hold it");
    assert_eq!(log.read_text(&kept).unwrap(), long);
}
