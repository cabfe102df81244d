//! One governor for all calls to models: whoever meets a limit tells the whole team, and everybody slows.
//!
//! A limit that a provider answers with (429, 529, 503, headers that say that nothing is left) becomes a record, so that
//! other processes and other agents wait for what one of them learned. In each process the calls to one model go through
//! a [`Lane`], which learns how many at once the provider takes. A limit is nobody's failed attempt: the call waits here,
//! holding no money, and is made again. It ends with the attempt's time, the run's, or a stop; by itself only when a
//! provider was overloaded, and answered nothing, for longer than anybody wants to wait.
//!
//! It knows nothing of providers and their protocols, decides nothing about tasks, and never looks at a text.

mod lane;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent_team_core::record::ModelLimited;
use agent_team_core::view::LimitView;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::lane::{Lane, Place};
use super::AgentError;
use crate::model::{Delta, Model, ModelError};
use crate::outside::now_ms;
use crate::team_log::TeamLog;
use crate::{AgentId, Error, format_duration};

/// What this process knows of the limits of its models, by their names.
#[derive(Default)]
pub(crate) struct Governor {
    gates: Mutex<BTreeMap<String, Arc<Gate>>>,
    /// Who waits here at the moment, each as often as it does.
    waiting: Mutex<Vec<AgentId>>,
    /// Rings when a limit may have begun, or be over.
    pub changed: Notify,
}

/// The limits of one model that this process met.
pub(crate) struct Met {
    pub model: String,
    /// How many there were, that in force included.
    pub times: u64,
    /// The one that is in force.
    pub in_force: Option<LimitView>,
}

/// Where the calls to one model pass.
#[derive(Default)]
struct Gate {
    lane: Mutex<Lane>,
    /// Rings when somebody who waits may look again.
    bell: Notify,
}

impl Gate {
    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Governor {
    fn gate(&self, model: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(model.to_owned()).or_default().clone()
    }

    /// Whether an agent of this process waits for a model that is limited, or for room in a budget. It gets nowhere, but not
    /// by its own fault.
    pub fn holds_up(&self, agent: &AgentId) -> bool {
        self.waiting().contains(agent)
    }

    /// Whether anybody of this process waits so.
    pub fn holds_up_anybody(&self) -> bool {
        !self.waiting().is_empty()
    }

    /// The models that this process knows to be limited at the moment, by name, each with the time of the next try.
    pub fn limits(&self) -> Vec<LimitView> {
        self.met().into_iter().filter_map(|met| met.in_force).collect()
    }

    /// All models, by name, with the limits that they had.
    pub fn met(&self) -> Vec<Met> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = now_ms();
        let met = gates.iter().map(|(model, gate)| {
            let lane = gate.lane();
            let view = |(until_ms, reason): (u64, &str)| LimitView {
                model: model.clone(),
                until_ms,
                reason: reason.to_owned(),
            };
            Met { model: model.clone(), times: lane.met(), in_force: lane.limit(now_ms).map(view) }
        });
        met.collect()
    }

