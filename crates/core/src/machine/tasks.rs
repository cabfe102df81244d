//! All tasks, numbered in the order in which they took effect, and found by their ids.
//!
//! A task that was read from a snapshot stays there as bytes until somebody asks for it: a short command looks at a few
//! of a hundred thousand. What can be seen of a task does not depend on whether it was bytes before.

use std::io;
use std::sync::OnceLock;

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;

use super::index::{self, Index};
use super::task::Task;
use crate::id::TaskId;

/// The number of a task: its place among all, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub(crate) struct Slot(u32);

impl Slot {
    /// One more than the number, so that 0 can stand for none.
    pub fn above(self) -> u32 {
        self.0.saturating_add(1)
    }

    /// The number of which [`above`](Self::above) is one more.
    pub fn below(above: u32) -> Option<Self> {
        above.checked_sub(1).map(Self)
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    /// Boxed, so that a growing list moves no tasks; empty as long as the task is bytes.
    slots: Vec<OnceLock<Box<Task>>>,
    index: Index,
    frozen: Frozen,
}

/// The tasks of a snapshot, as bytes.
#[derive(Debug, Clone, Default)]
struct Frozen {
    /// The whole snapshot.
    bytes: Bytes,
    /// Where in it the first task begins, and each one ends.
    bounds: Vec<u32>,
}

impl Tasks {
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The number of a task.
    pub fn slot(&self, id: &TaskId) -> Option<Slot> {
        self.index.find(hash(id.as_str()), |number| self.has_id(number as usize, id)).map(Slot)
    }

    pub fn contains(&self, id: &TaskId) -> bool {
        self.slot(id).is_some()
    }

    pub fn get(&self, id: &TaskId) -> Option<&Task> {
        self.at(self.slot(id)?)
    }

    pub fn at(&self, slot: Slot) -> Option<&Task> {
        let place = slot.0 as usize;
        let kept = self.slots.get(place)?;
        match kept.get() {
            Some(task) => Some(task),
            None => {
                let task = self.frozen.thaw(place)?;
                Some(kept.get_or_init(|| Box::new(task)))
            }
        }
    }

    pub fn at_mut(&mut self, slot: Slot) -> Option<&mut Task> {
        self.at(slot)?;
        Some(self.slots.get_mut(slot.0 as usize)?.get_mut()?)
    }

    /// Adds a task whose id is new.
    pub fn push(&mut self, task: Task) -> Option<Slot> {
        // The last number is left out: a free place of the index is told from a taken one by it.
        let number = u32::try_from(self.slots.len()).ok().filter(|number| *number < u32::MAX)?;
        self.index.push(hash(task.id().as_str()), number);
        self.slots.push(OnceLock::from(Box::new(task)));
        Some(Slot(number))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Task> {
        self.slots().filter_map(|slot| self.at(slot))
    }

    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX)).map(Slot)
    }

    fn has_id(&self, place: usize, id: &TaskId) -> bool {
        match self.slots.get(place).and_then(OnceLock::get) {
            Some(task) => task.id() == id,
            None => self.frozen.begins_with(place, id),
        }
    }

    /// Writes all tasks: how many, how long each is, the index, and then the tasks themselves.
    pub fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut tasks = Vec::new();
        let mut ends: Vec<u32> = Vec::with_capacity(self.slots.len());
        for (place, kept) in self.slots.iter().enumerate() {
            match (kept.get(), self.frozen.get(place)) {
                (Some(task), _) => task.serialize(&mut tasks)?,
                (None, frozen) => tasks.extend_from_slice(frozen.unwrap_or_default()),
            }
            ends.push(u32::try_from(tasks.len()).map_err(io::Error::other)?);
        }
        ends.serialize(out)?;
        self.index.serialize(out)?;
        out.extend_from_slice(&tasks);
        Ok(())
    }

    /// Reads what was written, at `at` in a snapshot whose rest it is, and leaves the tasks there.
    pub fn read(snapshot: Bytes, at: usize) -> io::Result<Self> {
        let mut rest = snapshot.get(at..).ok_or(io::ErrorKind::UnexpectedEof)?;
        let ends = Vec::<u32>::deserialize(&mut rest)?;
        let index = Index::deserialize(&mut rest)?;
        let begin = u32::try_from(snapshot.len() - rest.len()).map_err(io::Error::other)?;
        if ends.last().copied().unwrap_or(0) as usize != rest.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let slots = vec![OnceLock::new(); ends.len()];
        let bounds = std::iter::once(begin).chain(ends.into_iter().map(|end| begin + end)).collect();
        Ok(Self { slots, index, frozen: Frozen { bytes: snapshot, bounds } })
    }
}

