//! How much of what others said a prompt has room for: the newest as far as they fit, and how to read the rest.
//!
//! Each text is bounded for itself. Many of them together would fill up a conversation all the same.

use std::collections::BTreeSet;

use super::prompt::OTHERS_BYTES_MAX;
use crate::AgentId;

/// The most that stands in a prompt of notes, and of messages, in bytes.
const TOGETHER_BYTES_MAX: usize = OTHERS_BYTES_MAX;
/// What the tags around a text take, at most, as far as it matters.
const AROUND_BYTES: usize = 200;
/// As many names are named of those whose words are left out.
const NAMES_MAX: usize = 5;

/// Something that somebody said.
pub(super) trait Said {
    fn from(&self) -> &AgentId;
    fn text(&self) -> &str;
}

impl Said for (AgentId, String) {
    fn from(&self) -> &AgentId {
        &self.0
    }

    fn text(&self) -> &str {
        &self.1
    }
}

impl Said for crate::AgentMessage {
    fn from(&self) -> &AgentId {
        &self.from
    }

    fn text(&self) -> &str {
        &self.text
    }
}

/// What is left out, and the newest, for which there is room. At least one is shown.
pub(super) fn newest<T: Said>(said: &[T]) -> (&[T], &[T]) {
    let mut room = TOGETHER_BYTES_MAX;
    let fits = |one: &&T| {
        let size = one.text().len().min(OTHERS_BYTES_MAX) + AROUND_BYTES;
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    let count = said.iter().rev().take_while(fits).count().max(1);
    said.split_at(said.len().saturating_sub(count))
}

/// One line about what is left out, if anything is: how much, whose, and how to read it.
pub(super) fn left_out<T: Said>(said: &[T], what: &str, how: &str) -> String {
    if said.is_empty() {
        return String::new();
    }
    let bytes: usize = said.iter().map(|one| one.text().len()).sum();
    let by: BTreeSet<&str> = said.iter().map(|one| one.from().as_str()).collect();
    let mut names: Vec<&str> = by.iter().take(NAMES_MAX).copied().collect();
    if by.len() > NAMES_MAX {
        names.push("others");
    }
    let count = said.len();
    format!("[{count} older {what} of {}, {bytes} bytes, are left out: {how}]\n", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sizes: &[usize]) -> Vec<(AgentId, String)> {
        sizes.iter().map(|size| ("w".parse().unwrap(), "x".repeat(*size))).collect()
    }

    #[test]
    fn the_newest_are_shown_as_far_as_there_is_room_and_at_least_one() {
        let ten = of(&[60_000; 10]);
        let (left, shown) = newest(&ten);
        assert_eq!((left.len(), shown.len()), (9, 1));
        assert_eq!(
            left_out(left, "notes", "call `notes`"),
            "[9 older notes of w, 540000 bytes, are left out: call `notes`]\n"
        );
        // A small one that is older than a large one without room is left out with it.
        let mixed = of(&[10, 60_000, 100, 20_000]);
        assert_eq!(newest(&mixed).1.len(), 2);
        assert_eq!(newest(&of(&[10, 10])).0.len(), 0);
        assert_eq!(newest(&of(&[1 << 20])).1.len(), 1);
        assert!(newest(&of(&[])).1.is_empty());
    }
}
