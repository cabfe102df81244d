//! Logs that break a rule about messages.

use serde_json::json;

use super::forged::must_not_be;
use crate::rules::Rule;

#[test]
fn a_message_goes_forward_and_to_its_reader() {
    for (agent, kind) in [("w2", "messages_read"), ("w1", "messages_delivered")] {
        must_not_be(Rule::Delivery, |log| {
            let body = json!({"from": "human", "to": "w1", "text": "Look."});
            let message = log.says("message_sent", body);
            log.says("messages_read", json!({"agent": "w1", "messages": [message]}));
            log.says(kind, json!({"agent": agent, "messages": [message]}));
        });
    }
}

#[test]
fn a_turn_read_what_was_in_its_request() {
    must_not_be(Rule::Delivery, |log| {
        let claim = log.work("w1", "a", json!({}));
        let message = log.says("message_sent", json!({"from": "human", "to": "w1", "text": "Look."}));
        log.says("turn_journalled", json!({"claim": claim, "turn": 1, "read": [message]}));
    });
}

#[test]
fn what_was_unread_when_its_reader_left_is_not_read_by_it() {
    must_not_be(Rule::Returned, |log| {
        log.joins("w1", "worker");
        let message = log.says("message_sent", json!({"from": "human", "to": "w1", "text": "Look."}));
        log.says("agent_left", json!({"agent": "w1"}));
        log.says("messages_read", json!({"agent": "w1", "messages": [message]}));
    });
}
