//! The fingerprint of a state: what two programs compare to know that a log means the same to both.
//!
//! It is taken over a canonical form, one line for each thing that is known, in a defined order. What is still at its
//! default (0, false, empty, none) has no line: a later version that adds a field gives a log of today the fingerprint
//! of today. What follows from the rest (dependents, the queue, indexes) has none either, so it may be kept in any way.
//! Of a void record the reason's name counts, its words do not.
//!
//! Every field is taken by name from its struct, so that the compiler asks whoever adds one whether it belongs here.

mod forms;
mod lines;

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use super::state::State;
use super::task::Task;
use crate::id::{RecordId, TaskId};
use forms::{agent, file, ids, late, ledger, limits, message, note, pauses, policy, run, spec, task};
use lines::Lines;

/// What a state comes to in 128 bits. Equal states have equal ones; that different states have different ones is
/// likely as chance goes, but nothing that somebody could not forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The fingerprint of a canonical form: FNV-1a with 128 bits (draft-eastlake-fnv) over its lines, each with its
    /// line break.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Fnv::default();
        for line in lines {
            hash.line(line);
        }
        Self(hash.0)
    }
}

impl Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl State {
    /// What the state comes to, to be compared with that of another process, or of another version.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Fnv::default();
        self.canonical(&mut |line| hash.line(line));
        Fingerprint(hash.0)
    }

    /// The form over which the fingerprint is taken, line by line: for finding out in what two states differ.
    pub fn canonical(&self, line: &mut dyn FnMut(&str)) {
        let mut lines = Lines::to(line);
        lines.always("format", &self.format());
        lines.put("newer_format", &self.newer_format());
        lines.put("records", &self.records());
        ids(&mut lines, self);
        let void: BTreeMap<RecordId, &str> = self.void().map(|(id, why)| (id, why.name())).collect();
        void.iter().for_each(|(id, why)| lines.within("void", |lines| lines.always(id, *why)));
        lines.within("policy", |lines| {
            lines.put("revision", &self.policy_revision);
            policy(lines, self.policy());
        });
        lines.each("run", self.runs(), run);
        self.agents().for_each(|known| lines.under("agent", &known.id, |lines| agent(lines, known)));
        let tasks: BTreeMap<&TaskId, &Task> = self.tasks().map(|task| (task.id(), task)).collect();
        tasks.iter().for_each(|(id, known)| lines.under("task", id, |lines| task(lines, known)));
        for (id, specs) in &self.batches {
            lines.under("batch", id, |lines| {
                lines.each("task", specs, |lines, (seq, wanted)| {
                    lines.always("added", seq);
                    spec(lines, wanted);
                });
            });
        }
        lines.each("late", self.late(), late);
        lines.each("message", self.messages().all(), message);
        ledger(&mut lines, self);
        lines.each("file", self.files(), file);
        pauses(&mut lines, self);
        lines.each("note", self.notes(), note);
        limits(&mut lines, self);
    }
}

/// FNV-1a with 128 bits.
struct Fnv(u128);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv {
    fn line(&mut self, line: &str) {
        self.bytes(line.as_bytes());
        self.bytes(b"\n");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Body, FORMAT, Record, codec};

    fn state(lines: &[&str]) -> State {
        let mut state = State::new();
        for (number, line) in (1..).zip(lines) {
            let (kind, content) = line.split_once(' ').unwrap();
            let body = Body::from_content(kind, content);
            let by = "human".parse().unwrap();
            let record =
                Record { id: RecordId(number), format: FORMAT, at_ms: 0, by, unconfined: false, body };
            let read = codec::decode(&codec::encode(&record).unwrap()).unwrap();
            state.apply(read);
        }
        state
    }

    fn canonical(state: &State) -> Vec<String> {
        let mut lines = Vec::new();
        state.canonical(&mut |line| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn the_hash_is_the_published_one() {
        let of = |text: &str| {
            let mut hash = Fnv::default();
            hash.bytes(text.as_bytes());
            format!("{:032x}", hash.0)
        };
        assert_eq!(of(""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(of("a"), "d228cb696f1a8caf78912b704e4a8964");
        assert_eq!(of("foobar"), "343e1662793c64bf6f0d3597ba446f18");
    }

    #[test]
    fn what_is_at_its_default_has_no_line() {
        assert_eq!(canonical(&State::new()), ["format 1"]);
        let added = state(&[r#"task_added {"task":{"id":"a","title":"A"}}"#]);
        let lines = canonical(&added);
        assert_eq!(
            lines.iter().filter(|line| line.starts_with("task/a/")).collect::<Vec<_>>(),
            [
                "task/a/status ready",
                "task/a/revision 00000000000000000000000000000001",
                "task/a/spec/id a",
                "task/a/spec/title \"A\"",
                "task/a/added 1",
            ]
        );
        assert_eq!(Fingerprint::of(lines.iter().map(String::as_str)), added.fingerprint());
    }

    #[test]
    fn what_differs_has_different_lines() {
        let alike = [
            [
                r#"budget_set {"account":"team","on":null,"micro_usd":null,"tokens":0}"#,
                r#"budget_set {"account":"team","on":null,"micro_usd":0,"tokens":null}"#,
            ],
            [
                r#"task_added {"task":{"id":"a","title":"A"}}"#,
                r#"task_added {"task":{"id":"a","title":"A","backoff_ms":0}}"#,
            ],
            [
                r#"message_sent {"from":"a","to":"b","text":"x\\n"}"#,
                r#"message_sent {"from":"a","to":"b","text":"x\n"}"#,
            ],
            [
                r#"message_sent {"from":"a","to":"b","text":"blob \"f\" 1 \"\""}"#,
                r#"message_sent {"from":"a","to":"b","text":{"blob":"f","size_bytes":1,"head":""}}"#,
            ],
        ];
        for [one, other] in alike {
            assert_ne!(state(&[one]).fingerprint(), state(&[other]).fingerprint(), "{one} {other}");
        }
    }

    #[test]
    fn a_refusal_is_counted_by_the_name_that_is_written() {
        let refusal = super::super::Refusal::BatchIncomplete { expected: 1, found: 0 };
        let written = serde_json::to_value(&refusal).unwrap();
        assert_eq!(written["refusal"], refusal.name());
    }
}
