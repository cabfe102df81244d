//! The simulated disk: what a file holds, what of it readers see, and what a power cut leaves.
//!
//! Appends fail as they were seen to fail on real file systems (docs/reliability.md): a killed writer leaves a record torn
//! at a 4 KiB offset of the file; a full disk takes a part; a power cut loses what was not synced, or leaves NUL bytes in
//! its place. Nothing here knows what a record is but for where it lies.

use crate::random::Random;

/// The size of a page, at whose borders appends tear.
pub const PAGE_BYTES: usize = 4096;

/// A record that lies in the file, whole or all but its final line break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first byte of its line.
    pub start: usize,
    /// The byte after its final line break.
    pub end: usize,
    /// Who it is: a number that the caller gave.
    pub tag: usize,
}

/// A file that is appended to.
#[derive(Debug, Default)]
pub struct Disk {
    bytes: Vec<u8>,
    synced: usize,
    /// How much readers see, while an append is under way.
    visible: Option<usize>,
    /// The last record, if it lacks only its final line break: the next writer's first byte completes it.
    almost: Option<Extent>,
    /// How many bytes still fit, if the disk is nearly full.
    pub room: Option<usize>,
}

impl Disk {
    /// What readers see.
    #[must_use]
    pub fn visible(&self) -> &[u8] {
        self.bytes.get(..self.visible.unwrap_or(self.bytes.len())).unwrap_or_default()
    }

    /// All that was written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How much is on stable storage.
    #[must_use]
    pub fn synced(&self) -> usize {
        self.synced
    }

    /// Where an append of so many bytes can tear: the page borders that it crosses, as lengths of its first part.
    #[must_use]
    pub fn tears(&self, length: usize) -> Vec<usize> {
        let from = self.bytes.len();
        let first = from / PAGE_BYTES + 1;
        (first..).map(|page| page * PAGE_BYTES - from).take_while(|cut| *cut < length).collect()
    }

    /// Appends a part of a framed record, or all of it, as one write. Says which records it made whole, in order.
    pub fn append(&mut self, framed: &[u8], taken: usize, tag: usize) -> Vec<Extent> {
        self.show_all();
        let taken = taken.min(framed.len()).min(self.room.unwrap_or(usize::MAX));
        if let Some(room) = &mut self.room {
            *room -= taken;
        }
        let from = self.bytes.len();
        self.bytes.extend_from_slice(framed.get(..taken).unwrap_or_default());
        let mut whole = Vec::new();
        if taken == 0 {
            return whole;
        }
        if let Some(almost) = self.almost.take()
            && self.bytes.get(from) == Some(&b'\n')
        {
            whole.push(almost);
        }
        let leading = usize::from(framed.first() == Some(&b'\n'));
        let extent = Extent { start: from + leading, end: from + framed.len(), tag };
        if taken == framed.len() {
            whole.push(extent);
        } else if taken + 1 == framed.len() {
            self.almost = Some(extent);
        }
        whole
    }

    /// Lets readers see only the first part of the last append, until somebody appends or [`Disk::show_all`].
    pub fn show_only(&mut self, length: usize) {
        self.visible = Some(length);
    }

    /// Lets readers see all of it.
    pub fn show_all(&mut self) {
        self.visible = None;
    }

    /// Puts everything onto stable storage.
    pub fn sync(&mut self) {
        self.show_all();
        self.synced = self.bytes.len();
    }

    /// Cuts the power: of what was not synced each page is there or not. Without `nul_pages` the file ends before the
    /// first that is not; with them such pages are full of NUL bytes. Says which of `extents` are left.
    pub fn cut_power(&mut self, random: &mut Random, nul_pages: bool, extents: &[Extent]) -> Vec<Extent> {
        self.show_all();
        let before = std::mem::take(&mut self.bytes);
        let almost = self.almost.take();
        let mut length = self.synced + random.below(before.len() - self.synced + 1);
        if nul_pages && random.chance(700) {
            length = before.len();
        }
        self.bytes = before.get(..length).unwrap_or_default().to_vec();
        if nul_pages {
            let mut page = self.synced / PAGE_BYTES;
            while page * PAGE_BYTES < length {
                if random.chance(500) {
                    let from = (page * PAGE_BYTES).max(self.synced);
                    let to = ((page + 1) * PAGE_BYTES).min(length);
                    self.bytes.get_mut(from..to).into_iter().for_each(|page| page.fill(0));
                }
                page += 1;
            }
        }
        let same = |from: usize, to: usize| {
            let after = self.bytes.get(from..to);
            after.is_some() && after == before.get(from..to)
        };
        let left = extents.iter().filter(|extent| same(extent.start, extent.end)).copied().collect();
        let unended =
            |extent: &&Extent| self.bytes.len() + 1 == extent.end && same(extent.start, extent.end - 1);
        self.almost = extents.iter().chain(&almost).find(unended).copied();
        self.synced = self.bytes.len();
        left
    }
}
