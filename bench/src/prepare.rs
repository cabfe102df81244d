//! Logs to measure on, written record by record as the library would have written them.
//!
//! Deciding a million tasks would take longer than what is measured. That the records take effect is checked by
//! whoever opens the log: `check` compares the counts.

use std::path::Path;
use std::sync::Arc;

use agent_team::{AgentId, Durability, TaskId, TaskQueue, TeamFolder, TeamLog};
use agent_team_core::id::RecordId;
use agent_team_core::record::{
    AgentJoined, Body, FORMAT, Holder, ProcessId, Record, Role, Stage, TaskAdded, TaskClaimed, TaskSpec,
    TaskSubmitted, codec,
};
use agent_team_log::{FileLog, Log, ProcessIdentity};
use anyhow::{Result, ensure};

/// How many workers a prepared team has.
pub const WORKERS: usize = 16;

/// How many records are handed to the log at once.
const BATCH: usize = 1_000;

/// How many tasks a prepared log has, and how many of them are done.
#[derive(Debug, Clone, Copy)]
pub struct History {
    /// All tasks.
    pub tasks: usize,
    /// Those that were claimed and completed.
    pub completed: usize,
}

impl History {
    /// Tasks of which none is done.
    pub fn ready(tasks: usize) -> Self {
        Self { tasks, completed: 0 }
    }

    /// How many records that makes.
    pub fn records(self) -> usize {
        WORKERS + self.tasks + 2 * self.completed
    }

    /// Writes the log of a new team in `workspace`.
    pub fn write(self, workspace: &Path) -> Result<()> {
        let folder = TeamFolder::of(workspace);
        folder.create()?;
        let mut writer = Writer { log: FileLog::open_or_create(&folder.log())?, waiting: Vec::new() };
        for number in 0..WORKERS {
            let agent = worker(number)?;
            let joined = AgentJoined {
                with: Some("bench".to_owned()),
                ..AgentJoined::new(agent.clone(), Role::Worker)
            };
            writer.write(agent, joined)?;
        }
        let mut added = Vec::with_capacity(self.completed);
        for number in 0..self.tasks {
            let task = TaskAdded { task: Box::new(TaskSpec::new(task(number)?, title(number))), batch: None };
            let id = writer.write(AgentId::human(), task)?;
            if number < self.completed {
                added.push(id);
            }
        }
        let holder = Arc::new(holder()?);
        for (number, on) in added.into_iter().enumerate() {
            let agent = worker(number % WORKERS)?;
            let claimed = TaskClaimed {
                task: task(number)?,
                on: Some(on),
                stage: Stage::Work,
                agent: agent.clone(),
                holder: holder.clone(),
            };
            let claim = writer.write(agent.clone(), claimed)?;
            let (result, protected) = ("done".into(), Vec::new());
            writer.write(agent, TaskSubmitted { claim, result, commit: None, protected })?;
        }
        writer.flush()
    }

    /// Makes sure that the log means what was to be written.
    pub fn check(self, queue: &TaskQueue) -> Result<()> {
        let counts = queue.get_status()?.counts;
        let found = (counts.total, counts.completed);
        let wanted = (self.tasks as u64, self.completed as u64);
        ensure!(found == wanted, "of the tasks written {found:?} are there and completed, not {wanted:?}");
        Ok(())
    }
}

/// Opens the team of a workspace.
pub fn open(workspace: &Path, durability: Durability) -> Result<TaskQueue> {
    let team_log = TeamLog::open_or_create(&TeamFolder::of(workspace), durability)?;
    Ok(TaskQueue::over(team_log))
}

/// The name of a worker.
pub fn worker(number: usize) -> Result<AgentId> {
    Ok(format!("worker-{number}").parse()?)
}

/// The id of a task.
pub fn task(number: usize) -> Result<TaskId> {
    Ok(format!("t{}", number + 1).parse()?)
}

fn title(number: usize) -> String {
    format!("Task {} of many: look at it and say what it is", number + 1)
}

fn new_id() -> RecordId {
    RecordId(uuid::Uuid::now_v7().as_u128())
}

/// A holder as a process of the team names itself.
fn holder() -> Result<Holder> {
    let identity = ProcessIdentity::current()?;
    let process = ProcessId {
        machine: identity.machine,
        boot: identity.boot,
        namespace: identity.pid_namespace,
        pid: identity.pid,
        start: identity.start,
    };
    Ok(Holder {
        process: Some(process),
        presence: Some(format!("process-{}", new_id())),
        ..Holder::default()
    })
}

/// Hands records to the log in large batches.
struct Writer {
    log: FileLog,
    waiting: Vec<Vec<u8>>,
}

impl Writer {
    fn write(&mut self, by: AgentId, body: impl Into<Body>) -> Result<RecordId> {
        let record = Record {
            id: new_id(),
            format: FORMAT,
            at_ms: 1_764_000_000_000,
            by,
            unconfined: false,
            body: body.into(),
        };
        self.waiting.push(codec::encode(&record)?);
        if self.waiting.len() >= BATCH {
            self.flush()?;
        }
        Ok(record.id)
    }

    fn flush(&mut self) -> Result<()> {
        let records: Vec<&[u8]> = self.waiting.iter().map(Vec::as_slice).collect();
        self.log.append(&records)?;
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_log_means_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let history = History { tasks: 7, completed: 3 };
        history.write(folder.path()).unwrap();
        let queue = open(folder.path(), Durability::Process).unwrap();
        history.check(&queue).unwrap();
        assert!(History { tasks: 7, completed: 4 }.check(&queue).is_err());
    }
}
