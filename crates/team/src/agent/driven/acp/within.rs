//! Words for a program while it does what it was told. The protocol has no message for that; two programs have a way of their own.
//!
//! Sources: `claude-agent-acp` takes another prompt while one is under way (`promptQueueing`), and answers the earlier one when
//! its model is shown the later; Goose has a request for it (`_goose/unstable/session/steer`), and repeats the words when they
//! are shown.

use std::collections::BTreeMap;

use agent_client_protocol::v1::schema::{AgentCapabilities, Meta, SessionId, SessionUpdate};
use agent_client_protocol::{Error as AcpError, UntypedMessage};
use serde_json::{Value, json};

use crate::agent::driven::steering::More;

/// How a program takes words while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// It does not.
    Not,
    /// By one prompt after the other.
    Prompts,
    /// As Goose does.
    Goose,
}

impl Within {
    /// As a program says that it can.
    pub fn of(able: &AgentCapabilities) -> Self {
        let says = |place: &str| at(able.meta.as_ref(), place).is_some_and(|said| *said != json!(false));
        match () {
            () if says("/claudeCode/promptQueueing") => Self::Prompts,
            () if says("/goose") => Self::Goose,
            () => Self::Not,
        }
    }
}

/// What Goose was told while it worked, and has not shown to its model.
#[derive(Default)]
pub(super) struct Goose {
    /// What it does at the moment.
    run: Option<String>,
    told: BTreeMap<String, More>,
}

impl Goose {
    /// The request that tells it more, if it does anything.
    pub fn tell(&self, session: &SessionId, words: &str) -> Result<Option<UntypedMessage>, AcpError> {
        let Some(run) = &self.run else { return Ok(None) };
        let prompt = json!([{"type": "text", "text": words}]);
        let params = json!({"sessionId": session, "expectedRunId": run, "prompt": prompt});
        UntypedMessage::new("_goose/unstable/session/steer", params).map(Some)
    }

    /// Whether it can be told more now.
    pub fn works(&self) -> bool {
        self.run.is_some()
    }

    /// Notes what it answered.
    pub fn answered(&mut self, answer: &Value, more: More) {
        if let Some(message) = answer["messageId"].as_str() {
            self.told.insert(message.to_owned(), more);
        }
    }

    /// Notes what it tells. What it shows to its model comes back.
    pub fn hear(&mut self, update: &SessionUpdate) -> Option<More> {
        match update {
            SessionUpdate::SessionInfoUpdate(info) => {
                if let Some(run) = at(info.meta.as_ref(), "/goose/activeRunId") {
                    self.run = run.as_str().map(str::to_owned);
                }
                None
            }
            SessionUpdate::UserMessageChunk(chunk) => {
                self.told.remove(at(chunk.meta.as_ref(), "/goose/messageId")?.as_str()?)
            }
            _ => None,
        }
    }

    /// Forgets what it has not shown: it is told that otherwise.
    pub fn forget(&mut self) {
        self.told.clear();
    }
}

/// A value in what a program adds to the protocol.
fn at<'a>(meta: Option<&'a Meta>, place: &str) -> Option<&'a Value> {
    let (head, rest) =
        place.trim_start_matches('/').split_once('/').unwrap_or((place.trim_start_matches('/'), ""));
    let value = meta?.get(head)?;
    if rest.is_empty() { Some(value) } else { value.pointer(&format!("/{rest}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(update: Value) -> SessionUpdate {
        serde_json::from_value(update).unwrap()
    }

    fn more(words: &str) -> More {
        More { words: words.into(), messages: Vec::new() }
    }

    #[test]
    fn who_says_so_takes_words_while_it_works() {
        let of = |meta: Value| Within::of(&serde_json::from_value(json!({"_meta": meta})).unwrap());
        assert_eq!(of(json!({"claudeCode": {"promptQueueing": true}})), Within::Prompts);
        assert_eq!(of(json!({"claudeCode": {"promptQueueing": false}})), Within::Not);
        assert_eq!(of(json!({"goose": {}})), Within::Goose);
        assert_eq!(of(json!({})), Within::Not);
    }

    #[test]
    fn goose_has_taken_what_it_repeats() {
        let mut goose = Goose::default();
        let session = SessionId::new("s");
        assert!(goose.tell(&session, "Stop.").unwrap().is_none(), "it does nothing yet");
        let runs =
            json!({"sessionUpdate": "session_info_update", "_meta": {"goose": {"activeRunId": "run-1"}}});
        assert_eq!(goose.hear(&update(runs)), None);
        assert!(goose.tell(&session, "Stop.").unwrap().is_some());
        goose.answered(&json!({"messageId": "steer-1"}), more("Stop."));
        goose.answered(&json!({"messageId": "steer-2"}), more("Go on."));
        let shown = json!({
            "sessionUpdate": "user_message_chunk",
            "content": {"type": "text", "text": "Go on."},
            "_meta": {"goose": {"messageId": "steer-2", "steer": true}},
        });
        assert_eq!(goose.hear(&update(shown.clone())), Some(more("Go on.")));
        assert_eq!(goose.hear(&update(shown)), None, "once");
        let rests =
            json!({"sessionUpdate": "session_info_update", "_meta": {"goose": {"activeRunId": null}}});
        goose.hear(&update(rests));
        assert!(!goose.works());
    }
}
