//! One attempt of a model: turn after turn until it finishes, gives up, or may not go on.

mod cut_off;

use agent_team_core::record::TurnJournalled;
use tokio_util::sync::CancellationToken;

use super::ModelAgent;
use super::circles::{Circles, Circling, Round};
use crate::agent::activity::doing;
use crate::agent::assignment::JudgedPlan;
use crate::agent::compaction::{self, Compaction, Kept};
use crate::agent::edits::{Told, Touched};
use crate::agent::ending::{self, IDLE_ANSWERS_MAX};
use crate::agent::journal::{Journal, Line};
use crate::agent::metered::Meter;
use crate::agent::next_try::NextTry;
use crate::agent::prompt::{self, Results};
use crate::agent::team_tools::NOTHING_PLANNED;
use crate::agent::{Agent, AgentError, Answer, Assignment, Context, assignment};
use crate::model::{Caller, Delta, Message, Part, Request, Response, StopReason};
use crate::outside::now_ms;
use crate::tools::{Ending, OUTPUTS, ToolContext, ToolOutput, Toolbox};
use crate::{AgentId, AgentMessage, Recipient, RecordId, Role, Stage, telemetry};

/// One attempt under way.
pub(super) struct Attempt<'a> {
    agent: &'a ModelAgent,
    task: &'a Assignment,
    context: &'a Context,
    toolbox: Toolbox,
    tools: ToolContext,
    meter: Meter,
    journal: Journal,
    /// Whether it goes on with what was cut off.
    goes_on: bool,
    /// How large the conversation may become; less than the agent's limit, once the model could not read so much.
    context_tokens: u64,
    /// Answers in a row that did nothing.
    idle_answers: u32,
    /// Whether a reviewer that gave none was asked for its verdict.
    verdict_wanted: bool,
    circles: Circles,
    /// Who was told that it edits the same files.
    told: Told,
    /// Whether it was looked for approved changes that nobody has made.
    is_carried_out: bool,
}

impl<'a> Attempt<'a> {
    /// Opens its journal, which may hold turns that were made before.
    pub fn begin(
        agent: &'a ModelAgent,
        task: &'a Assignment,
        context: &'a Context,
    ) -> Result<Self, AgentError> {
        let folder = context.attempt_folder.as_deref();
        let mut journal = Journal::of(context, task, agent.with())?;
        let goes_on = !journal.conversation().is_empty();
        if !goes_on {
            let mut parts = vec![Part::text(prompt::task(task, Results::Beginning))];
            parts.extend(said_before(task, context)?.map(Part::text));
            journal.write(Line::Told { at_ms: now_ms(), parts, messages: Vec::new() })?;
        }
        let tools = ToolContext {
            workspace: context.workspace.clone().unwrap_or_default(),
            output_folder: folder.map_or_else(std::env::temp_dir, |folder| folder.join(OUTPUTS)),
            // What is dropped ends its commands; a turn that is finished in peace lets them end.
            stop: CancellationToken::new(),
            environment: agent.environment(context),
            command_time_limit: agent.command_limit,
        };
        let meter =
            Meter::new(context.queue.team_log(), agent.prices.clone(), &context.agent, Some(task.id.clone()))
                .stopped_by(context.stop.clone());
        let toolbox = ModelAgent::toolbox(context, task.stage);
        Ok(Self {
            agent,
            task,
            context,
            toolbox,
            tools,
            meter,
            journal,
            goes_on,
            context_tokens: agent.context_tokens,
            idle_answers: 0,
            verdict_wanted: false,
            circles: Circles::default(),
            told: Told::new(),
            is_carried_out: false,
        })
    }

    /// Turn after turn until it ends, and the journal says how.
    pub async fn run(mut self) -> Result<Answer, AgentError> {
        let outcome = self.turns().await;
        let words = match &outcome {
            Ok(answer) => format!("finished: {}", answer.text),
            Err(error) => error.to_string(),
        };
        self.journal.write(Line::Ended { at_ms: now_ms(), outcome: words })?;
        outcome
    }

