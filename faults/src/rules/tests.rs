//! Logs that break one rule each. A record that takes no effect is lawful by itself; acting on it is the breach.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use agent_team_core::machine::{Outcome, State};
use agent_team_core::record::codec;
use agent_team_log::{FileLog, Log, Position};
use serde_json::{Value, json};

use super::{Checked, Rule, check};

/// A log that nobody of the team wrote.
struct Forged {
    lines: String,
    count: u32,
    version: u64,
    folder: tempfile::TempDir,
}

fn framed(record: &Value) -> String {
    let text = record.to_string();
    let crc = crc32fast::hash(text.as_bytes());
    format!("\n{{\"len\":{},\"crc\":\"{crc:08x}\",{}\n", text.len(), &text[1..])
}

impl Forged {
    fn new() -> Self {
        let header = framed(&json!({"log": "0190", "version": 1, "start": 0}));
        let folder = tempfile::tempdir().unwrap();
        Self { lines: header.trim_start().to_owned(), count: 0, version: 1, folder }
    }

    /// Writes a record, and gives its id.
    #[expect(clippy::needless_pass_by_value, reason = "what calls it makes the value for it")]
    fn says(&mut self, kind: &str, body: Value) -> String {
        self.count += 1;
        let id = format!("{:032x}", self.count);
        let record = json!({"v": self.version, "id": id, "at_ms": 0, "by": "w1", "kind": kind, "body": body});
        self.lines += &framed(&record);
        id
    }

    fn joins(&mut self, agent: &str, role: &str) {
        self.says("agent_joined", json!({"agent": agent, "role": role, "with": "small"}));
    }

    /// Adds a task, and gives its revision.
    fn task(&mut self, id: &str, mut wishes: Value) -> String {
        wishes["id"] = id.into();
        wishes["title"] = "Something".into();
        self.says("task_added", json!({"task": wishes}))
    }

    fn claims(&mut self, agent: &str, task: &str, on: &str, stage: &str) -> String {
        let body = json!({"task": task, "on": on, "stage": stage, "agent": agent, "holder": {}});
        self.says("task_claimed", body)
    }

    /// A task that an agent works on: the claim.
    fn work(&mut self, agent: &str, task: &str, wishes: Value) -> String {
        let on = self.task(task, wishes);
        self.claims(agent, task, &on, "work")
    }

    fn delivers(&mut self, claim: &str, commit: bool) -> String {
        let mut body = json!({"claim": claim, "result": "Done"});
        if commit {
            body["commit"] = json!({"commit": "c1", "base": "b0", "files": 1});
        }
        self.says("task_submitted", body)
    }

    /// A task whose commit is about to be merged: the claim, and the intent.
    fn merging(&mut self, task: &str) -> (String, String) {
        let work = self.work("w1", task, json!({}));
        let on = self.delivers(&work, true);
        let claim = self.claims("orchestrator", task, &on, "merge");
        let body = json!({"claim": claim, "commit": "m1", "old_tip": "b0", "branch": "main"});
        let intent = self.says("merge_intended", body);
        (claim, intent)
    }

    /// A task of w1 whose result waits for reviewers: its revision.
    fn reviewing(&mut self, wishes: Value) -> String {
        let mut wishes = wishes;
        wishes["review"] = true.into();
        let claim = self.work("w1", "a", wishes);
        self.delivers(&claim, false)
    }

    fn reviews(&mut self, claim: &str, submission: &str, approved: bool) -> String {
        self.says("review_given", json!({"claim": claim, "submission": submission, "approved": approved}))
    }

    /// A task of w1 with a plan: the claim and the plan.
    fn planned(&mut self) -> (String, String) {
        let claim = self.work("w1", "a", json!({"plan": true}));
        let plan = self.says("plan_submitted", json!({"claim": claim, "text": "First this."}));
        (claim, plan)
    }

    fn judges(&mut self, by: &str, plan: &str, words: &str) -> String {
        let text_hash = blake3::hash(words.as_bytes()).to_hex().to_string();
        let body = json!({"task": "a", "plan": plan, "text_hash": text_hash, "by": by, "approved": true});
        self.says("plan_judged", body)
    }

    fn checked(&self) -> Checked {
        let path = self.folder.path().join("log.jsonl");
        fs::write(&path, &self.lines).unwrap();
        check(&path).unwrap()
    }
}

/// The record that `break_it` gives takes no effect by a rule, and whoever builds on it breaks that rule.
fn takes_no_effect(rule: Rule, break_it: impl FnOnce(&mut Forged) -> String) {
    let mut log = Forged::new();
    let broken = break_it(&mut log);
    let checked = log.checked();
    assert!(checked.holds(), "one who comes too late is lawful: {:?}", checked.breaches);
    assert_eq!(checked.tally(rule).without_effect, 1, "{rule:?}: {:#?}", checked.lines());
    let next = log.says("claim_renewed", json!({"claim": broken}));
    let breaches = log.checked().breaches;
    assert_eq!(breaches.len(), 1, "{breaches:?}");
    assert_eq!((breaches[0].rule, breaches[0].records.clone()), (rule, vec![broken, next]));
}

/// What `break_it` writes breaks a rule by itself.
fn must_not_be(rule: Rule, break_it: impl FnOnce(&mut Forged)) {
    let mut log = Forged::new();
    break_it(&mut log);
    let checked = log.checked();
    let rules: BTreeSet<Rule> = checked.breaches.iter().map(|breach| breach.rule).collect();
    assert_eq!(rules, BTreeSet::from([rule]), "{:?}", checked.breaches);
    let name = rule.words().0;
    assert!(checked.lines().iter().any(|line| line.starts_with(&format!("ERROR   {name}: "))));
}

