//! `log`: what happened, record by record.

use std::collections::VecDeque;
use std::time::Duration;

use agent_team::{Fate, LoggedRecord, Records, TaskId, TaskQueue};
use clap::Args;
use serde_json::value::RawValue;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::time;

/// How long a follower waits before it looks at the log without having been woken.
const LOOK: Duration = Duration::from_secs(1);

/// How many records a view shows, the newest.
const LAST: usize = 500;

/// How much of a record's text stands in a line for people, in characters.
const SUMMARY_CHARS_MAX: usize = 100;

/// The arguments of `log`.
#[derive(Debug, Args)]
#[command(
    about = "Show what happened, record by record",
    long_about = "Show the records of the log, oldest first: place, time, writer, kind, task, and what it says. A record \
                  that took no effect is marked with the reason.\n\nWith --json one line per record: `seq` (its place), \
                  `outcome` (`effective`, `void`, `repeated`, `unknown` or `unreadable`), `reason`, `task`, and \
                  `record`, which is the stored object as it is.",
    after_help = "Examples:\n  agent-team log\n  agent-team log --follow --kind task_submitted\n  \
                  agent-team log --task parse --json | jq -r .record.kind\n  agent-team log --since 120"
)]
pub struct Log {
    /// Go on with what comes, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only records of this kind (repeat it, or separate by commas)
    #[arg(long, value_delimiter = ',')]
    kind: Vec<String>,
    /// Only records about this task
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
    /// Only records after this place
    #[arg(long, value_name = "SEQ", default_value_t = 0, hide_default_value = true)]
    since: u64,
}

#[derive(serde::Serialize)]
struct Json<'a> {
    seq: u64,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a TaskId>,
    record: Stored<'a>,
}

/// A record as it is stored; a line that is no JSON as text.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Stored<'a> {
    Object(&'a RawValue),
    Text(&'a str),
}

impl Log {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let mut records = Records::open(&global.folder()?)?;
        loop {
            let batch = records.read()?;
            let more = !batch.is_empty();
            for record in batch.iter().filter(|record| self.wants(record)) {
                if out.is_json() { json(record, out)? } else { print(record, out)? }
            }
            if more {
                continue;
            }
            if !self.follow {
                return Ok(Exit::Done);
            }
            out.flush()?;
            records.wait(LOOK)?;
        }
    }

    fn wants(&self, record: &LoggedRecord) -> bool {
        record.seq > self.since
            && (self.kind.is_empty() || self.kind.contains(&record.kind))
            && (self.task.is_none() || self.task == record.task)
    }
}

/// The last records of a team's log, in lines.
pub fn last(queue: &TaskQueue) -> Result<String, Failure> {
    let folder =
        queue.team_log().folder().ok_or_else(|| Failure::refused("a team in memory has no log to show"))?;
    let (mut records, mut last) = (Records::open(folder)?, VecDeque::new());
    loop {
        let batch = records.read()?;
        if batch.is_empty() {
            break;
        }
        last.extend(batch);
        last.drain(..last.len().saturating_sub(LAST));
    }
    let mut out = Output::kept();
    last.iter().try_for_each(|record| print(record, &mut out))?;
    Ok(out.into_kept().text)
}

fn json(record: &LoggedRecord, out: &mut Output) -> std::io::Result<()> {
    let stored: Option<&RawValue> = serde_json::from_str(&record.json).ok();
    out.json(&Json {
        seq: record.seq,
        outcome: record.fate.as_str(),
        reason: record.fate.reason(),
        task: record.task.as_ref(),
        record: stored.map_or(Stored::Text(&record.json), Stored::Object),
    })
}

pub fn print(record: &LoggedRecord, out: &mut Output) -> std::io::Result<()> {
    let by = record.by.as_ref().map_or("-", |by| by.as_str());
    let kind = if record.kind.is_empty() { "-" } else { &record.kind };
    let task = record.task.as_ref().map_or("-", |task| task.as_str());
    let line = record.summary.lines().next().unwrap_or_default();
    let mut summary: String = line.chars().take(SUMMARY_CHARS_MAX).collect();
    if summary.len() < record.summary.trim_end().len() {
        summary.push('…');
    }
    let mut text =
        format!("{:>5}  {}  {by:<12} {kind:<18} {task:<12} {summary}", record.seq, time::local(record.at_ms));
    if record.unconfined {
        text = format!("{}  [unconfined]", text.trim_end());
    }
    if let Some(reason) = record.fate.reason() {
        text = format!("{}  [{}: {reason}]", text.trim_end(), record.fate.as_str());
    }
    let paint = match (&record.fate, record.kind.as_str()) {
        (Fate::Effective, "task_failed" | "claim_expired" | "merge_refused") => Some(Paint::Warning),
        (Fate::Effective, "merged") => Some(Paint::Good),
        (Fate::Effective, _) => None,
        (Fate::Void(_) | Fate::Repeated | Fate::Unknown, _) => Some(Paint::Faint),
        (Fate::Unreadable(_), _) => Some(Paint::Bad),
    };
    out.painted(text.trim_end(), paint)
}
