//! The state as bytes, for a cache that spares folding a long log anew.
//!
//! A snapshot is made and read by the same program, and is no format that others may rely on: it begins with a mark of
//! the sources that say what is in it and what it means, and one with another mark is refused. It is read in place: ids,
//! tasks and what waits stay bytes where they are until somebody asks for them, so opening it reads a small part.
//!
//! Whether the bytes are those that were written is not judged here: whoever keeps them keeps checksums.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::files::Files;
use super::kept::{Kept, Part};
use super::ledger::Ledger;
use super::messages::Messages;
use super::queue::Queue;
use super::refusal::Refusal;
use super::safeguard::Safeguards;
use super::seen::Seen;
use super::state::{Agent, Batches, Death, Late, ModelLimit, Note, Pause, Run, State};
use super::tasks::Tasks;
use crate::id::{AgentId, RecordId, TaskId};
use crate::record::{Policy, Revision};

/// What is small, or seldom: in JSON, as in the log.
#[derive(Serialize, Deserialize)]
struct Rest<'a> {
    format: u32,
    records: u64,
    newer_format: Option<u32>,
    policy: Cow<'a, Policy>,
    policy_revision: Revision,
    runs: Cow<'a, [Run]>,
    agents: Cow<'a, BTreeMap<AgentId, Agent>>,
    deaths: Cow<'a, BTreeMap<AgentId, Death>>,
    void: Cow<'a, BTreeMap<RecordId, Refusal>>,
    batches: Cow<'a, Batches>,
    replans: Cow<'a, [(Option<TaskId>, u32)]>,
    late: Cow<'a, [Late]>,
    messages: Cow<'a, Messages>,
    ledger: Cow<'a, Ledger>,
    files: Cow<'a, Files>,
    pauses: Cow<'a, [(Option<AgentId>, Pause)]>,
    notes: Cow<'a, [Note]>,
    limits: Cow<'a, BTreeMap<String, ModelLimit>>,
}

impl State {
    /// The state as bytes. Equal states give equal bytes.
    ///
    /// # Errors
    /// When the state is larger than a snapshot can be (4 GiB of tasks).
    pub fn to_snapshot(&self) -> io::Result<Vec<u8>> {
        let Self {
            format,
            records,
            seen,
            void,
            newer_format,
            policy,
            policy_revision,
            runs,
            agents,
            deaths,
            tasks,
            held,
            batches,
            replans,
            late,
            messages,
            ledger,
            files,
            pauses,
            notes,
            limits,
            queue,
            safeguards: _,
        } = self;
        let rest = Rest {
            format: *format,
            records: *records,
            newer_format: *newer_format,
            policy: Cow::Borrowed(policy),
            policy_revision: *policy_revision,
            runs: Cow::Borrowed(runs),
            agents: Cow::Borrowed(agents),
            deaths: Cow::Borrowed(deaths),
            void: Cow::Borrowed(void),
            batches: Cow::Borrowed(batches),
            replans: replans.iter().map(|(within, count)| (within.clone(), *count)).collect(),
            late: Cow::Borrowed(late),
            messages: Cow::Borrowed(messages),
            ledger: Cow::Borrowed(ledger),
            files: Cow::Borrowed(files),
            pauses: pauses.iter().map(|(agent, pause)| (agent.clone(), pause.clone())).collect(),
            notes: Cow::Borrowed(notes),
            limits: Cow::Borrowed(limits),
        };
        let mut out = vec![0; HEAD_BYTES];
        let mut begin = out.len();
        let mut lengths = Vec::with_capacity(PARTS);
        let mut note = |out: &Vec<u8>| {
            lengths.push(out.len() - begin);
            begin = out.len();
        };
        let ends = tasks.write(&mut out)?;
        note(&out);
        out.extend_from_slice(&ends);
        note(&out);
        tasks.write_index(&mut out);
        note(&out);
        seen.write(&mut out);
        note(&out);
        let (mut small, mut places) = (Vec::new(), Vec::new());
        BorshSerialize::serialize(&serde_json::to_vec(&rest)?, &mut small)?;
        held.serialize(&mut small)?;
        queue.write(&mut small, &mut places)?;
        out.extend_from_slice(&places);
        note(&out);
        out.extend_from_slice(&small);
        note(&out);
        let words = std::iter::once(MARK).chain(lengths.into_iter().map(|length| length as u64));
        out.splice(..HEAD_BYTES, words.flat_map(u64::to_le_bytes));
        Ok(out)
    }

