//! Logs that break one rule each. A record that takes no effect is lawful by itself; acting on it is the breach.

mod files;
mod forged;
mod judgement;
mod lead;
mod merge;
mod message;
mod money;
mod steering;
mod work;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use agent_team_core::machine::{Outcome, State};
use agent_team_core::record::codec;
use agent_team_log::{FileLog, Log, Position};
use serde_json::json;

use self::forged::{Forged, must_not_be, takes_no_effect};
use super::{Rule, check};

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
