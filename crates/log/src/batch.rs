//! What one read returns: records in order, as slices of one buffer, and the damage that was stepped over.
//!
//! A log of a million records is read at every start, so nothing is allocated per record here.

use std::ops::Range;

use crate::Position;

/// Records read in one go, in the log's order.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    damage: Vec<Damage>,
    next: u64,
    is_last: bool,
}

/// One record of a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where the record begins.
    pub position: Position,
    /// Where to read on after it.
    pub next: Position,
    /// The JSON object, exactly as it was appended.
    pub bytes: &'a [u8],
}

/// A stretch of a log that holds no record although bytes are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins.
    pub position: Position,
    /// How long it is, in bytes.
    pub length_bytes: u64,
    /// What it looks like.
    pub kind: DamageKind,
}

/// What a damaged stretch looks like, and so what it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DamageKind {
    /// The beginning of a record whose writer died, or whose disk was full, before the end was written.
    /// It was never acknowledged.
    Torn,
    /// NUL bytes, and what they cut off: the machine lost power before the bytes reached the disk.
    Zeros,
    /// Bytes that are not what was appended, and why they cannot be.
    /// [`Log::read`](crate::Log::read) stops at these; only an examination lists them here.
    Corrupt(&'static str),
}

#[derive(Debug, Clone)]
struct Span {
    position: u64,
    next: u64,
    bytes: Range<usize>,
}

impl Batch {
    /// A batch without records over `bytes`, after which reading goes on at `next`.
    #[must_use]
    pub fn over(bytes: Vec<u8>, next: Position) -> Self {
        Self { bytes, next: next.value(), ..Self::default() }
    }

    /// Adds the record that lies at `bytes` of this batch's buffer, and moves [`Batch::next`] behind it.
    ///
    /// Spans outside of the buffer are left out when the batch is iterated.
    pub fn push(&mut self, position: Position, next: Position, bytes: Range<usize>) {
        self.spans.push(Span { position: position.value(), next: next.value(), bytes });
        self.next = next.value();
    }

    /// The records, in order.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = Record<'_>> {
        self.spans.iter().filter_map(|span| {
            let bytes = self.bytes.get(span.bytes.clone())?;
            Some(Record { position: Position::new(span.position), next: Position::new(span.next), bytes })
        })
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no record; there may still be damage.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// What was stepped over, in order.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Where to read on.
    #[must_use]
    pub fn next(&self) -> Position {
        Position::new(self.next)
    }

    /// Whether the log held no more when this was read, so that there is no need to ask again at once.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.is_last
    }

    /// The same batch, of which is known whether the log holds more.
    #[must_use]
    pub fn last_of_log(self, is_last: bool) -> Self {
        Self { is_last, ..self }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub(crate) fn skip_to(&mut self, next: u64) {
        self.next = next;
    }

    /// Puts the damage that was stepped over `before` this batch in front of its own.
    pub(crate) fn after_damage(mut self, before: Vec<Damage>) -> Self {
        let own = std::mem::replace(&mut self.damage, before);
        own.into_iter().for_each(|damage| self.push_damage(damage));
        self
    }

    pub(crate) fn push_damage(&mut self, damage: Damage) {
        damage.push_onto(&mut self.damage);
    }
}

impl Damage {
    /// Notes damage; a run of zeros that goes on where the last one ended is one run.
    pub(crate) fn push_onto(self, noted: &mut Vec<Self>) {
        if let Some(last) = noted.last_mut()
            && last.kind == DamageKind::Zeros
            && self.kind == DamageKind::Zeros
            && last.position.value() + last.length_bytes == self.position.value()
        {
            last.length_bytes += self.length_bytes;
        } else {
            noted.push(self);
        }
    }
}
