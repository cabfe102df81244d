//! All tasks, numbered in the order in which they took effect, and found by their ids.
//!
//! A task that was read from a snapshot stays there as bytes until somebody asks for it: a short command looks at a few
//! of a hundred thousand. What can be seen of a task does not depend on whether it was bytes before.

use std::io;
use std::sync::OnceLock;

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;

use super::index::{self, Index};
use super::kept::Part;
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
    count: usize,
    /// In chunks that are made when one of their tasks is asked for.
    chunks: Vec<OnceLock<Box<Chunk>>>,
    index: Index,
    frozen: Frozen,
}

const CHUNK: usize = 64;

/// Some tasks in a row. Boxed, since most tasks of a snapshot are never looked at; empty as long as a task is bytes.
type Chunk = [OnceLock<Box<Task>>; CHUNK];

/// The tasks of a snapshot, as bytes.
#[derive(Debug, Clone, Default)]
struct Frozen {
    tasks: Part,
    /// Where each task ends, from where the first begins.
    ends: Part,
}

/// The end of a task as bytes.
const END_BYTES: usize = 4;

impl Tasks {
    pub fn len(&self) -> usize {
        self.count
    }

    /// The number of a task.
    pub fn slot(&self, id: &TaskId) -> Option<Slot> {
        self.index.find(hash(id), |number| self.has_id(Slot(number), id)).map(Slot)
    }

    pub fn contains(&self, id: &TaskId) -> bool {
        self.slot(id).is_some()
    }

    pub fn get(&self, id: &TaskId) -> Option<&Task> {
        self.at(self.slot(id)?)
    }

    pub fn at(&self, slot: Slot) -> Option<&Task> {
        let kept = self.place(slot)?;
        match kept.get() {
            Some(task) => Some(task),
            None => {
                let task = self.frozen.thaw(slot.0 as usize)?;
                Some(kept.get_or_init(|| Box::new(task)))
            }
        }
    }

    pub fn at_mut(&mut self, slot: Slot) -> Option<&mut Task> {
        self.at(slot)?;
        let (chunk, place) = split(slot);
        Some(self.chunks.get_mut(chunk)?.get_mut()?.get_mut(place)?.get_mut()?)
    }

    /// Where a task is kept that is no bytes any more.
    fn place(&self, slot: Slot) -> Option<&OnceLock<Box<Task>>> {
        let (chunk, place) = split(slot);
        self.chunks.get(chunk)?.get_or_init(new_chunk).get(place)
    }

    /// Adds a task whose id is new.
    pub fn push(&mut self, task: Task) -> Option<Slot> {
        // The last number is left out: a free place of the index is told from a taken one by it.
        let number = u32::try_from(self.count).ok().filter(|number| *number < u32::MAX)?;
        self.index.push(hash(task.id()), number);
        let slot = Slot(number);
        if split(slot).0 == self.chunks.len() {
            self.chunks.push(OnceLock::new());
        }
        self.place(slot)?.set(Box::new(task)).ok()?;
        self.count += 1;
        Some(slot)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Task> {
        self.slots().filter_map(|slot| self.at(slot))
    }

    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..u32::try_from(self.count).unwrap_or(u32::MAX)).map(Slot)
    }

    /// The task, if it is no bytes any more.
    fn thawed(&self, slot: Slot) -> Option<&Task> {
        let (chunk, place) = split(slot);
        Some(self.chunks.get(chunk)?.get()?.get(place)?.get()?)
    }

    /// Whether a task has this id. One that is asked whether it has is mostly the one that is wanted, and is thawed.
    pub fn has_id(&self, slot: Slot, id: &TaskId) -> bool {
        self.at(slot).is_some_and(|task| task.id() == id)
    }

    /// Writes all tasks, and then where each one ends.
    pub fn write(&self, out: &mut Vec<u8>) -> io::Result<Vec<u8>> {
        let begin = out.len();
        let mut ends = Vec::with_capacity(self.count * END_BYTES);
        for slot in self.slots() {
            match self.thawed(slot) {
                Some(task) => task.serialize(out)?,
                None => out.extend_from_slice(&self.frozen.get(slot.0 as usize).unwrap_or_default()),
            }
            u32::try_from(out.len() - begin).map_err(io::Error::other)?.serialize(&mut ends)?;
        }
        Ok(ends)
    }

    /// Writes the index, for [`read`](Self::read).
    pub fn write_index(&self, out: &mut Vec<u8>) {
        self.index.write(out);
    }

    /// The tasks that were written, which stay where they are.
    pub fn read(tasks: Part, ends: Part, index: Part) -> Self {
        let count = ends.length() / END_BYTES;
        let chunks = vec![OnceLock::new(); count.div_ceil(CHUNK)];
        Self { count, chunks, index: Index::read(index), frozen: Frozen { tasks, ends } }
    }
}

/// Where a task is: the number of its chunk, and its place in it.
fn split(slot: Slot) -> (usize, usize) {
    (slot.0 as usize / CHUNK, slot.0 as usize % CHUNK)
}

fn new_chunk() -> Box<Chunk> {
    Box::new([const { OnceLock::new() }; CHUNK])
}

impl PartialEq for Tasks {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Frozen {
    fn get(&self, place: usize) -> Option<Bytes> {
        // It begins where the one before it ends.
        let (begin, end) = match place.checked_sub(1) {
            Some(before) => {
                let ends: [u8; 2 * END_BYTES] = self.ends.array(before * END_BYTES)?;
                let ends = u64::from_le_bytes(ends);
                (ends as u32, (ends >> u32::BITS) as u32)
            }
            None => (0, u32::from_le_bytes(self.ends.array(0)?)),
        };
        self.tasks.read(begin as usize, end.checked_sub(begin)? as usize)
    }

    fn thaw(&self, place: usize) -> Option<Task> {
        Task::try_from_slice(&self.get(place)?).ok()
    }
}

/// The hash of an id.
fn hash(id: &TaskId) -> u32 {
    let id = id.as_bytes();
    let (words, rest) = id.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_be_bytes(*word));
    let rest = rest.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    index::hash(std::iter::once(id.len() as u64).chain(words).chain([rest]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
        new_task(Box::new(TaskSpec::new(id(number), format!("Number {number}"))), 7, &meta)
    }

    fn many(count: usize) -> Tasks {
        let mut tasks = Tasks::default();
        for number in 0..count {
            tasks.push(task(number)).unwrap();
        }
        tasks
    }

    fn frozen(tasks: &Tasks) -> Tasks {
        let part = |bytes: Vec<u8>| Part::all(Arc::new(Bytes::from(bytes)));
        let (mut bytes, mut index) = (Vec::new(), Vec::new());
        let ends = tasks.write(&mut bytes).unwrap();
        tasks.write_index(&mut index);
        Tasks::read(part(bytes), part(ends), part(index))
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
        let mut read = frozen(&many(100));
        let slot = read.slot(&id(7)).unwrap();
        read.at_mut(slot).unwrap().attempt = 5;
        read.push(task(100)).unwrap();
        let again = frozen(&read);
        assert!(again == read, "half frozen is written as all thawed");
        assert_eq!(again.get(&id(7)).unwrap().attempt, 5);
        assert_eq!(again.get(&id(100)).unwrap().spec.title, "Number 100");
        assert!(again.slots().take(7).eq(read.slots().take(7)) && again.len() == 101);
    }
}
