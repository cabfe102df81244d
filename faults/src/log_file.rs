//! The lines of a log file, read anew: this shares no code with the crates under test.
//!
//! What docs/log-format.md says is all that is used: a record is a line of JSON whose `len` and `crc` are those of the
//! object without these two fields.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// What lies in a log.
#[derive(Debug, Default)]
pub struct LogFile {
    /// The log's id.
    pub id: String,
    /// The records in order, each the first time that it stands there.
    pub records: Vec<Value>,
    /// Records that stand there again.
    pub repeated: u64,
    /// Lines that break off: nobody was told that they are there.
    pub torn: u64,
}

impl LogFile {
    /// Reads a log.
    ///
    /// # Errors
    /// When a line is neither a record nor the beginning of one.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)?;
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let header = lines.next().and_then(record).context("the log has no header")?;
        let mut found = Self { id: text(&header["log"]).to_owned(), ..Self::default() };
        let mut seen = BTreeSet::new();
        for line in lines.filter(|line| *line != b"\n") {
            match record(line) {
                Some(record) => {
                    let id = text(&record["id"]).to_owned();
                    ensure!(!id.is_empty(), "a record without an id: {record}");
                    if seen.insert(id) {
                        found.records.push(record);
                    } else {
                        found.repeated += 1;
                    }
                }
                None if is_beginning(line) => found.torn += 1,
                None => bail!("a line is no record: {:?}", String::from_utf8_lossy(line)),
            }
        }
        Ok(found)
    }

    /// The records of one kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.records.iter().filter(move |record| record["kind"] == kind)
    }

    /// The records that name a task, or a claim on it, each on a line.
    #[must_use]
    pub fn naming(&self, task: &str) -> Vec<String> {
        let names_task = |record: &&Value| {
            [&record["body"]["task"], &record["body"]["task"]["id"]].iter().any(|id| *id == task)
        };
        let claims: BTreeSet<&str> =
            self.of_kind("task_claimed").filter(names_task).map(|record| text(&record["id"])).collect();
        let names = |record: &&Value| names_task(record) || claims.contains(text(&record["body"]["claim"]));
        self.records
            .iter()
            .filter(names)
            .map(|record| record.to_string().chars().take(400).collect())
            .collect()
    }
}

/// The text of a value, if it is one.
#[must_use]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The record of a whole line.
fn record(line: &[u8]) -> Option<Value> {
    let line = line.strip_suffix(b"\n")?;
    let rest = line.strip_prefix(b"{\"len\":")?;
    let comma = rest.iter().position(|byte| *byte == b',')?;
    let length: usize = std::str::from_utf8(&rest[..comma]).ok()?.parse().ok()?;
    let rest = rest[comma..].strip_prefix(b",\"crc\":\"")?;
    let (digits, rest) = rest.split_at_checked(8)?;
    let checksum = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    let bytes = [b"{", rest.strip_prefix(b"\",")?].concat();
    if bytes.len() != length || crc32fast::hash(&bytes) != checksum {
        return None;
    }
    serde_json::from_slice(&bytes).ok()
}

/// Whether a line is shorter than it says, or breaks off before it says how long it is.
fn is_beginning(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line.iter().all(|byte| *byte == 0) {
        // The machine went down before the disk had what was written there.
        return true;
    }
    let Some(rest) = line.strip_prefix(b"{\"len\":") else { return b"{\"len\":".starts_with(line) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let length: Option<usize> = std::str::from_utf8(&rest[..digits]).ok().and_then(|text| text.parse().ok());
    match (length, rest.get(digits)) {
        (_, None) => true,
        // The two fields take the place of the brace: their length is what the line is longer by.
        (Some(length), Some(_)) => {
            line.len() < length + b"{\"len\":,\"crc\":\"01234567\",".len() + digits - 1
        }
        (None, Some(_)) => false,
    }
}
