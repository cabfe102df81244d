//! What can be claimed now, in the order in which it should be: priority first, then age.
//!
//! Tasks stand in lanes by what they want (an agent, a role, a skill), so that finding one for an agent takes time
//! that depends on the number of lanes, not on the number of tasks.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::fit::Member;
use super::kept::Part;
use super::places::{Place, Places};
use super::task::Task;
use super::tasks::Slot;
use super::transition::Status;
use crate::id::{AgentId, Skill};
use crate::record::{Role, Stage};

/// What the tasks of a lane want.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub(crate) struct Lane {
    pub agent: Option<AgentId>,
    pub role: Option<Role>,
    pub skill: Option<Skill>,
    /// The lead for whose team they are.
    pub team: Option<AgentId>,
}

impl Lane {
    /// What a task wants, whoever is preferred for it now.
    pub fn wanted_by(task: &Task) -> Self {
        let spec = &task.spec;
        Self {
            agent: spec.agent.clone(),
            role: spec.role,
            skill: spec.skill.clone(),
            team: spec.team.clone(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Waiting {
    due: Places,
    /// Tasks whose last attempt failed, by the time before which nobody should try again.
    backing_off: BTreeSet<(u64, Place)>,
}

impl Waiting {
    fn slots(&self) -> impl Iterator<Item = Slot> + use<'_> {
        self.due.iter().chain(self.backing_off.iter().map(|(_, place)| *place)).map(|place| place.slot)
    }
}

/// Elapsed backoffs that one look considers. More of them at once only means a slightly different order.
const ELAPSED_MAX: usize = 64;

/// All that can be claimed, and what is counted of the tasks, so that nobody has to look at all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Queue {
    lanes: BTreeMap<Lane, Waiting>,
    rest: Rest,
}

/// What of a queue is small.
#[derive(Debug, Clone, Default, PartialEq, BorshSerialize, BorshDeserialize)]
struct Rest {
    stages: BTreeMap<Stage, BTreeSet<Place>>,
    /// In the order of [`Status::ALL`].
    counts: [u64; Status::ALL.len()],
    /// Tasks that failed for good or were cancelled.
    lost: BTreeSet<Slot>,
    /// Tasks that anybody may claim and whose plan waits to be judged: who wrote it does not hold them any more.
    unjudged: BTreeSet<Slot>,
    /// How many tasks each agent has completed.
    completed_by: BTreeMap<AgentId, u64>,
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
    /// Writes all: what is due into `places`, and the rest.
    pub fn write(&self, out: &mut Vec<u8>, places: &mut Vec<u8>) -> io::Result<()> {
        self.lanes.values().try_for_each(|waiting| waiting.due.write(places))?;
        let lanes =
            self.lanes.iter().map(|(lane, waiting)| (lane, waiting.due.len() as u64, &waiting.backing_off));
        borsh::to_writer(out, &(lanes.collect::<Vec<_>>(), &self.rest))
    }

    /// Reads what was written, and leaves what is due in the snapshot.
    pub fn read(unread: &mut &[u8], mut places: Part) -> io::Result<Self> {
        type Written = (Lane, u64, BTreeSet<(u64, Place)>);
        let (written, rest): (Vec<Written>, Rest) = BorshDeserialize::deserialize(unread)?;
        let mut lanes = BTreeMap::new();
        for (lane, count, backing_off) in written {
            let count = usize::try_from(count).map_err(io::Error::other)?;
            let due = Places::take(&mut places, count).ok_or(io::ErrorKind::UnexpectedEof)?;
            lanes.insert(lane, Waiting { due, backing_off });
        }
        Ok(Self { lanes, rest })
    }

    /// Counts a task, and offers it if it can be claimed.
    pub fn insert(&mut self, slot: Slot, task: &Task) {
        if let Some(count) = self.rest.counts.get_mut(task.status as usize) {
            *count += 1;
        }
        match task.status {
            Status::Ready => {
                if task.open_plan().is_some() {
                    self.rest.unjudged.insert(slot);
                }
                let waiting = self.lanes.entry(lane(task)).or_default();
                if task.not_before_ms == 0 {
                    waiting.due.insert(Place::of(slot, task));
                } else {
                    waiting.backing_off.insert((task.not_before_ms, Place::of(slot, task)));
                }
            }
            Status::Verifying | Status::Reviewing | Status::Merging if task.claim.is_none() => {
                if let Some(stage) = task.status.stage() {
                    self.rest.stages.entry(stage).or_default().insert(Place::of(slot, task));
                }
            }
            Status::Failed | Status::Cancelled => {
                self.rest.lost.insert(slot);
            }
            Status::Completed => {
                if let Some(author) = author(task) {
                    *self.rest.completed_by.entry(author.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    /// Takes a task out, as it was inserted. Leaves nothing empty behind: a queue that was kept in step equals one
    /// that is made from the tasks.
    pub fn remove(&mut self, slot: Slot, task: &Task) {
        if let Some(count) = self.rest.counts.get_mut(task.status as usize) {
            *count = count.saturating_sub(1);
        }
        let place = Place::of(slot, task);
        match task.status {
            Status::Ready => {
                self.rest.unjudged.remove(&slot);
                let lane = lane(task);
                if let Some(waiting) = self.lanes.get_mut(&lane) {
                    waiting.due.remove(&place);
                    waiting.backing_off.remove(&(task.not_before_ms, place));
                    if waiting.due.is_empty() && waiting.backing_off.is_empty() {
                        self.lanes.remove(&lane);
                    }
                }
            }
            Status::Failed | Status::Cancelled => {
                self.rest.lost.remove(&slot);
            }
            Status::Completed => {
                if let Some(Entry::Occupied(mut count)) =
                    author(task).map(|author| self.rest.completed_by.entry(author.clone()))
                {
                    *count.get_mut() = count.get().saturating_sub(1);
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
            }
            status => {
                if let Some(Entry::Occupied(mut waiting)) =
                    status.stage().map(|stage| self.rest.stages.entry(stage))
                {
                    waiting.get_mut().remove(&place);
                    if waiting.get().is_empty() {
                        waiting.remove();
                    }
                }
            }
        }
    }

    /// The task that the member should take now, of those that are offered to it.
    pub fn best(&self, member: &Member<'_>, now_ms: u64, is_offered: impl Fn(Slot) -> bool) -> Option<Slot> {
        let candidates = self.lanes.iter().filter(|(lane, _)| member.fits(lane).is_ok());
        let is_offered = |place: &Place| is_offered(place.slot);
        let places = candidates.flat_map(|(_, waiting)| {
            let first = waiting.due.first().filter(is_offered);
            // Seldom: what stands first has no budget for its next step.
            let due = first.or_else(|| waiting.due.iter().find(is_offered));
            let elapsed = waiting.backing_off.iter().take_while(move |(at_ms, _)| *at_ms <= now_ms);
            let elapsed = elapsed.map(|(_, place)| *place).filter(is_offered);
            due.into_iter().chain(elapsed.take(ELAPSED_MAX))
        });
        places.min().map(|place| place.slot)
    }

    /// The task that stands first where most tasks are taken from.
    pub fn first(&self) -> Option<Slot> {
        self.lanes.values().next()?.due.first().map(|place| place.slot)
    }

    /// The tasks that wait for this very agent, in order.
    pub fn for_agent(&self, agent: &AgentId) -> impl Iterator<Item = Slot> + use<'_> {
        self.lanes_of(agent).flat_map(|waiting| waiting.due.iter().map(|place| place.slot))
    }

    /// When the earliest backoff of a task ends that fits the member and is offered to it, in milliseconds since 1970.
    pub fn next_backoff_ms(&self, member: &Member<'_>, is_offered: impl Fn(Slot) -> bool) -> Option<u64> {
        let lanes = self.lanes.iter().filter(|(lane, _)| member.fits(lane).is_ok());
        let first = |waiting: &Waiting| {
            let mut offered = waiting.backing_off.iter().filter(|(_, place)| is_offered(place.slot));
            offered.next().map(|(at_ms, _)| *at_ms)
        };
        lanes.filter_map(|(_, waiting)| first(waiting)).min()
    }

    /// What tasks that wait for an agent want, with how many wait for it: those that may be taken, and those whose last
    /// attempt failed.
    pub fn wanted_with_counts(&self) -> impl Iterator<Item = (&Lane, usize, usize)> {
        self.lanes.iter().map(|(lane, waiting)| (lane, waiting.due.len(), waiting.backing_off.len()))
    }

    /// What those of the tasks want that wait for an agent and are offered.
    pub fn wanted(&self, is_offered: impl Fn(Slot) -> bool) -> impl Iterator<Item = &Lane> {
        let lanes = self.lanes.iter().filter(move |(_, waiting)| waiting.slots().any(&is_offered));
        lanes.map(|(lane, _)| lane)
    }

    /// The tasks that only one agent is to take: those that want it, and those that went back to it.
    pub fn waiting_for_agent(&self, agent: &AgentId) -> impl Iterator<Item = Slot> + use<'_> {
        self.lanes_of(agent).flat_map(Waiting::slots)
    }

    /// The agents for whom alone something waits.
    pub fn awaited_agents(&self) -> BTreeSet<&AgentId> {
        // Lanes that name an agent stand behind those that name none.
        self.lanes.keys().rev().map_while(|lane| lane.agent.as_ref()).collect()
    }

    fn lanes_of(&self, agent: &AgentId) -> impl Iterator<Item = &Waiting> + use<'_> {
        let from = Lane { agent: Some(agent.clone()), role: None, skill: None, team: None };
        let agent = agent.clone();
        let lanes = self.lanes.range(from..).take_while(move |(lane, _)| lane.agent.as_ref() == Some(&agent));
        lanes.map(|(_, waiting)| waiting)
    }

    /// What waits for an agent, lane by lane; those of one lane want the same.
    pub fn lanes(&self) -> impl Iterator<Item = impl Iterator<Item = Slot> + use<'_>> {
        self.lanes.values().map(Waiting::slots)
    }

    /// The tasks that wait for someone to take a stage, in order.
    pub fn waiting_for(&self, stage: Stage) -> impl Iterator<Item = Slot> + use<'_> {
        self.rest.stages.get(&stage).into_iter().flatten().map(|place| place.slot)
    }

    /// Tasks that failed for good or were cancelled.
    pub fn lost(&self) -> impl Iterator<Item = Slot> + use<'_> {
        self.rest.lost.iter().copied()
    }

    /// Tasks that wait for an agent while their plan waits to be judged.
    pub fn unjudged(&self) -> impl Iterator<Item = Slot> + use<'_> {
        self.rest.unjudged.iter().copied()
    }

    /// How many tasks an agent has completed.
    pub fn completed_by(&self, agent: &AgentId) -> u64 {
        self.rest.completed_by.get(agent).copied().unwrap_or(0)
    }

    /// How many tasks there are of each status.
    pub fn counts(&self) -> Counts {
        let of = |status: Status| self.rest.counts.get(status as usize).copied().unwrap_or(0);
        Counts {
            total: self.rest.counts.iter().sum(),
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

fn author(task: &Task) -> Option<&AgentId> {
    task.submission.as_ref().map(|submission| &submission.author)
}
