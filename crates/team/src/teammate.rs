//! One agent at work: claims what fits it, does it, delivers it, and begins anew.

mod attempt;
mod keep;
mod next;
mod outcome;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use agent_team_core::record::{AgentLeft, Stage};
use tokio_util::sync::CancellationToken;

use self::outcome::Outcome;
use crate::agent::Agent;
use crate::command::Environment;
use crate::desk::Desk;
use crate::progress::{Progress, Reporter};
use crate::purse::Purses;
use crate::team_log::{blocking, refusal};
use crate::telling::Telling;
use crate::unfinished::Unfinished;
use crate::{AgentId, Error, Holder, MessageBus, RecordId, Role, TaskQueue};

/// Reviews in a row that may break down before a reviewer is taken for useless: it would come back to them for ever.
const BREAKDOWNS_MAX: u32 = 3;
/// How long a turn under way may take once time at work is used up: a call to a model is paid for whether or not its answer is
/// waited for. What still runs then is ended, commands with all that they started.
const LAST_TURN: Duration = Duration::from_secs(20);
/// The pause after a review that broke down.
const BREAKDOWN_PAUSE: Duration = Duration::from_secs(1);

/// An agent with its name, its role and its place in a team.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use agent_team::{MessageBus, Role, TaskQueue, Teammate, agent::llm_fn};
///
/// let queue = TaskQueue::in_memory()?;
/// let bus = MessageBus::over(queue.team_log().clone());
/// queue.add_task("Say hello")?;
/// let echo = llm_fn(async |prompt: String| Ok::<_, std::convert::Infallible>(prompt));
/// let worker = Teammate::new("worker-1".parse()?, Role::Worker, queue.clone(), bus, echo);
/// assert_eq!(worker.run_loop(None).await?, 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Teammate {
    pub(crate) id: AgentId,
    pub(crate) role: Role,
    pub(crate) queue: TaskQueue,
    pub(crate) bus: MessageBus,
    pub(crate) agent: Arc<dyn Agent>,
    /// Cancelled when it should finish its turn and take nothing new.
    pub(crate) stop: CancellationToken,
    /// Cancelled when it should drop everything.
    pub(crate) abort: CancellationToken,
    /// Cancelled when nobody waits for it any more, not even for its work to be kept.
    pub(crate) at_once: CancellationToken,
    pub(crate) desk: Option<Desk>,
    pub(crate) environment: Environment,
    pub(crate) reporter: Reporter,
    /// How its claims are held; by this process if nothing is said.
    pub(crate) holder: Option<Arc<Holder>>,
    /// The stages that it takes, the first that has something for it first.
    pub(crate) stages: Vec<Stage>,
    /// Whether it stays when no work is in sight, since somebody else watches for the end.
    pub(crate) stays: bool,
    /// What the agents of its run have used up, if a run has it at work.
    pub(crate) purses: Option<Arc<Purses>>,
    /// What the agents of its run leave unfinished, if a run has it at work.
    pub(crate) unfinished: Option<Arc<Unfinished>>,
    /// Why it can do no more, once that is so.
    unable: OnceLock<String>,
    /// In which order things are told.
    pub(crate) telling: Arc<Telling>,
    /// How long a turn under way may take once time at work is used up.
    pub(crate) last_turn: Duration,
    /// How often it tried in vain to do something for others.
    pub(crate) tries: Arc<Mutex<BTreeMap<RecordId, u32>>>,
}

impl Teammate {
    /// A teammate that works by itself.
    pub fn new(id: AgentId, role: Role, queue: TaskQueue, bus: MessageBus, agent: Arc<dyn Agent>) -> Self {
        let stages = match role {
            Role::Reviewer | Role::Lead => vec![Stage::Review, Stage::Work],
            Role::Worker | Role::Specialist => vec![Stage::Work],
        };
        Self {
            id,
            role,
            queue,
            bus,
            agent,
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            at_once: CancellationToken::new(),
            desk: None,
            environment: Environment::of_this_process(),
            reporter: Reporter::default(),
            holder: None,
            stages,
            stays: false,
            purses: None,
            unfinished: None,
            unable: OnceLock::new(),
            telling: Arc::default(),
            last_turn: LAST_TURN,
            tries: Arc::default(),
        }
    }

    /// Claims and does one assignment after the other, at most `max_iterations`. Ends when no work will come, or
    /// when it is told to [`stop`](Teammate::stop). Returns how many it did.
    ///
    /// # Errors
    /// When the team's log cannot be read or written. A failed attempt is no error: the log has it.
    pub async fn run_loop(&self, max_iterations: Option<u64>) -> Result<u64, Error> {
        let (mut done, mut breakdowns) = (0, 0);
        while max_iterations.is_none_or(|most| done < most) {
            let Some(claimed) = self.next().await? else { break };
            let outcome = self.execute(claimed).await?;
            done += 1;
            breakdowns = if outcome == Outcome::BrokenDown { breakdowns + 1 } else { 0 };
            if outcome == Outcome::Unable || breakdowns == BREAKDOWNS_MAX {
                self.leave().await?;
                break;
            }
            if outcome == Outcome::BrokenDown {
                let _ = tokio::time::timeout(BREAKDOWN_PAUSE, self.stop.cancelled()).await;
            }
        }
        Ok(done)
    }

    /// Leaves the team, so that nobody waits for it.
    async fn leave(&self) -> Result<(), Error> {
        self.reporter.report(Progress::Note(format!("ERROR {} can do no more and leaves the team", self.id)));
        let reason = self.unable.get().cloned().unwrap_or_else(|| "it broke down again and again".to_owned());
        let (team_log, agent) = (self.queue.team_log().clone(), self.id.clone());
        let left = blocking(move || {
            let known = team_log.look(|state| state.agent(&agent).is_some())?;
            let submit = || team_log.submit(&agent, &AgentLeft { agent: agent.clone(), reason }.into());
            refusal(if known { submit().map(|_| ()) } else { Ok(()) })
        });
        // One who has left already need not leave.
        left.await.map(|_| ())
    }

    /// Has [`run_loop`](Self::run_loop) end at once: what is under way is dropped, and the task given back.
    pub fn stop_at_once(&self) {
        self.stop.cancel();
        self.abort.cancel();
    }

    /// Tells it to finish its turn, give back what it holds, and take nothing new.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}
