//! What holds of the codec, whatever bytes a line of the log holds. `fuzz/fuzz_targets/codec.rs` calls it with bytes
//! that it makes up, and the test beside this with those that it kept.

use agent_team_core::id::{AgentId, TaskId};
use agent_team_core::machine::{Outcome, State};
use agent_team_core::record::codec::{self, EncodeError};
use agent_team_core::record::{Body, Record};

/// Reads a line. What is read is written again as it was read.
pub fn check(line: &[u8]) {
    both_ways_are_one(line, codec::decode(line).ok().as_ref());
    let Ok(record) = codec::decode(line) else { return };
    assert_eq!(record.by.as_str().parse::<AgentId>().as_ref(), Ok(&record.by), "only a name is read as one");
    if let Body::TaskAdded(added) = &record.body {
        assert_eq!(added.task.id.as_str().parse::<TaskId>().as_ref(), Ok(&added.task.id));
    }
    match codec::encode(&record) {
        Ok(written) => {
            assert!(!written.contains(&b'\n'), "a record is one line");
            let read = codec::decode(&written).unwrap();
            assert_eq!(read, record, "what was read and written is read as the same");
            assert_eq!(codec::encode(&read).unwrap(), written);
        }
        Err(EncodeError::Unknown(_)) => changes_nothing(&record),
        Err(EncodeError::Json { .. }) => unreachable!("a record that was read can be written"),
    }
}

/// A space in front means nothing in JSON, and lets no line be read the short way.
pub fn both_ways_are_one(line: &[u8], read: Option<&Record>) {
    let long = codec::decode(&[b" ", line].concat()).ok();
    assert_eq!(read, long.as_ref(), "read the short way, and by the JSON library: {}", line.escape_ascii());
}

fn changes_nothing(record: &Record) {
    assert!(matches!(record.body, Body::Unknown { .. } | Body::Malformed { .. }));
    let mut state = State::new();
    let mut counted = State::new();
    assert_eq!(state.apply(record.clone()), Outcome::Unknown);
    counted.skip();
    let lines = |state: &State| {
        let mut lines = Vec::new();
        state.canonical(&mut |line| lines.push(line.to_owned()));
        lines.retain(|line| !line.starts_with("ids"));
        lines
    };
    assert_eq!(lines(&state), lines(&counted), "it is counted, and its id is known; else nothing");
}
