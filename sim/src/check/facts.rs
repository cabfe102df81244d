//! What the witness knows of one record.

use agent_team_core::record::Record;

/// What a record's writer was told came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing yet.
    Pending,
    /// It counts.
    Effective,
    /// It does not.
    Void,
    /// Nothing, ever: its writer is gone, or saw an error.
    Unknown,
}

/// One record that somebody wrote.
#[derive(Debug)]
pub struct Fact {
    /// What was written; `None` for a line that is no record.
    pub record: Option<Record>,
    /// The process.
    pub writer: u32,
    /// Why it must not count, whatever the team is like.
    pub must_not: Option<&'static str>,
    /// Whether its writer asked whether it may be.
    pub asked: bool,
    /// Its place in the order; `None` while it is not in the log.
    pub place: Option<usize>,
    /// When it landed.
    pub at_ms: u64,
    /// What its writer was told.
    pub fate: Fate,
    /// Whether it was acknowledged as surviving the machine.
    pub durable: bool,
    /// Whether a power cut took it.
    pub lost: bool,
}

impl Fact {
    pub(super) fn new(record: Option<Record>, writer: u32, must_not: Option<&'static str>) -> Self {
        Self {
            record,
            writer,
            must_not,
            asked: true,
            place: None,
            at_ms: 0,
            fate: Fate::Pending,
            durable: false,
            lost: false,
        }
    }

    /// A short name for reports.
    pub(super) fn name(&self) -> String {
        match &self.record {
            Some(record) => format!("{} {:x} by {}", record.body.kind(), record.id.0, record.by),
            None => "a line that is no record".to_owned(),
        }
    }
}
