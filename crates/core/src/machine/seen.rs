//! The ids of all records so far, and which task each claim was on.
//!
//! Ids begin with the time at which they were made, so that most are greater than nearly all before them, and what is
//! looked up is mostly new. Ids of a snapshot stay there as bytes, sorted, and are looked up in place.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::kept::Part;
use super::sorted::merged;
use super::tasks::Slot;
use crate::id::RecordId;

/// Every record id so far: a repeated one is the same record. A claim's id leads to its task, for ever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Sorted.
    ids: Vec<RecordId>,
    /// For each of these one more than the number of its task, if it is a claim's, and else 0.
    tasks: Vec<u32>,
    /// Those for which many would have to make room, with the same: of writers whose clocks are behind.
    others: BTreeMap<RecordId, u32>,
    frozen: Frozen,
}

/// Ids of a snapshot, as bytes: each with its task's number, if it is a claim's.
#[derive(Debug, Clone, Default)]
struct Frozen {
    ids: Part,
    /// The greatest of them, once it was asked for.
    greatest: OnceLock<Option<RecordId>>,
}

/// An id, and one more than the number of its task.
const ENTRY_BYTES: usize = 16 + 4;

/// How many ids make room for a new one. Of several writers that are quick, many ids are of the same instant.
const ROOM_MAX: usize = 256;

impl Seen {
    /// Notes an id. Says whether it is new.
    pub fn insert(&mut self, id: RecordId) -> bool {
        let Err(place) = self.place(id) else { return false };
        if self.others.contains_key(&id) || self.frozen.find(id).is_some() {
            return false;
        }
        if self.ids.len() - place <= ROOM_MAX {
            self.ids.insert(place, id);
            self.tasks.insert(place, 0);
        } else {
            self.others.insert(id, 0);
        }
        true
    }

    pub fn contains(&self, id: RecordId) -> bool {
        self.find(id).is_some() || self.frozen.find(id).is_some()
    }

    /// Notes that a record is a claim on a task.
    pub fn note_claim(&mut self, claim: RecordId, task: Slot) {
        let known = match self.place(claim) {
            Ok(place) => self.tasks.get_mut(place),
            Err(_) => self.others.get_mut(&claim),
        };
        if let Some(known) = known {
            *known = task.above();
        }
    }

    /// The task that a claim is, or was, on.
    pub fn task_of_claim(&self, claim: RecordId) -> Option<Slot> {
        self.find(claim).map_or_else(|| self.frozen.find(claim).flatten(), Slot::below)
    }

    /// What is noted of an id that is in no snapshot.
    fn find(&self, id: RecordId) -> Option<u32> {
        let known = match self.place(id) {
            Ok(place) => self.tasks.get(place),
            Err(_) => self.others.get(&id),
        };
        known.copied()
    }

    /// Where an id stands among the sorted ones, or would. Looks near the end first (Bentley and Yao, An almost optimal
    /// algorithm for unbounded searching).
    fn place(&self, id: RecordId) -> Result<usize, usize> {
        let mut reach = 1;
        loop {
            let begin = self.ids.len().saturating_sub(reach);
            let near = self.ids.get(begin..).unwrap_or_default();
            if begin == 0 || near.first().is_some_and(|first| *first <= id) {
                return near.binary_search(&id).map(|place| begin + place).map_err(|place| begin + place);
            }
            reach *= 8;
        }
    }

    /// All of them by id, each with its task if it is a claim's.
    pub fn iter(&self) -> impl Iterator<Item = (RecordId, Option<Slot>)> {
        let ids = self.ids.iter().copied().zip(self.tasks.iter().copied());
        let others = self.others.iter().map(|(id, above)| (*id, *above));
        let own = merged(ids, others, |(id, _)| *id).map(|(id, above)| (id, Slot::below(above)));
        merged(own, (0..self.frozen.count()).filter_map(|place| self.frozen.get(place)), |(id, _)| *id)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve((self.ids.len() + self.others.len() + self.frozen.count()) * ENTRY_BYTES);
        for (id, slot) in self.iter() {
            out.extend_from_slice(&id.0.to_be_bytes());
            out.extend_from_slice(&slot.map_or(0, Slot::above).to_le_bytes());
        }
    }

    /// What was written, which stays where it is.
    pub fn read(frozen: Part) -> Self {
        Self { frozen: Frozen { ids: frozen, greatest: OnceLock::new() }, ..Self::default() }
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Frozen {
    /// What is known of an id, if it is there. New ids are mostly later than all old ones, so these are looked at first.
    fn find(&self, id: RecordId) -> Option<Option<Slot>> {
        if id > self.greatest()? {
            return None;
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

    fn greatest(&self) -> Option<RecordId> {
        *self.greatest.get_or_init(|| Some(self.get(self.count().checked_sub(1)?)?.0))
    }

    fn count(&self) -> usize {
        self.ids.length() / ENTRY_BYTES
    }

    fn get(&self, place: usize) -> Option<(RecordId, Option<Slot>)> {
        let entry: [u8; ENTRY_BYTES] = self.ids.array(place * ENTRY_BYTES)?;
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
    fn ids_are_found_near_the_end_and_far_from_it_whether_they_rose_or_not() {
        let mut seen = Seen::default();
        let ids =
            || (0..1_000).map(|number| RecordId(if number % 7 == 0 { 5_000 - number } else { number * 3 }));
        assert!(ids().all(|id| seen.insert(id)));
        assert!(ids().all(|id| !seen.insert(id)));
        let mut sorted: Vec<RecordId> = ids().collect();
        sorted.sort_unstable();
        assert!(seen.iter().map(|(id, _)| id).eq(sorted.iter().copied()));
        for id in (0..6_000).map(RecordId) {
            assert_eq!(seen.contains(id), sorted.binary_search(&id).is_ok(), "{id}");
        }
    }

    #[test]
    fn ids_of_one_instant_are_found_in_whatever_order_they_come() {
        let (mut seen, mut mix) = (Seen::default(), 1_u128);
        let ids: Vec<RecordId> = (0..2_000)
            .map(|number| {
                mix = mix * 48_271 % 0x7fff_ffff;
                RecordId((number / 40) << 32 | mix)
            })
            .collect();
        for (number, id) in (0_u32..).zip(&ids) {
            assert!(seen.insert(*id) && !seen.insert(*id));
            if let Some(task) = Slot::below(number) {
                seen.note_claim(*id, task);
            }
        }
        assert!(seen.others.is_empty() && seen.iter().is_sorted_by_key(|(id, _)| id));
        for (number, id) in (0_u32..).zip(&ids) {
            assert_eq!(seen.task_of_claim(*id), Slot::below(number));
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
