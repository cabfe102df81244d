//! Records as bytes: one JSON object on one line, written from typed structs so that equal records give equal bytes.
//!
//! ```text
//! {"v":1,"id":"0192…","at_ms":1764000000000,"by":"worker-1","kind":"task_claimed","body":{…}}
//! ```
//!
//! A kind that is not known, and a field that is not known, change nothing: newer programs may add both as long as no
//! rule of this version would have to read them. What a rule needs means a new format version.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Body, Record};
use crate::id::{AgentId, RecordId};

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    v: u32,
    id: RecordId,
    at_ms: u64,
    by: AgentId,
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
    let kind = record.body.kind();
    let json = |source| EncodeError::Json { kind: kind.to_owned(), source };
    let content =
        record.body.content().map_err(json)?.ok_or_else(|| EncodeError::Unknown(kind.to_owned()))?;
    let body = RawValue::from_string(content).map_err(json)?;
    let envelope = Envelope {
        v: record.format,
        id: record.id,
        at_ms: record.at_ms,
        by: record.by.clone(),
        kind: Cow::Borrowed(kind),
        body: &body,
    };
    serde_json::to_vec(&envelope).map_err(json)
}

/// Reads a record from its line.
///
/// # Errors
/// When the line is not an envelope. A known kind with a content that does not fit it is no error: it is read as
/// [`Body::Malformed`], which changes nothing.
pub fn decode(line: &[u8]) -> Result<Record, DecodeError> {
    let envelope: Envelope<'_> = serde_json::from_slice(line)?;
    Ok(Record {
        id: envelope.id,
        format: envelope.v,
        at_ms: envelope.at_ms,
        by: envelope.by,
        body: Body::from_content(&envelope.kind, envelope.body.get()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchClosed, FORMAT};

    fn record(body: Body) -> Record {
        Record { id: RecordId(7), format: FORMAT, at_ms: 5, by: "worker-1".parse().unwrap(), body }
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
}
