//! Records as bytes: one JSON object on one line, written from typed structs so that equal records give equal bytes.
//!
//! ```text
//! {"v":1,"id":"0192…","at_ms":1764000000000,"by":"worker-1","kind":"task_claimed","body":{…}}
//! ```
//!
//! A kind that is not known, and a field that is not known, change nothing: newer programs may add both as long as no
//! rule of this version would have to read them. What a rule needs means a new format version.

mod plain;

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Body, Holder, Record, TaskClaimed};
use crate::id::{AgentId, RecordId};

#[derive(Deserialize)]
struct Envelope<'a> {
    v: u32,
    id: RecordId,
    at_ms: u64,
    by: AgentId,
    #[serde(default)]
    unconfined: bool,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// A line of the log is no record of ours at all.
#[derive(Debug, thiserror::Error)]
#[error("not a record: {0}")]
pub struct DecodeError(#[from] serde_json::Error);

/// A record cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// JSON could not be made of it.
    #[error("a `{kind}` record cannot be written as JSON: {source}")]
    Json {
        /// The record's kind.
        kind: String,
        /// What the JSON library said.
        source: serde_json::Error,
    },
    /// It was read from a log that another program wrote, and its content was not kept.
    #[error("a record of the unknown kind `{0}` cannot be written again")]
    Unknown(String),
}

/// Writes a record as one line, without the newline.
///
/// # Errors
/// When the record was read as an unknown or malformed one.
pub fn encode(record: &Record) -> Result<Vec<u8>, EncodeError> {
    Encoder::default().encode(record)
}

/// Writes many records: what is the same again and again is made into JSON once.
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    /// How the claims of this process are held, and its JSON.
    holder: Option<(Arc<Holder>, Vec<u8>)>,
}

impl Encoder {
    /// Writes a record as one line, as [`encode`] does.
    ///
    /// # Errors
    /// When the record was read as an unknown or malformed one.
    pub fn encode(&mut self, record: &Record) -> Result<Vec<u8>, EncodeError> {
        let kind = record.body.kind();
        let json = |source| EncodeError::Json { kind: kind.to_owned(), source };
        let mut line = Vec::with_capacity(LINE_BYTES);
        // Piece by piece, as formatting takes longer than all the rest.
        line.extend_from_slice(b"{\"v\":");
        serde_json::to_writer(&mut line, &record.format).map_err(json)?;
        line.extend_from_slice(b",\"id\":\"");
        line.extend_from_slice(&record.id.digits());
        line.extend_from_slice(b"\",\"at_ms\":");
        serde_json::to_writer(&mut line, &record.at_ms).map_err(json)?;
        plain(&mut line, [",\"by\":\"", record.by.as_str()]);
        plain(&mut line, [if record.unconfined { UNCONFINED } else { "\"" }]);
        plain(&mut line, [",\"kind\":\"", kind, "\",\"body\":"]);
        let is_written = match &record.body {
            Body::TaskClaimed(claimed) => self.write_claimed(&mut line, claimed),
            body => body.write_content(&mut line),
        };
        if !is_written.map_err(json)? {
            return Err(EncodeError::Unknown(kind.to_owned()));
        }
        line.push(b'}');
        Ok(line)
    }

    /// Claims are half of what is written, and most of a claim is its holder.
    fn write_claimed(&mut self, line: &mut Vec<u8>, body: &TaskClaimed) -> serde_json::Result<bool> {
        let TaskClaimed { task, on, stage, agent, holder } = body;
        let Some(on) = on else { return serde_json::to_writer(line, body).map(|()| true) };
        plain(line, ["{\"task\":\"", task.as_str(), "\",\"on\":\""]);
        line.extend_from_slice(&on.digits());
        plain(line, ["\",\"stage\":\"", stage.as_str(), "\",\"agent\":\"", agent.as_str(), "\",\"holder\":"]);
        let is_known = |(known, _): &&(Arc<Holder>, _)| Arc::ptr_eq(known, holder);
        match self.holder.as_ref().filter(is_known) {
            Some((_, json)) => line.extend_from_slice(json),
            None => {
                let json = serde_json::to_vec(holder)?;
                line.extend_from_slice(&json);
                self.holder = Some((Arc::clone(holder), json));
            }
        }
        line.push(b'}');
        Ok(true)
    }
}

