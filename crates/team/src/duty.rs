//! What an agent does for others between its assignments, and while it waits for somebody's word itself: it judges plans
//! that it may judge, and answers questions. So agents that wait for each other do not wait for ever.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use agent_team_core::machine::State;
use tokio::sync::watch;

use crate::agent::{Answer, Context, prompt, verdict};
use crate::aside::{Aside, Unsaid};
use crate::progress::Progress;
use crate::team_log::{blocking, refusal};
use crate::teammate::Teammate;
use crate::unjudged::Unjudged;
use crate::{AgentId, AgentMessage, Error, Recipient, RecordId, TaskId, Verdict};

/// How often it tries one before it leaves it to others: its model may fail at it every time.
const TRIES_MAX: u32 = 3;

/// Why an agent did not do what others wait for.
enum Undone {
    /// Somebody holds it up: it does that once it goes on, or others do.
    HeldUp,
    /// It could not.
    InVain {
        reason: String,
        /// Whether it tries again: who was asked for a verdict twice, and gave none, does not.
        again: bool,
    },
}

impl From<Unsaid> for Undone {
    fn from(unsaid: Unsaid) -> Self {
        match unsaid {
            Unsaid::HeldUp => Self::HeldUp,
            Unsaid::Failed(reason) => Self::InVain { reason, again: true },
        }
    }
}

/// Something that others wait for.
pub(crate) enum Duty {
    /// A plan to be judged.
    Plan { task: TaskId, plan: RecordId },
    /// A question to be answered.
    Question(RecordId),
}

impl Duty {
    /// What an agent can do for others now, but what it left to them.
    fn of(state: &State, agent: &AgentId, is_left: impl Fn(RecordId) -> bool) -> Option<Self> {
        if state.held_up(agent).is_some() {
            return None;
        }
        let mut plans =
            state.open_plans().filter(|(task, plan)| state.may_approve(task, agent) && !is_left(plan.id));
        if let Some((task, plan)) = plans.next() {
            return Some(Self::Plan { task: task.id().clone(), plan: plan.id });
        }
        let role = state.agent(agent).map(|known| known.role);
        let mut asked = state.open_questions();
        let question = asked.find(|question| question.is_for(agent, role) && !is_left(question.id))?;
        Some(Self::Question(question.id))
    }

    fn id(&self) -> RecordId {
        match self {
            Self::Plan { plan, .. } => *plan,
            Self::Question(question) => *question,
        }
    }
}

/// Whether an agent tried something in vain so often that it leaves it to others.
fn is_left_to_others(tries: &Mutex<BTreeMap<RecordId, u32>>, id: RecordId) -> bool {
    let tries = tries.lock().unwrap_or_else(PoisonError::into_inner);
    tries.get(&id).is_some_and(|tries| *tries >= TRIES_MAX)
}

/// Waits until an agent waits, or does not any more.
async fn becomes(waiting: &mut watch::Receiver<bool>, wanted: bool) {
    if waiting.wait_for(|waits| *waits == wanted).await.is_err() {
        // Nobody is left to say so.
        std::future::pending::<()>().await;
    }
}

impl Teammate {
    /// What others wait for that this agent can do, as far as this process has read the log.
    pub(crate) fn duty(&self) -> Option<Duty> {
        let is_left = |id| is_left_to_others(&self.tries, id);
        self.queue.team_log().look_at_known(|state| Duty::of(state, &self.id, is_left))
    }

    /// Waits until others wait for something that this agent can do.
    pub(crate) fn duty_comes(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        // As little as can be: each of thousands of agents may wait.
        let (id, tries) = (self.id.clone(), self.tries.clone());
        self.queue
            .team_log()
            .until_word(move |state| Duty::of(state, &id, |id| is_left_to_others(&tries, id)).is_some())
    }

    fn left_to_others(&self, id: RecordId) -> bool {
        is_left_to_others(&self.tries, id)
    }

