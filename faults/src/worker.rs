//! A program over the public library that works at tasks, says on standard output what it was told, and is killed or
//! stopped. It says a thing only after the library has returned, with one `write(2)` for each line.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use agent_team::{
    AgentId, ClaimOptions, Claimed, Durability, Error, Holder, MessageBus, Recipient, Refusal, TaskId,
    TaskQueue, TeamFolder, TeamLog, Waited,
};
use agent_team_core::id::RecordId;
use agent_team_log::{FileLog, Log};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;

use crate::log_file::{LogFile, text};
use crate::seeded::Seeded;

/// The arguments of a worker.
#[derive(Debug, Args)]
pub struct Work {
    /// The folder of the team.
    #[arg(long)]
    team: PathBuf,
    /// The name of the agent.
    #[arg(long)]
    name: AgentId,
    /// The number of this process.
    #[arg(long)]
    life: u64,
    /// From which what it says and does comes.
    #[arg(long)]
    seed: u64,
    /// How it works.
    #[arg(long, value_enum)]
    mode: Mode,
    /// The lease of its claims in milliseconds, when it holds.
    #[arg(long, default_value_t = 150)]
    lease_ms: u64,
}

/// How a worker works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Task after task, for ever.
    Forever,
    /// Until no work will come.
    Finish,
    /// Until no work will come, and what the system refuses is tried again.
    Patient,
    /// Takes the tasks that it is told, renews its claim, and delivers when it is told.
    Hold,
}

struct Worker {
    work: Work,
    random: Seeded,
    runtime: Runtime,
    queue: TaskQueue,
    bus: MessageBus,
    raw: FileLog,
}

/// Works.
///
/// # Errors
/// When something breaks that is not expected to.
pub fn work(work: Work) -> Result<()> {
    let orders = orders();
    let folder = TeamFolder::of(&work.team);
    let team_log = TeamLog::open_or_create(&folder, Durability::Power)?;
    let mut worker = Worker {
        random: Seeded::new(work.seed).branch(work.life),
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        queue: TaskQueue::over(team_log.clone()),
        bus: MessageBus::over(team_log),
        raw: FileLog::open(&folder.log())?,
        work,
    };
    worker.say("begun")?;
    if worker.work.mode == Mode::Hold { worker.hold(&orders) } else { worker.tasks() }
}

/// What this process is told on standard input. When whoever started it is gone, it goes too.
fn orders() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    receiver
}

impl Worker {
    fn say(&self, what: &str) -> Result<()> {
        let line = format!("{} {what}\n", self.work.life);
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.flush()?;
        Ok(())
    }

    fn tasks(&mut self) -> Result<()> {
        let agent = self.work.name.clone();
        loop {
            let options = ClaimOptions::default();
            let wait = Some(Duration::from_millis(200));
            let waited = self.runtime.block_on(self.queue.claim_when_ready(&agent, &options, wait));
            match self.tried(waited)? {
                Some(Waited::Claimed(claimed)) => {
                    self.task(&claimed)?;
                    if self.random.below(100) == 0 {
                        self.check_that_nothing_was_missed()?;
                    }
                }
                Some(Waited::NothingEver(_)) if self.work.mode != Mode::Forever => {
                    self.check_that_nothing_was_missed()?;
                    return Ok(());
                }
                Some(Waited::NothingEver(_)) => thread::sleep(Duration::from_millis(20)),
                Some(Waited::TimedOut) | None => {}
            }
        }
    }

    /// Every record that lies in the log is one that this process knows.
    fn check_that_nothing_was_missed(&self) -> Result<()> {
        let log = LogFile::read(self.raw.path())?;
        let ids = log.records.iter().map(|record| Ok(text(&record["id"]).parse::<RecordId>()?));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let missed = self.queue.team_log().look(|state| ids.iter().position(|id| !state.has_seen(*id)))?;
        match missed {
            Some(place) => bail!("a process did not see the record {}", log.records[place]),
            None => Ok(()),
        }
    }

