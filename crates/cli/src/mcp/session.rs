//! One session: an agent in the team, the claims that it made, and how it ends.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use agent_team::{AgentId, ClaimOptions, Error, Holder, MessageBus, RecordId, Role, Seat, SeatWish, Skill};
use agent_team::{TaskId, TaskQueue};
use rmcp::model::RequestId;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exit::Failure;
use crate::operation::{Actor, Held};
use crate::output;

/// Claims are renewed so many times in the time after which they would be over.
const RENEWALS: u32 = 3;
/// How long the end of a session waits for the end of what it began.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What the user wants of the session, by the command line.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Who takes part; the agent chooses its name if nothing is said.
    pub name: Option<AgentId>,
    /// As what.
    pub role: Option<Role>,
    /// What it can do that others cannot.
    pub skills: Vec<Skill>,
    /// How long a claim lasts if this process hangs.
    pub lease: Duration,
}

/// One agent's part in the team, from the beginning of a connection to its end.
pub struct Session {
    pub queue: TaskQueue,
    pub bus: MessageBus,
    /// Done when the session ends: whatever waits in it waits no more.
    pub over: CancellationToken,
    /// What goes on although the request that began it was answered.
    pub underway: TaskTracker,
    wishes: Wishes,
    held: Held,
    /// The claims that were made by a request, so that one which is cancelled leaves none behind.
    claimed_by: Mutex<Vec<(RequestId, RecordId)>>,
    seat: Mutex<Option<Arc<Seat>>>,
    name: OnceLock<(AgentId, Role)>,
}

impl Session {
    /// A session that joins at once if the user gave it a name.
    pub fn begin(queue: &TaskQueue, wishes: Wishes) -> Result<Arc<Self>, Failure> {
        // A queue of its own: what one session claims is not another's.
        let queue = TaskQueue::over(queue.team_log().clone());
        let session = Arc::new(Self {
            bus: MessageBus::over(queue.team_log().clone()),
            queue,
            over: CancellationToken::new(),
            underway: TaskTracker::new(),
            wishes,
            held: Held::default(),
            claimed_by: Mutex::default(),
            seat: Mutex::default(),
            name: OnceLock::new(),
        });
        if let Some(name) = session.wishes.name.clone() {
            session.join(name, None, Vec::new())?;
        }
        tokio::spawn(renew(Arc::downgrade(&session), session.wishes.lease / RENEWALS));
        Ok(session)
    }

    /// Joins the team under a name, which stays the session's.
    pub fn join(
        &self,
        name: AgentId,
        role: Option<Role>,
        skills: Vec<Skill>,
    ) -> Result<&(AgentId, Role), Failure> {
        let mut seat = self.seat.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.name.get() {
            return if known.0 == name && role.is_none_or(|role| role == known.1) {
                Ok(known)
            } else {
                Err(Failure::refused(format!(
                    "you are {}, a {}, as long as this session lasts",
                    known.0, known.1
                )))
            };
        }
        if let Some(given) = self.wishes.name.as_ref().filter(|given| **given != name) {
            return Err(Failure::refused(format!("the user calls you {given}: join as that")));
        }
        if let Some(given) = self.wishes.role.filter(|given| role.is_some_and(|role| role != *given)) {
            return Err(Failure::refused(format!(
                "the user made you a {given}: join as that, or without a role"
            )));
        }
        let wish = SeatWish {
            agent: name,
            is_users_name: self.wishes.name.is_some(),
            role: self.wishes.role.or(role),
            is_users_role: self.wishes.role.is_some(),
            skills: if skills.is_empty() { self.wishes.skills.clone() } else { skills },
        };
        let taken = Seat::take(&self.queue, &wish).map_err(|error| match error {
            // It is no mistake of the command line, but something that the agent may not.
            Error::Input(words) => Failure::refused(words),
            error => error.into(),
        })?;
        let known = (taken.agent().clone(), taken.role());
        *seat = Some(Arc::new(taken));
        Ok(self.name.get_or_init(|| known))
    }

    /// Who acts in this session.
    pub fn actor(&self) -> Actor<'_> {
        Actor::session(&self.queue, self.name.get().map(|(agent, _)| agent), &self.held)
    }

    /// The session's agent, once it has joined.
    pub fn agent(&self) -> Result<&AgentId, Failure> {
        self.actor().agent()
    }

    /// How the session claims: by its presence, and by a lease in case it hangs.
    pub fn claim_options(&self, task: Option<TaskId>) -> Result<ClaimOptions, Failure> {
        let lease_ms = u64::try_from(self.wishes.lease.as_millis()).unwrap_or(u64::MAX);
        let holder = Holder { lease_ms: Some(lease_ms), ..Holder::clone(&*self.queue.this_process()?) };
        Ok(ClaimOptions { task, holder: Some(holder.into()) })
    }

    /// Keeps a claim that a request has made.
    pub fn keep(&self, task: TaskId, claim: RecordId, request: RequestId) {
        self.held.insert(task, claim);
        let mut claimed = self.claimed_by();
        claimed.retain(|(_, claim)| self.held.is_unknown(*claim));
        claimed.push((request, claim));
    }

    /// Gives back what a request claimed that is wanted no more.
    pub fn undo(&self, request: &RequestId) {
        let claimed = self.claimed_by();
        let made = claimed.iter().find(|(by, _)| by == request).map(|(_, claim)| *claim);
        drop(claimed);
        // What the agent has done something by was not cancelled in time.
        if let Some(claim) = made.filter(|claim| self.held.is_unknown(*claim)) {
            self.give_back(claim, "the request was cancelled");
        }
    }

    fn give_back(&self, claim: RecordId, reason: &str) {
        self.held.remove(claim);
        let Ok(agent) = self.agent() else { return };
        // One that has ended needs no end.
        if let Err(error) = self.queue.release(claim, agent, reason)
            && error.refusal().is_none()
        {
            output::note(&format!("ERROR a claim was not given back: {error}"), false);
        }
    }

    /// Ends the session: what it holds is given back at once, and what it began is stopped.
    pub async fn end(&self) {
        self.end_now();
        self.underway.close();
        let _ = tokio::time::timeout(END_LIMIT, self.underway.wait()).await;
    }

    fn end_now(&self) {
        self.over.cancel();
        for (_, claim) in self.held.all() {
            self.give_back(claim, "the session ended");
        }
        self.seat.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn renew(&self) {
        let Ok(agent) = self.agent() else { return };
        for (task, claim) in self.held.all() {
            // Who lost a claim learns it by what it does next, and a late result is kept.
            if let Err(error) = self.queue.renew(claim, agent)
                && error.refusal().is_none()
            {
                output::note(&format!("ERROR the claim on {task} was not renewed: {error}"), false);
            }
        }
    }

    fn claimed_by(&self) -> std::sync::MutexGuard<'_, Vec<(RequestId, RecordId)>> {
        self.claimed_by.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end_now();
    }
}

/// Renews the claims of a session as long as there is one.
async fn renew(session: Weak<Session>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(session) = session.upgrade() else { return };
        if session.over.is_cancelled() {
            return;
        }
        let _ = tokio::task::spawn_blocking(move || session.renew()).await;
    }
}
