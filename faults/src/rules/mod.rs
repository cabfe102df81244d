//! A checker that reads a log, and what it says of the rules of a team. It shares no code with the crates under test.
//!
//! It folds the log by a model of its own: what each record needs, and what it does. A record that breaks a rule takes no
//! effect, which is lawful: two wanted the same, and the second was too late. **But nobody may act on it.** So a record
//! that names one without effect shows that somebody took for done what the rules forbid: a turn under a claim that was
//! made during a pause, a merge of what was delivered without an approved plan. That is a breach of the rule, as is what
//! no order of records excuses: a commit that is merged twice, a call that used more than was set aside for it.
//!
//! | what | where |
//! |---|---|
//! | the rules by name, and what there was of each | `book` |
//! | tasks, claims, results, checks | `task`, `work` |
//! | plans and reviews | `judgement` |
//! | delegated tasks, and failures planned anew | `lead` |
//! | merges | `merge` |
//! | edits, pauses, members, policy | `steering` |
//! | messages | `message` |
//! | budgets and limits | `money` |
//! | file reservations | `files` |

mod book;
mod files;
mod judgement;
mod lead;
mod merge;
mod message;
mod money;
mod steering;
mod task;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use self::book::{Book, Guard, NoEffect};
pub use self::book::{Breach, Rule, Tally};
use self::task::Task;
use crate::log_file::{LogFile, text};

/// The human's name.
const HUMAN: &str = "human";

/// What a log says of all rules.
#[derive(Debug)]
pub struct Checked {
    /// How many records it has.
    pub records: usize,
    /// Records that were there again.
    pub repeated: u64,
    /// Lines that broke off.
    pub torn: u64,
    /// The records that took no effect.
    pub without_effect: BTreeSet<String>,
    tallies: Vec<(Rule, Tally)>,
    /// What must not be.
    pub breaches: Vec<Breach>,
}

/// A record, taken apart.
#[derive(Clone, Copy)]
struct Entry<'a> {
    id: &'a str,
    kind: &'a str,
    body: &'a Value,
}

/// Who is, or was, in the team.
#[derive(Debug, Default)]
struct Member {
    role: String,
    skills: Vec<String>,
    model: String,
    has_left: bool,
    must_plan: bool,
    /// The lead to whose team it belongs.
    lead: Option<String>,
}

/// The fold of a log.
#[derive(Default)]
struct Team {
    book: Book,
    blobs: PathBuf,
    seen: BTreeSet<String>,
    version: u64,
    tasks: BTreeMap<String, Task>,
    /// The task of each claim that ever was in force.
    task_of: BTreeMap<String, String>,
    batches: BTreeMap<String, Vec<(String, Value)>>,
    members: BTreeMap<String, Member>,
    /// The last record that set each thing that can be set.
    set_by: BTreeMap<String, String>,
    policy: Value,
    pauses: steering::Pauses,
    merged: BTreeMap<String, String>,
    messages: message::Messages,
    ledger: money::Ledger,
    limits: BTreeMap<String, (String, String)>,
    files: files::Files,
}

/// Reads a log, and checks it by all rules.
///
/// # Errors
/// When it cannot be read, or a line of it is no record.
pub fn check(path: &Path) -> Result<Checked> {
    let log = LogFile::read(path)?;
    let blobs = path.parent().unwrap_or(Path::new(".")).join("blobs");
    let mut team = Team { blobs, version: 1, ..Team::default() };
    for record in &log.records {
        team.record(record);
    }
    let tallies = Rule::ALL.iter().map(|rule| (*rule, team.book.tally(*rule))).collect();
    let breaches = team.book.breaches().to_vec();
    let without_effect = team.book.without_effect().cloned().collect();
    let (records, repeated, torn) = (log.records.len(), log.repeated, log.torn);
    Ok(Checked { records, repeated, torn, without_effect, tallies, breaches })
}

impl Checked {
    /// Whether all rules hold.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.breaches.is_empty()
    }

    /// What the log had of a rule.
    #[must_use]
    pub fn tally(&self, rule: Rule) -> Tally {
        self.tallies.iter().find(|(known, _)| *known == rule).map(|(_, tally)| *tally).unwrap_or_default()
    }

    /// The rules of which the log has no case.
    pub fn unseen(&self) -> impl Iterator<Item = &'static str> {
        let unseen = self.tallies.iter().filter(|(_, tally)| *tally == Tally::default());
        unseen.map(|(rule, _)| rule.words().0)
    }

    /// One line for each rule.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (rule, tally) in &self.tallies {
            let (name, says) = rule.words();
            let breaches: Vec<&Breach> = self.breaches.iter().filter(|breach| breach.rule == *rule).collect();
            for breach in &breaches {
                lines.push(format!(
                    "ERROR   {name}: {} (records {})",
                    breach.reason,
                    breach.records.join(", ")
                ));
            }
            if breaches.is_empty() {
                let word = if *tally == Tally::default() { "none" } else { "ok" };
                let Tally { held, without_effect } = tally;
                lines.push(format!("{word:<7} {name}: {held} held, {without_effect} took no effect: {says}"));
            }
        }
        lines
    }

    /// All of it, for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let rules = self.tallies.iter().map(|(rule, tally)| {
            let (name, says) = rule.words();
            json!({"rule": name, "says": says, "held": tally.held, "without_effect": tally.without_effect})
        });
        let breaches = self.breaches.iter().map(|breach| {
            json!({"rule": breach.rule.words().0, "records": breach.records, "reason": breach.reason})
        });
        json!({
            "holds": self.holds(), "records": self.records, "repeated": self.repeated, "torn": self.torn,
            "rules": rules.collect::<Vec<_>>(), "breaches": breaches.collect::<Vec<_>>(),
        })
    }
}

