//! What is to be said of a team's health. It reads and mends nothing, and it works where opening the log fails.

use std::collections::BTreeMap;
use std::path::PathBuf;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Refusal, State};
use agent_team_core::record::Stage;
use agent_team_log::{BlobHash, BlobStore, DamageKind, Examination, FileLog, Snapshot, examine};
use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::folder::TeamFolder;
use crate::liveness::{Health, health};
use crate::records::{Fate, LoggedRecord, fold};

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// The log.
    pub log: PathBuf,
    /// The log's own id, if its header is sound.
    pub log_id: Option<String>,
    /// How long it is, in bytes.
    pub size_bytes: u64,
    /// How many sound lines it holds.
    pub records: u64,
    /// Bytes at the end that no line break ends: somebody writes at this moment, or died while writing.
    pub unfinished_bytes: u64,
    /// Stretches that hold no record although bytes are there, in order.
    pub damage: Vec<DamagedStretch>,
    /// Lines that are sound and no records of a team, in order.
    pub unreadable: Vec<OddRecord>,
    /// Records that took no effect, in order.
    pub void: Vec<OddRecord>,
    /// Records whose kind or form this program does not know, in order.
    pub unknown: Vec<OddRecord>,
    /// Records that stand in the log more than once; each counts once.
    pub repeated: Vec<OddRecord>,
    /// The format version that a newer program raised the log to, if this one does not know it.
    pub newer_format: Option<u32>,
    /// Who holds what, and whether the holder lives.
    pub holders: Vec<HolderHealth>,
    /// Texts that records name and that cannot be had.
    pub lost_texts: Vec<LostText>,
    /// Whether the snapshot can be used: a cache, so that nothing is lost if not.
    pub snapshot: SnapshotHealth,
    /// What is doubtful about the file system.
    pub file_system_warning: Option<String>,
}

/// A stretch of the log that holds no record.
#[derive(Debug, Clone, Serialize)]
pub struct DamagedStretch {
    /// Where it begins, in bytes.
    pub position: u64,
    /// How long it is, in bytes.
    pub length_bytes: u64,
    /// `torn` and `zeros` come from a writer or a machine that died, and are harmless; `corrupt` is not.
    pub kind: &'static str,
    /// Why it is no record.
    pub reason: &'static str,
}

/// A record with something to be said about it.
#[derive(Debug, Clone, Serialize)]
pub struct OddRecord {
    /// Its place in the order, from 1.
    pub seq: u64,
    /// Where it lies, in bytes.
    pub position: u64,
    /// Its id, if it has one.
    pub id: Option<RecordId>,
    /// Who wrote it, if that is known.
    pub by: Option<AgentId>,
    /// Its kind.
    pub kind: String,
    /// The reason in one word, to be counted by.
    pub cause: String,
    /// The reason as a sentence.
    pub reason: String,
}

/// A claim in force, and whether its holder lives.
#[derive(Debug, Clone, Serialize)]
pub struct HolderHealth {
    /// The task.
    pub task: TaskId,
    /// The stage.
    pub stage: Stage,
    /// The agent.
    pub agent: AgentId,
    /// The claim.
    pub claim: RecordId,
    /// The process that it lives and dies with, if there is one.
    pub pid: Option<u32>,
    /// Its lease in milliseconds, if it has one.
    pub lease_ms: Option<u64>,
    /// Whether the holder lives.
    pub health: Health,
}

/// A text that a record names and that cannot be had.
#[derive(Debug, Clone, Serialize)]
pub struct LostText {
    /// The blob.
    pub blob: String,
    /// The place of the first record that names it.
    pub seq: u64,
    /// Why it cannot be had.
    pub reason: String,
}

/// Whether a snapshot can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotHealth {
    /// There is none yet.
    None,
    /// It belongs to this log.
    Valid,
    /// It does not belong to this log, or is damaged, and is ignored.
    Ignored,
}

impl Diagnosis {
    /// Examines a team.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    pub fn of(folder: &TeamFolder) -> Result<Self, Error> {
        let mut state = State::new();
        let mut intents = BTreeMap::new();
        let mut odd = Vec::new();
        let mut texts: BTreeMap<String, u64> = BTreeMap::new();
        let examination = examine(&folder.log(), |record| {
            let logged = fold(&mut state, &mut intents, record.position.value(), record.bytes);
            collect_blobs(&logged, &mut texts);
            if logged.fate != Fate::Effective {
                odd.push(logged);
            }
        })?;
        let take = |wanted: fn(&Fate) -> bool| {
            odd.iter().filter(|record| wanted(&record.fate)).map(OddRecord::of).collect()
        };
        let damage = damage(&examination);
        let log = FileLog::open_read_only(&folder.log()).ok();
        Ok(Self {
            log: folder.log(),
            log_id: examination.id,
            size_bytes: examination.size_bytes,
            records: examination.records,
            unfinished_bytes: examination.unfinished_bytes,
            damage,
            unreadable: take(|fate| matches!(fate, Fate::Unreadable(_))),
            void: take(|fate| matches!(fate, Fate::Void(_))),
            unknown: take(|fate| matches!(fate, Fate::Unknown)),
            repeated: take(|fate| matches!(fate, Fate::Repeated)),
            newer_format: state.newer_format(),
            holders: holders(folder, &state),
            lost_texts: lost_texts(folder, texts),
            snapshot: snapshot(folder, log.as_ref()),
            file_system_warning: log.and_then(|log| log.warning()).map(|warning| warning.to_string()),
        })
    }

    /// Whether nothing is lost: no corruption, and every text can be had. Torn stretches and void records are no loss.
    pub fn is_sound(&self) -> bool {
        self.damage.iter().all(|damage| damage.kind != CORRUPT) && self.lost_texts.is_empty()
    }
}

