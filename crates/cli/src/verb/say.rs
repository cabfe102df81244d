//! `say` and `interrupt`: the human's words to the team.

use agent_team::{AgentId, MessageBus, NewMessage, Recipient, TaskId};
use clap::Args;
use serde_json::json;

use super::{Told, read_words};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// What an interrupted agent is told if nothing is said.
const INTERRUPTION: &str = "Stop and think again before you go on.";

/// The arguments of `say`.
#[derive(Debug, Args)]
#[command(
    about = "Say something to an agent, a role, a task's thread or everyone",
    long_about = "Say something as the human. An agent sees it between its turns; with --urgent it interrupts the turn \
                  in progress. Prints the message's id; `inbox --as human --sent` shows how far it came.",
    after_help = "Examples:\n  agent-team say worker-1 'The grammar has changed, read docs/grammar.md'\n  \
                  agent-team say task:parse 'Keep the old API'\n  agent-team say everyone --urgent 'Do not touch main.rs'"
)]
pub struct Say {
    /// An agent's name, role:ROLE, task:ID, or everyone
    to: Recipient,
    /// What to say; - for standard input
    text: String,
    /// Interrupt the turn in progress
    #[arg(long)]
    urgent: bool,
    /// The task that it is about
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
}

impl Say {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let text = read_words(self.text, "what its reader shall know")?;
        let message = NewMessage::new(&AgentId::human(), self.to, text);
        post(NewMessage { task: self.task, urgent: self.urgent, ..message }, global, out)
    }
}

/// The arguments of `interrupt`.
#[derive(Debug, Args)]
#[command(
    about = "Interrupt what an agent does at the moment",
    long_about = "Interrupt the turn in progress of an agent: the call to its model, or the command that it runs, is \
                  broken off, and it goes on with what you say. It keeps its task. `pause` lets it wait, `stop` takes \
                  its task away.",
    after_help = "Examples:\n  agent-team interrupt worker-1\n  agent-team interrupt worker-1 'Do not rewrite the lexer'"
)]
pub struct Interrupt {
    /// The agent
    agent: AgentId,
    /// What it shall know; - for standard input
    #[arg(default_value = INTERRUPTION, hide_default_value = true)]
    text: String,
}

impl Interrupt {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        // What is done at the moment is not done by somebody who joins later.
        super::check_member(&global.open()?, &self.agent)?;
        let text = read_words(self.text, "what its reader shall know")?;
        let message = NewMessage::new(&AgentId::human(), Recipient::Agent(self.agent), text);
        post(NewMessage { urgent: true, ..message }, global, out)
    }
}

fn post(message: NewMessage, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let queue = global.open()?;
    if let Some(task) = &message.task {
        queue.get_task(task)?;
    }
    let (to, urgent) = (message.to.clone(), message.urgent);
    let bus = MessageBus::over(queue.team_log().clone());
    let told = Told::of(&bus, &message.from, &to)?;
    let id = bus.post(message)?;
    if out.is_json() {
        let (waits, unread) = (told.waits_for_member, told.nobody_reads);
        let said = json!({ "id": id, "to": to, "urgent": urgent, "waits_for_member": waits, "nobody_reads": unread });
        out.json(&said)?;
    } else {
        out.line(&id.to_string())?;
    }
    told.warn(out)?;
    Ok(Exit::Done)
}
