//! `send`: sends a message.

use agent_team::{AgentId, MessageBus, NewMessage, Recipient, TaskId};
use clap::Args;
use serde_json::json;

use super::{Told, read_words};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
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
    /// An agent's name, role:ROLE, task:ID, or everyone
    to: Recipient,
    /// What it says; - for standard input
    text: String,
    /// Who sends it
    #[arg(long, value_name = "NAME", default_value = "human")]
    from: AgentId,
    /// Interrupt the turn in progress
    #[arg(long)]
    urgent: bool,
    /// The sender waits for an answer: `answer` shows and gives it
    #[arg(long)]
    ask: bool,
    /// The task that it is about
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
}

impl Send {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let queue = global.open()?;
        if let Some(task) = &self.task {
            queue.get_task(task)?;
        }
        let bus = MessageBus::over(queue.team_log().clone());
        let told = Told::of(&bus, &self.to)?;
        let text = read_words(self.text, "what its reader shall know")?;
        let id = bus.post(NewMessage {
            task: self.task,
            urgent: self.urgent,
            asks: self.ask,
            ..NewMessage::new(&self.from, self.to, text)
        })?;
        if out.is_json() {
            let (waits, unread) = (told.waits_for_member, told.nobody_reads);
            out.json(&json!({ "id": id, "waits_for_member": waits, "nobody_reads": unread }))?;
        } else {
            out.line(&id.to_string())?;
        }
        told.warn(out);
        Ok(Exit::Done)
    }
}
