//! One attempt of a driven agent: it is told its task, and what comes up, until it delivers, gives up, or may not go on.

use std::collections::BTreeSet;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::driver::{Access, Conversation, Done, Place};
use super::reach::Reach;
use super::scribe::Scribe;
use super::server::Serving;
use super::steering::{More, Steering};
use super::{DrivenAgent, words};
use crate::agent::edits::{Told, Touched};
use crate::agent::ending::{self, IDLE_ANSWERS_MAX};
use crate::agent::journal::{Journal, Line};
use crate::agent::prompt::{self, Results};
use crate::agent::team_tools::{NOTHING_PLANNED, with_team_tools};
use crate::agent::{AgentError, Answer, Assignment, Context, JudgedPlan, verdict};
use crate::command::CommandSpec;
use crate::outside::now_ms;
use crate::tools::{OUTPUTS, ToolContext, Toolbox};
use crate::{AgentMessage, Error, RecordId, Role, Stage};

/// How long an agent that has ended its task by a tool may go on talking, before it is broken off.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(20);

/// One attempt under way.
pub(super) struct Attempt<'a> {
    agent: &'a DrivenAgent,
    task: &'a Assignment,
    context: &'a Context,
    scribe: Scribe<'a>,
    /// Turns in a row that brought nothing.
    idle: u32,
    /// Whether a reviewer that gave none was asked for its verdict.
    verdict_wanted: bool,
    /// Who was told that it edits the same files.
    told: Told,
    /// Whether people were told that it has not asked for the tools of its team.
    is_missed: bool,
    /// Whether it was looked for approved changes that nobody has made.
    is_carried_out: bool,
    /// What it is told once it may do more than before, since its plan was approved; and that plan.
    approval: Option<(String, JudgedPlan)>,
}

impl<'a> Attempt<'a> {
    /// Opens its journal, which may hold what was done before.
    pub fn begin(
        agent: &'a DrivenAgent,
        task: &'a Assignment,
        context: &'a Context,
    ) -> Result<Self, AgentError> {
        let journal = Journal::of(context, task, agent.driver.name())?;
        let scribe = Scribe::new(context, journal);
        Ok(Self {
            agent,
            task,
            context,
            scribe,
            idle: 0,
            verdict_wanted: false,
            told: Told::new(),
            is_missed: false,
            is_carried_out: false,
            approval: None,
        })
    }

    /// Until it ends, and the journal says how.
    pub async fn run(mut self) -> Result<Answer, AgentError> {
        let outcome = self.converse().await;
        let words = match &outcome {
            Ok(answer) => format!("finished: {}", answer.text),
            Err(error) => error.to_string(),
        };
        self.scribe.journal.write(Line::Ended { at_ms: now_ms(), outcome: words })?;
        outcome
    }

    async fn converse(&mut self) -> Result<Answer, AgentError> {
        self.context.activity.is(format!("starts {}", self.agent.driver.name()));
        let reach = Reach::begin(self.agent, self.context, Some(&self.task.id), self.serve()).await?;
        let outcome = self.converse_in(&reach).await;
        if outcome.is_ok() {
            reach.forget();
        }
        outcome
    }

    async fn converse_in(&mut self, reach: &Reach) -> Result<Answer, AgentError> {
        loop {
            let access = self.access();
            let place = Place {
                folder: self.context.workspace.clone().unwrap_or_default(),
                environment: reach.environment(access),
                access,
                team: reach.team.clone(),
                model: self.agent.model.clone(),
            };
            let earlier = self.scribe.session();
            let begun = tokio::select! {
                begun = self.agent.driver.begin(&place, earlier.as_deref()) => begun,
                // Some take long until they talk, and have done nothing then.
                () = self.context.stop.cancelled() => return Err(AgentError::Stopped),
            };
            let mut conversation = begun?;
            self.scribe.begins(conversation.id())?;
            let outcome = self.turns(conversation.as_mut(), reach, access).await;
            conversation.end().await;
            reach.settled().await;
            if let Some(answer) = outcome? {
                return Ok(answer);
            }
        }
    }

