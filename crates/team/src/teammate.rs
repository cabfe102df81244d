//! One agent at work: claims what fits it, does it, delivers it, and begins anew.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team_core::machine::{Command, State};
use agent_team_core::record::{AgentLeft, ReviewGiven, Stage};
use futures::future::{Either, TryFutureExt};
use tokio_util::sync::CancellationToken;

use crate::agent::{Activity, Agent, AgentError, Answer, Assignment, Context, prompt};
use crate::command::Environment;
use crate::desk::{Delivery, Desk};
use crate::hooks::{self, Again, Hook};
use crate::progress::{Progress, Reporter};
use crate::purse::{KeptWork, Purses, UsedUp};
use crate::task_queue::prospect;
use crate::team_log::{blocking, refusal};
use crate::waiting::{Prospect, Ticket};
use crate::work_time::WorkTime;
use crate::{
    Account, AgentId, Amount, ClaimOptions, Claimed, Error, FeedbackCause, Holder, MessageBus, NewMessage,
    Recipient, RecordId, Refusal, Role, TaskId, TaskQueue, liveness,
};

/// Reviews in a row that may break down before a reviewer is taken for useless: it would come back to them for ever.
const BREAKDOWNS_MAX: u32 = 3;
/// Plans for one attempt that may be rejected before it fails.
const PLANS_MAX: usize = 5;
/// How long a turn under way may take once time at work is used up.
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
            desk: None,
            environment: Environment::of_this_process(),
            reporter: Reporter::default(),
            holder: None,
            stages,
            stays: false,
            purses: None,
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
        let (team_log, agent) = (self.queue.team_log().clone(), self.id.clone());
        let left = blocking(move || {
            let known = team_log.look(|state| state.agent(&agent).is_some())?;
            let submit = || team_log.submit(&agent, &AgentLeft { agent: agent.clone() }.into());
            refusal(if known { submit().map(|_| ()) } else { Ok(()) })
        });
        // One who has left already need not leave.
        left.await.map(|_| ())
    }

    /// Tells it to finish its turn, give back what it holds, and take nothing new.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// The next assignment; `None` when none will come or it was told to stop.
    async fn next(&self) -> Result<Option<Claimed>, Error> {
        let mut called: Option<Ticket> = None;
        let mut is_idle = false;
        loop {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            if let Some(used_up) = self.lacks() {
                self.wait_for_more(used_up).await?;
                continue;
            }
            let mut again = Again::after(self.queue.team_log())?;
            if !self.stays {
                liveness::Observer::new(self.queue.team_log()).expire_dead()?;
            }
            if let Some(duty) = self.duty() {
                self.serve(duty).await?;
                continue;
            }
            let mut in_sight = false;
            for stage in &self.stages {
                match self.claim(*stage, &mut again).await? {
                    Ok(claimed) => return Ok(Some(claimed)),
                    Err(Refusal::NothingEver { .. }) => {}
                    // Whatever is in the way may pass.
                    Err(_) => in_sight = true,
                }
            }
            if !(in_sight || self.stays) {
                return Ok(None);
            }
            if self.queue.is_kept_from_all(&self.id)? {
                let note =
                    format!("ERROR the hook {} keeps {} from all that is left", Hook::TaskClaimed, self.id);
                self.reporter.report(Progress::Note(note));
                self.leave().await?;
                return Ok(None);
            }
            let work = match self.queue.team_log().hooks(Hook::TaskClaimed) {
                None => Either::Left(self.work().map_ok(Some)),
                // What the hook will say is not foreseen: whatever happens, it is asked again.
                Some(_) => Either::Right(again.news(self.queue.team_log().clone()).map_ok(|()| None)),
            };
            // Only now, so that nobody else is called for what this one could not take.
            drop(called.take());
            if !std::mem::replace(&mut is_idle, true) {
                self.queue.tell_idle(&self.id).await?;
            }
            let look_out = async {
                match self.stays {
                    true => std::future::pending().await,
                    false => liveness::look_out(self.queue.team_log(), |_| ()).await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return Ok(None),
                waited = work => called = waited?,
                waited = self.duty_comes() => waited?,
                looked = look_out => match looked? {},
            }
        }
    }

    /// What keeps this agent from taking anything, where a run has it at work and so watches for the end.
    fn lacks(&self) -> Option<UsedUp> {
        let purses = self.purses.as_ref()?;
        let (known, elapsed) = (purses.lacks(&self.id), purses.elapsed());
        let pays = self.agent.is_metered();
        // What is not known here yet, the claim or the call will say.
        let lacks = self.queue.team_log().look_at_known(|state| match known {
            Some(known) if !known.is_over(state, elapsed) => Some(known),
            _ => UsedUp::look(state, &self.id, pays, elapsed),
        });
        if lacks.is_none() {
            purses.note_filled(&self.id);
        }
        lacks
    }

    /// Waits until there is more of what is used up.
    async fn wait_for_more(&self, used_up: UsedUp) -> Result<(), Error> {
        let Some(purses) = self.purses.clone() else { return Ok(()) };
        purses.note_empty(used_up.clone(), &self.reporter);
        let words = format!("waits: {}", used_up.refusal());
        self.reporter.report(Progress::Activity { agent: self.id.clone(), what: words });
        let (is_own, id) = (matches!(used_up.account, Account::Agent(_)), self.id.clone());
        if is_own {
            self.leave_to_others().await?;
        }
        let more = self.queue.team_log().until(move |state| {
            used_up.is_over(state, purses.elapsed()) || (is_own && !purses.for_others(state, &id).is_empty())
        });
        tokio::select! {
            () = self.stop.cancelled() => Ok(()),
            waited = more => waited,
        }
    }

    /// Waits until there may be something to take.
    fn work(&self) -> impl Future<Output = Result<Ticket, Error>> + Send + use<> {
        if self.role != Role::Lead {
            return Either::Left(self.queue.work_for(&self.id, self.stages.clone(), self.stays));
        }
        let (agent, stages, stays) = (self.id.clone(), self.stages.clone(), self.stays);
        Either::Right(self.queue.team_log().work(move |state, now_ms| {
            let looks = stages.iter().map(|stage| {
                let task = without_reviewer(state, &agent).filter(|_| *stage == Stage::Review);
                if *stage == Stage::Review && task.is_none() {
                    return Prospect::Never;
                }
                let (agent, holder) = (agent.clone(), Arc::default());
                prospect(state, &Command::Claim { agent, task, stage: *stage, holder }, now_ms)
            });
            looks.min().filter(|best| !(stays && *best == Prospect::Never)).unwrap_or(Prospect::Later)
        }))
    }

    async fn claim(&self, stage: Stage, again: &mut Again) -> Result<Result<Claimed, Refusal>, Error> {
        let mut options = ClaimOptions { task: None, holder: self.holder.clone() };
        if stage == Stage::Work {
            let offer = self.queue.claim_aside(&self.id, &options).await?;
            for (blocked, _) in offer.blocked.iter().filter(|(_, times)| *times == 1) {
                let to = Recipient::Agent(self.id.clone());
                let message = NewMessage::new(&AgentId::human(), to, blocked.to_string());
                self.bus.post(NewMessage { task: blocked.task.clone(), ..message })?;
            }
            again.until = offer.until;
            if let Err(Refusal::NothingNow { at_ms, .. }) = &offer.outcome {
                again.at_ms = *at_ms;
            }
            return Ok(offer.outcome);
        }
        if self.role == Role::Lead && stage == Stage::Review {
            options.task = self.queue.team_log().look(|state| without_reviewer(state, &self.id))?;
            if options.task.is_none() {
                let agent = self.id.clone();
                return Ok(Err(Refusal::NothingEver { agent, reason: "reviewers review".into() }));
            }
        }
        refusal(self.queue.claim_stage(&self.id, stage, &options))
    }

    /// Does one assignment and delivers what came out.
    pub(crate) async fn execute(&self, claimed: Claimed) -> Result<Outcome, Error> {
        let token = claimed.token;
        let Ok(assignment) = refusal(Assignment::of(self.queue.team_log(), token))? else {
            return Ok(Outcome::Lost);
        };
        self.reporter.report(Progress::Began {
            agent: self.id.clone(),
            task: assignment.id.clone(),
            stage: assignment.stage,
            attempt: assignment.attempt,
        });
        let limit = claimed.task.time_limit_ms.map(Duration::from_millis);
        let attempt = self.attempt(assignment, claimed, limit).await?;
        let lost = attempt == Outcome::Lost;
        self.reporter.report(Progress::Idle { agent: self.id.clone() });
        if lost {
            self.reporter.report(Progress::Note(format!("{} lost its claim", self.id)));
        }
        Ok(attempt)
    }

    async fn attempt(
        &self,
        mut assignment: Assignment,
        claimed: Claimed,
        limit: Option<Duration>,
    ) -> Result<Outcome, Error> {
        let stop = self.stop.child_token();
        let context = match self.context(&mut assignment, &claimed, stop.clone()).await {
            Ok(context) => context,
            Err(error) => {
                let reason = format!("its workspace cannot be made: {error}");
                return self.fail(&claimed, reason, false).await;
            }
        };
        let stage = assignment.stage;
        let (team_log, task) = (self.queue.team_log(), &claimed.task.id);
        let mut time = WorkTime::begin(team_log, &self.id, task, self.purses.clone());
        let mut work = Box::pin(async {
            if assignment.lacks_plan && !self.agent.plans() {
                self.have_plan_approved(&mut assignment, &context).await?;
            }
            self.agent.execute_task(&assignment, &context).await.map(|answer| (answer, assignment))
        });
        let out_of_time = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        // When time at work is used up, the turn under way is finished, and what it delivers counts.
        let budgeted = async {
            let used_up = time.until_used_up().await?;
            stop.cancel();
            tokio::time::sleep(LAST_TURN).await;
            Ok::<AgentError, Error>(used_up)
        };
        let ended = tokio::select! {
            answer = &mut work => Some(answer),
            () = self.abort.cancelled() => Some(Err(AgentError::Stopped)),
            () = liveness::claim_lost(team_log, claimed.token) => None,
            () = out_of_time => {
                let limit = limit.unwrap_or_default();
                Some(Err(AgentError::Failed(format!("it took longer than its time limit of {limit:?}"))))
            }
            used_up = budgeted => Some(Err(used_up?)),
        };
        // What it still runs ends here, so that nothing changes any more in its folder.
        drop(work);
        let used_up = time.used_up();
        time.end().await?;
        let Some(answer) = ended else { return Ok(Outcome::Lost) };
        let answer = match (answer, used_up) {
            (Err(AgentError::Stopped), Some(used_up)) => Err(used_up),
            (answer, _) => answer,
        };
        match answer {
            Ok((answer, assignment)) if stage == Stage::Review => {
                self.judge(&claimed, &assignment, answer).await
            }
            Ok((answer, assignment)) => self.deliver(&claimed, &assignment, answer).await,
            Err(AgentError::Failed(reason)) => self.fail(&claimed, reason, false).await,
            Err(AgentError::GaveUp(reason) | AgentError::TooLong(reason)) => {
                self.fail(&claimed, reason, true).await
            }
            Err(AgentError::Stopped) => self.give_back(&claimed, "stopped").await,
            Err(AgentError::Waits) => self.hand_out(&claimed).await,
            // What else is to be done has a budget of its own.
            Err(AgentError::OverBudget {
                refusal: refused @ Refusal::OverBudget { account: Account::Task(_), .. },
                ..
            }) => {
                let kept = self.keep_work(&claimed).await?;
                self.fail(&claimed, format!("{refused}{kept}"), true).await
            }
            Err(AgentError::OverBudget { refusal, upper }) => {
                self.over_budget(&claimed, refusal, upper).await
            }
            Err(AgentError::Unable(reason)) => self.unable(&claimed, reason).await,
            Err(AgentError::Broken(Error::Refused(_))) => Ok(Outcome::Lost),
            Err(AgentError::Broken(error)) => Err(error),
        }
    }

    /// Asks an agent that has no tools to submit a plan how it means to do the task, until somebody approves of it.
    async fn have_plan_approved(
        &self,
        assignment: &mut Assignment,
        context: &Context,
    ) -> Result<(), AgentError> {
        let mut rejected = Vec::new();
        while rejected.len() < PLANS_MAX {
            let asked = prompt::plan_wanted(assignment, &rejected);
            context.activity.is("makes a plan");
            let plan =
                self.agent.answer(&Assignment::question(assignment.id.clone(), asked), context).await?;
            let judged = context.have_judged(plan.clone()).await?;
            if judged.approved {
                assignment.plan = Some(plan);
                assignment.lacks_plan = false;
                return Ok(());
            }
            rejected.push((plan, judged));
        }
        Err(AgentError::Failed(format!("{PLANS_MAX} of its plans were rejected")))
    }

    async fn context(
        &self,
        assignment: &mut Assignment,
        claimed: &Claimed,
        stop: CancellationToken,
    ) -> Result<Context, Error> {
        let mut environment = self.environment.clone();
        let mut workspace = None;
        if let Some(desk) = self.desk.clone().filter(|_| self.agent.needs_workspace()) {
            let (agent, given) = (self.id.clone(), assignment.clone());
            let place = blocking(move || desk.place(&agent, &given)).await?;
            for (name, value) in place.environment {
                environment = environment.with(name, value);
            }
            workspace = Some(place.folder);
            assignment.note = place.note;
            if !place.goes_on {
                // The words of an attempt whose files are not here would only mislead.
                assignment.resumes = None;
            }
        }
        if let (Some(desk), Some(delivered)) = (self.desk.clone(), assignment.delivered.as_mut())
            && let Some((commit, base)) = delivered.commit.clone()
        {
            delivered.diff = Some(blocking(move || desk.diff(&base, &commit)).await?);
        }
        let folder = self.queue.team_log().folder();
        let root = assignment.resumes.unwrap_or(claimed.token);
        let (reporter, agent) = (self.reporter.clone(), self.id.clone());
        let activity = move |what| reporter.report(Progress::Activity { agent: agent.clone(), what });
        let reporter = self.reporter.clone();
        let notes = move |text| reporter.report(Progress::Note(text));
        Ok(Context {
            agent: self.id.clone(),
            role: self.role,
            token: claimed.token,
            queue: self.queue.clone(),
            bus: self.bus.clone(),
            workspace,
            attempt_folder: folder.map(|folder| folder.attempt(root)),
            environment,
            stop,
            activity: Activity::told_to(activity).notes_to(notes),
        })
    }

    /// Delivers work: captured as a commit where there is a workspace.
    async fn deliver(
        &self,
        claimed: &Claimed,
        assignment: &Assignment,
        answer: Answer,
    ) -> Result<Outcome, Error> {
        let mut commit = None;
        let mut protected = Vec::new();
        if let Some(desk) = self.desk.clone().filter(|_| self.agent.needs_workspace()) {
            let (agent, token) = (self.id.clone(), claimed.token.to_string());
            let (given, text) = (assignment.clone(), answer.text.clone());
            let captured = match blocking(move || desk.capture(&agent, &token, &given, &text)).await {
                // Whatever the agent made of its folder, it is this attempt that fails, and not the run.
                Err(Error::Git(error)) => {
                    return self.fail(claimed, format!("its work cannot be captured: {error}"), false).await;
                }
                captured => captured?,
            };
            match captured {
                Delivery::Nothing => {}
                Delivery::Commit(work, touched) => (commit, protected) = (Some(work), touched),
                Delivery::Refused(reason) => return self.fail(claimed, reason, false).await,
            }
        }
        let (queue, token, agent) = (self.queue.clone(), claimed.token, self.id.clone());
        let text = answer.text;
        let complete = move || queue.complete(token, &agent, text, commit, protected);
        let completed = match self.queue.team_log().hooks(Hook::TaskCompleted) {
            None => self.queue.team_log().write_soon(complete).await,
            Some(_) => blocking(complete).await,
        };
        if let Err(Error::Blocked(blocked)) = completed {
            return self.fail(claimed, blocked.to_string(), false).await;
        }
        let completed = refusal(completed)?;
        if let Err(Refusal::PartsOpen { .. }) = &completed {
            return self.hand_out(claimed).await;
        }
        // Another plan may have taken the place of the approved one meanwhile.
        if let Err(refused @ Refusal::PlanNotApproved { .. }) = &completed {
            return self.fail(claimed, refused.to_string(), false).await;
        }
        self.outcome(
            claimed,
            completed,
            Progress::Delivered { agent: self.id.clone(), task: assignment.id.clone() },
        )
    }

    async fn judge(
        &self,
        claimed: &Claimed,
        assignment: &Assignment,
        answer: Answer,
    ) -> Result<Outcome, Error> {
        let Some(delivered) = &assignment.delivered else { return Ok(Outcome::Lost) };
        let team_log = self.queue.team_log().clone();
        let (by, claim, submission) = (self.id.clone(), claimed.token, delivered.submission);
        let (approved, task) = (answer.approved.unwrap_or(false), assignment.id.clone());
        let given = blocking(move || {
            let body =
                ReviewGiven { claim, submission, approved, feedback: team_log.text(answer.text.clone())? };
            let given = team_log.submit(&by, &body.into())?;
            if !approved {
                hooks::attempt_failed(&team_log, &by, &task, FeedbackCause::Review, &answer.text)?;
            }
            Ok(given)
        })
        .await;
        self.outcome(
            claimed,
            refusal(given)?.map(|_| ()),
            Progress::Reviewed { agent: self.id.clone(), task: assignment.id.clone(), approved },
        )
    }

    async fn fail(&self, claimed: &Claimed, reason: String, for_good: bool) -> Result<Outcome, Error> {
        let (queue, token, agent) = (self.queue.clone(), claimed.token, self.id.clone());
        let progress = Progress::Failed {
            agent: self.id.clone(),
            task: claimed.task.id.clone(),
            reason: reason.clone(),
        };
        if claimed.task.stage == Some(Stage::Review) {
            // A reviewer that breaks down says nothing about the work.
            let released = blocking(move || queue.release(token, &agent, &reason)).await;
            let outcome = self.outcome(claimed, refusal(released)?, progress)?;
            return Ok(if outcome == Outcome::Written { Outcome::BrokenDown } else { outcome });
        }
        let failed = blocking(move || queue.fail(token, &agent, reason, for_good)).await;
        self.outcome(claimed, refusal(failed)?, progress)
    }

    async fn give_back(&self, claimed: &Claimed, reason: &str) -> Result<Outcome, Error> {
        let (queue, token, agent) = (self.queue.clone(), claimed.token, self.id.clone());
        let reason = reason.to_owned();
        let released = blocking(move || queue.release(token, &agent, &reason)).await;
        Ok(refusal(released)?.map_or(Outcome::Lost, |()| Outcome::GivenBack))
    }

    /// A budget is used up: the work so far is kept, the task goes back, and the agent waits for more.
    async fn over_budget(
        &self,
        claimed: &Claimed,
        refused: Refusal,
        upper: Amount,
    ) -> Result<Outcome, Error> {
        let used_up = UsedUp::of(&self.id, &refused, upper);
        let (Some(purses), Some(used_up)) = (&self.purses, used_up) else {
            return self.unable(claimed, refused.to_string()).await;
        };
        let kept = self.keep_work(claimed).await?;
        purses.note_empty(used_up, &self.reporter);
        let reason = format!("{refused}{kept}");
        let outcome = self.give_back(claimed, &reason).await?;
        if outcome == Outcome::GivenBack {
            let (agent, task) = (&self.id, &claimed.task.id);
            self.reporter.report(Progress::Note(format!("{agent} hands back {task}: {reason}")));
        }
        Ok(outcome)
    }

    /// Only its own budget is used up: what others may do need not wait for it.
    async fn leave_to_others(&self) -> Result<(), Error> {
        let Some(purses) = self.purses.clone() else { return Ok(()) };
        let tasks = self.queue.team_log().look(|state| purses.for_others(state, &self.id))?;
        for task in tasks {
            let (queue, agent) = (self.queue.clone(), self.id.clone());
            let handed = blocking(move || queue.reassign(&agent, &task, None)).await;
            // Whatever became of the task meanwhile, it does not wait for this agent any more.
            let _ = refusal(handed)?;
        }
        Ok(())
    }

    /// Keeps what lies in the workspace under a ref, and says in words where.
    async fn keep_work(&self, claimed: &Claimed) -> Result<String, Error> {
        let is_work = claimed.task.stage != Some(Stage::Review);
        let Some(desk) = self.desk.clone().filter(|_| is_work && self.agent.needs_workspace()) else {
            return Ok(String::new());
        };
        let (agent, token) = (self.id.clone(), claimed.token.to_string());
        let (task, title) = (claimed.task.id.clone(), claimed.task.title.clone());
        let kept = match blocking(move || desk.keep(&agent, &token, task.as_str(), &title)).await {
            // What git cannot take stays in the folder.
            Err(Error::Git(_)) => None,
            kept => kept?,
        };
        let Some((reference, commit)) = kept else { return Ok(String::new()) };
        let words = format!("; its work so far is kept as {reference}");
        if let Some(purses) = &self.purses {
            let (task, agent) = (claimed.task.id.clone(), self.id.clone());
            purses.keep(KeptWork { task, agent, reference, commit });
        }
        Ok(words)
    }

    /// The agent has split its task, and has it back when the parts are done.
    async fn hand_out(&self, claimed: &Claimed) -> Result<Outcome, Error> {
        let (queue, agent, claim) = (self.queue.clone(), self.id.clone(), claimed.token);
        let handed_out = blocking(move || queue.hand_out(claim, &agent)).await;
        // The last part may have been done meanwhile: then it goes on at once.
        if let Err(Refusal::NoOpenPart { .. }) = refusal(handed_out)? {
            return self.give_back(claimed, "its parts are done").await;
        }
        let note = format!("{} handed out {} and waits for its parts", self.id, claimed.task.id);
        self.reporter.report(Progress::Note(note));
        Ok(Outcome::GivenBack)
    }

    /// The agent can do nothing more, whatever the task.
    async fn unable(&self, claimed: &Claimed, reason: String) -> Result<Outcome, Error> {
        self.reporter.report(Progress::Note(format!("ERROR {} takes nothing more: {reason}", self.id)));
        self.give_back(claimed, &reason).await?;
        Ok(Outcome::Unable)
    }

    fn outcome(
        &self,
        claimed: &Claimed,
        written: Result<(), Refusal>,
        progress: Progress,
    ) -> Result<Outcome, Error> {
        match written {
            Ok(()) => {
                self.reporter.report(progress);
                Ok(Outcome::Written)
            }
            Err(Refusal::ClaimLost { .. } | Refusal::NoSuchClaim { .. }) => Ok(Outcome::Lost),
            Err(refused) => {
                let (agent, task) = (self.id.clone(), claimed.task.id.clone());
                self.reporter.report(Progress::Failed { agent, task, reason: refused.to_string() });
                Err(refused.into())
            }
        }
    }
}

/// A review that only a lead can make: no reviewer is there that may, since the only one is the author, say, or has
/// approved already.
fn without_reviewer(state: &State, lead: &AgentId) -> Option<TaskId> {
    let reviewers = || state.agents().filter(|agent| !agent.left && agent.role == Role::Reviewer);
    let found = state.waiting_for(Stage::Review).find(|task| {
        state.may_review(task, lead) && !reviewers().any(|reviewer| state.may_review(task, &reviewer.id))
    });
    found.map(|task| task.id().clone())
}

/// What became of an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Delivered, judged or failed: it is in the log.
    Written,
    /// Given back without being done.
    GivenBack,
    /// The claim was lost meanwhile.
    Lost,
    /// Given back, since the agent cannot work any more: no budget is left, or its model refuses it.
    Unable,
    /// A review was given back, since the reviewer could not judge.
    BrokenDown,
}