/// Writes pieces that hold nothing that JSON would have to escape, as names and kinds.
fn plain<const PIECES: usize>(line: &mut Vec<u8>, pieces: [&str; PIECES]) {
    pieces.iter().for_each(|piece| line.extend_from_slice(piece.as_bytes()));
}

/// The end of the writer's name, and that it runs commands without a sandbox.
const UNCONFINED: &str = "\",\"unconfined\":true";

/// What most lines fit into.
const LINE_BYTES: usize = 512;

/// Reads a record from its line.
///
/// # Errors
/// When the line is not an envelope. A known kind with a content that does not fit it is no error: it is read as
/// [`Body::Malformed`], which changes nothing.
pub fn decode(line: &[u8]) -> Result<Record, DecodeError> {
    Decoder::default().decode(line)
}

/// Reads many records: what comes again and again, as the names of agents, is read and kept once.
#[derive(Debug, Clone, Default)]
pub struct Decoder(plain::Known);

impl Decoder {
    /// Reads a record from its line, as [`decode`] does.
    ///
    /// # Errors
    /// When the line is not an envelope.
    pub fn decode(&mut self, line: &[u8]) -> Result<Record, DecodeError> {
        plain::record(line, &mut self.0).map_or_else(|| decode_any(line), Ok)
    }
}