    /// What it may do in its folder: who leads, reviews, or has no approved plan yet only looks.
    fn access(&self) -> Access {
        let works =
            self.task.stage == Stage::Work && matches!(self.context.role, Role::Worker | Role::Specialist);
        if works && !self.context.lacks_plan() { Access::Work } else { Access::Look }
    }

    fn serve(&self) -> Option<Serving> {
        if !self.agent.has_tools() {
            return None;
        }
        let tools = ToolContext {
            workspace: self.context.workspace.clone().unwrap_or_default(),
            output_folder: self
                .context
                .attempt_folder
                .as_ref()
                .map_or_else(std::env::temp_dir, |folder| folder.join(OUTPUTS)),
            stop: CancellationToken::new(),
            environment: self.context.environment.clone(),
            command_time_limit: CommandSpec::TIME_LIMIT,
        };
        let (context, stage) = (self.context.clone(), self.task.stage);
        let toolbox = move || {
            let lacks_plan = stage == Stage::Work && context.lacks_plan();
            with_team_tools(Toolbox::new(), &context, stage, lacks_plan)
        };
        Some(Serving::new(toolbox, tools))
    }

    /// Turn after turn. No answer if it may do more from here on: that is another conversation.
    async fn turns(
        &mut self,
        conversation: &mut dyn Conversation,
        reach: &Reach,
        access: Access,
    ) -> Result<Option<Answer>, AgentError> {
        let serving = reach.serving.as_ref();
        let mut words = self.first_words(conversation.goes_on(), serving.is_some()).await?;
        loop {
            if self.context.stop.is_cancelled() || !self.context.let_go().await? {
                return Err(AgentError::Stopped);
            }
            words += &self.carry_out().await?;
            words += &self.news()?;
            let (done, said) = self.turn(conversation, reach, &words).await?;
            if let Some(ending) = serving.and_then(Serving::ending) {
                return ending::of(ending, self.task, self.context).map(Some);
            }
            if self.access() != access {
                self.approval = self.approved().await?;
                return Ok(None);
            }
            words = match done {
                Done::BrokenOff if self.context.stop.is_cancelled() => return Err(AgentError::Stopped),
                Done::BrokenOff => String::new(),
                Done::Refused => return Err(AgentError::Failed(format!("its model refused: {said}"))),
                Done::Limit => self.correct("ran into a limit of its own", words::GO_ON)?,
                Done::Said => match self.result(&said)? {
                    Ok(answer) => return Ok(Some(answer)),
                    Err(words) => words,
                },
            };
        }
    }

    /// What it is told first: its task, or where it goes on.
    async fn first_words(&mut self, goes_on: bool, has_tools: bool) -> Result<String, AgentError> {
        let lines = self.scribe.journal.lines();
        let done = lines.iter().any(|line| matches!(line, Line::Answered { .. }));
        let (approved, plan) = self.approval.take().unzip();
        let task = || match &plan {
            Some(_) => {
                let task = Assignment { plan: plan.clone(), lacks_plan: false, ..self.task.clone() };
                prompt::task(&task, Results::Whole)
            }
            None => prompt::task(self.task, Results::Whole),
        };
        let mut text = match (goes_on, done) {
            // A call that was broken off may be nowhere in the conversation that is gone on with, and its plan with it.
            (true, _) => {
                words::GO_ON.to_owned() + &plan.as_ref().map(prompt::judged_plan).unwrap_or_default()
            }
            (false, true) => format!("{}\n{}", task(), words::note(lines)),
            (false, false) => task(),
        };
        text += &approved.unwrap_or_default();
        if goes_on && let Some(team) = &self.task.team {
            text += &prompt::team_now(team);
        }
        if self.task.stage == Stage::Work
            && let Some(warning) = self.context.announce(Touched::Anything, false, &mut self.told).await?
        {
            text = format!("{text}\n{warning}\n");
        }
        self.scribe.told(text.clone(), &[])?;
        if goes_on {
            return Ok(text);
        }
        let (agent, role) = (&self.context.agent, self.context.role);
        let head = words::system(agent, role, &self.agent.instructions, self.task.stage, has_tools);
        Ok(format!("{head}\n{text}"))
    }