#[test]
fn a_lawful_life_holds_and_each_rule_says_how_often_it_was_seen() {
    let mut log = Forged::new();
    log.says("format_raised", json!({"version": 10}));
    log.version = 10;
    log.joins("w1", "worker");
    log.joins("r1", "reviewer");
    let claim = log.work("w1", "a", json!({"plan": true, "review": true, "check": "true"}));
    let plan = log.says("plan_submitted", json!({"claim": claim, "text": "First this."}));
    log.judges("human", &plan, "First this.");
    log.says("turn_journalled", json!({"claim": claim, "turn": 1}));
    let submission = log.delivers(&claim, true);
    let verify = log.claims("orchestrator", "a", &submission, "verify");
    let proved = log.says("check_reported", json!({"claim": verify, "passed": true}));
    let review = log.claims("r1", "a", &proved, "review");
    let approved = log.reviews(&review, &submission, true);
    let merge = log.claims("orchestrator", "a", &approved, "merge");
    let body = json!({"claim": merge, "commit": "m1", "old_tip": "b0", "branch": "main"});
    let intent = log.says("merge_intended", body);
    log.says("merged", json!({"intent": intent}));
    let checked = log.checked();
    assert!(checked.holds(), "{:?}", checked.breaches);
    for (rule, held) in [
        (Rule::OneClaim, 4),
        (Rule::PlanText, 1),
        (Rule::OwnWork, 1),
        (Rule::MergedOnce, 1),
        (Rule::PlanFirst, 1),
        (Rule::Pause, 0),
    ] {
        assert_eq!(checked.tally(rule).held, held, "{rule:?}");
    }
    assert!(checked.unseen().any(|name| name == "files"), "what is not in the log is not said to hold");
    assert!(checked.lines().iter().any(|line| line.starts_with("none    files: 0 held")));
}

#[test]
fn what_is_named_stands_before() {
    must_not_be(Rule::Records, |log| drop(log.says("claim_renewed", json!({"claim": "77"}))));
}

#[test]
fn a_record_of_another_version_takes_no_effect() {
    takes_no_effect(Rule::Format, |log| {
        log.version = 10;
        let on = log.task("a", json!({}));
        log.version = 1;
        on
    });
}

#[test]
fn a_blob_is_what_its_name_says() {
    must_not_be(Rule::Texts, |log| {
        let hash = blake3::hash(b"long text").to_hex().to_string();
        let folder = log.folder.path().join("blobs").join(&hash[..2]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(&hash), "other one").unwrap();
        log.task("a", json!({"description": {"blob": hash, "size_bytes": 9, "head": "long"}}));
    });
}

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
fn nobody_begins_an_attempt_that_no_limit_allows() {
    takes_no_effect(Rule::AttemptBudget, |log| {
        log.says("budget_set", json!({"account": "team", "on": null, "attempts": 1}));
        log.work("w1", "a", json!({}));
        log.work("w2", "b", json!({}))
    });
}

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
fn a_batch_that_is_not_whole_takes_no_effect() {
    takes_no_effect(Rule::Batch, |log| {
        log.says("task_added", json!({"task": {"id": "a", "title": "A"}, "batch": "b"}));
        log.says("batch_closed", json!({"batch": "b", "tasks": 2}))
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

#[test]
fn a_lead_changes_no_files() {
    must_not_be(Rule::Delegates, |log| {
        log.joins("l1", "lead");
        let claim = log.work("l1", "a", json!({"role": "lead"}));
        log.delivers(&claim, true);
    });
}

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
fn a_file_is_reserved_once() {
    takes_no_effect(Rule::Files, |log| {
        let (one, other) = (log.work("w1", "a", json!({})), log.work("w2", "b", json!({})));
        log.says("files_reserved", json!({"claim": one, "paths": ["src/"]}));
        log.says("files_reserved", json!({"claim": other, "paths": ["src/main.rs"]}))
    });
}

/// The records of a log that take no effect, as the machine of the core sees them.
fn void_in_core(path: &Path) -> BTreeSet<String> {
    let log = FileLog::open_read_only(path).unwrap();
    let (mut state, mut from, mut void) = (State::new(), Position::START, BTreeSet::new());
    loop {
        let batch = log.read(from, 4096).unwrap();
        for record in batch.records().filter_map(|line| codec::decode(line.bytes).ok()) {
            let id = record.id;
            if matches!(state.apply(record), Outcome::Void(_)) {
                void.insert(id.to_string());
            }
        }
        if batch.next() == from {
            return void;
        }
        from = batch.next();
    }
}

#[test]
fn the_checker_and_the_machine_agree_on_every_record_of_the_golden_logs() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/team/tests/golden");
    let mut compared = 0;
    for folder in ["format-1", "format-10"] {
        for file in fs::read_dir(golden.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // These have lines that are no records, records of no known form, and versions of programs to come.
            let is_odd = ["damaged", "refusals", "formats"].iter().any(|odd| name.starts_with(odd));
            if is_odd || !name.ends_with(".jsonl") {
                continue;
            }
            assert_eq!(check(&path).unwrap().without_effect, void_in_core(&path), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 15, "{compared}");
}
