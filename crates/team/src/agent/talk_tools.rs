//! The tools with which a model talks with its team: messages, questions, notes.

use agent_team_core::machine::{Message, State};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Context;
use super::prompt::{Results, quoted};
use crate::model::ToolSpec;
use crate::tools::{Tool, ToolContext, ToolOutput, parse_input, spec_of};
use crate::{AgentId, Error, NewMessage, Recipient, RecordId, TaskId};

pub(super) struct Send(pub Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SendInput {
    /// An agent's name, `role:worker` (or another role), `task:ID` for whoever works on a task, or `everyone`.
    to: String,
    /// What to say.
    text: String,
    /// The id of the task that it is about.
    task: Option<String>,
    /// The id of the question that it answers, as it was shown to you.
    reply_to: Option<String>,
}

#[async_trait]
impl Tool for Send {
    fn spec(&self) -> ToolSpec {
        let description =
            "Sends a message to other agents. They see it between their turns; you need not wait.";
        spec_of::<SendInput>("send", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with(&self.spec(), input, |input: SendInput| {
            let to: Recipient = input.to.parse().map_err(Error::Input)?;
            let task = input.task.map(TaskId::try_from).transpose()?;
            let reply_to = input.reply_to.map(|id| id.parse()).transpose();
            let reply_to = reply_to.map_err(|error| Error::Input(format!("reply_to: {error}")))?;
            let bus = &self.0.bus;
            let unheard = bus.unheard(&self.0.agent, &to)?;
            let message = NewMessage::new(&self.0.agent, to, input.text);
            bus.post(NewMessage { task, reply_to, ..message })?;
            Ok(unheard.map_or_else(|| "Sent.".to_owned(), |why| format!("Sent, but {why}.")))
        })
    }
}

pub(super) struct Receive(pub Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReceiveInput {
    /// The id of a message: shows those that came for you before it, read or not. Only where you were told to.
    before: Option<String>,
}

#[async_trait]
impl Tool for Receive {
    fn spec(&self) -> ToolSpec {
        let description =
            "Shows the messages that you have not read. New ones are also shown to you between turns.";
        spec_of::<ReceiveInput>("receive", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with(&self.spec(), input, |input: ReceiveInput| {
            let (bus, agent) = (&self.0.bus, &self.0.agent);
            let messages = match input.before {
                None => bus.inbox(agent)?,
                Some(id) => {
                    let id = id.parse().map_err(|error| Error::Input(format!("before: {error}")))?;
                    bus.before(agent, id)?
                }
            };
            let text = super::prompt::messages(&messages, Results::Beginning);
            Ok(if text.is_empty() { "Nothing new.".to_owned() } else { text })
        })
    }
}

pub(super) struct Ask(pub Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskInput {
    /// The question, with all that is needed to answer it.
    #[serde(alias = "text")]
    question: String,
    /// Whom to ask: `human` if you leave it out, or an agent's name.
    to: Option<String>,
}

#[async_trait]
impl Tool for Ask {
    fn spec(&self) -> ToolSpec {
        let description = "Asks a question and waits for the answer. Ask only what you cannot find out yourself and \
                           cannot go on without.";
        spec_of::<AskInput>("ask", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        let input: AskInput = match parse_input(&self.spec(), input) {
            Ok(input) => input,
            Err(correction) => return ToolOutput::failure(correction.to_string()),
        };
        match self.ask(input).await {
            Ok(Some(answer)) => ToolOutput::text(answer),
            Ok(None) => ToolOutput::stopped(),
            Err(error) => ToolOutput::failure(error.to_string()),
        }
    }
}

impl Ask {
    /// The answer; nothing if the agent was told to stop before it came.
    async fn ask(&self, input: AskInput) -> Result<Option<String>, Error> {
        let context = &self.0;
        let to: AgentId = input.to.map_or_else(|| Ok(AgentId::human()), |to| to.parse())?;
        if to == context.agent {
            return Err(Error::Input("you cannot ask yourself".into()));
        }
        let team_log = context.queue.team_log();
        let is_there = team_log.look(|state| to == AgentId::human() || state.is_member(&to))?;
        if !is_there {
            return Err(Error::Input(format!("nobody called {to} is in the team")));
        }
        let task =
            team_log.look_at_known(|state| state.task_of_claim(context.token).map(|task| task.id().clone()));
        let question = NewMessage::new(&context.agent, Recipient::Agent(to.clone()), input.question);
        let question = NewMessage { task, asks: true, ..question };
        let question = match self.asked_before(&question)? {
            Some(asked) => asked,
            None => context.bus.post(question)?,
        };
        context.activity.is(format!("waits for an answer of {to}"));
        let is_answered = move |state: &State| {
            let asked = state.messages().get(question);
            asked.is_none_or(|asked| asked.returned) || state.messages().answer_to(question).is_some()
        };
        if !context.until_word(is_answered).await? {
            return Ok(None);
        }
        let Some(answer) = context.bus.answer_to(question)? else {
            return Err(Error::Input(format!("{to} left the team without an answer")));
        };
        context.bus.mark_read(&context.agent, std::slice::from_ref(&answer))?;
        Ok(Some(quoted(&answer.from, &answer.text)))
    }

    /// The same question, if the agent was cut off while it waited for the answer.
    fn asked_before(&self, question: &NewMessage) -> Result<Option<RecordId>, Error> {
        let (agent, team_log) = (&self.0.agent, self.0.queue.team_log());
        let text = team_log.text(question.text.clone())?;
        team_log.look(|state| {
            let messages = state.messages();
            let is_unheard =
                |asked: &Message| messages.answer_to(asked.id).is_none_or(|answer| !answer.is_read_by(agent));
            let is_same = |asked: &&Message| {
                let asks = asked.asks && !asked.returned && asked.from == *agent;
                asks && asked.to == question.to && asked.task == question.task && asked.text == text
            };
            messages.all().iter().rev().find(is_same).filter(|asked| is_unheard(asked)).map(|asked| asked.id)
        })
    }
}

pub(super) struct Note(pub Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoteInput {
    /// What others should know: a pitfall, a convention, a decision and its reason. One thing, in a few sentences.
    text: String,
    /// It is shown to whoever takes a task with one of these labels; to everyone if you leave them out.
    labels: Option<Vec<String>>,
}

#[async_trait]
impl Tool for Note {
    fn spec(&self) -> ToolSpec {
        let description = "Notes something for the team's memory, so that nobody has to find it out again.";
        spec_of::<NoteInput>("note", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with(&self.spec(), input, |input: NoteInput| {
            let context = &self.0;
            let task = context
                .queue
                .team_log()
                .look_at_known(|state| state.task_of_claim(context.token).map(|task| task.id().clone()));
            context.queue.add_note(&context.agent, input.text, input.labels.unwrap_or_default(), task)?;
            Ok("Noted.".to_owned())
        })
    }
}

pub(super) struct Reserve(pub Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReserveInput {
    /// Files, relative to the project, or folders, which end with `/`.
    paths: Vec<String>,
}

#[async_trait]
impl Tool for Reserve {
    fn spec(&self) -> ToolSpec {
        let description = "Says which files you are about to change, so that others keep off them until your task ends. What you \
                           change is reserved for you without that; call it before, where much depends on it.";
        spec_of::<ReserveInput>("reserve_files", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with(&self.spec(), input, |input: ReserveInput| {
            let context = &self.0;
            if input.paths.is_empty() {
                return Err(Error::Input("name at least one file".into()));
            }
            context.queue.reserve_files(context.token, &context.agent, &input.paths)?;
            Ok(format!("Reserved for you: {}.", input.paths.join(", ")))
        })
    }
}

pub(super) struct Notes(pub Context);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NotesInput {
    /// How many of the oldest notes to look at, of which the newest are shown: where you were told that so many are left
    /// out. All if you leave it out.
    first: Option<usize>,
}

#[async_trait]
impl Tool for Notes {
    fn spec(&self) -> ToolSpec {
        let description = "Shows what the team noted for tasks with the labels of yours, the newest as far as there is room.";
        spec_of::<NotesInput>("notes", description)
    }

    async fn call(&self, input: Value, _: &ToolContext) -> ToolOutput {
        with(&self.spec(), input, |input: NotesInput| {
            let team_log = self.0.queue.team_log();
            let labels = team_log.look_at_known(|state| {
                state.task_of_claim(self.0.token).map(|task| task.spec.labels.clone()).unwrap_or_default()
            });
            let known = self.0.queue.notes(Some(&labels))?;
            let first = known.iter().take(input.first.unwrap_or(usize::MAX));
            let notes = first.map(|note| Ok((note.agent.clone(), team_log.read_text(&note.text)?)));
            let text = super::prompt::notes(&notes.collect::<Result<Vec<_>, Error>>()?, Results::Beginning);
            Ok(if text.is_empty() { "Nothing was noted.".to_owned() } else { text })
        })
    }
}

/// Does something with parsed input, or corrects the model.
fn with<Input: serde::de::DeserializeOwned>(
    spec: &ToolSpec,
    input: Value,
    run: impl FnOnce(Input) -> Result<String, Error>,
) -> ToolOutput {
    match parse_input(spec, input) {
        Ok(input) => run(input).map_or_else(|error| ToolOutput::failure(error.to_string()), ToolOutput::text),
        Err(correction) => ToolOutput::failure(correction.to_string()),
    }
}
