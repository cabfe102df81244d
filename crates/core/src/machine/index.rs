//! Finds the place of a thing in a list by its hash: open addressing with linear probing (Knuth, The Art of Computer
//! Programming 3, 6.4).
//!
//! Made by hand, since a snapshot holds the table as it is, where that of a library would have to be built anew at each
//! start; and since it must be the same everywhere.

use borsh::{BorshDeserialize, BorshSerialize};

/// Hashes and places in a list. A place of the table holds half a hash and a number, and is free if all bits are set.
#[derive(Debug, Clone, Default, BorshSerialize, BorshDeserialize)]
pub(crate) struct Index(Vec<u64>);

const FREE: u64 = u64::MAX;
const PLACES_MIN: usize = 16;

impl Index {
    /// The number with this hash of which `is_it` says that it is the one.
    pub fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        for place in probe(hash, self.0.len()) {
            let (found, number) = split(*self.0.get(place)?)?;
            if found == hash && is_it(number) {
                return Some(number);
            }
        }
        None
    }

    /// Adds the next number, which is the count of those before.
    pub fn push(&mut self, hash: u32, number: u32) {
        // At most three quarters of the places are taken.
        if (number as usize + 1) * 4 > self.0.len() * 3 {
            let larger = (self.0.len() * 2).max(PLACES_MIN);
            let old = std::mem::replace(&mut self.0, vec![FREE; larger]);
            old.into_iter().filter(|entry| *entry != FREE).for_each(|entry| self.put(entry));
        }
        self.put(u64::from(hash) << 32 | u64::from(number));
    }

    fn put(&mut self, entry: u64) {
        let Some((hash, _)) = split(entry) else { return };
        for place in probe(hash, self.0.len()) {
            if let Some(free) = self.0.get_mut(place).filter(|found| **found == FREE) {
                *free = entry;
                return;
            }
        }
    }
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
