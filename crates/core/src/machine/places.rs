//! Tasks that wait for the same, in the order in which they should be taken: higher priority first, then the older.
//!
//! Those of a snapshot stay there as bytes as long as only the first of them is taken out, which is what claims do.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};

use super::kept::Part;
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
    own: BTreeSet<Place>,
    /// Those of a snapshot that are still there, sorted. None of them is in `own`.
    frozen: Part,
}

impl Places {
    pub fn insert(&mut self, place: Place) {
        self.own.insert(place);
    }

    pub fn remove(&mut self, place: &Place) {
        if self.own.remove(place) {
            return;
        }
        if self.frozen_at(0) == Some(*place) {
            self.frozen.take(PLACE_BYTES);
        } else if self.iter_frozen().any(|frozen| frozen == *place) {
            // Seldom: a task from the middle, which was cancelled, say.
            let thawed: Vec<Place> = self.iter_frozen().collect();
            self.own.extend(thawed);
            self.own.remove(place);
            self.frozen = Part::default();
        }
    }

    pub fn first(&self) -> Option<Place> {
        self.own.first().copied().into_iter().chain(self.frozen_at(0)).min()
    }

    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.frozen.length() == 0
    }

    pub fn len(&self) -> usize {
        self.own.len() + self.frozen.length() / PLACE_BYTES
    }

    pub fn iter(&self) -> impl Iterator<Item = Place> + use<'_> {
        let mut own = self.own.iter().copied().peekable();
        let mut frozen = self.iter_frozen().peekable();
        std::iter::from_fn(move || match (own.peek(), frozen.peek()) {
            (Some(one), Some(other)) if one < other => own.next(),
            (_, Some(_)) => frozen.next(),
            (_, None) => own.next(),
        })
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
        Some(Self { own: BTreeSet::new(), frozen: from.take(count.checked_mul(PLACE_BYTES)?)? })
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
