//! Logs that break a rule about merges.

use serde_json::json;

use super::forged::{Forged, must_not_be, takes_no_effect};
use crate::rules::Rule;

#[test]
fn a_claim_with_an_intent_ends_with_the_fence() {
    takes_no_effect(Rule::Fence, |log| {
        let (claim, _) = log.merging("a");
        log.says("claim_released", json!({"claim": claim}))
    });
}

#[test]
fn what_was_fenced_off_is_not_merged() {
    takes_no_effect(Rule::Intent, |log| {
        let (claim, intent) = log.merging("a");
        log.says("claim_released", json!({"claim": claim, "fenced": intent}));
        log.says("merged", json!({"intent": intent}))
    });
}

#[test]
fn a_commit_is_merged_once() {
    must_not_be(Rule::MergedOnce, |log| {
        for task in ["a", "b"] {
            let (_, intent) = log.merging(task);
            log.says("merged", json!({"intent": intent}));
        }
    });
}

#[test]
fn what_adds_nothing_to_the_branch_is_done_after_what_brought_it_there() {
    let mut log = Forged::new();
    for (task, old_tip) in [("a", "b0"), ("b", "m1")] {
        let (_, intent) = log.merging_onto(task, old_tip);
        log.says("merged", json!({"intent": intent}));
    }
    let checked = log.checked();
    assert!(checked.holds(), "{:?}", checked.breaches);
}
