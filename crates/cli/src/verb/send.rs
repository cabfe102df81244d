//! `send`: sends a message.

use agent_team::{AgentId, MessageBus, NewMessage, Recipient, TaskId, TaskQueue};
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Told, read_text, words};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::operation::{Actor, Operation};
use crate::output::Output;

/// The arguments of `send`.
#[derive(Debug, Args)]
#[command(
    about = "Send a message to an agent, a role or everyone",
    long_about = "Send a message to an agent, to all agents of a role, to the thread of a task, or to everyone, \
                  and print its id. \
                  `inbox --as NAME --sent` shows how far it came.",
    after_help = "Examples:\n  agent-team send worker-1 'The grammar has changed' --from lead-1\n  \
                  agent-team send role:reviewer 'Please look at parse' --from worker-1 --task parse\n  \
                  git diff | agent-team send everyone - --from human"
)]
pub struct Send {
    #[command(flatten)]
    operation: SendMessage,
    /// Who sends it
    #[arg(long, value_name = "NAME", default_value = "human")]
    from: AgentId,
    /// Interrupt the turn in progress
    #[arg(long)]
    urgent: bool,
    /// The sender waits for an answer: `answer` shows and gives it
    #[arg(long)]
    ask: bool,
}

/// What is sent, and to whom.
#[derive(Debug, Args, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// An agent's name, role:ROLE, task:ID, or everyone
    #[schemars(with = "String")]
    to: Recipient,
    /// What it says; - for standard input
    #[schemars(description = "What it says")]
    text: String,
    /// The task that it is about
    #[arg(long, value_name = "ID")]
    #[schemars(with = "Option<String>")]
    task: Option<TaskId>,
}

impl Send {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let text = read_text(self.operation.text)?;
        let operation = SendMessage { text, ..self.operation };
        operation.post(&global.open()?, &self.from, self.urgent, self.ask, out)
    }
}

impl Operation for SendMessage {
    const TOOL: &'static str = "send";
    const ABOUT: &'static str = "Send a message to an agent, to all agents of a role, to the thread of a task, or to everyone. \
                                 They see it between their turns; you need not wait.";

    fn perform(self, by: &Actor<'_>, out: &mut Output) -> Result<Exit, Failure> {
        self.post(by.queue, by.agent()?, false, false, out)
    }
}

impl SendMessage {
    fn post(
        self,
        queue: &TaskQueue,
        from: &AgentId,
        urgent: bool,
        asks: bool,
        out: &mut Output,
    ) -> Result<Exit, Failure> {
        if let Some(task) = &self.task {
            queue.get_task(task)?;
        }
        let text = words(self.text, "what its reader shall know")?;
        let bus = MessageBus::over(queue.team_log().clone());
        let told = Told::of(&bus, from, &self.to)?;
        let message = NewMessage::new(from, self.to, text);
        let id = bus.post(NewMessage { task: self.task, urgent, asks, ..message })?;
        let (waits, unread) = (told.waits_for_member, told.nobody_reads);
        let value = json!({ "id": id, "waits_for_member": waits, "nobody_reads": unread });
        out.answer(&value, |out| out.line(&id.to_string()))?;
        told.warn(out)?;
        Ok(Exit::Done)
    }
}