impl PartialEq for Tasks {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Frozen {
    fn get(&self, place: usize) -> Option<&[u8]> {
        let (begin, end) = (*self.bounds.get(place)?, *self.bounds.get(place + 1)?);
        self.bytes.get(begin as usize..end as usize)
    }

    fn thaw(&self, place: usize) -> Option<Task> {
        Task::try_from_slice(self.get(place)?).ok()
    }

    /// Whether a task has this id, which stands first in its bytes, after its length.
    fn begins_with(&self, place: usize, id: &TaskId) -> bool {
        let id = id.as_str().as_bytes();
        let found = self.get(place).and_then(|bytes| bytes.split_first_chunk::<4>());
        found.is_some_and(|(length, rest)| {
            u32::from_le_bytes(*length) as usize == id.len() && rest.starts_with(id)
        })
    }
}

/// The hash of an id.
fn hash(id: &str) -> u32 {
    let word = |chunk: &[u8]| chunk.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let length = id.len() as u64;
    index::hash(std::iter::once(length).chain(id.as_bytes().chunks(8).map(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RecordId;
    use crate::machine::apply::{Meta, new_task};
    use crate::machine::safeguard::Safeguards;
    use crate::record::TaskSpec;

    fn id(number: usize) -> TaskId {
        format!("task-{number}").parse().unwrap()
    }

    fn task(number: usize) -> Task {
        let meta = Meta { id: RecordId(5), at_ms: 6, seq: 7, safeguards: Safeguards::default() };
        new_task(TaskSpec::new(id(number), format!("Number {number}")), 7, &meta)
    }

    fn many(count: usize) -> Tasks {
        let mut tasks = Tasks::default();
        for number in 0..count {
            tasks.push(task(number)).unwrap();
        }
        tasks
    }

    #[test]
    fn every_task_is_found_by_its_id_and_no_other() {
        let tasks = many(1_000);
        for number in 0..1_000 {
            assert_eq!(tasks.get(&id(number)).unwrap().id(), &id(number));
        }
        assert!(!tasks.contains(&id(1_000)));
        assert!(!Tasks::default().contains(&id(0)));
    }

    #[test]
    fn frozen_tasks_are_the_same_and_can_be_changed_and_added_to() {
        let mut bytes = b"what stands before".to_vec();
        let at = bytes.len();
        many(100).write(&mut bytes).unwrap();
        let mut read = Tasks::read(bytes.clone().into(), at).unwrap();
        let slot = read.slot(&id(7)).unwrap();
        read.at_mut(slot).unwrap().attempt = 5;
        read.push(task(100)).unwrap();
        let mut again = Vec::new();
        read.write(&mut again).unwrap();
        let again = Tasks::read(again.into(), 0).unwrap();
        assert!(again == read, "half frozen is written as all thawed");
        assert_eq!(again.get(&id(7)).unwrap().attempt, 5);
        assert_eq!(again.get(&id(100)).unwrap().spec.title, "Number 100");
        assert!(again.slots().take(7).eq(read.slots().take(7)) && again.len() == 101);
    }

    #[test]
    fn bytes_that_end_too_early_are_refused() {
        let mut bytes = Vec::new();
        many(3).write(&mut bytes).unwrap();
        for end in 0..bytes.len() {
            assert!(Tasks::read(bytes[..end].to_vec().into(), 0).is_err(), "{end} of {} bytes", bytes.len());
        }
    }
}