const CORRUPT: &str = "corrupt";

fn damage(examination: &Examination) -> Vec<DamagedStretch> {
    let stretches = examination.damage.iter().map(|damage| {
        let (kind, reason) = match damage.kind {
            DamageKind::Torn => ("torn", "its writer died, or the disk was full; it was never acknowledged"),
            DamageKind::Zeros => ("zeros", "the machine lost power before the bytes reached the disk"),
            DamageKind::Corrupt(reason) => (CORRUPT, reason),
        };
        DamagedStretch { position: damage.position.value(), length_bytes: damage.length_bytes, kind, reason }
    });
    stretches.collect()
}

impl OddRecord {
    fn of(record: &LoggedRecord) -> Self {
        let cause = match &record.fate {
            Fate::Void(refusal) => name(refusal),
            fate => fate.as_str().to_owned(),
        };
        Self {
            seq: record.seq,
            position: record.position,
            id: record.id,
            by: record.by.clone(),
            kind: record.kind.clone(),
            cause,
            reason: record.fate.reason().unwrap_or_default(),
        }
    }
}

/// A refusal's name, as JSON has it.
fn name(refusal: &Refusal) -> String {
    let value = serde_json::to_value(refusal).unwrap_or_default();
    value.get("refusal").and_then(Value::as_str).unwrap_or("refused").to_owned()
}

fn holders(folder: &TeamFolder, state: &State) -> Vec<HolderHealth> {
    let held = state.held().map(|(task, claim)| HolderHealth {
        task: task.id().clone(),
        stage: claim.stage,
        agent: claim.agent.clone(),
        claim: claim.id,
        pid: claim.holder.process.as_ref().map(|process| process.pid),
        lease_ms: claim.holder.lease_ms,
        health: health(folder, &claim.holder),
    });
    held.collect()
}

/// Notes which blobs a record names. Most name none, so most are not parsed again.
fn collect_blobs(record: &LoggedRecord, texts: &mut BTreeMap<String, u64>) {
    if record.json.contains("\"blob\":")
        && let Ok(value) = serde_json::from_str(&record.json)
    {
        collect_from(&value, record.seq, texts);
    }
}

fn collect_from(value: &Value, seq: u64, texts: &mut BTreeMap<String, u64>) {
    match value {
        Value::Object(members) => {
            if let (Some(Value::String(blob)), true) =
                (members.get("blob"), members.contains_key("size_bytes"))
            {
                texts.entry(blob.clone()).or_insert(seq);
            }
            members.values().for_each(|member| collect_from(member, seq, texts));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_from(item, seq, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn lost_texts(folder: &TeamFolder, texts: BTreeMap<String, u64>) -> Vec<LostText> {
    let blobs = BlobStore::new(&folder.blobs());
    let lost = texts.into_iter().filter_map(|(blob, seq)| {
        let reason = match blob.parse::<BlobHash>() {
            Ok(hash) => blobs.get(&hash).err()?.to_string(),
            Err(error) => error.to_string(),
        };
        Some(LostText { blob, seq, reason })
    });
    lost.collect()
}

fn snapshot(folder: &TeamFolder, log: Option<&FileLog>) -> SnapshotHealth {
    if !folder.cache().join("snapshot").exists() {
        return SnapshotHealth::None;
    }
    match log.and_then(|log| Snapshot::load(&folder.cache(), log)) {
        Some(_) => SnapshotHealth::Valid,
        None => SnapshotHealth::Ignored,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;
    use crate::{NewTask, TaskQueue};

    #[test]
    fn damage_and_lost_texts_are_found_and_a_sound_team_has_none() {
        let root = tempfile::tempdir().unwrap();
        let folder = TeamFolder::of(root.path());
        let queue = TaskQueue::new(root.path()).unwrap();
        queue.add_task(NewTask::new("Long").description("word ".repeat(5_000))).unwrap();
        let sound = Diagnosis::of(&folder).unwrap();
        assert!(sound.is_sound() && sound.damage.is_empty() && sound.void.is_empty(), "{sound:?}");
        assert_eq!((sound.records, sound.snapshot), (1, SnapshotHealth::None));

        let mut log = OpenOptions::new().append(true).open(folder.log()).unwrap();
        log.write_all(b"\n{\"len\":70,\"crc\":\"0\n").unwrap();
        let torn = Diagnosis::of(&folder).unwrap();
        assert_eq!(torn.damage.iter().map(|damage| damage.kind).collect::<Vec<_>>(), ["torn"]);
        assert!(torn.is_sound());

        fs::remove_dir_all(folder.blobs()).unwrap();
        let lost = Diagnosis::of(&folder).unwrap();
        assert_eq!(lost.lost_texts.len(), 1);
        assert!(!lost.is_sound());
    }
}
