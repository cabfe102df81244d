//! When agents waited for the word of somebody else while they held a task: for an answer, or for the verdict on a plan.

use std::collections::BTreeMap;

use agent_team::{AgentId, LoggedRecord, RecordId, TaskId};
use serde::{Deserialize, Serialize};

/// One wait.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wait {
    /// The record with which it began, and the one that ended it.
    #[serde(skip)]
    between: (u64, u64),
    /// Who waited.
    pub agent: AgentId,
    /// At which task.
    pub task: TaskId,
    /// Since when, in milliseconds since 1970.
    pub from_ms: u64,
    /// When the word came; `None` while it has not. Whoever lost the task before waited no longer.
    pub to_ms: Option<u64>,
}

/// All waits so far.
#[derive(Debug, Default)]
pub struct Waits {
    all: Vec<Wait>,
    /// Those that go on: at which plan of a task, or for the answer to which question.
    open: BTreeMap<For, usize>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum For {
    Plan(TaskId),
    Answer(RecordId),
}

#[derive(Deserialize)]
struct Sent {
    body: SentBody,
}

#[derive(Deserialize)]
struct SentBody {
    #[serde(default)]
    asks: bool,
    #[serde(default)]
    reply_to: Option<RecordId>,
}

impl Waits {
    /// Takes in a record that counts.
    pub fn take(&mut self, record: &LoggedRecord) {
        match (record.kind.as_str(), &record.task) {
            ("plan_submitted", Some(task)) => self.begins(For::Plan(task.clone()), record),
            ("plan_judged", Some(task)) => self.ends(&For::Plan(task.clone()), record),
            ("message_sent", _) => {
                let Ok(Sent { body }) = serde_json::from_str::<Sent>(&record.json) else { return };
                if let Some(question) = body.reply_to {
                    self.ends(&For::Answer(question), record);
                }
                if let (true, Some(id)) = (body.asks, record.id) {
                    self.begins(For::Answer(id), record);
                }
            }
            _ => {}
        }
    }

    fn begins(&mut self, what: For, record: &LoggedRecord) {
        if let (Some(agent), Some(task)) = (&record.by, &record.task) {
            let (agent, task) = (agent.clone(), task.clone());
            // Another plan takes the place of one that was not judged.
            self.open.insert(what, self.all.len());
            let between = (record.seq, u64::MAX);
            self.all.push(Wait { between, agent, task, from_ms: record.at_ms, to_ms: None });
        }
    }

    fn ends(&mut self, what: &For, record: &LoggedRecord) {
        if let Some(wait) = self.open.remove(what).and_then(|place| self.all.get_mut(place)) {
            (wait.between.1, wait.to_ms) = (record.seq, Some(record.at_ms));
        }
    }

    /// Those that had begun by a record, as they were then.
    pub fn until(&self, seq: u64) -> Vec<Wait> {
        let known = self.all.iter().filter(|wait| wait.between.0 <= seq).cloned();
        known.map(|wait| Wait { to_ms: wait.to_ms.filter(|_| wait.between.1 <= seq), ..wait }).collect()
    }
}

#[cfg(test)]
mod tests {
    use agent_team::Fate;

    use super::*;

    fn record(seq: u64, kind: &str, body: &str) -> LoggedRecord {
        LoggedRecord {
            seq,
            position: 0,
            json: format!("{{\"body\":{body}}}"),
            id: Some(RecordId(seq.into())),
            at_ms: seq * 1000,
            by: Some("worker-1".parse().unwrap()),
            kind: kind.to_owned(),
            task: Some("parse".parse().unwrap()),
            summary: String::new(),
            unconfined: false,
            fate: Fate::Effective,
        }
    }

    #[test]
    fn who_asks_waits_until_the_answer_and_who_plans_until_the_verdict() {
        let mut waits = Waits::default();
        waits.take(&record(1, "message_sent", r#"{"asks":true}"#));
        waits.take(&record(2, "message_sent", "{}"));
        waits.take(&record(4, "message_sent", &format!("{{\"reply_to\":\"{}\"}}", RecordId(1))));
        waits.take(&record(5, "plan_submitted", "{}"));
        waits.take(&record(8, "plan_judged", "{}"));
        waits.take(&record(9, "plan_submitted", "{}"));
        let seen =
            |until| waits.until(until).iter().map(|wait| (wait.from_ms, wait.to_ms)).collect::<Vec<_>>();
        assert_eq!(seen(u64::MAX), [(1000, Some(4000)), (5000, Some(8000)), (9000, None)]);
        assert_eq!(seen(3), [(1000, None)], "as it was then");
        assert_eq!(seen(0), []);
    }
}