    async fn turns(&mut self) -> Result<Answer, AgentError> {
        if let Some(answer) = self.end_again().await? {
            return Ok(answer);
        }
        if let (true, Some(team)) = (self.goes_on, &self.task.team) {
            // Much may have happened since it said its last word.
            let parts = vec![Part::text(prompt::team_now(team))];
            self.journal.write(Line::Told { at_ms: now_ms(), parts, messages: Vec::new() })?;
        }
        self.tell_edits().await?;
        loop {
            if self.context.stop.is_cancelled() {
                return Err(AgentError::Stopped);
            }
            let turn = self.journal.turns() + 1;
            if turn > self.agent.turns_max {
                let most = self.agent.turns_max;
                return Err(AgentError::Failed(format!("it did not finish within {most} turns")));
            }
            if !self.context.let_go().await? {
                return Err(AgentError::Stopped);
            }
            self.carry_out().await?;
            // What an agent may do is in its tools: they change when its plan is approved.
            self.toolbox = ModelAgent::toolbox(self.context, self.task.stage);
            if compaction::is_due(&self.journal, self.context_tokens) {
                self.compact().await?;
            }
            let messages = self.tell_news()?;
            let answer = match self.turn(turn, messages.clone()).await {
                Err(AgentError::TooLong(reason)) => {
                    self.context_tokens = self.context_tokens.min(compaction::tokens(&self.journal) / 4 * 3);
                    if !self.compact().await? {
                        return Err(AgentError::TooLong(reason));
                    }
                    self.turn(turn, messages).await?
                }
                answer => answer?,
            };
            let Some(response) = answer else { continue };
            let calls = calls(&response);
            let answer = match calls.is_empty() {
                true => self.without_calls(&response)?,
                false => {
                    self.idle_answers = 0;
                    self.act(calls).await?
                }
            };
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
    }

    /// Does what was approved while nobody waited for that: after an interrupt, say, or proposed by another lead.
    async fn carry_out(&mut self) -> Result<(), AgentError> {
        if self.is_carried_out || self.context.role != Role::Lead || self.context.lacks_plan() {
            return Ok(());
        }
        self.is_carried_out = true;
        if let Some(made) = self.context.carry_out().await? {
            let words = format!("What was proposed for this task is approved, and done now:\n{made}");
            self.journal.write(Line::Told {
                at_ms: now_ms(),
                parts: vec![Part::text(words)],
                messages: Vec::new(),
            })?;
        }
        Ok(())
    }

    /// Says what lies changed in the workspace from the beginning on: the work of an earlier attempt.
    async fn tell_edits(&mut self) -> Result<(), AgentError> {
        if self.task.stage != Stage::Work {
            return Ok(());
        }
        if let Some(warning) = self.context.announce(Touched::Anything, false, &mut self.told).await? {
            let parts = vec![Part::text(warning)];
            self.journal.write(Line::Told { at_ms: now_ms(), parts, messages: Vec::new() })?;
        }
        Ok(())
    }

    /// Puts new messages of others into the conversation, and says which the next turn reads: also those that were told
    /// before it was cut off.
    fn tell_news(&mut self) -> Result<Vec<RecordId>, AgentError> {
        let unread = self.context.bus.unread(&self.context.agent)?;
        let ids = |messages: &[AgentMessage]| messages.iter().map(|message| message.id).collect::<Vec<_>>();
        let read = ids(&unread);
        let told = self.journal.told();
        let new: Vec<AgentMessage> =
            unread.into_iter().filter(|message| !told.contains(&message.id)).collect();
        if !new.is_empty() {
            let parts = vec![Part::text(prompt::messages(&new, Results::Beginning))];
            self.journal.write(Line::Told { at_ms: now_ms(), parts, messages: ids(&new) })?;
        }
        self.context.bus.mark_delivered(&self.context.agent, read.clone())?;
        Ok(read)
    }

    /// Puts an account into the place of the oldest turns. Says no if there are none.
    async fn compact(&mut self) -> Result<bool, AgentError> {
        let context = self.context;
        let Some(compaction) = Compaction::of(&self.journal, self.context_tokens) else { return Ok(false) };
        let before = compaction::tokens(&self.journal);
        context.activity.is("compacts its conversation");
        let request = Request {
            system: compaction::SYSTEM.to_owned(),
            messages: vec![Message::user(compaction.question(&self.journal))],
            tools: Vec::new(),
            max_output_tokens: self.agent.max_output_tokens,
            caller: self.caller(),
        };
        let next_try = NextTry::new();
        let mut watch = |delta| next_try.hears(&delta);
        let answer = tokio::select! {
            answer = self.meter.call(self.agent.model.as_ref(), request, &mut watch) => answer,
            () = next_try.is_given_up(&context.stop) => return Err(AgentError::Stopped),
        };
        let answer = match answer {
            Ok((response, _)) => Some(response),
            Err(error @ (AgentError::OverBudget { .. } | AgentError::Stopped | AgentError::Broken(_))) => {
                return Err(error);
            }
            // The journal gives an account, too.
            Err(_) => None,
        };
        let team_log = context.queue.team_log();
        let plan =
            team_log.look(|state| state.task_of_claim(context.token).and_then(|task| task.plan.clone()))?;
        let plan = plan.map(|plan| JudgedPlan::of(team_log, &plan)).transpose()?.flatten();
        let kept = Kept { plan, orders: self.orders()?, open: self.open_questions()?, me: &context.agent };
        let line = compaction.line(&self.journal, answer.as_ref(), &kept);
        self.journal.write(line)?;
        self.tell_team()?;
        let after = compaction::tokens(&self.journal);
        context.activity.note(format!(
            "{} compacted its conversation about task {}: from about {before} tokens to {after}",
            context.agent, self.task.id
        ));
        Ok(true)
    }

    /// Tells a lead how its team stands: an account of its conversation may have left that out.
    fn tell_team(&mut self) -> Result<(), AgentError> {
        let team_log = self.context.queue.team_log();
        let sheet = team_log.look_at_known(|state| {
            let (task, claim) = state.live_claim(self.context.token).ok()?;
            assignment::team(state, task, claim)
        });
        if let Some(sheet) = sheet {
            let parts = vec![Part::text(prompt::team_now(&sheet))];
            self.journal.write(Line::Told { at_ms: now_ms(), parts, messages: Vec::new() })?;
        }
        Ok(())
    }

    /// What the human has said since the attempt began, as far as the agent was told it.
    fn orders(&self) -> Result<Vec<AgentMessage>, AgentError> {
        let (bus, me) = (&self.context.bus, &self.context.agent);
        let unread: Vec<RecordId> = bus.unread(me)?.iter().map(|message| message.id).collect();
        let said = bus.said(&AgentId::human(), me, self.journal.began_ms())?;
        Ok(said.into_iter().filter(|message| !unread.contains(&message.id)).collect())
    }

    /// Questions of others that the agent has read and not answered, and its own that nobody has answered.
    fn open_questions(&self) -> Result<Vec<AgentMessage>, AgentError> {
        let me = &self.context.agent;
        let unread: Vec<RecordId> = self.context.bus.unread(me)?.iter().map(|message| message.id).collect();
        let mut open = self.context.bus.questions(Some(me))?;
        // What it has not read comes by itself.
        open.retain(|message| !unread.contains(&message.id));
        open.extend(self.context.bus.questions(None)?.into_iter().filter(|message| message.from == *me));
        Ok(open)
    }

    fn caller(&self) -> Caller {
        Caller {
            agent: self.context.agent.to_string(),
            role: self.context.role.to_string(),
            task: Some(self.task.id.to_string()),
            attempt: self.task.attempt,
            turns_left_out: self.journal.turns_left_out(),
            ..Caller::default()
        }
    }

    /// Calls the model once, and journals what it answered; nothing if somebody interrupted it.
    async fn turn(&mut self, turn: u32, read: Vec<RecordId>) -> Result<Option<Response>, AgentError> {
        let context = self.context;
        let request = Request {
            system: prompt::system(&context.agent, context.role, &self.agent.instructions, true),
            messages: self.journal.conversation(),
            tools: self.toolbox.specs(),
            max_output_tokens: self.agent.max_output_tokens,
            caller: self.caller(),
        };
        context.activity.is(format!("turn {turn}: thinking"));
        let next_try = NextTry::new();
        let mut drafting = self.journal.drafting();
        let mut watch = |delta| {
            next_try.hears(&delta);
            drafting.hears(&delta);
            match delta {
                Delta::Retry { wait_ms, reason } => {
                    context.activity.is(format!("waits {wait_ms} ms for the model: {reason}"));
                }
                Delta::Waits { reason } => context.activity.is(format!("waits for the model: {reason}")),
                Delta::Begins => context.activity.is(format!("turn {turn}: thinking")),
                _ => {}
            }
        };
        let (response, _) = tokio::select! {
            answer = self.meter.call(self.agent.model.as_ref(), request, &mut watch) => answer?,
            interrupted = context.interrupted() => {
                context.activity.is("interrupted");
                return interrupted.map(|()| None).map_err(AgentError::from);
            }
            () = next_try.is_given_up(&context.stop) => return Err(AgentError::Stopped),
        };
        self.journal.write(Line::Answered {
            at_ms: now_ms(),
            turn,
            parts: response.parts.clone(),
            usage: response.usage,
            stop: response.stop,
        })?;
        let body = TurnJournalled { claim: context.token, turn, read };
        context.queue.team_log().submit(&context.agent, &body.into())?;
        Ok(Some(response))
    }

    /// Runs the tools that a turn asked for.
    async fn act(&mut self, calls: Vec<Call>) -> Result<Option<Answer>, AgentError> {
        let mut ending = None;
        let mut round = Round::default();
        // A turn is its answer and its calls: whoever is asked to stop ends after both, unless it waits for a word.
        for Call { id: call_id, name, input } in calls {
            self.context.activity.is(doing(&name, &input));
            let touched = Touched::by(&name, &input, self.task.stage);
            round.calls(&name, &input);
            let drafting = (name == "run").then(|| self.journal.running());
            let ToolOutput { mut text, is_error, ends_turns } = tokio::select! {
                result = telemetry::tool(&name, Some(&call_id), self.toolbox.call(&name, input, &self.tools)) => result,
                // What was not done is shown to the model as interrupted, this call and those that follow.
                interrupted = self.context.interrupted() => {
                    self.context.activity.is("interrupted");
                    interrupted?;
                    break;
                }
            };
            // A call that waits has no result yet.
            if let Some(ending @ Ending::Stopped) = ends_turns {
                return ending::of(ending, self.task, self.context).map(Some);
            }
            drop(drafting);
            if let Some(warning) = self.context.announce(touched, is_error, &mut self.told).await? {
                text = format!("{text}\n{warning}");
            }
            round.ends(&text, is_error);
            self.journal.write(Line::ToolResult {
                at_ms: now_ms(),
                call_id,
                name,
                output: text,
                is_error,
            })?;
            ending = ending.or(ends_turns);
        }
        if ending.is_none() {
            self.look_for_circles(round)?;
        }
        ending.map(|ending| ending::of(ending, self.task, self.context)).transpose()
    }

    /// Tells a model that does the same over and over, and fails the attempt of one that does not listen.
    fn look_for_circles(&mut self, round: Round) -> Result<(), AgentError> {
        match self.circles.take(round) {
            Circling::No => Ok(()),
            Circling::Told(words) => {
                let parts = vec![Part::text(words)];
                self.journal.write(Line::Told { at_ms: now_ms(), parts, messages: Vec::new() })?;
                Ok(())
            }
            Circling::Hopeless(reason) => Err(AgentError::Failed(reason)),
        }
    }

    /// An answer that calls no tool is the result.
    fn without_calls(&mut self, response: &Response) -> Result<Option<Answer>, AgentError> {
        match response.stop {
            StopReason::Refused => Err(AgentError::Failed(format!("the model refused: {}", response.text()))),
            StopReason::Length => self.correct(
                "wrote on without calling a tool until its answer was cut off",
                "Your answer was cut at its greatest length. Go on, in smaller steps.",
            ),
            _ if response.text().trim().is_empty() => self.correct(
                "answered nothing",
                "Your answer was empty. Go on with the task by calling a tool; when it is done, call `finish`.",
            ),
            _ if self.task.stage == Stage::Work && self.context.lacks_plan() => {
                let tool = self.context.proposes_by();
                let words = format!(
                    "Nothing counts before your plan is approved: call `{tool}`, or `give_up` with the reason."
                );
                self.correct("delivered without an approved plan", &words)
            }
            _ if self.context.has_planned_nothing() => self.correct("planned nothing", NOTHING_PLANNED),
            _ if self.context.has_open_parts() => Err(AgentError::Waits),
            StopReason::End | StopReason::ToolCalls => match ending::answer(&response.text(), self.task) {
                Err(AgentError::Failed(fault)) if !self.verdict_wanted => {
                    self.verdict_wanted = true;
                    let words = format!("You have not judged: {fault}. Call `review` with your verdict.");
                    let parts = vec![Part::text(words)];
                    self.journal.write(Line::Told { at_ms: now_ms(), parts, messages: Vec::new() })?;
                    Ok(None)
                }
                answer => answer.map(Some),
            },
        }
    }

    /// Tells the model what was wrong with an answer that calls no tool. So many of them in a row fail the attempt.
    fn correct(&mut self, fault: &str, words: &str) -> Result<Option<Answer>, AgentError> {
        self.idle_answers += 1;
        if self.idle_answers == IDLE_ANSWERS_MAX {
            let told = self.circles.last_failure().map(|told| format!("; {told}")).unwrap_or_default();
            let words = format!("the model {fault}, {IDLE_ANSWERS_MAX} times in a row{told}");
            return Err(AgentError::Failed(words));
        }
        let parts = vec![Part::text(words)];
        self.journal.write(Line::Told { at_ms: now_ms(), parts, messages: Vec::new() })?;
        Ok(None)
    }
}

/// What the human said about the task to an earlier attempt of the agent, which has read it; this one has not.
fn said_before(task: &Assignment, context: &Context) -> Result<Option<String>, AgentError> {
    if task.attempt < 2 {
        return Ok(None);
    }
    let unread: Vec<RecordId> =
        context.bus.unread(&context.agent)?.iter().map(|message| message.id).collect();
    let mut said = context.bus.said(&AgentId::human(), &context.agent, 0)?;
    let thread = Recipient::Task(task.id.clone());
    said.retain(|message| {
        let is_about_it = message.to == thread || message.task.as_ref() == Some(&task.id);
        is_about_it && !unread.contains(&message.id)
    });
    Ok((!said.is_empty()).then(|| {
        let said = prompt::messages(&said, Results::Beginning);
        format!("## What the human has said about this task\n\n{said}")
    }))
}

/// A tool call of a turn.
struct Call {
    id: String,
    name: String,
    input: serde_json::Value,
}

fn calls(response: &Response) -> Vec<Call> {
    let calls = response.parts.iter().filter_map(|part| match part {
        Part::ToolCall { id, name, input } => {
            Some(Call { id: id.clone(), name: name.clone(), input: input.clone() })
        }
        _ => None,
    });
    calls.collect()
}
