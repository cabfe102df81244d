//! Logs that nobody of the team wrote.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::rules::{Checked, Rule, check};

/// A log that nobody of the team wrote.
pub(super) struct Forged {
    pub lines: String,
    pub count: u32,
    pub version: u64,
    pub folder: tempfile::TempDir,
}

fn framed(record: &Value) -> String {
    let text = record.to_string();
    let crc = crc32fast::hash(text.as_bytes());
    format!("\n{{\"len\":{},\"crc\":\"{crc:08x}\",{}\n", text.len(), &text[1..])
}

impl Forged {
    pub fn new() -> Self {
        let header = framed(&json!({"log": "0190", "version": 1, "start": 0}));
        let folder = tempfile::tempdir().unwrap();
        Self { lines: header.trim_start().to_owned(), count: 0, version: 1, folder }
    }

    /// Writes a record, and gives its id.
    #[expect(clippy::needless_pass_by_value, reason = "what calls it makes the value for it")]
    pub fn says(&mut self, kind: &str, body: Value) -> String {
        self.count += 1;
        let id = format!("{:032x}", self.count);
        let record = json!({"v": self.version, "id": id, "at_ms": 0, "by": "w1", "kind": kind, "body": body});
        self.lines += &framed(&record);
        id
    }

    pub fn joins(&mut self, agent: &str, role: &str) {
        self.says("agent_joined", json!({"agent": agent, "role": role, "with": "small"}));
    }

    /// Adds a task, and gives its revision.
    pub fn task(&mut self, id: &str, mut wishes: Value) -> String {
        wishes["id"] = id.into();
        wishes["title"] = "Something".into();
        self.says("task_added", json!({"task": wishes}))
    }

    pub fn claims(&mut self, agent: &str, task: &str, on: &str, stage: &str) -> String {
        let body = json!({"task": task, "on": on, "stage": stage, "agent": agent, "holder": {}});
        self.says("task_claimed", body)
    }

    /// A task that an agent works on: the claim.
    pub fn work(&mut self, agent: &str, task: &str, wishes: Value) -> String {
        let on = self.task(task, wishes);
        self.claims(agent, task, &on, "work")
    }

    pub fn delivers(&mut self, claim: &str, commit: bool) -> String {
        let mut body = json!({"claim": claim, "result": "Done"});
        if commit {
            body["commit"] = json!({"commit": "c1", "base": "b0", "files": 1});
        }
        self.says("task_submitted", body)
    }

    /// A task whose commit is about to be merged: the claim, and the intent.
    pub fn merging(&mut self, task: &str) -> (String, String) {
        self.merging_onto(task, "b0")
    }

    /// The same, tested on a certain tip of the branch.
    pub fn merging_onto(&mut self, task: &str, old_tip: &str) -> (String, String) {
        let work = self.work("w1", task, json!({}));
        let on = self.delivers(&work, true);
        let claim = self.claims("orchestrator", task, &on, "merge");
        let body = json!({"claim": claim, "commit": "m1", "old_tip": old_tip, "branch": "main"});
        let intent = self.says("merge_intended", body);
        (claim, intent)
    }

    /// A task of w1 whose result waits for reviewers: its revision.
    pub fn reviewing(&mut self, wishes: Value) -> String {
        let mut wishes = wishes;
        wishes["review"] = true.into();
        let claim = self.work("w1", "a", wishes);
        self.delivers(&claim, false)
    }

    pub fn reviews(&mut self, claim: &str, submission: &str, approved: bool) -> String {
        self.says("review_given", json!({"claim": claim, "submission": submission, "approved": approved}))
    }

    /// A task of w1 with a plan: the claim and the plan.
    pub fn planned(&mut self) -> (String, String) {
        let claim = self.work("w1", "a", json!({"plan": true}));
        let plan = self.says("plan_submitted", json!({"claim": claim, "text": "First this."}));
        (claim, plan)
    }

    pub fn judges(&mut self, by: &str, plan: &str, words: &str) -> String {
        let text_hash = blake3::hash(words.as_bytes()).to_hex().to_string();
        let body = json!({"task": "a", "plan": plan, "text_hash": text_hash, "by": by, "approved": true});
        self.says("plan_judged", body)
    }

    pub fn checked(&self) -> Checked {
        let path = self.folder.path().join("log.jsonl");
        fs::write(&path, &self.lines).unwrap();
        check(&path).unwrap()
    }
}

/// The record that `break_it` gives takes no effect by a rule, and whoever builds on it breaks that rule.
pub(super) fn takes_no_effect(rule: Rule, break_it: impl FnOnce(&mut Forged) -> String) {
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
pub(super) fn must_not_be(rule: Rule, break_it: impl FnOnce(&mut Forged)) {
    let mut log = Forged::new();
    break_it(&mut log);
    let checked = log.checked();
    let rules: BTreeSet<Rule> = checked.breaches.iter().map(|breach| breach.rule).collect();
    assert_eq!(rules, BTreeSet::from([rule]), "{:?}", checked.breaches);
    let name = rule.words().0;
    assert!(checked.lines().iter().any(|line| line.starts_with(&format!("ERROR   {name}: "))));
}