fn decode_any(line: &[u8]) -> Result<Record, DecodeError> {
    let envelope: Envelope<'_> = serde_json::from_slice(line)?;
    Ok(Record {
        id: envelope.id,
        format: envelope.v,
        at_ms: envelope.at_ms,
        by: envelope.by,
        unconfined: envelope.unconfined,
        body: Body::from_content(&envelope.kind, envelope.body.get()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchClosed, FORMAT};

    fn record(body: Body) -> Record {
        Record {
            id: RecordId(7),
            format: FORMAT,
            at_ms: 5,
            by: "worker-1".parse().unwrap(),
            unconfined: false,
            body,
        }
    }

    #[test]
    fn who_runs_commands_without_a_sandbox_says_so_in_every_record() {
        let body = BatchClosed { batch: RecordId(9), tasks: 2 }.into();
        let closed = Record { unconfined: true, ..record(body) };
        let line = encode(&closed).unwrap();
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(text.contains(r#","by":"worker-1","unconfined":true,"kind":"batch_closed","#), "{text}");
        assert_eq!(decode(&line).unwrap(), closed);
        let otherwise = text.replacen(r#""unconfined":true"#, r#""unconfined": true"#, 1);
        assert_eq!(decode(otherwise.as_bytes()).unwrap(), closed);
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let closed = record(BatchClosed { batch: RecordId(9), tasks: 2 }.into());
        let line = encode(&closed).unwrap();
        assert_eq!(decode(&line).unwrap(), closed);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#"{"v":1,"id":"00000000000000000000000000000007","at_ms":5,"by":"worker-1","kind":"batch_closed","body":{"batch":"00000000000000000000000000000009","tasks":2}}"#
        );
    }

    #[test]
    fn a_claim_is_written_as_the_json_library_would_write_it() {
        let (one, other) = (Holder { lease_ms: Some(5), ..Holder::default() }, Holder::default());
        let (one, other) = (Arc::new(one), Arc::new(other));
        let mut encoder = Encoder::default();
        for (holder, on) in [(&one, Some(3)), (&one, Some(4)), (&other, Some(5)), (&one, None)] {
            let claimed = TaskClaimed {
                task: "t1".parse().unwrap(),
                on: on.map(RecordId),
                stage: crate::record::Stage::Review,
                agent: "w".parse().unwrap(),
                holder: Arc::clone(holder),
            };
            let json = serde_json::to_string(&claimed).unwrap();
            let line = String::from_utf8(encoder.encode(&record(claimed.into())).unwrap()).unwrap();
            assert!(line.ends_with(&format!("\"kind\":\"task_claimed\",\"body\":{json}}}")), "{line}");
        }
    }

    #[test]
    fn unknown_kinds_and_fields_do_no_harm() {
        let id = RecordId(7);
        let line = format!(
            r#"{{"v":1,"id":"{id}","at_ms":5,"by":"w","mood":1,"kind":"agent_smiled","body":{{"teeth":32}}}}"#
        );
        assert_eq!(decode(line.as_bytes()).unwrap().body, Body::Unknown { kind: "agent_smiled".into() });
        let line = format!(
            r#"{{"v":1,"id":"{id}","at_ms":5,"by":"w","kind":"batch_closed","body":{{"batch":"{id}","tasks":1,"x":[]}}}}"#
        );
        assert_eq!(decode(line.as_bytes()).unwrap().body, BatchClosed { batch: id, tasks: 1 }.into());
    }

    #[test]
    fn what_does_not_fit_its_kind_is_malformed_and_what_is_no_envelope_is_an_error() {
        let id = RecordId(7);
        for body in [r#"{"batch":"x","tasks":1}"#, r#"{"tasks":99999999999}"#, "[]", "null"] {
            let line =
                format!(r#"{{"v":1,"id":"{id}","at_ms":5,"by":"w","kind":"batch_closed","body":{body}}}"#);
            assert!(matches!(decode(line.as_bytes()).unwrap().body, Body::Malformed { .. }), "{body}");
        }
        let deep = "[".repeat(10_000);
        for line in ["", "{}", "null", r#"{"v":1}"#, &deep] {
            assert!(decode(line.as_bytes()).is_err(), "{line}");
        }
    }

    fn lines() -> Vec<String> {
        let id = RecordId(0x0192_0000_0000_79e3_779b_97f4_a7c1_5f39);
        let holder =
            r#"{"process":{"machine":"m","boot":"b","namespace":"1","pid":7,"start":9},"presence":"p"}"#;
        let line = |kind: &str, body: &str| {
            format!(r#"{{"v":1,"id":"{id}","at_ms":1764000000000,"by":"w","kind":"{kind}","body":{body}}}"#)
        };
        vec![
            line("task_added", r#"{"task":{"id":"t1","title":"Ein schönes Stück"}}"#),
            line("task_added", r#"{"task":{"id":"t1","title":"x","after":["t2"],"mood":"\u0041"}}"#),
            line(
                "task_claimed",
                &format!(r#"{{"task":"t","on":"{id}","stage":"work","agent":"w","holder":{holder}}}"#),
            ),
            line("claim_renewed", &format!(r#"{{"claim":"{id}"}}"#)),
            line("task_submitted", &format!(r#"{{"claim":"{id}","result":"done"}}"#)),
            line("batch_closed", &format!(r#"{{"batch":"{id}","tasks":2}}"#)),
            line("agent_smiled", "{}"),
        ]
    }

    fn assert_same(line: &[u8], known: &mut plain::Known) {
        if let Some(record) = plain::record(line, known) {
            let text = String::from_utf8_lossy(line);
            assert_eq!(decode_any(line).as_ref().ok(), Some(&record), "{text}");
        }
    }

    #[test]
    fn what_is_read_the_short_way_is_what_the_json_library_reads() {
        let mut known = plain::Known::default();
        for line in lines() {
            let record = plain::record(line.as_bytes(), &mut known);
            let kind = decode(line.as_bytes()).unwrap().body.kind().to_owned();
            assert_eq!(record.is_some(), kind != "agent_smiled", "{line}");
            assert_same(line.as_bytes(), &mut known);
            // Each byte changed, left out, and followed by another: most are no records any more, some are others.
            for at in 0..line.len() {
                for byte in *b"\"\\{}[]:,0129.-eE tfn\x00\x1f\x7f\x80\xc3\xff" {
                    let mut changed = line.clone().into_bytes();
                    changed[at] = byte;
                    assert_same(&changed, &mut known);
                    changed = line.clone().into_bytes();
                    changed.insert(at, byte);
                    assert_same(&changed, &mut known);
                }
                let mut shorter = line.clone().into_bytes();
                shorter.remove(at);
                assert_same(&shorter, &mut known);
                assert_same(&line.as_bytes()[..at], &mut known);
            }
        }
    }
}
