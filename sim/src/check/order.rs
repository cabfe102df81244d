//! Everybody reads the same: every record that was appended, in its order, nothing else, and makes the same of it.

use agent_team_core::id::RecordId;

use super::{Fate, Verdict, Witness, violation};
use crate::disk::Extent;

/// What a reader made of a record.
pub const EFFECTIVE: u8 = 0;
/// Its id was there before.
pub const REPEATED: u8 = 2;

impl Witness {
    /// A process applied a record, the `seq`th, which it found at `position`.
    ///
    /// # Errors
    /// When it should have found another one, or others made something else of it.
    pub fn applied(&mut self, seq: u64, position: u64, id: Option<RecordId>, outcome: u8) -> Verdict {
        let at = usize::try_from(seq).unwrap_or(0).wrapping_sub(1);
        let Some(extent) = self.order.get(at).copied() else {
            return violation(
                "order",
                format!("record {seq} was read, and only {} were appended", self.order.len()),
            );
        };
        let Some(fact) = self.facts.get(extent.tag) else { return Ok(()) };
        if extent.start as u64 != position || fact.record.as_ref().map(|record| record.id) != id {
            let acknowledged = if fact.fate == Fate::Effective { "acknowledged record lost: " } else { "" };
            return violation(
                "order",
                format!("{acknowledged}place {seq} holds {} and something else was read", fact.name()),
            );
        }
        if outcome != REPEATED {
            let contrary = match fact.fate {
                Fate::Effective => outcome != EFFECTIVE,
                Fate::Void => outcome == EFFECTIVE,
                Fate::Pending | Fate::Unknown => false,
            };
            if contrary {
                return violation(
                    "told",
                    format!("the writer of {} was told {:?}, and it is not so", fact.name(), fact.fate),
                );
            }
        }
        if self.outcomes.len() <= at {
            self.outcomes.resize(at + 1, None);
        }
        match self.outcomes.get_mut(at) {
            Some(Some(known)) if *known != outcome => {
                violation("state", format!("processes do not make the same of {} at {seq}", fact.name()))
            }
            Some(known) => {
                *known = Some(outcome);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A process's state after `seq` records has this hash. Programs of different versions know different things once the
    /// format has risen.
    ///
    /// # Errors
    /// When another process had another state there.
    pub fn hashed(&mut self, seq: u64, newer: bool, hash: u64) -> Verdict {
        if *self.hashes.entry((seq, newer)).or_insert(hash) == hash {
            return Ok(());
        }
        violation("state", format!("processes have different states after {seq} records"))
    }

    /// A process says that it has read all of the log.
    ///
    /// # Errors
    /// When it has not.
    pub fn read_all(&self, seq: u64) -> Verdict {
        let Some(extent) = self.order.get(usize::try_from(seq).unwrap_or(usize::MAX)) else { return Ok(()) };
        let name = self.facts.get(extent.tag).map(super::Fact::name).unwrap_or_default();
        violation("order", format!("{name} lies in the log and was not read"))
    }

    /// The power was cut, and these records are left.
    ///
    /// # Errors
    /// When one is not that was promised to survive.
    pub fn power_cut(&mut self, left: Vec<Extent>, synced: usize) -> Verdict {
        let same = self.order.iter().zip(&left).take_while(|(before, after)| before == after).count();
        self.outcomes.truncate(same);
        self.hashes.retain(|(seq, _), _| usize::try_from(*seq).is_ok_and(|seq| seq <= same));
        let mut is_left = vec![false; self.facts.len()];
        let mut is_synced = vec![false; self.facts.len()];
        for extent in &left {
            is_left[extent.tag] = true;
            is_synced[extent.tag] |= extent.end <= synced;
        }
        self.order = left;
        for (tag, fact) in self.facts.iter_mut().enumerate() {
            if fact.fate == Fate::Pending {
                fact.fate = Fate::Unknown;
            }
            if fact.place.is_none() {
                continue;
            }
            if !is_left[tag] {
                fact.lost = true;
                if fact.durable {
                    return violation(
                        "lost",
                        format!("{} was acknowledged and is gone with the power", fact.name()),
                    );
                }
            } else if !is_synced[tag] && !fact.durable {
                // What was before it may be gone, and then it does not mean what it did.
                fact.fate = Fate::Unknown;
            }
        }
        self.mail.forget();
        Ok(())
    }

    /// What lies in the log.
    pub fn order(&self) -> &[Extent] {
        &self.order
    }
}
