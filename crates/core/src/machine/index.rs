//! Finds the place of a thing in a list by its hash: open addressing with linear probing (Knuth, The Art of Computer
//! Programming 3, 6.4).
//!
//! Made by hand, since a snapshot holds the table as it is, where that of a library would have to be built anew at each
//! start; and since it must be the same everywhere.

use super::kept::Part;

/// Hashes and places in a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    own: Table,
    /// The table of a snapshot, which is never changed: what comes later is in `own`.
    frozen: Part,
}

/// A place holds half a hash and a number, and is free if all bits are set.
#[derive(Debug, Clone, Default)]
struct Table {
    places: Vec<u64>,
    taken: usize,
}

const FREE: u64 = u64::MAX;
const PLACES_MIN: usize = 16;

/// A place as bytes.
const PLACE_BYTES: usize = 8;

impl Index {
    /// The number with this hash of which `is_it` says that it is the one.
    pub fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let own = |place| self.own.places.get(place).copied();
        let frozen = |place| self.frozen.array(place * PLACE_BYTES).map(u64::from_le_bytes);
        find(hash, &is_it, self.own.places.len(), own)
            .or_else(|| find(hash, &is_it, self.frozen.length() / PLACE_BYTES, frozen))
    }

    /// Adds the next number, which is greater than those before.
    pub fn push(&mut self, hash: u32, number: u32) {
        self.own.push(u64::from(hash) << 32 | u64::from(number));
    }

    /// Writes the table. It depends on nothing but the hashes and their order.
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.frozen.length() == 0 {
            return self.own.write(out);
        }
        let frozen = self.frozen.read_all().unwrap_or_default();
        let places: Vec<u64> =
            frozen.as_chunks().0.iter().map(|place: &[u8; PLACE_BYTES]| u64::from_le_bytes(*place)).collect();
        let taken = places.iter().filter(|entry| **entry != FREE).count();
        let mut all = Table { places, taken };
        let mut own: Vec<u64> = self.own.places.iter().copied().filter(|entry| *entry != FREE).collect();
        own.sort_unstable_by_key(|entry| *entry as u32);
        own.into_iter().for_each(|entry| all.push(entry));
        all.write(out);
    }

    /// The index that was written, which stays where it is.
    pub fn read(frozen: Part) -> Self {
        Self { own: Table::default(), frozen }
    }
}

impl Table {
    fn push(&mut self, entry: u64) {
        self.taken += 1;
        // At most three quarters of the places are taken.
        if self.taken * 4 > self.places.len() * 3 {
            let larger = (self.places.len() * 2).max(PLACES_MIN);
            let old = std::mem::replace(&mut self.places, vec![FREE; larger]);
            old.into_iter().filter(|entry| *entry != FREE).for_each(|entry| self.put(entry));
        }
        self.put(entry);
    }

    fn put(&mut self, entry: u64) {
        let Some((hash, _)) = split(entry) else { return };
        for place in probe(hash, self.places.len()) {
            if let Some(free) = self.places.get_mut(place).filter(|found| **found == FREE) {
                *free = entry;
                return;
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.places.len() * PLACE_BYTES);
        self.places.iter().for_each(|place| out.extend_from_slice(&place.to_le_bytes()));
    }
}

/// Looks through a table of so many places.
fn find(
    hash: u32,
    is_it: impl Fn(u32) -> bool,
    places: usize,
    at: impl Fn(usize) -> Option<u64>,
) -> Option<u32> {
    for place in probe(hash, places) {
        let (found, number) = split(at(place)?)?;
        if found == hash && is_it(number) {
            return Some(number);
        }
    }
    None
}

/// The half hash and the number of a place that is taken.
fn split(entry: u64) -> Option<(u32, u32)> {
    (entry != FREE).then_some(((entry >> 32) as u32, entry as u32))
}

/// The places to look at, in order. The number of places is a power of two.
fn probe(hash: u32, places: usize) -> impl Iterator<Item = usize> {
    let mask = places.wrapping_sub(1);
    (0..places).map(move |step| (hash as usize).wrapping_add(step) & mask)
}

/// Mixes words into a hash that is the same everywhere and for ever. It resists no one who seeks collisions: who may
/// write records may do worse.
pub(crate) fn hash(words: impl IntoIterator<Item = u64>) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(FACTOR);
        mixed ^ mixed >> 32
    };
    (words.into_iter().fold(FACTOR, mix).wrapping_mul(FACTOR) >> 32) as u32
}