    /// What is said of the plan that was approved meanwhile, and the plan.
    async fn approved(&self) -> Result<Option<(String, JudgedPlan)>, AgentError> {
        let Some((plan, text)) = self.context.submitted_plan()? else { return Ok(None) };
        let judged = self.context.until_judged(plan).await?;
        let words = judged.map(|judged| format!("\n{}\n{}", judged.words().trim_end(), words::MAY_WORK));
        Ok(words
            .map(|words| (words, JudgedPlan { author: self.context.agent.clone(), text, rejected: None })))
    }

    /// Does what was approved while nobody waited for that, and says what came of it.
    async fn carry_out(&mut self) -> Result<String, AgentError> {
        let is_lead = self.context.role == Role::Lead && !self.context.lacks_plan();
        if !is_lead || std::mem::replace(&mut self.is_carried_out, true) {
            return Ok(String::new());
        }
        let made = self.context.carry_out().await?;
        let words = made
            .map(|made| format!("\nWhat was proposed for this task is approved, and done now:\n{made}\n"));
        let words = words.unwrap_or_default();
        if !words.is_empty() {
            self.scribe.told(words.clone(), &[])?;
        }
        Ok(words)
    }

    /// What others said to it that it has not been told.
    fn news(&mut self) -> Result<String, AgentError> {
        let told = self.scribe.journal.told();
        let unread = self.context.bus.unread(&self.context.agent)?;
        let new: Vec<AgentMessage> =
            unread.into_iter().filter(|message| !told.contains(&message.id)).collect();
        if new.is_empty() {
            return Ok(String::new());
        }
        let words = format!("\n{}", prompt::messages(&new, Results::Whole));
        self.scribe.told(words.clone(), &new)?;
        self.context
            .bus
            .mark_delivered(&self.context.agent, new.iter().map(|message| message.id).collect())?;
        Ok(words)
    }

    /// Tells it something and hears it, until it has done with that or is broken off. Gives its last words.
    async fn turn(
        &mut self,
        conversation: &mut dyn Conversation,
        reach: &Reach,
        words: &str,
    ) -> Result<(Done, String), AgentError> {
        let serving = reach.serving.as_ref();
        let context = self.context;
        let name = self.agent.driver.name();
        let words = if words.trim().is_empty() { words::GO_ON } else { words };
        context.activity.is("thinks");
        let meter = self.agent.meter(context, Some(self.task.id.clone()));
        let turn = reach.begin_turn(&meter, &name).await?;
        let stop = CancellationToken::new();
        let (mut steering, say) = Steering::with_words(stop.clone());
        let takes_more = conversation.takes_more();
        let known = self.scribe.journal.told();
        let mut hear = |heard| self.scribe.hear(heard);
        let mut said = conversation.say(words, &mut hear, &mut steering);
        let ended = async {
            match serving {
                Some(serving) => serving.ended().await,
                None => std::future::pending().await,
            }
            tokio::time::sleep(LAST_WORDS).await;
        };
        // Not before the program has heard it as the answer of the call that waits for it.
        let approved = async {
            context.plan_is_approved().await?;
            if let Some(serving) = serving {
                serving.idle().await;
            }
            Ok(())
        };
        let broken_off = async {
            tokio::select! {
                interrupted = context.interrupted() => interrupted,
                approved = approved => approved,
                () = context.stop.cancelled() => Ok(()),
                failed = pass_on(context, serving, known, say), if takes_more => Err(failed),
                () = ended => Ok(()),
            }
        };
        let done = tokio::select! {
            done = &mut said => done,
            broken_off = broken_off => {
                broken_off?;
                context.activity.is("interrupted");
                stop.cancel();
                (&mut said).await
            }
        };
        drop(said);
        let (last_words, used) = self.scribe.turn_ended()?;
        turn.end(used)?;
        if let Some(refused) = reach.refused() {
            return Err(refused);
        }
        let has_ended = serving.is_some_and(|serving| serving.ending().is_some());
        if matches!(done, Ok(Done::Said))
            && !has_ended
            && let Some(why) = reach.failed()
        {
            return Err(AgentError::Failed(why));
        }
        if serving.is_some_and(|serving| !serving.is_asked_for())
            && !std::mem::replace(&mut self.is_missed, true)
        {
            context.activity.note(format!(
                "NOTE {name} of {} has not asked for the tools of its team: its last words are all that it can answer with",
                context.agent
            ));
        }
        if self.task.stage == Stage::Work {
            // Whoever edits the same files is told now; this one when it is told something.
            self.context.announce(Touched::Anything, false, &mut self.told).await?;
        }
        Ok((done?, last_words))
    }

