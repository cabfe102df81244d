//! The world of a script: one log, its state, a clock that only `tick` moves, and ids that count from 1.

use std::collections::BTreeMap;

use agent_team_core::id::RecordId;
use agent_team_core::machine::{Command, Outcome, State, decide};
use agent_team_core::record::{Body, Record, codec};

use crate::parse::Problem;

pub struct World {
    pub state: State,
    pub now_ms: u64,
    /// Whether those who write run commands without a sandbox.
    pub unconfined: bool,
    /// Ids that the script named.
    names: BTreeMap<String, RecordId>,
    /// What was decided and not applied yet.
    pub decided: BTreeMap<String, Vec<Body>>,
    /// The log, as bytes, and what was read from each line; `None` where it is no record.
    pub log: Vec<(Vec<u8>, Option<Record>)>,
    last_id: u128,
}

impl World {
    pub fn new() -> Self {
        Self {
            state: State::new(),
            now_ms: 1_000_000,
            unconfined: false,
            names: BTreeMap::new(),
            decided: BTreeMap::new(),
            log: Vec::new(),
            last_id: 0,
        }
    }

    pub fn new_id(&mut self) -> RecordId {
        self.last_id += 1;
        RecordId(self.last_id)
    }

    pub fn name(&mut self, name: &str, id: RecordId) {
        self.names.insert(name.to_owned(), id);
    }

    /// The id behind `$name` or `#7`.
    pub fn id(&self, text: &str) -> Result<RecordId, Problem> {
        if let Some(number) = text.strip_prefix('#') {
            return number.parse().map(RecordId).map_err(|error| format!("{error}"));
        }
        let known = text.strip_prefix('$').and_then(|name| self.names.get(name));
        known.copied().ok_or_else(|| format!("`{text}` names no record"))
    }

    /// Decides a command and applies what was decided.
    pub fn submit(&mut self, command: &Command) -> String {
        match decide(&self.state, command, self.now_ms) {
            Ok(bodies) => self.append(bodies),
            Err(refusal) => format!("refused: {refusal}"),
        }
    }

    /// Appends bodies to the log, as bytes, and applies what is read back. Says what became of each.
    pub fn append(&mut self, bodies: Vec<Body>) -> String {
        let mut format = self.state.format();
        let outcomes = bodies.into_iter().map(|body| {
            let id = self.new_id();
            let by = "script".parse().unwrap();
            let written = Record { id, format, at_ms: self.now_ms, by, unconfined: self.unconfined, body };
            if let Body::FormatRaised(raised) = &written.body {
                format = raised.version;
            }
            let line = codec::encode(&written).unwrap();
            assert_eq!(codec::decode(&line).unwrap(), written, "a record reads back as it was written");
            self.read(line)
        });
        outcomes.collect::<Vec<_>>().join("\n")
    }

    /// Appends a line to the log, and applies what is read from it. Says what became of it.
    pub fn read(&mut self, line: Vec<u8>) -> String {
        let (said, record) = match codec::decode(&line) {
            Ok(record) => (self.apply(&record), Some(record)),
            Err(error) => {
                self.state.skip();
                (error.to_string(), None)
            }
        };
        self.log.push((line, record));
        said
    }

    fn apply(&mut self, record: &Record) -> String {
        let outcome = self.state.apply(record.clone());
        let (id, kind) = (record.id, record.body.kind());
        let said = match outcome {
            Outcome::Effective => String::new(),
            Outcome::Void(refusal) => format!(": void: {refusal}"),
            Outcome::Repeated => ": repeated".to_owned(),
            Outcome::Unknown => ": unknown".to_owned(),
        };
        match &record.body {
            Body::TaskClaimed(claimed) => {
                if said.is_empty() {
                    self.name(claimed.agent.as_str(), id);
                }
                format!("{id} {kind} {}{said}", claimed.task)
            }
            Body::Malformed { reason, .. } => format!("{id} {kind}{said}: {reason}"),
            _ => format!("{id} {kind}{said}"),
        }
    }

    /// The line of a record.
    pub fn line(&self, id: RecordId) -> Option<Vec<u8>> {
        let has_id = |record: &Option<Record>| record.as_ref().is_some_and(|record| record.id == id);
        self.log.iter().find(|(_, record)| has_id(record)).map(|(line, _)| line.clone())
    }

    /// The newest record's id.
    pub fn last(&self) -> Option<RecordId> {
        self.log.iter().rev().find_map(|(_, record)| record.as_ref()).map(|record| record.id)
    }
}

/// A text with every `#7` as the id that it stands for.
pub fn long(text: &str) -> String {
    let mut parts = text.split('#');
    let mut output = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        output += &format!("{}{rest}", RecordId(number.parse().unwrap()));
    }
    output
}
