//! Golden logs: logs of each format, kept for ever, with the fingerprint of the state that they fold to.
//!
//! A later version must fold them to the same: a team that exists must not wake up in another state. A file
//! of `format-1` or a later one is never changed and never taken away. New ones are added, for each new kind of record and each new field:
//! write a script in `crates/core/tests/scripts`, and run `GOLDEN=new cargo test -p agent-team --test golden`, which
//! writes what is not there yet and leaves alone what is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

// The scripts of the core are the life that the logs tell of.
#[path = "../../../core/tests/scripts/command.rs"]
mod command;
mod cuts;
#[path = "../../../core/tests/scripts/parse.rs"]
mod parse;
#[path = "../../../core/tests/scripts/show.rs"]
mod show;
#[path = "../../../core/tests/scripts/world.rs"]
mod world;
mod write;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use agent_team::TeamLog;
use agent_team_core::machine::{Fingerprint, Outcome, State};
use agent_team_core::record::{Body, FORMAT, NEWEST_FORMAT, codec};
use agent_team_log::{DamageKind, FileLog, Log, Position};

/// The logs of each format, by the version that they end with.
fn folders() -> [PathBuf; 2] {
    [FORMAT, NEWEST_FORMAT].map(folder)
}

fn folder(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/format-{version}"))
}

/// What each log comes to: its path without an ending, and its fingerprint. The list has both on each line.
fn recorded() -> Vec<(PathBuf, String)> {
    let of = |folder: &Path, line: &str| {
        line.split_once("  ").map(|(print, name)| (folder.join(name), print.to_owned()))
    };
    let all = folders().into_iter().flat_map(|folder| {
        let list = fs::read_to_string(folder.join("fingerprints")).unwrap();
        list.lines().map(|line| of(&folder, line).unwrap()).collect::<Vec<_>>()
    });
    all.collect()
}

/// A log, folded: what it came to, and what was met on the way.
#[derive(Default)]
struct Folded {
    state: State,
    outcomes: Vec<(Body, Outcome)>,
    unreadable: u64,
    damage: Vec<DamageKind>,
    unfinished_bytes: u64,
}

fn fold(path: &Path) -> Folded {
    let log = FileLog::open_read_only(path).unwrap();
    let mut folded = Folded::default();
    let mut from = Position::START;
    loop {
        let batch = log.read(from, 4096).unwrap();
        for line in batch.records() {
            match codec::decode(line.bytes) {
                Ok(record) => {
                    let outcome = folded.state.apply(record.clone());
                    folded.outcomes.push((record.body, outcome));
                }
                Err(_) => {
                    folded.state.skip();
                    folded.unreadable += 1;
                }
            }
        }
        folded.damage.extend(batch.damage().iter().map(|damage| damage.kind.clone()));
        from = batch.next();
        if batch.is_empty() {
            folded.unfinished_bytes = fs::metadata(path).unwrap().len() - from.value();
            return folded;
        }
    }
}

fn canonical(state: &State) -> String {
    let mut form = String::new();
    state.canonical(&mut |line| {
        form += line;
        form.push('\n');
    });
    form
}

#[test]
fn a_log_of_an_earlier_version_means_what_it_meant_then() {
    if std::env::var("GOLDEN").is_ok_and(|wish| wish == "new") {
        write::missing();
    }
    let mut other = Vec::new();
    for (path, print) in recorded() {
        let now = fold(&path.with_extension("jsonl")).state;
        if now.fingerprint().to_string() != print {
            let then = fs::read_to_string(path.with_extension("state")).unwrap();
            other.push(format!("{}.jsonl\n{}", path.display(), first_difference(&then, &canonical(&now))));
        }
    }
    assert!(
        other.is_empty(),
        "these logs now mean something else than when they were written, so teams that exist would wake \
         up in another state. Take the change back, or let it begin with a new format version. The files and their \
         fingerprints stay as they are.\n{}",
        other.join("\n")
    );
}

