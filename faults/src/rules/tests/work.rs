//! Logs that break a rule about claims, results and attempts.

use serde_json::json;

use super::forged::{must_not_be, takes_no_effect};
use crate::rules::Rule;

#[test]
fn a_batch_that_is_not_whole_takes_no_effect() {
    takes_no_effect(Rule::Batch, |log| {
        log.says("task_added", json!({"task": {"id": "a", "title": "A"}, "batch": "b"}));
        log.says("batch_closed", json!({"batch": "b", "tasks": 2}))
    });
}

#[test]
fn two_do_not_hold_one_task() {
    takes_no_effect(Rule::OneClaim, |log| {
        let on = log.task("a", json!({}));
        log.claims("w1", "a", &on, "work");
        log.claims("w2", "a", &on, "work")
    });
}

#[test]
fn a_claim_names_the_newest_revision() {
    takes_no_effect(Rule::Newest, |log| {
        let on = log.task("a", json!({}));
        log.says("task_edited", json!({"task": "a", "on": on, "change": {"priority": 1}}));
        log.claims("w1", "a", &on, "work")
    });
}

#[test]
fn what_waits_for_another_task_is_not_claimed() {
    takes_no_effect(Rule::Dependencies, |log| {
        log.task("a", json!({}));
        let on = log.task("b", json!({"after": ["a"]}));
        log.claims("w1", "b", &on, "work")
    });
}

#[test]
fn a_task_is_for_whom_it_names() {
    takes_no_effect(Rule::Fit, |log| {
        log.joins("w1", "worker");
        let on = log.task("a", json!({"skill": "sql"}));
        log.claims("w1", "a", &on, "work")
    });
}

#[test]
fn nobody_claims_while_the_team_or_the_agent_is_paused() {
    for whom in [json!({"on": null, "paused": true}), json!({"agent": "w1", "on": null, "paused": true})] {
        takes_no_effect(Rule::Pause, |log| {
            log.joins("w1", "worker");
            let on = log.task("a", json!({}));
            log.says("pause_set", whom);
            log.claims("w1", "a", &on, "work")
        });
    }
}

#[test]
fn who_is_paused_begins_no_turn() {
    must_not_be(Rule::PausedTurns, |log| {
        log.joins("w1", "worker");
        let claim = log.work("w1", "a", json!({}));
        log.says("pause_set", json!({"agent": "w1", "on": null, "paused": true}));
        (1..=2).for_each(|turn| drop(log.says("turn_journalled", json!({"claim": claim, "turn": turn}))));
    });
}

#[test]
fn a_result_under_a_claim_that_has_ended_does_not_count() {
    takes_no_effect(Rule::Fencing, |log| {
        let claim = log.work("w1", "a", json!({}));
        log.says("claim_expired", json!({"claim": claim, "seen": claim, "cause": "lease"}));
        log.delivers(&claim, false)
    });
}

#[test]
fn a_merger_does_not_deliver() {
    takes_no_effect(Rule::Stage, |log| {
        let work = log.work("w1", "a", json!({}));
        let on = log.delivers(&work, true);
        let merge = log.claims("orchestrator", "a", &on, "merge");
        log.delivers(&merge, true)
    });
}

#[test]
fn who_gave_a_sign_of_life_keeps_the_claim() {
    takes_no_effect(Rule::Renewal, |log| {
        let claim = log.work("w1", "a", json!({}));
        log.says("claim_renewed", json!({"claim": claim}));
        log.says("claim_expired", json!({"claim": claim, "seen": claim, "cause": "lease"}))
    });
}

#[test]
fn what_is_completed_is_not_done_again() {
    takes_no_effect(Rule::EndsOnce, |log| {
        let claim = log.work("w1", "a", json!({}));
        let done = log.delivers(&claim, false);
        log.claims("w1", "a", &done, "work")
    });
}

#[test]
fn there_are_no_more_attempts_than_the_task_has() {
    takes_no_effect(Rule::Attempts, |log| {
        let claim = log.work("w1", "a", json!({"attempts": 1}));
        let on = log.says("task_failed", json!({"claim": claim, "error": "no"}));
        log.claims("w1", "a", &on, "work")
    });
}

#[test]
fn a_task_that_was_taken_over_three_times_stays_where_it_is() {
    takes_no_effect(Rule::Takeovers, |log| {
        let mut on = log.task("a", json!({}));
        for _ in 0..3 {
            let claim = log.claims("w1", "a", &on, "work");
            on = log.says("claim_expired", json!({"claim": claim, "seen": claim, "cause": "process_gone"}));
        }
        log.claims("w1", "a", &on, "work")
    });
}

#[test]
fn a_turn_makes_up_for_no_holder_that_was_stuck() {
    takes_no_effect(Rule::Takeovers, |log| {
        let mut on = log.task("a", json!({}));
        for _ in 0..3 {
            let claim = log.claims("w1", "a", &on, "work");
            let turn = log.says("turn_journalled", json!({"claim": claim, "turn": 1}));
            on = log.says("claim_expired", json!({"claim": claim, "seen": turn, "cause": "stuck"}));
        }
        log.claims("w1", "a", &on, "work")
    });
}

#[test]
fn conflicts_have_an_end() {
    takes_no_effect(Rule::Conflicts, |log| {
        let mut on = log.task("a", json!({}));
        for _ in 0..10 {
            let work = log.claims("w1", "a", &on, "work");
            let delivered = log.delivers(&work, true);
            let merge = log.claims("orchestrator", "a", &delivered, "merge");
            on = log.says("merge_refused", json!({"claim": merge, "cause": "conflict", "output": "a.txt"}));
        }
        log.claims("w1", "a", &on, "work")
    });
}
