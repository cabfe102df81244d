//! Ids that nobody else has.

use uuid::Uuid;

/// An id that no other process makes: UUID version 7 (RFC 9562), so that ids sort by time.
///
/// A process that was forked has its parent's generator of random numbers, at the same place: two children would make the same ids
/// from then on. So the process is part of each id, in the last 32 bits, which count nothing.
#[must_use]
pub fn unique_id() -> Uuid {
    Uuid::from_u128(salted(Uuid::now_v7().as_u128(), std::process::id()))
}

/// An id as this process would have made it. Different processes make different ones of the same.
fn salted(id: u128, process: u32) -> u128 {
    // Multiplied by an odd number, different processes stay different; neighbours do not stay close.
    id ^ u128::from(process.wrapping_mul(0x9e37_79b1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_id_sorts_by_time_and_is_of_version_7() {
        let ids: Vec<Uuid> = (0..1_000).map(|_| unique_id()).collect();
        assert!(ids.is_sorted_by(|one, next| one.as_u128() >> 32 <= next.as_u128() >> 32));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn processes_that_draw_the_same_numbers_make_different_ids() {
        let drawn = Uuid::now_v7().as_u128();
        let ids: BTreeSet<u128> = (1..=70_000).map(|process| salted(drawn, process)).collect();
        assert_eq!(ids.len(), 70_000);
    }
}
