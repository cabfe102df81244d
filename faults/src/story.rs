//! What a log says of tasks, by a small model that shares no code with the machine: it knows claims, takeovers
//! and results, and one rule, that a record counts only if what it names still stands.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::log_file::{LogFile, text};

/// One task.
#[derive(Debug, Default)]
pub struct Told {
    /// The last record that took effect on it.
    revision: String,
    /// The last sign of life of its holder.
    renewal: String,
    /// The claim in force.
    pub claim: Option<String>,
    /// The claims that were in force, in order.
    pub claims: Vec<String>,
    /// The results that counted: claim and result.
    pub results: Vec<(String, Value)>,
    /// The results that came too late: claim and result.
    pub late: Vec<(String, Value)>,
    /// How often it was failed or given up.
    pub ended_otherwise: u64,
}

/// The tasks of a log of tasks without check, review or merge.
#[must_use]
pub fn tell(log: &LogFile) -> BTreeMap<String, Told> {
    let mut tasks: BTreeMap<String, Told> = BTreeMap::new();
    let mut task_of: BTreeMap<String, String> = BTreeMap::new();
    for record in &log.records {
        let (id, body) = (text(&record["id"]).to_owned(), &record["body"]);
        let claim = text(&body["claim"]).to_owned();
        match text(&record["kind"]) {
            "task_added" => {
                let task = tasks.entry(text(&body["task"]["id"]).to_owned()).or_default();
                if task.revision.is_empty() {
                    task.revision = id;
                }
            }
            "task_claimed" => {
                let name = text(&body["task"]).to_owned();
                let Some(task) = tasks.get_mut(&name) else { continue };
                if task.claim.is_none() && task.results.is_empty() && task.revision == text(&body["on"]) {
                    task_of.insert(id.clone(), name);
                    (task.revision, task.renewal, task.claim) = (id.clone(), id.clone(), Some(id.clone()));
                    task.claims.push(id);
                }
            }
            "task_retried" => {
                if let Some(task) = tasks.get_mut(text(&body["task"])) {
                    task.revision = id;
                }
            }
            "claim_renewed" => {
                let Some(task) = task_of.get(&claim).and_then(|name| tasks.get_mut(name)) else { continue };
                if task.claim.as_ref() == Some(&claim) {
                    task.renewal = id;
                }
            }
            "late_result" => {
                if let Some(task) = tasks.get_mut(text(&body["task"])) {
                    task.late.push((claim, body["result"].clone()));
                }
            }
            kind @ ("task_submitted" | "task_failed" | "claim_expired" | "claim_released") => {
                let Some(task) = task_of.get(&claim).and_then(|name| tasks.get_mut(name)) else { continue };
                let renewed = kind == "claim_expired" && task.renewal != text(&body["seen"]);
                if task.claim.as_ref() != Some(&claim) || renewed {
                    continue;
                }
                (task.revision, task.claim) = (id, None);
                if kind == "task_submitted" {
                    task.results.push((claim, body["result"].clone()));
                } else {
                    task.ended_otherwise += 1;
                }
            }
            _ => {}
        }
    }
    tasks
}
