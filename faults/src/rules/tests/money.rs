//! Logs that break a rule about budgets and limits.

use serde_json::json;

use super::forged::{Forged, must_not_be, takes_no_effect};
use crate::rules::Rule;

#[test]
fn nobody_begins_an_attempt_that_no_limit_allows() {
    takes_no_effect(Rule::AttemptBudget, |log| {
        log.says("budget_set", json!({"account": "team", "on": null, "attempts": 1}));
        log.work("w1", "a", json!({}));
        log.work("w2", "b", json!({}))
    });
}

/// Sets a budget of ten tokens, and sets aside so many of them.
fn sets_aside(log: &mut Forged, tokens: u64) -> String {
    log.says("spending_reserved", json!({"agent": "w1", "upper": {"input_tokens": tokens, "calls": 1}}))
}

#[test]
fn what_does_not_fit_is_not_called() {
    for account in [json!("team"), json!("run"), json!({"agent": "w1"})] {
        takes_no_effect(Rule::Budget, |log| {
            log.says("budget_set", json!({"account": account, "on": null, "micro_usd": null, "tokens": 10}));
            sets_aside(log, 6);
            sets_aside(log, 6)
        });
    }
}

fn settles(log: &mut Forged, reservation: &str, tokens: u64) {
    let actual = json!({"input_tokens": tokens, "calls": 1});
    log.says("spending_settled", json!({"reservation": reservation, "agent": "w1", "actual": actual}));
}

#[test]
fn a_call_uses_at_most_what_was_set_aside() {
    must_not_be(Rule::UpperBound, |log| {
        let reservation = sets_aside(log, 6);
        settles(log, &reservation, 7);
    });
}

#[test]
fn a_call_is_settled_once() {
    must_not_be(Rule::SettledOnce, |log| {
        let reservation = sets_aside(log, 6);
        (0..2).for_each(|_| settles(log, &reservation, 5));
    });
}

#[test]
fn a_limit_fails_no_attempt() {
    must_not_be(Rule::Limits, |log| {
        log.joins("w1", "worker");
        let claim = log.work("w1", "a", json!({}));
        log.says("model_limited", json!({"model": "small", "until_ms": 5, "reason": "HTTP 429: slow down"}));
        log.says("task_failed", json!({"claim": claim, "error": "the model failed: HTTP 429: slow down"}));
    });
}

#[test]
fn a_budget_that_is_used_up_fails_no_attempt() {
    let words = "this would exceed the budget of task a: turns; its work so far is kept";
    must_not_be(Rule::UsedUp, |log| {
        let claim = log.work("w1", "a", json!({}));
        log.says("task_failed", json!({"claim": claim, "error": words, "for_good": true}));
    });
    let mut log = Forged::new();
    let claim = log.work("w1", "a", json!({}));
    log.says("claim_released", json!({"claim": claim, "reason": words, "needs": {"calls": 1}}));
    assert_eq!(log.checked().tally(Rule::UsedUp).held, 1);
}
