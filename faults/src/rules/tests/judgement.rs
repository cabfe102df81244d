//! Logs that break a rule about plans and reviews.

use serde_json::json;

use super::forged::takes_no_effect;
use crate::rules::Rule;

#[test]
fn nothing_is_delivered_before_its_plan_is_approved() {
    takes_no_effect(Rule::PlanFirst, |log| {
        let (claim, _) = log.planned();
        log.delivers(&claim, false)
    });
}

#[test]
fn an_approval_is_of_the_very_text() {
    takes_no_effect(Rule::PlanText, |log| {
        let (_, plan) = log.planned();
        log.judges("human", &plan, "First that.")
    });
}

#[test]
fn an_approval_is_of_the_newest_plan() {
    takes_no_effect(Rule::PlanNewest, |log| {
        let (claim, plan) = log.planned();
        log.says("plan_submitted", json!({"claim": claim, "text": "First that."}));
        log.judges("human", &plan, "First this.")
    });
}

#[test]
fn an_author_approves_no_plan_of_theirs_even_if_they_are_named() {
    takes_no_effect(Rule::PlanAuthor, |log| {
        let claim = log.work("w1", "a", json!({"plan": true, "approver": "w1"}));
        let plan = log.says("plan_submitted", json!({"claim": claim, "text": "First this."}));
        log.judges("w1", &plan, "First this.")
    });
}

#[test]
fn not_everybody_approves_plans() {
    takes_no_effect(Rule::Approver, |log| {
        log.joins("w2", "worker");
        let (_, plan) = log.planned();
        log.judges("w2", &plan, "First this.")
    });
}

#[test]
fn nobody_reviews_their_own_work() {
    takes_no_effect(Rule::OwnWork, |log| {
        let on = log.reviewing(json!({}));
        log.joins("w1", "reviewer");
        log.claims("w1", "a", &on, "review")
    });
}

#[test]
fn workers_review_nothing() {
    takes_no_effect(Rule::Reviewer, |log| {
        let on = log.reviewing(json!({}));
        log.claims("w2", "a", &on, "review")
    });
}

#[test]
fn protected_files_are_for_the_human() {
    takes_no_effect(Rule::HumanOnly, |log| {
        log.joins("r1", "reviewer");
        let claim = log.work("w1", "a", json!({}));
        let on =
            log.says("task_submitted", json!({"claim": claim, "result": "Done", "protected": ["Makefile"]}));
        log.claims("r1", "a", &on, "review")
    });
}

#[test]
fn a_quorum_is_of_different_reviewers() {
    takes_no_effect(Rule::Quorum, |log| {
        log.joins("r1", "reviewer");
        let submission = log.reviewing(json!({"reviews": 2}));
        let review = log.claims("r1", "a", &submission, "review");
        let on = log.reviews(&review, &submission, true);
        log.claims("r1", "a", &on, "review")
    });
}

#[test]
fn nothing_is_merged_before_its_quorum() {
    takes_no_effect(Rule::Stage, |log| {
        log.joins("r1", "reviewer");
        let claim = log.work("w1", "a", json!({"review": true, "reviews": 2}));
        let submission = log.delivers(&claim, true);
        let review = log.claims("r1", "a", &submission, "review");
        let on = log.reviews(&review, &submission, true);
        log.claims("orchestrator", "a", &on, "merge")
    });
}

#[test]
fn after_the_last_round_the_human_judges() {
    takes_no_effect(Rule::Rounds, |log| {
        log.joins("r1", "reviewer");
        let submission = log.reviewing(json!({"review_rounds": 1}));
        let review = log.claims("r1", "a", &submission, "review");
        let on = log.reviews(&review, &submission, false);
        let claim = log.claims("w1", "a", &on, "work");
        let on = log.delivers(&claim, false);
        log.claims("r1", "a", &on, "review")
    });
}

#[test]
fn a_review_is_of_what_was_delivered_last() {
    takes_no_effect(Rule::Submission, |log| {
        log.joins("r1", "reviewer");
        let submission = log.reviewing(json!({}));
        let review = log.claims("r1", "a", &submission, "review");
        log.reviews(&review, &review, true)
    });
}
