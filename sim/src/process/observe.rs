//! Finding out who is gone, as `liveness` does.

use agent_team_core::id::RecordId;
use agent_team_core::record::ExpiryCause;

use super::merge::{EndStep, Ending, Then};
use super::{Process, STUCK_MS};
use crate::mutant::Habit;
use crate::world::World;

impl Process {
    /// Looks at all holders, and notes whose claims are to be ended.
    pub(super) fn observe(&mut self, world: &mut World) {
        self.catch_up(world);
        let mut held = Vec::new();
        let looks_for_stuck = world.is_steered && world.random.chance(500);
        for (task, claim) in self.state.held() {
            let dead = claim.holder.process.as_ref().is_some_and(|process| world.is_gone(process));
            let renewal = if world.keeps(Habit::LeaseFromRenewal) { claim.renewal } else { claim.id };
            let cause = match claim.holder.lease_ms {
                _ if dead => Some(ExpiryCause::ProcessGone),
                Some(lease_ms) if unseen_ms(world, claim.id, renewal) >= lease_ms => Some(ExpiryCause::Lease),
                None if looks_for_stuck && unseen_ms(world, claim.id, renewal) >= STUCK_MS => {
                    Some(ExpiryCause::Stuck)
                }
                _ => None,
            };
            held.push(claim.id);
            let Some(cause) = cause else { continue };
            let then = Then::Expire { claim: claim.id, seen: claim.renewal, cause };
            let intent = task.intent.as_ref().map(|intent| intent.id);
            self.endings.push(Ending { task: task.id().clone(), intent, then, step: EndStep::Begin });
        }
        world.observed.retain(|claim, _| held.contains(claim));
    }
}

/// For how long nobody on this machine has seen a newer renewal.
fn unseen_ms(world: &mut World, claim: RecordId, renewal: RecordId) -> u64 {
    let now_ms = world.now_ms;
    let seen = world.observed.entry(claim).or_insert((renewal, now_ms));
    if seen.0 != renewal {
        *seen = (renewal, now_ms);
    }
    now_ms.saturating_sub(seen.1)
}
