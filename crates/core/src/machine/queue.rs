//! What can be claimed now, in the order in which it should be: priority first, then age.
//!
//! Tasks stand in lanes by what they want (an agent, a role, a skill), so that finding one for an agent takes time
//! that depends on the number of lanes, not on the number of tasks.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::fit::Member;
use super::task::Task;
use super::transition::Status;
use crate::id::{AgentId, Skill, TaskId};
use crate::record::{Role, Stage};

/// Where a task stands among those that want the same: higher priority first, then the older.
type Place = (Reverse<i32>, u64, TaskId);

/// What the tasks of a lane want.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub agent: Option<AgentId>,
    pub role: Option<Role>,
    pub skill: Option<Skill>,
}

impl Lane {
    /// What a task wants, whoever is preferred for it now.
    pub fn wanted_by(task: &Task) -> Self {
        Self { agent: task.spec.agent.clone(), role: task.spec.role, skill: task.spec.skill.clone() }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Waiting {
    due: BTreeSet<Place>,
    /// Tasks whose last attempt failed, by the time before which nobody should try again.
    backing_off: BTreeSet<(u64, Place)>,
}

/// Elapsed backoffs that one look considers. More of them at once only means a slightly different order.
const ELAPSED_MAX: usize = 64;

/// All that can be claimed, and how many tasks there are of each status.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Queue {
    lanes: BTreeMap<Lane, Waiting>,
    stages: BTreeMap<Stage, BTreeSet<Place>>,
    counts: BTreeMap<Status, u64>,
}

/// How many tasks there are of each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All tasks.
    pub total: u64,
    /// Done.
    pub completed: u64,
    /// Failed for good.
    pub failed: u64,
    /// Being worked on, checked, reviewed or merged.
    pub running: u64,
    /// Waiting for an agent.
    pub ready: u64,
    /// Waiting for other tasks.
    pub blocked: u64,
    /// Not wanted any more.
    pub cancelled: u64,
}

impl Queue {
    /// Counts a task, and offers it if it can be claimed.
    pub fn insert(&mut self, task: &Task) {
        *self.counts.entry(task.status).or_default() += 1;
        match task.status {
            Status::Ready => {
                let waiting = self.lanes.entry(lane(task)).or_default();
                if task.not_before_ms == 0 {
                    waiting.due.insert(place(task));
                } else {
                    waiting.backing_off.insert((task.not_before_ms, place(task)));
                }
            }
            Status::Verifying | Status::Reviewing | Status::Merging if task.claim.is_none() => {
                if let Some(stage) = task.status.stage() {
                    self.stages.entry(stage).or_default().insert(place(task));
                }
            }
            _ => {}
        }
    }

    /// Takes a task out, as it was inserted. Leaves nothing empty behind: a queue that was kept in step equals one
    /// that is made from the tasks.
    pub fn remove(&mut self, task: &Task) {
        if let Entry::Occupied(mut count) = self.counts.entry(task.status) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
        if task.status == Status::Ready {
            let lane = lane(task);
            if let Some(waiting) = self.lanes.get_mut(&lane) {
                waiting.due.remove(&place(task));
                waiting.backing_off.remove(&(task.not_before_ms, place(task)));
                if waiting.due.is_empty() && waiting.backing_off.is_empty() {
                    self.lanes.remove(&lane);
                }
            }
        } else if let Some(Entry::Occupied(mut waiting)) =
            task.status.stage().map(|stage| self.stages.entry(stage))
        {
            waiting.get_mut().remove(&place(task));
            if waiting.get().is_empty() {
                waiting.remove();
            }
        }
    }

    /// The task that the member should take now.
    pub fn best(&self, member: &Member<'_>, now_ms: u64) -> Option<&TaskId> {
        let candidates = self.lanes.iter().filter(|(lane, _)| member.fits(lane).is_ok());
        let places = candidates.flat_map(|(_, waiting)| {
            let elapsed = waiting.backing_off.iter().take_while(move |(at_ms, _)| *at_ms <= now_ms);
            waiting.due.first().into_iter().chain(elapsed.take(ELAPSED_MAX).map(|(_, place)| place))
        });
        places.min().map(|(_, _, task)| task)
    }

    /// The tasks that wait for this very agent, in order.
    pub fn for_agent(&self, agent: &AgentId) -> impl Iterator<Item = &TaskId> + use<'_> {
        let agent = agent.clone();
        let lanes = self.lanes.iter().filter(move |(lane, _)| lane.agent.as_ref() == Some(&agent));
        lanes.flat_map(|(_, waiting)| waiting.due.iter().map(|(_, _, task)| task))
    }

    /// When the earliest backoff of a task that fits the member ends, in milliseconds since 1970.
    pub fn next_backoff_ms(&self, member: &Member<'_>) -> Option<u64> {
        let lanes = self.lanes.iter().filter(|(lane, _)| member.fits(lane).is_ok());
        lanes.filter_map(|(_, waiting)| waiting.backing_off.first().map(|(at_ms, _)| *at_ms)).min()
    }

    /// What the tasks want that wait for an agent.
    pub fn wanted(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.keys()
    }

    /// The tasks that only one agent is to take: those that want it, and those that went back to it.
    pub fn waiting_for_agent(&self, agent: &AgentId) -> impl Iterator<Item = &TaskId> {
        let from = Lane { agent: Some(agent.clone()), role: None, skill: None };
        let lanes = self.lanes.range(from..).take_while(|(lane, _)| lane.agent.as_ref() == Some(agent));
        lanes
            .flat_map(|(_, waiting)| {
                waiting.due.iter().chain(waiting.backing_off.iter().map(|(_, place)| place))
            })
            .map(|(_, _, task)| task)
    }

    /// The tasks that wait for someone to take a stage, in order.
    pub fn waiting_for(&self, stage: Stage) -> impl Iterator<Item = &TaskId> {
        self.stages.get(&stage).into_iter().flatten().map(|(_, _, task)| task)
    }

    /// How many tasks there are of each status.
    pub fn counts(&self) -> Counts {
        let of = |status| self.counts.get(&status).copied().unwrap_or(0);
        Counts {
            total: self.counts.values().sum(),
            completed: of(Status::Completed),
            failed: of(Status::Failed),
            running: Status::ALL.into_iter().filter(|status| status.is_active()).map(of).sum(),
            ready: of(Status::Ready),
            blocked: of(Status::Blocked),
            cancelled: of(Status::Cancelled),
        }
    }
}

/// The lane in which a task waits: what it wants, or the agent to whom it went back.
fn lane(task: &Task) -> Lane {
    let lane = Lane::wanted_by(task);
    Lane { agent: lane.agent.or_else(|| task.back_to.clone()), ..lane }
}

fn place(task: &Task) -> Place {
    (Reverse(task.spec.priority), task.added, task.id().clone())
}