    /// The state of a snapshot, or `None` if it is not of this program.
    ///
    /// ```
    /// use agent_team_core::machine::State;
    ///
    /// let state = State::new();
    /// let snapshot = state.to_snapshot()?;
    /// assert_eq!(State::from_snapshot(snapshot.into()), Some(state));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn from_snapshot(snapshot: Bytes) -> Option<Self> {
        Self::from_kept(Arc::new(snapshot))
    }

    /// The same of a snapshot that lies elsewhere. What nobody asks for stays there.
    #[must_use]
    pub fn from_kept(snapshot: Arc<dyn Kept>) -> Option<Self> {
        let mut all = Part::all(snapshot);
        let head = all.take(HEAD_BYTES)?.read_all()?;
        let mut words = head.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        if words.next()? != MARK {
            return None;
        }
        let mut part = || all.take(usize::try_from(words.next()?).ok()?);
        let tasks = Tasks::read(part()?, part()?, part()?);
        let seen = Seen::read(part()?);
        let places = part()?;
        let small = part()?.read_all()?;
        if all.length() > 0 {
            return None;
        }
        let mut unread = &small[..];
        let rest: Vec<u8> = BorshDeserialize::deserialize(&mut unread).ok()?;
        let rest: Rest<'_> = serde_json::from_slice(&rest).ok()?;
        let held = BorshDeserialize::deserialize(&mut unread).ok()?;
        let queue = Queue::read(&mut unread, places).ok()?;
        Some(Self {
            format: rest.format,
            records: rest.records,
            seen,
            void: rest.void.into_owned(),
            newer_format: rest.newer_format,
            policy: rest.policy.into_owned(),
            policy_revision: rest.policy_revision,
            runs: rest.runs.into_owned(),
            agents: rest.agents.into_owned(),
            deaths: rest.deaths.into_owned(),
            tasks,
            held,
            batches: rest.batches.into_owned(),
            replans: rest.replans.into_owned().into_iter().collect(),
            late: rest.late.into_owned(),
            messages: rest.messages.into_owned(),
            ledger: rest.ledger.into_owned(),
            files: rest.files.into_owned(),
            pauses: rest.pauses.into_owned().into_iter().collect(),
            notes: rest.notes.into_owned(),
            limits: rest.limits.into_owned(),
            queue,
            safeguards: Safeguards::default(),
        })
    }
}

/// The tasks, their ends, the index, the ids, the places in the queue, and what is small.
const PARTS: usize = 6;
/// The mark, and the length of each part.
const HEAD_BYTES: usize = 8 * (1 + PARTS);

/// All that says what is in a state and what it means.
macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        /// Changes with every change of these sources (FNV-1a, 64 bits).
        const MARK: u64 = {
            let mut mark = 0xcbf2_9ce4_8422_2325;
            $(mark = fnv(mark, include_bytes!($path));)*
            mark
        };

        #[cfg(test)]
        const SOURCES: &[&str] = &[$($path),*];
    };
}

const fn fnv(mut hash: u64, mut bytes: &[u8]) -> u64 {
    while let [first, rest @ ..] = bytes {
        hash = (hash ^ *first as u64).wrapping_mul(0x100_0000_01b3);
        bytes = rest;
    }
    hash
}

sources!(
    "../id.rs",
    "../text.rs",
    "../record/agent.rs",
    "../record/claim.rs",
    "../record/codec/mod.rs",
    "../record/codec/plain.rs",
    "../record/files.rs",
    "../record/lead.rs",
    "../record/merge.rs",
    "../record/message.rs",
    "../record/mod.rs",
    "../record/model.rs",
    "../record/note.rs",
    "../record/plan.rs",
    "../record/spending.rs",
    "../record/steering.rs",
    "../record/task.rs",
    "../record/team.rs",
    "apply/agent.rs",
    "apply/claim.rs",
    "apply/files.rs",
    "apply/judgement.rs",
    "apply/lead.rs",
    "apply/merge.rs",
    "apply/message.rs",
    "apply/mod.rs",
    "apply/model.rs",
    "apply/note.rs",
    "apply/plan.rs",
    "apply/spending.rs",
    "apply/steering.rs",
    "apply/task.rs",
    "apply/team.rs",
    "files.rs",
    "fit.rs",
    "graph.rs",
    "index.rs",
    "kept.rs",
    "ledger.rs",
    "messages.rs",
    "places.rs",
    "queue.rs",
    "refusal.rs",
    "safeguard.rs",
    "seen.rs",
    "snapshot.rs",
    "sorted.rs",
    "state.rs",
    "task.rs",
    "tasks.rs",
    "transition.rs",
    "update.rs",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_covers_every_source_that_a_state_rests_on() {
        // What only chooses or shows changes no state.
        let is_needless = |path: &str| {
            ["mod.rs", "progress.rs", "fingerprint.rs"].contains(&path) || path.starts_with("decide/")
        };
        let machine = concat!(env!("CARGO_MANIFEST_DIR"), "/src/machine");
        for folder in [".", "apply", "../record", "../record/codec"] {
            for entry in std::fs::read_dir(format!("{machine}/{folder}")).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let path = if folder == "." { name } else { format!("{folder}/{name}") };
                if path.ends_with(".rs") {
                    assert!(is_needless(&path) || SOURCES.contains(&path.as_str()), "{path}");
                }
            }
        }
    }

    #[test]
    fn a_snapshot_of_another_program_or_a_part_of_one_is_refused() {
        let snapshot = State::new().to_snapshot().unwrap();
        let mut other = snapshot.clone();
        other[0] ^= 1;
        assert!(State::from_snapshot(other.into()).is_none());
        for end in 0..snapshot.len() {
            assert!(State::from_snapshot(snapshot[..end].to_vec().into()).is_none(), "{end} bytes");
        }
    }
}