    /// What came of something. What the system refused is said, and is to be tried again if this worker is patient.
    fn tried<T>(&self, outcome: Result<T, Error>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.work.mode == Mode::Patient => {
                let words = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
                self.say(&format!("error {words}"))?;
                if matches!(error, Error::Sync(_)) {
                    // The handle is done for; a new process begins with what is there.
                    std::process::exit(9);
                }
                thread::sleep(Duration::from_millis(3));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn task(&mut self, claimed: &Claimed) -> Result<()> {
        let (task, token) = (claimed.task.id.clone(), claimed.token);
        self.say(&format!("claimed {task} {token}"))?;
        // The work itself: a worker holds a task for most of its life.
        thread::sleep(Duration::from_micros(self.random.below(20_000)));
        if self.random.below(2) == 0 {
            self.send()?;
        }
        if self.random.below(2) == 0 {
            self.ballast()?;
        }
        let length = self.length();
        let result = format!("{task} under {token}: {}", self.random.text(length));
        loop {
            let done = self.queue.complete(token, &self.work.name, result.clone(), None, Vec::new());
            match done {
                Err(Error::Refused(Refusal::ClaimLost { .. })) => {
                    return self.say(&format!("lost {task} {token}"));
                }
                done => {
                    if self.tried(done)?.is_some() {
                        return self.say(&format!("done {task} {token} {}", hash(&result)));
                    }
                }
            }
        }
    }

    /// Of a text: most are short, as texts are, and one in eight is long enough to be a blob.
    fn length(&mut self) -> usize {
        if self.random.below(8) == 0 {
            self.random.length(4096, 48 << 10)
        } else {
            self.random.length(200, 4000)
        }
    }

    fn send(&mut self) -> Result<()> {
        let length = self.length();
        let text = format!("{} {}", self.work.life, self.random.text(length));
        let to = Recipient::Agent("harness".parse()?);
        let sent = self.bus.send(&self.work.name, to, text.clone());
        match self.tried(sent)? {
            Some(id) => self.say(&format!("sent {id} {}", hash(&text))),
            None => Ok(()),
        }
    }

    /// A record of a kind that nobody knows, of 200 bytes up to the largest that a log takes.
    fn ballast(&mut self) -> Result<()> {
        let id = RecordId(uuid::Uuid::now_v7().as_u128());
        let text = "b".repeat(self.random.length(100, 64 << 10).min(65_300));
        let body = serde_json::json!({"text": text});
        let (by, kind) = (self.work.name.as_str(), "ballast");
        let head = format!(r#"{{"v":1,"id":"{id}","at_ms":0,"by":"{by}","kind":"{kind}","body":{body}}}"#);
        let written = self.raw.append(&[head.as_bytes()]).map_err(Error::from);
        let written = written.and_then(|()| self.raw.sync().map_err(Error::from));
        match self.tried(written)? {
            Some(()) => self.say(&format!("ballast {id} {}", hash(&text))),
            None => Ok(()),
        }
    }

    /// Takes a task when told `claim TASK`, renews the claim, and delivers when told `deliver`.
    fn hold(&mut self, orders: &mpsc::Receiver<String>) -> Result<()> {
        let lease = self.work.lease_ms;
        let beat = Duration::from_millis((lease / 5).max(1));
        let mut held: Option<(TaskId, RecordId)> = None;
        loop {
            let order = match orders.recv_timeout(beat) {
                Ok(order) => order,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if let Some((_, token)) = &held {
                        // Whoever lost the claim hears it when it delivers.
                        let _ = self.queue.renew(*token, &self.work.name);
                    }
                    continue;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            };
            match order.split_once(' ') {
                Some(("claim", task)) => {
                    let own = self.queue.this_process()?;
                    let holder = Arc::new(Holder { lease_ms: Some(lease), ..Holder::clone(&own) });
                    let options = ClaimOptions { task: Some(task.parse()?), holder: Some(holder) };
                    let claimed = self.queue.claim(&self.work.name, &options)?;
                    self.say(&format!("claimed {task} {}", claimed.token))?;
                    held = Some((claimed.task.id, claimed.token));
                }
                _ if order == "deliver" => {
                    let (task, token) = held.take().context("it holds nothing")?;
                    let length = self.random.length(200, 16 << 10);
                    let result = format!("stale {task} {}", self.random.text(length));
                    match self.queue.complete(token, &self.work.name, result.clone(), None, Vec::new()) {
                        Ok(()) => self.say(&format!("done {task} {token} {}", hash(&result)))?,
                        Err(Error::Refused(Refusal::ClaimLost { .. })) => {
                            self.say(&format!("lost {task} {token}"))?;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                _ => bail!("no such order: {order}"),
            }
        }
    }
}

/// The hash of a text, as blobs are named by it.
#[must_use]
pub fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}
