//! The records of a log in short, and what each cost, for those who go through them in any order.

use std::path::Path;

use agent_team::{AgentId, Error, Records, TaskId};
use serde::{Deserialize, Serialize};

use super::waits::{Wait, Waits};

/// All records so far.
pub struct RecordIndex {
    records: Records,
    all: Vec<RecordRow>,
    costs: Vec<Cost>,
    waits: Waits,
}

/// A record in short.
#[derive(Debug, Clone, Serialize)]
pub struct RecordRow {
    /// Its place in the order, from 1.
    pub seq: u64,
    /// When its writer's clock said it was written, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who wrote it.
    pub by: Option<AgentId>,
    /// Its kind.
    pub kind: String,
    /// The task that it is about.
    pub task: Option<TaskId>,
    /// What it says, in a few words.
    pub summary: String,
    /// What became of it.
    pub outcome: &'static str,
}

/// What something cost.
#[derive(Debug, Clone, Serialize)]
pub struct Cost {
    /// The record that says so.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who spent it.
    pub agent: AgentId,
    /// In millionths of a US dollar.
    pub micro_usd: u64,
    /// Tokens, read and written.
    pub tokens: u64,
}

#[derive(Deserialize)]
struct Settled {
    body: SettledBody,
}

#[derive(Deserialize)]
struct SettledBody {
    agent: AgentId,
    actual: agent_team::Amount,
}

impl RecordIndex {
    /// Of the log in this file. Nothing is read yet.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(log: &Path) -> Result<Self, Error> {
        Ok(Self {
            records: Records::open_log(log)?,
            all: Vec::new(),
            costs: Vec::new(),
            waits: Waits::default(),
        })
    }

    /// Reads what came since.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn catch_up(&mut self) -> Result<(), Error> {
        loop {
            let batch = self.records.read()?;
            if batch.is_empty() {
                return Ok(());
            }
            for record in batch {
                let outcome = record.fate.as_str();
                if outcome == "effective" {
                    self.waits.take(&record);
                }
                if record.kind == "spending_settled"
                    && outcome == "effective"
                    && let Ok(Settled { body }) = serde_json::from_str::<Settled>(&record.json)
                {
                    let (seq, at_ms, agent) = (record.seq, record.at_ms, body.agent);
                    let (micro_usd, tokens) = (body.actual.micro_usd, body.actual.tokens());
                    self.costs.push(Cost { seq, at_ms, agent, micro_usd, tokens });
                }
                self.all.push(RecordRow {
                    seq: record.seq,
                    at_ms: record.at_ms,
                    by: record.by,
                    kind: record.kind,
                    task: record.task,
                    summary: record.summary,
                    outcome,
                });
            }
        }
    }

    /// When a record was written; 0 before the first.
    pub fn at_ms(&self, seq: u64) -> u64 {
        let index = usize::try_from(seq).ok().and_then(|seq| seq.checked_sub(1));
        index.and_then(|index| self.all.get(index)).map_or(0, |record| record.at_ms)
    }

    /// The newest records before `end`, of a task if one is named, at most so many; the newest first.
    pub fn before(&self, end: u64, task: Option<&TaskId>, most: usize) -> Vec<RecordRow> {
        let end = usize::try_from(end.saturating_sub(1)).unwrap_or(usize::MAX).min(self.all.len());
        let before = self.all.get(..end).unwrap_or_default().iter().rev();
        let wanted = before.filter(|record| task.is_none() || record.task.as_ref() == task);
        wanted.take(most).cloned().collect()
    }

    /// When agents waited for somebody's word, up to a record.
    pub fn waits(&self, until: u64) -> Vec<Wait> {
        self.waits.until(until)
    }

    /// What was spent up to a record, in order.
    pub fn costs(&self, until: u64) -> &[Cost] {
        let end = self.costs.partition_point(|cost| cost.seq <= until);
        self.costs.get(..end).unwrap_or_default()
    }
}