    /// Lets calls to a model try again, since somebody lifted its limit.
    pub fn lift(&self, model: &str) {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(model) {
            gate.lane().lift(now_ms());
            gate.bell.notify_waiters();
            self.changed.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<AgentId>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that an agent waits, as long as this lives.
pub(super) struct Waiting<'a>(&'a Governor, &'a AgentId);

impl<'a> Waiting<'a> {
    pub fn begin(governor: &'a Governor, agent: &'a AgentId) -> Self {
        governor.waiting().push(agent.clone());
        Self(governor, agent)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        if let Some(place) = waiting.iter().position(|agent| agent == self.1) {
            waiting.swap_remove(place);
        }
    }
}

/// Waits until an agent may call a model. The stream is told when that takes a while, and when it is over.
///
/// # Errors
/// [`AgentError::Stopped`] if it is told to stop while it waits, [`AgentError::Failed`] if the model is given up
/// meanwhile; otherwise what is broken.
pub(super) async fn admitted<'a>(
    team_log: &'a TeamLog,
    agent: &'a AgentId,
    model: &'a dyn Model,
    stop: &CancellationToken,
    stream: &mut (dyn FnMut(Delta) + Send),
) -> Result<Permit<'a>, AgentError> {
    let gate = team_log.governor().gate(model.name());
    let mut said = None;
    let mut waiting = None;
    let given_up = gate.lane().given_up().0;
    loop {
        // It hears the bell from here on, so that nothing between the look and the waiting is missed.
        let bell = gate.bell.notified();
        tokio::pin!(bell);
        bell.as_mut().enable();
        if let (times, why) = gate.lane().given_up()
            && times != given_up
        {
            return Err(AgentError::Failed(why.to_owned()));
        }
        let place = place(team_log, agent, model, &gate)?;
        if let Place::Now(epoch) = place {
            if said.is_some() {
                stream(Delta::Begins);
            }
            let (was_let_in, was_answered) = (AtomicBool::new(false), AtomicBool::new(false));
            return Ok(Permit {
                gate: gate.clone(),
                model,
                team_log,
                agent,
                epoch,
                was_let_in,
                was_answered,
            });
        }
        let left_ms = match &place {
            Place::At { at_ms, .. } => Some(at_ms.saturating_sub(now_ms())),
            Place::Now(_) | Place::Behind => None,
        };
        if said.as_ref() != Some(&place) {
            stream(Delta::Waits { reason: why(model.name(), &place, left_ms) });
            said = Some(place);
        }
        waiting.get_or_insert_with(|| Waiting::begin(team_log.governor(), agent));
        let its_time = async {
            match left_ms {
                Some(left_ms) => tokio::time::sleep(Duration::from_millis(left_ms)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = its_time => {}
            () = bell => {}
            () = stop.cancelled() => return Err(AgentError::Stopped),
        }
    }
}

/// The place that an agent has now. Only who could go looks at the log: those who wait are woken often.
fn place(team_log: &TeamLog, agent: &AgentId, model: &dyn Model, gate: &Gate) -> Result<Place, Error> {
    let fraction = |epoch: u64| fraction(agent, epoch);
    let place = gate.lane().place(now_ms(), fraction);
    if !matches!(place, Place::Now(_)) {
        return Ok(place);
    }
    let known = team_log.look(|state| state.limit(model.name()).cloned())?;
    let mut lane = gate.lane();
    if let Some(limit) = known {
        let met = lane.met();
        lane.hear(now_ms(), limit.until_ms, &limit.reason, &model.patience());
        if lane.met() != met {
            team_log.governor().changed.notify_one();
        }
    }
    Ok(lane.enter(now_ms(), fraction))
}

/// Why an agent waits, for those who watch.
fn why(model: &str, place: &Place, left_ms: Option<u64>) -> String {
    match place {
        Place::At { reason, .. } => {
            // To the second, as people read it.
            let left = Duration::from_secs(left_ms.unwrap_or_default().div_ceil(1_000));
            format!("no calls to {model} for {}: {reason}", format_duration(left))
        }
        Place::Now(_) | Place::Behind => {
            format!("{model} is limited, and as many calls as it takes are under way")
        }
    }
}

/// Leave to make one call. Whoever drops it lets somebody else in.
pub(super) struct Permit<'a> {
    gate: Arc<Gate>,
    model: &'a dyn Model,
    team_log: &'a TeamLog,
    agent: &'a AgentId,
    epoch: u64,
    was_let_in: AtomicBool,
    was_answered: AtomicBool,
}

impl Permit<'_> {
    /// The provider did not refuse the call for a limit, whatever else came of it.
    pub fn is_let_in(&self) {
        if !self.was_let_in.swap(true, Ordering::Relaxed) {
            let is_over = self.gate.lane().is_answered(now_ms(), self.epoch);
            self.gate.bell.notify_waiters();
            if is_over {
                self.team_log.governor().changed.notify_one();
            }
        }
    }

    /// The provider has begun to answer.
    pub fn is_answered(&self) {
        if !self.was_answered.swap(true, Ordering::Relaxed) {
            self.gate.lane().has_answered();
            self.is_let_in();
        }
    }

    /// The provider refused the call, since a limit is met: tells the team.
    ///
    /// # Errors
    /// [`AgentError::Failed`] when the provider was overloaded for too long; otherwise when the log cannot be written.
    pub fn is_refused(&self, error: &ModelError) -> Result<(), AgentError> {
        let patience = self.model.patience();
        let (told, reason, given_up) = {
            let mut lane = self.gate.lane();
            let told = lane.is_refused(now_ms(), self.epoch, error, &patience);
            (told, lane.reason().to_owned(), lane.is_given_up(now_ms(), error, &patience))
        };
        self.team_log.governor().changed.notify_one();
        self.tell(told, reason)?;
        match given_up {
            Some(why) => {
                self.gate.bell.notify_waiters();
                Err(AgentError::Failed(why))
            }
            None => Ok(()),
        }
    }

    /// The provider answers, and says that nothing is left for further calls: tells the team.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn has_used_up(&self, wait_ms: u64, reason: &str) -> Result<(), Error> {
        let (told, reason) = {
            let mut lane = self.gate.lane();
            (lane.close(now_ms(), wait_ms, reason), lane.reason().to_owned())
        };
        self.team_log.governor().changed.notify_one();
        self.tell(told, reason)
    }

    fn tell(&self, until_ms: Option<u64>, reason: String) -> Result<(), Error> {
        let Some(until_ms) = until_ms else { return Ok(()) };
        let body = ModelLimited { model: self.model.name().to_owned(), until_ms, reason, lifted: false };
        self.team_log.submit(self.agent, &body.into()).map(|_| ())
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.gate.lane().leave();
        self.gate.bell.notify_waiters();
    }
}

/// Where between 0 and 1 an agent stands in a crowd that was told the same moment: another place after each limit.
fn fraction(agent: &AgentId, epoch: u64) -> f64 {
    let mut hasher = DefaultHasher::new();
    (std::process::id(), agent.as_str(), epoch).hash(&mut hasher);
    f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