impl Team {
    fn record(&mut self, record: &Value) {
        let body = &record["body"];
        let entry = Entry { id: text(&record["id"]), kind: text(&record["kind"]), body };
        self.names(entry);
        self.texts(entry.id, body);
        let mut guard = Guard::default();
        let verdict =
            self.has_version(record, &mut guard).and_then(|()| self.takes_effect(entry, &mut guard));
        self.book.judged(entry.id, guard, verdict);
        self.seen.insert(entry.id.to_owned());
    }

    /// What it names must be there, and must have taken effect.
    fn names(&mut self, entry: Entry<'_>) {
        const ONE: [&str; 10] = [
            "on",
            "claim",
            "seen",
            "fenced",
            "submission",
            "intent",
            "plan",
            "reservation",
            "reply_to",
            "run",
        ];
        const MANY: [&str; 2] = ["read", "messages"];
        let one = ONE.iter().filter_map(|field| entry.body[field].as_str());
        let many =
            MANY.iter().filter_map(|field| entry.body[field].as_array()).flatten().filter_map(Value::as_str);
        for named in one.chain(many) {
            let is_there = self.seen.contains(named);
            let why = || format!("a {} names {named}, which does not stand before it", entry.kind);
            self.book.must(Rule::Records, is_there, &[entry.id], why);
            self.book.built_on(entry.id, named);
        }
    }

    /// The blobs that it names must be there, and be what their names say.
    fn texts(&mut self, id: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let (Some(hash), Some(size)) =
                    (fields.get("blob").and_then(Value::as_str), fields.get("size_bytes"))
                {
                    let content =
                        std::fs::read(self.blobs.join(hash.get(..2).unwrap_or_default()).join(hash));
                    let is_it = content.as_ref().is_ok_and(|bytes| {
                        blake3::hash(bytes).to_hex().as_str() == hash
                            && size.as_u64() == Some(bytes.len() as u64)
                    });
                    self.book.must(Rule::Texts, is_it, &[id], || {
                        format!("the blob {hash} is not there, or is another text")
                    });
                }
                fields.values().for_each(|value| self.texts(id, value));
            }
            Value::Array(values) => values.iter().for_each(|value| self.texts(id, value)),
            _ => {}
        }
    }

    fn has_version(&self, record: &Value, guard: &mut Guard) -> Result<(), NoEffect> {
        let found = record["v"].as_u64();
        guard.must(Rule::Format, found == Some(self.version), || {
            format!("the log has version {} here, and the record {found:?}", self.version)
        })
    }

    fn takes_effect(&mut self, entry: Entry<'_>, guard: &mut Guard) -> Result<(), NoEffect> {
        match entry.kind {
            "format_raised" => {
                let version = entry.body["version"].as_u64().unwrap_or_default();
                guard.must(Rule::Format, version > self.version, || "the version does not rise".into())?;
                self.version = version;
            }
            "policy_set" => {
                self.sets("policy", entry, guard)?;
                self.policy = entry.body["policy"].clone();
            }
            "run_started" => self.ledger.begin_run(&mut self.set_by),
            "agent_joined" => self.joined(entry, guard)?,
            "agent_left" => self.left(entry, guard)?,
            "pause_set" => self.pause(entry, guard)?,
            "task_added" => self.added(entry, guard)?,
            "batch_closed" => self.batch_closed(entry, guard)?,
            "task_edited" | "task_retried" | "task_cancelled" | "task_reassigned" => {
                self.edited(entry, guard)?;
            }
            "task_claimed" => self.claimed(entry, guard)?,
            "claim_renewed" | "turn_journalled" => self.alive(entry, guard)?,
            "claim_released" | "claim_expired" => self.given_back(entry, guard)?,
            "task_delegated" => self.delegated(entry, guard)?,
            "task_given_up" => self.given_up(entry, guard)?,
            "plan_submitted" => self.planned(entry, guard)?,
            "plan_judged" => self.plan_judged(entry, guard)?,
            "task_submitted" => self.submitted(entry, guard)?,
            "task_failed" => self.failed(entry, guard)?,
            "check_reported" => self.checked(entry, guard)?,
            "review_given" => self.reviewed(entry, guard)?,
            "merge_intended" => self.intended(entry, guard)?,
            "merged" => self.merged(entry, guard)?,
            "merge_refused" => self.merge_refused(entry, guard)?,
            "message_sent" => self.sent(entry),
            "messages_delivered" => self.received(entry, text(&entry.body["agent"]), "messages", false),
            "messages_read" => self.received(entry, text(&entry.body["agent"]), "messages", true),
            "budget_set" => self.budget_set(entry, guard)?,
            "spending_reserved" => self.reserved(entry, guard)?,
            "spending_settled" => self.settled(entry),
            "model_limited" => self.limited(entry),
            "files_reserved" | "files_released" => self.files(entry, guard)?,
            // What only adds, and what this checker does not know.
            _ => {}
        }
        Ok(())
    }
}
