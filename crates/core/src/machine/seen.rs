//! The ids of all records so far, and which task each claim was on.
//!
//! Ids of a snapshot stay there as bytes, sorted, and are looked up in place.

use super::index::{self, Index};
use super::kept::Part;
use super::tasks::Slot;
use crate::id::RecordId;

/// Every record id so far: a repeated one is the same record. A claim's id leads to its task, for ever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// In the order in which they came.
    new: Vec<(RecordId, Option<Slot>)>,
    index: Index,
    frozen: Frozen,
}

/// Ids of a snapshot, as bytes: each with its task's number, if it is a claim's.
#[derive(Debug, Clone, Default)]
struct Frozen(Part);

/// An id, and one more than the number of its task.
const ENTRY_BYTES: usize = 16 + 4;

impl Seen {
    /// Notes an id. Says whether it is new.
    pub fn insert(&mut self, id: RecordId) -> bool {
        if self.contains(id) {
            return false;
        }
        // More records than that nobody can keep in memory; their repetitions would not be noticed.
        if let Ok(number) = u32::try_from(self.new.len()) {
            self.index.push(hash(id), number);
            self.new.push((id, None));
        }
        true
    }

    pub fn contains(&self, id: RecordId) -> bool {
        self.find(id).is_some() || self.frozen.find(id).is_some()
    }

    /// Notes that the record that came last is a claim on a task.
    pub fn note_claim(&mut self, claim: RecordId, task: Slot) {
        if let Some(last) = self.new.last_mut().filter(|(last, _)| *last == claim) {
            last.1 = Some(task);
        }
    }

    /// The task that a claim is, or was, on.
    pub fn task_of_claim(&self, claim: RecordId) -> Option<Slot> {
        self.find(claim).map_or_else(|| self.frozen.find(claim), |(_, task)| Some(*task)).flatten()
    }

    fn find(&self, id: RecordId) -> Option<&(RecordId, Option<Slot>)> {
        let at = |number: u32| self.new.get(number as usize);
        at(self.index.find(hash(id), |number| at(number).is_some_and(|(known, _)| *known == id))?)
    }

    /// All of them by id, each with its task if it is a claim's.
    pub fn iter(&self) -> impl Iterator<Item = (RecordId, Option<Slot>)> {
        let mut new = self.new.clone();
        new.sort_unstable_by_key(|(id, _)| *id);
        let mut new = new.into_iter().peekable();
        let mut frozen = (0..self.frozen.count()).filter_map(|place| self.frozen.get(place)).peekable();
        std::iter::from_fn(move || match (new.peek(), frozen.peek()) {
            (Some((one, _)), Some((other, _))) if one < other => new.next(),
            (_, Some(_)) => frozen.next(),
            (_, None) => new.next(),
        })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve((self.new.len() + self.frozen.count()) * ENTRY_BYTES);
        for (id, slot) in self.iter() {
            out.extend_from_slice(&id.0.to_be_bytes());
            out.extend_from_slice(&slot.map_or(0, Slot::above).to_le_bytes());
        }
    }

    /// What was written, which stays where it is.
    pub fn read(frozen: Part) -> Self {
        Self { frozen: Frozen(frozen), ..Self::default() }
    }
}

/// The hash of an id, whose lower half is random.
fn hash(id: RecordId) -> u32 {
    index::hash([(id.0 >> 64) as u64, id.0 as u64])
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Frozen {
    /// What is known of an id, if it is there. New ids are mostly later than all old ones, so these are looked at first.
    fn find(&self, id: RecordId) -> Option<Option<Slot>> {
        let last = self.get(self.count().checked_sub(1)?)?;
        if id >= last.0 {
            return (id == last.0).then_some(last.1);
        }
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, slot) = self.get(middle)?;
            match found.cmp(&id) {
                std::cmp::Ordering::Equal => return Some(slot),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn count(&self) -> usize {
        self.0.length() / ENTRY_BYTES
    }

    fn get(&self, place: usize) -> Option<(RecordId, Option<Slot>)> {
        let entry: [u8; ENTRY_BYTES] = self.0.array(place * ENTRY_BYTES)?;
        let (id, slot) = entry.split_first_chunk()?;
        let above = u32::from_le_bytes(*slot.first_chunk()?);
        Some((RecordId(u128::from_be_bytes(*id)), Slot::below(above)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn frozen(seen: &Seen) -> Seen {
        let mut bytes = Vec::new();
        seen.write(&mut bytes);
        Seen::read(Part::all(Arc::new(bytes::Bytes::from(bytes))))
    }

    #[test]
    fn an_id_is_new_once_whether_or_not_a_snapshot_lies_between() {
        let mut seen = Seen::default();
        for id in [5, 1, 9, 3] {
            assert!(seen.insert(RecordId(id)));
            seen = frozen(&seen);
            assert!(!seen.insert(RecordId(id)), "{id}");
        }
        for id in 0..12 {
            assert_eq!(seen.contains(RecordId(id)), [1, 3, 5, 9].contains(&id), "{id}");
        }
    }

    #[test]
    fn a_claim_leads_to_its_task_and_other_records_to_none() {
        let mut seen = Seen::default();
        let task = Slot::below(8);
        for id in [2, 4] {
            seen.insert(RecordId(id));
        }
        seen.note_claim(RecordId(4), task.unwrap());
        for seen in [seen.clone(), frozen(&seen)] {
            assert_eq!([2, 3, 4].map(|id| seen.task_of_claim(RecordId(id))), [None, None, task]);
        }
        assert!(frozen(&seen) == seen);
    }
}
