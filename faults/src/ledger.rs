//! What processes said, in one order: each says what it was told in a line of a pipe that all share, so that what it said
//! before it was killed stays. What is impossible is noticed here, whatever the log says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Result, bail};

/// Everything that was said so far.
#[derive(Debug, Default)]
pub struct Ledger {
    /// How many lines.
    pub lines: u64,
    /// What each living process holds: task and token.
    pub holds: BTreeMap<u64, (String, String)>,
    /// Who is about to be killed, or was.
    gone: BTreeSet<u64>,
    /// The tasks whose results were acknowledged, each with the token and the hash of the result.
    pub done: BTreeMap<String, (String, String)>,
    /// The messages that were acknowledged, each with the hash of its text.
    pub sent: BTreeMap<String, String>,
    /// Other records that were acknowledged, each with the hash of its text.
    pub ballast: BTreeMap<String, String>,
    /// How often somebody was refused since the claim was lost.
    pub lost: u64,
    /// How often something was refused by the system, and what was said then.
    pub errors: Vec<String>,
    /// What must never happen, and did.
    pub wrong: Vec<String>,
}

impl Ledger {
    fn note(&mut self, line: &str) {
        self.lines += 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(life) = words.first().and_then(|life| life.parse::<u64>().ok()) else {
            self.wrong.push(format!("nobody says such a thing: {line}"));
            return;
        };
        match words.get(1..).unwrap_or_default() {
            ["begun"] => {}
            ["claimed", task, token] => self.claimed(life, task, token),
            ["done", task, token, hash] => {
                self.holds.remove(&life);
                let result = ((*token).to_owned(), (*hash).to_owned());
                if let Some(before) = self.done.insert((*task).to_owned(), result) {
                    self.wrong.push(format!("{task} was done twice: by {token}, and before by {}", before.0));
                }
            }
            ["lost", _, _] => {
                self.holds.remove(&life);
                self.lost += 1;
            }
            ["sent", id, hash] => drop(self.sent.insert((*id).to_owned(), (*hash).to_owned())),
            ["ballast", id, hash] => drop(self.ballast.insert((*id).to_owned(), (*hash).to_owned())),
            ["error", ..] => self.errors.push(line.to_owned()),
            ["killed"] => drop(self.gone.insert(life)),
            ["dead"] => drop(self.holds.remove(&life)),
            _ => self.wrong.push(format!("nobody says such a thing: {line}")),
        }
    }

    fn claimed(&mut self, life: u64, task: &str, token: &str) {
        if self.done.contains_key(task) {
            self.wrong.push(format!("{task} was given out again after its result was acknowledged"));
        }
        let others = self.holds.iter().filter(|(other, (held, _))| **other != life && held == task);
        let living: Vec<u64> =
            others.map(|(other, _)| *other).filter(|other| !self.gone.contains(other)).collect();
        for other in living {
            self.wrong.push(format!("{task} is held by the living {other} and was given to {life}"));
        }
        self.holds.insert(life, (task.to_owned(), token.to_owned()));
    }
}

/// The pipe, and what came through it.
pub struct Heard {
    ledger: Arc<Mutex<Ledger>>,
    writer: Option<PipeWriter>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Heard {
    /// A new pipe.
    ///
    /// # Errors
    /// When the system has none.
    pub fn new() -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        let ledger = Arc::<Mutex<Ledger>>::default();
        let kept = ledger.clone();
        let reader = thread::spawn(move || keep(reader, &kept));
        Ok(Self { ledger, writer: Some(writer), reader: Some(reader) })
    }

    /// What a process is given to speak through.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn voice(&self) -> Result<PipeWriter> {
        match &self.writer {
            Some(writer) => Ok(writer.try_clone()?),
            None => bail!("the pipe is closed"),
        }
    }

    /// Says something about a process, in the same order.
    ///
    /// # Errors
    /// When the pipe is closed.
    pub fn say(&mut self, life: u64, what: &str) -> Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.write_all(format!("{life} {what}\n").as_bytes())?;
        }
        Ok(())
    }

    /// What was said so far.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that was said, once nobody speaks any more.
    #[must_use]
    pub fn close(mut self) -> Ledger {
        self.writer = None;
        if let Some(reader) = self.reader.take() {
            // It ends with the last writer, and cannot panic.
            let _ = reader.join();
        }
        std::mem::take(&mut *self.ledger())
    }
}

fn keep(reader: PipeReader, ledger: &Mutex<Ledger>) {
    for line in BufReader::new(reader).lines() {
        let Ok(line) = line else { return };
        ledger.lock().unwrap_or_else(PoisonError::into_inner).note(&line);
    }
}
