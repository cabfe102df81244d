//! Logs that break a rule about settings, edits and members.

use serde_json::json;

use super::forged::takes_no_effect;
use crate::rules::Rule;

#[test]
fn a_budget_names_the_one_that_it_replaces() {
    takes_no_effect(Rule::Settings, |log| {
        let budget = || json!({"account": "team", "on": null, "micro_usd": null, "tokens": 5});
        log.says("budget_set", budget());
        log.says("budget_set", budget())
    });
}

#[test]
fn a_full_team_takes_nobody_in() {
    takes_no_effect(Rule::AgentCap, |log| {
        log.says("policy_set", json!({"on": null, "policy": {"max_agents": 1}}));
        log.joins("w1", "worker");
        log.says("agent_joined", json!({"agent": "w2", "role": "worker"}))
    });
}

#[test]
fn an_edit_names_the_newest_revision() {
    takes_no_effect(Rule::Edits, |log| {
        let on = log.task("a", json!({}));
        let edit = || json!({"task": "a", "on": on, "change": {"priority": 1}});
        log.says("task_edited", edit());
        log.says("task_edited", edit())
    });
}

#[test]
fn who_is_no_member_does_not_leave() {
    takes_no_effect(Rule::Members, |log| log.says("agent_left", json!({"agent": "w1"})));
}
