//! Logs that break a rule about delegated tasks, re-plans and teams of leads.

use serde_json::json;

use super::forged::{must_not_be, takes_no_effect};
use crate::rules::Rule;

#[test]
fn tasks_are_delegated_so_deep_and_no_deeper() {
    takes_no_effect(Rule::Depth, |log| {
        log.says("policy_set", json!({"on": null, "policy": {"max_depth": 1}}));
        log.task("whole", json!({"role": "lead", "delegate": true}));
        log.task("part", json!({"role": "lead", "delegate": true, "parent": "whole"}))
    });
}

#[test]
fn a_delegated_task_is_delivered_when_its_parts_are_done() {
    takes_no_effect(Rule::Parts, |log| {
        log.joins("l", "lead");
        let claim = log.work("l", "whole", json!({"role": "lead", "delegate": true}));
        log.task("part", json!({"parent": "whole"}));
        log.delivers(&claim, false)
    });
}

#[test]
fn a_task_that_was_handed_out_is_nobodys_before_its_parts_are_done() {
    takes_no_effect(Rule::Parts, |log| {
        log.joins("l", "lead");
        let claim = log.work("l", "whole", json!({"role": "lead", "delegate": true}));
        log.task("part", json!({"parent": "whole"}));
        let on = log.says("task_delegated", json!({"claim": claim}));
        log.claims("l", "whole", &on, "work")
    });
}

#[test]
fn a_task_without_parts_is_not_handed_out() {
    takes_no_effect(Rule::HandedOut, |log| {
        log.joins("l", "lead");
        let claim = log.work("l", "whole", json!({"role": "lead", "delegate": true}));
        log.says("task_delegated", json!({"claim": claim}))
    });
}

#[test]
fn a_failure_is_planned_anew_once() {
    takes_no_effect(Rule::Replans, |log| {
        let claim = log.work("w1", "a", json!({}));
        let failure = log.says("task_failed", json!({"claim": claim, "error": "no", "for_good": true}));
        let replan = json!({"task": "a", "failure": failure});
        log.task("again", json!({"role": "lead", "replans": replan}));
        log.task("once-more", json!({"role": "lead", "replans": replan}))
    });
}

#[test]
fn members_of_a_leads_team_take_its_tasks_and_no_others() {
    takes_no_effect(Rule::Fit, |log| {
        log.says("agent_joined", json!({"agent": "w1", "role": "worker", "lead": "l"}));
        log.work("w1", "a", json!({}))
    });
}

#[test]
fn a_lead_changes_no_files() {
    must_not_be(Rule::Delegates, |log| {
        log.joins("l1", "lead");
        let claim = log.work("l1", "a", json!({"role": "lead"}));
        log.delivers(&claim, true);
    });
}