    /// Works on an assignment, and does what others wait for as long as the work itself waits for somebody's word.
    pub(crate) async fn serving<T>(
        &self,
        mut waiting: watch::Receiver<bool>,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let mut work = std::pin::pin!(work);
        loop {
            let duty = tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                duty = self.duty_in_waiting(&mut waiting) => duty?,
            };
            // The work goes on after that: an agent does one thing at a time.
            Box::pin(self.fulfil(duty)).await?;
            self.reporter.report(Progress::Activity {
                agent: self.id.clone(),
                what: "goes on waiting for an answer".to_owned(),
            });
        }
    }

    /// What others wait for that this agent can do while it waits itself.
    async fn duty_in_waiting(&self, waiting: &mut watch::Receiver<bool>) -> Result<Duty, Error> {
        loop {
            becomes(waiting, true).await;
            tokio::select! {
                biased;
                () = becomes(waiting, false) => continue,
                came = self.duty_comes() => came?,
            }
            if self.lacks().is_none()
                && let Some(duty) = self.duty()
            {
                return Ok(duty);
            }
            // Its budget may be raised.
            let team_log = self.queue.team_log();
            let seen = team_log.look_at_known(State::records);
            team_log.until(move |state| state.records() != seen).await?;
        }
    }

    /// Does it between assignments.
    pub(crate) async fn serve(&self, duty: Duty) -> Result<(), Error> {
        let served = self.fulfil(duty).await;
        self.reporter.report(Progress::Idle { agent: self.id.clone() });
        served
    }

    /// Does it. That it cannot is told, and left to others in the end.
    async fn fulfil(&self, duty: Duty) -> Result<(), Error> {
        let id = duty.id();
        let served = match &duty {
            Duty::Plan { task, plan } => self.judge_plan(task, *plan).await?,
            Duty::Question(question) => self.answer_question(*question).await?,
        };
        // Who is dropped, or asked to stop, has not failed at it: others may do it, or the next run.
        let Some(undone) = served.err().filter(|_| !self.stop.is_cancelled()) else { return Ok(()) };
        if let Undone::InVain { reason, again } = undone {
            self.tried_in_vain(id, if again { 1 } else { TRIES_MAX });
            let left = if self.left_to_others(id) { ", and leaves it to others" } else { "" };
            let note = format!("ERROR {} could not answer what it was asked{left}: {reason}", self.id);
            self.reporter.report(Progress::Note(note));
            if self.left_to_others(id) {
                match duty {
                    Duty::Plan { task, plan } => {
                        self.tell_unjudged(&task, &Unjudged::Plan(plan), &reason)?;
                    }
                    Duty::Question(question) => self.decline(question, &reason)?,
                }
            }
        } else {
            let note =
                format!("{} is held up: what it was asked waits until it goes on, or others do it", self.id);
            self.reporter.report(Progress::Note(note));
        }
        Ok(())
    }

    /// Notes that it tried something for others in vain, so many times. Says how often it did altogether.
    pub(crate) fn tried_in_vain(&self, id: RecordId, times: u32) -> u32 {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = tries.entry(id).or_default();
        *tried += times;
        *tried
    }

    /// Tells who asked this agent alone, and does nothing until it hears, that no answer will come. A question of somebody
    /// who goes on meanwhile stays open: with its tools the agent may find an answer yet.
    fn decline(&self, question: RecordId, reason: &str) -> Result<(), Error> {
        let waits_for_it_alone = self.queue.team_log().look(|state| {
            let asked = state.open_questions().find(|asked| asked.id == question);
            asked.is_some_and(|asked| {
                let waits = state.held().any(|(_, claim)| claim.agent == asked.from);
                waits && asked.to == Recipient::Agent(self.id.clone())
            })
        })?;
        if waits_for_it_alone && !self.stop.is_cancelled() {
            let text = format!("(No answer: {} could not give one: {reason})", self.id);
            match self.bus.answer(&self.id, question, text) {
                // Somebody else has answered it meanwhile.
                Ok(_) | Err(Error::Input(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn judge_plan(&self, task: &TaskId, plan: RecordId) -> Result<Result<(), Undone>, Error> {
        let known = self.queue.plan(task)?.filter(|known| known.id == plan);
        let Some(known) = known else { return Ok(Ok(())) };
        let assignment = self.queue.get_task(task)?;
        let text = self.queue.team_log().read_text(&known.text)?;
        let whole = self.queue.team_log().read_text(&assignment.description)?;
        let asked = prompt::plan_to_judge(&assignment.title, &whole, &known.author, &text);
        let Answer { text, approved } = match self.have_verdict(task, asked).await {
            Ok(answer) => answer,
            Err(undone) => return Ok(Err(undone)),
        };
        let approved = approved.unwrap_or(false);
        let said = if approved { Verdict::Approved(text) } else { Verdict::ChangesRequested(text) };
        let (queue, by, judged) = (self.queue.clone(), self.id.clone(), task.clone());
        let outcome = blocking(move || {
            let is_free = |state: &State| state.stopped(&by).is_none();
            queue.judge_plan_if(&by, &judged, Some(plan), said, is_free)
        });
        // Somebody else may have judged it meanwhile, or there is another plan.
        let Ok(counts) = refusal(outcome.await)? else { return Ok(Ok(())) };
        if !counts {
            return Ok(Err(Undone::HeldUp));
        }
        let what = if approved { "approved" } else { "rejected" };
        let note = format!("{} {what} the plan of {} for {task}", self.id, known.author);
        self.reporter.report(Progress::Note(note));
        Ok(Ok(()))
    }

    /// Asks the agent itself for a verdict on a plan, and once more if its answer is none.
    async fn have_verdict(&self, task: &TaskId, asked: String) -> Result<Answer, Undone> {
        let activity = format!("judges the plan for {task}");
        let mut aside = self.aside();
        let said = aside.ask(task, &asked, &activity).await?;
        let fault = match verdict(&said) {
            Ok(answer) => return Ok(answer),
            Err(fault) => fault,
        };
        let again = prompt::verdict_wanted(&asked, &said, &fault);
        let said = aside.ask(task, &again, &activity).await?;
        let reason = |fault| format!("its answer is no verdict: {fault}");
        verdict(&said).map_err(|fault| Undone::InVain { reason: reason(fault), again: false })
    }

    async fn answer_question(&self, question: RecordId) -> Result<Result<(), Undone>, Error> {
        let open = self.bus.questions(Some(&self.id))?;
        let Some(asked) = open.into_iter().find(|asked| asked.id == question) else { return Ok(Ok(())) };
        let AgentMessage { from, text, task, .. } = &asked;
        let about = task.as_ref().map(|task| self.queue.get_task(task)).transpose()?;
        let board = self.queue.team_log().look(crate::run::board)?;
        let title = about.as_ref().map(|task| format!("{}: {}", task.id, task.title));
        let prompt = prompt::question(from, text, title.as_deref(), &board);
        let id: TaskId = "question".parse()?;
        let mut aside = self.aside().answering(question);
        let answer = match aside.ask(&id, &prompt, &format!("answers a question of {from}")).await {
            Ok(answer) => answer,
            Err(unsaid) => return Ok(Err(unsaid.into())),
        };
        let is_free = |state: &State| state.stopped(&self.id).is_none();
        match self.bus.answer_if(&self.id, question, answer, is_free) {
            Ok(Some(_)) => {}
            // Somebody else has answered it meanwhile.
            Ok(None) if self.bus.answer_to(question)?.is_some() => {}
            Ok(None) => return Ok(Err(Undone::HeldUp)),
            Err(Error::Input(reason)) => return Ok(Err(Undone::InVain { reason, again: true })),
            Err(error) => return Err(error),
        }
        self.bus.mark_read(&self.id, std::slice::from_ref(&asked))?;
        Ok(Ok(()))
    }

    /// The agent itself, to be asked outside of any task.
    fn aside(&self) -> Aside {
        Aside::new(self.agent.clone(), self.outside_context())
    }

    /// What the agent works with outside of any task.
    fn outside_context(&self) -> Context {
        let (reporter, agent) = (self.reporter.clone(), self.id.clone());
        Context {
            agent: self.id.clone(),
            role: self.role,
            token: RecordId(0),
            queue: self.queue.clone(),
            bus: self.bus.clone(),
            workspace: None,
            attempt_folder: None,
            environment: self.environment.clone(),
            stop: self.stop.clone(),
            activity: crate::agent::Activity::told_to(move |what| {
                reporter.report(Progress::Activity { agent: agent.clone(), what });
            }),
        }
    }
}
