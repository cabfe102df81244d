//! Tasks that wait for the same, in the order in which they should be taken: higher priority first, then the older.
//!
//! Those of a snapshot stay there as bytes as long as only the first of them is taken out, which is what claims do.

use std::collections::{BTreeSet, VecDeque};

use borsh::{BorshDeserialize, BorshSerialize};

use super::kept::Part;
use super::sorted::merged;
use super::task::Task;
use super::tasks::Slot;

/// Where a task stands among those that want the same: higher priority first, then the older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub(crate) struct Place {
    /// The priority, turned round.
    haste: i32,
    added: u64,
    pub slot: Slot,
}

/// A place as bytes.
const PLACE_BYTES: usize = 4 + 8 + 4;

impl Place {
    pub fn of(slot: Slot, task: &Task) -> Self {
        Self { haste: !task.spec.priority, added: task.added, slot }
    }
}

/// A sorted set of places.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// Sorted: those that came after all others, as tasks mostly do, and are taken from the front, as they mostly are.
    rising: VecDeque<Place>,
    /// Sorted, none of them in `rising`.
    others: BTreeSet<Place>,
    /// Those of a snapshot that are still there, sorted. None of them is in the other two.
    frozen: Part,
}

impl Places {
    pub fn insert(&mut self, place: Place) {
        if self.rising.back().is_none_or(|last| *last < place) {
            self.rising.push_back(place);
        } else {
            self.others.insert(place);
        }
    }

    pub fn remove(&mut self, place: &Place) {
        if self.rising.front() == Some(place) {
            self.rising.pop_front();
            return;
        }
        if self.others.remove(place) {
            return;
        }
        if self.frozen_at(0) == Some(*place) {
            self.frozen.take(PLACE_BYTES);
        } else if self.rising.binary_search(place).is_ok() {
            // Seldom: a task from the middle, which was cancelled, say. Each place is moved at most once.
            self.others.extend(std::mem::take(&mut self.rising));
            self.others.remove(place);
        } else if self.iter_frozen().any(|frozen| frozen == *place) {
            let thawed: Vec<Place> = self.iter_frozen().collect();
            self.others.extend(thawed);
            self.others.remove(place);
            self.frozen = Part::default();
        }
    }

    pub fn first(&self) -> Option<Place> {
        let firsts = [self.rising.front().copied(), self.others.first().copied(), self.frozen_at(0)];
        firsts.into_iter().flatten().min()
    }

    pub fn is_empty(&self) -> bool {
        self.rising.is_empty() && self.others.is_empty() && self.frozen.length() == 0
    }

    pub fn len(&self) -> usize {
        self.rising.len() + self.others.len() + self.frozen.length() / PLACE_BYTES
    }

    pub fn iter(&self) -> impl Iterator<Item = Place> + use<'_> {
        let own = merged(self.rising.iter().copied(), self.others.iter().copied(), |place| *place);
        merged(own, self.iter_frozen(), |place| *place)
    }

    fn frozen_at(&self, place: usize) -> Option<Place> {
        Place::try_from_slice(&self.frozen.array::<PLACE_BYTES>(place * PLACE_BYTES)?).ok()
    }

    fn iter_frozen(&self) -> impl Iterator<Item = Place> + use<'_> {
        (0..self.frozen.length() / PLACE_BYTES).filter_map(|place| self.frozen_at(place))
    }

    /// Writes all places, which are [`len`](Self::len) many.
    pub fn write(&self, out: &mut Vec<u8>) -> std::io::Result<()> {
        self.iter().try_for_each(|place| place.serialize(out))
    }

    /// Those that stand first among the places of a snapshot, so many, which are cut off.
    pub fn take(from: &mut Part, count: usize) -> Option<Self> {
        Some(Self { frozen: from.take(count.checked_mul(PLACE_BYTES)?)?, ..Self::default() })
    }
}

impl PartialEq for Places {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn place(added: u64) -> Place {
        Place { haste: !0, added, slot: Slot::below(1 + added as u32).unwrap() }
    }

    fn added(places: &Places) -> Vec<u64> {
        assert_eq!(places.first(), places.iter().next());
        assert_eq!(places.len(), places.iter().count());
        places.iter().map(|place| place.added).collect()
    }

    fn frozen(all: impl IntoIterator<Item = u64>) -> Places {
        let mut places = Places::default();
        all.into_iter().for_each(|added| places.insert(place(added)));
        let mut bytes = Vec::new();
        places.write(&mut bytes).unwrap();
        let mut part = Part::all(Arc::new(bytes::Bytes::from(bytes)));
        let read = Places::take(&mut part, places.len()).unwrap();
        assert!(part.length() == 0 && read == places);
        read
    }

    #[test]
    fn places_that_rise_and_others_are_one_sorted_set() {
        let mut places = Places::default();
        [3, 5, 4, 9, 1, 8].into_iter().for_each(|added| places.insert(place(added)));
        assert_eq!(added(&places), [1, 3, 4, 5, 8, 9]);
        let mut left = vec![1, 3, 4, 5, 8, 9];
        for removed in [5, 1, 9, 3, 8, 4] {
            places.remove(&place(removed));
            left.retain(|added| *added != removed);
            assert_eq!(added(&places), left);
        }
        assert!(places.is_empty());
    }

    #[test]
    fn frozen_places_are_taken_from_the_front_the_middle_and_the_end_and_added_to() {
        for removed in [2, 4, 8, 5] {
            let mut places = frozen([2, 4, 6, 8]);
            places.insert(place(5));
            places.remove(&place(removed));
            let expected: Vec<u64> = [2, 4, 5, 6, 8].into_iter().filter(|added| *added != removed).collect();
            assert_eq!(added(&places), expected);
            assert!(places == frozen(expected));
        }
    }

    #[test]
    fn what_is_not_there_is_not_taken_out_and_none_are_left_when_all_are() {
        let mut places = frozen([2, 4]);
        places.remove(&place(3));
        assert_eq!(added(&places), [2, 4]);
        [2, 4].iter().for_each(|added| places.remove(&place(*added)));
        assert!(places.is_empty() && places.first().is_none());
    }
}