fn first_difference(then: &str, now: &str) -> String {
    let (then, now): (Vec<&str>, Vec<&str>) = (then.lines().collect(), now.lines().collect());
    let same = then.iter().zip(&now).take_while(|(then, now)| then == now).count();
    let line = |lines: &[&str]| lines.get(same).map_or("(nothing)", |line| *line).to_owned();
    format!("  line {} of its canonical form\n  - {}\n  + {}", same + 1, line(&then), line(&now))
}

#[test]
fn the_program_itself_reads_them_so() {
    for (path, print) in recorded() {
        let path = path.with_extension("jsonl");
        let team = TeamLog::open_read_only(&path).unwrap();
        assert_eq!(team.look(State::fingerprint).unwrap().to_string(), print, "{path:?}");
        assert_eq!(team.unreadable(), fold(&path).unreadable, "{path:?}");
    }
}

/// Against a slip of the hand: whoever changes a form, a fingerprint or the hash changes them all.
#[test]
fn the_recorded_forms_have_the_recorded_fingerprints() {
    let recorded = recorded();
    for (path, print) in &recorded {
        let form = fs::read_to_string(path.with_extension("state")).unwrap();
        assert_eq!(&Fingerprint::of(form.lines()).to_string(), print, "{path:?}");
    }
    let files = folders().into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let logs: BTreeSet<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|path| path.with_extension(""))
        .collect();
    assert_eq!(logs, recorded.into_iter().map(|(path, _)| path).collect(), "each log has a fingerprint");
}

#[test]
fn together_they_hold_everything_that_can_be_in_a_log() {
    let folded: Vec<Folded> =
        recorded().iter().map(|(path, _)| fold(&path.with_extension("jsonl"))).collect();
    let outcomes = || folded.iter().flat_map(|folded| &folded.outcomes);

    let effective = outcomes().filter(|(_, outcome)| *outcome == Outcome::Effective);
    let kinds: BTreeSet<&str> = effective.map(|(body, _)| body.kind()).collect();
    let missing: Vec<_> = Body::KINDS.iter().filter(|kind| !kinds.contains(*kind)).collect();
    assert!(missing.is_empty(), "no golden log holds an effective {missing:?}: add one");

    let refused: BTreeSet<&str> =
        folded.iter().flat_map(|f| f.state.void().map(|(_, why)| why.name())).collect();
    let missing: Vec<_> = REASONS.iter().filter(|name| !refused.contains(*name)).collect();
    assert!(missing.is_empty(), "in no golden log a record is void for {missing:?}: add one");

    assert!(outcomes().any(|(_, outcome)| *outcome == Outcome::Repeated), "a repeated id");
    assert!(outcomes().any(|(body, _)| matches!(body, Body::Unknown { .. })), "an unknown kind");
    assert!(outcomes().any(|(body, _)| matches!(body, Body::Malformed { .. })), "a malformed record");
    assert!(folded.iter().any(|folded| folded.unreadable > 0), "a line that is no record");
    let damage: Vec<_> = folded.iter().flat_map(|folded| &folded.damage).collect();
    assert!(damage.contains(&&DamageKind::Torn), "a torn record");
    assert!(damage.contains(&&DamageKind::Zeros), "a run of zeros");
    assert!(folded.iter().any(|folded| folded.unfinished_bytes > 0), "an unfinished end");
}

/// The reasons for which a record can be void. The others are given to wishes only.
const REASONS: [&str; 30] = [
    "bad_path",
    "bad_task",
    "batch_incomplete",
    "changed",
    "claim_lost",
    "cycle",
    "file_reserved",
    "held",
    "id_taken",
    "merge_under_way",
    "missing_dependency",
    "missing_parent",
    "no_approver",
    "no_such_agent",
    "no_such_claim",
    "no_such_intent",
    "no_such_task",
    "not_fitting",
    "other_plan",
    "other_submission",
    "over_budget",
    "parent_cycle",
    "paused",
    "plan_not_approved",
    "renewed",
    "repeated_id",
    "setting_changed",
    "wrong_format",
    "wrong_stage",
    "wrong_status",
];
