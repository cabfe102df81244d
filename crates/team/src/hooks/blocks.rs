//! Which tasks a hook kept which agents of this process from, and until when none of them asks again.
//!
//! A hook may say yes a moment later (one that lets only two tasks be done at a time), so it is asked again, after a
//! wait that doubles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{AgentId, TaskId};

/// The wait after the first no, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// What an agent was kept from.
#[derive(Debug)]
pub(super) struct Blocks {
    known: Mutex<BTreeMap<(AgentId, TaskId), Block>>,
    first_wait: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    times: u32,
    until: Instant,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { known: Mutex::default(), first_wait: WAITS.0 }
    }
}

impl Blocks {
    #[cfg(test)]
    pub fn waiting(first_wait: Duration) -> Self {
        Self { first_wait, ..Self::default() }
    }

    /// Keeps the agent from the task for a while; says how often that was.
    pub fn block(&self, agent: &AgentId, task: &TaskId) -> u32 {
        let mut known = self.lock();
        let key = (agent.clone(), task.clone());
        let times = known.get(&key).map_or(0, |block| block.times).saturating_add(1);
        let wait = self.first_wait.saturating_mul(1 << (times - 1).min(10)).min(WAITS.1);
        known.insert(key, Block { times, until: Instant::now() + wait });
        times
    }

    /// Forgets those of which this is true.
    pub fn forget(&self, is_over: impl Fn(&AgentId, &TaskId) -> bool) {
        self.lock().retain(|(agent, task), _| !is_over(agent, task));
    }

    /// The tasks that the agent is kept from now, and until when.
    pub fn barred(&self, agent: &AgentId) -> BTreeMap<TaskId, Instant> {
        let now = Instant::now();
        let known = self.lock();
        let barred = known.iter().filter(|((who, _), block)| who == agent && block.until > now);
        barred.map(|((_, task), block)| (task.clone(), block.until)).collect()
    }

    /// The tasks that somebody was kept from.
    pub fn tasks(&self) -> BTreeSet<TaskId> {
        self.lock().keys().map(|(_, task)| task.clone()).collect()
    }

    /// The tasks that the agent was kept from so often, or more.
    pub fn barred_often(&self, agent: &AgentId, times: u32) -> BTreeSet<TaskId> {
        let known = self.lock();
        let often = known.iter().filter(|((who, _), block)| who == agent && block.times >= times);
        often.map(|((_, task), _)| task.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(AgentId, TaskId), Block>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