    /// What its last words are: its result, or else what it is told about them.
    fn result(&mut self, said: &str) -> Result<Result<Answer, String>, AgentError> {
        if said.is_empty() {
            return self.correct("said nothing", words::SAY_RESULT).map(Err);
        }
        if self.task.stage == Stage::Work && self.context.lacks_plan() {
            return self.correct("delivered without an approved plan", words::PLAN_FIRST).map(Err);
        }
        if self.context.has_planned_nothing() {
            return self.correct("planned nothing", NOTHING_PLANNED).map(Err);
        }
        if self.context.has_open_parts() {
            return Err(AgentError::Waits);
        }
        if self.task.stage != Stage::Review {
            return Ok(Ok(Answer::text(said)));
        }
        match verdict(said) {
            Ok(answer) => Ok(Ok(answer)),
            Err(fault) if !self.verdict_wanted => {
                self.verdict_wanted = true;
                let words = words::verdict_wanted(fault);
                self.scribe.told(words.clone(), &[])?;
                Ok(Err(words))
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Tells it what was wrong with a turn that brought nothing. So many of them in a row fail the attempt.
    fn correct(&mut self, fault: &str, words: &str) -> Result<String, AgentError> {
        self.idle += 1;
        if self.idle == IDLE_ANSWERS_MAX {
            return Err(AgentError::Failed(format!("it {fault}, {IDLE_ANSWERS_MAX} times in a row")));
        }
        self.scribe.told(words.to_owned(), &[])?;
        Ok(words.to_owned())
    }
}

/// Tells a program what others say while it works, until that fails. What is urgent breaks it off instead.
async fn pass_on(
    context: &Context,
    serving: Option<&Serving>,
    mut known: BTreeSet<RecordId>,
    say: mpsc::Sender<More>,
) -> Error {
    loop {
        match comes(context, serving, &known).await {
            Ok(new) if new.is_empty() => {}
            Ok(new) => {
                let messages: Vec<RecordId> = new.iter().map(|message| message.id).collect();
                known.extend(&messages);
                // What it has not taken at the end of its turn it is told before the next.
                let _ = say.send(More { words: prompt::messages(&new, Results::Whole), messages }).await;
            }
            Err(error) => return error,
        }
    }
}

/// What comes for an agent that it is not given by a tool that waits for just that.
async fn comes(
    context: &Context,
    serving: Option<&Serving>,
    known: &BTreeSet<RecordId>,
) -> Result<Vec<AgentMessage>, Error> {
    context.mail_besides(known).await?;
    if let Some(serving) = serving {
        serving.idle().await;
    }
    let unread = context.bus.unread(&context.agent)?.into_iter();
    Ok(unread.filter(|message| !message.urgent && !known.contains(&message.id)).collect())
}
