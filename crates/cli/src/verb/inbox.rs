//! `inbox`: the messages of an agent, and how far those came that it sent.

use agent_team::view::MessageView;
use agent_team::{AgentId, AgentMessage, MessageBus, Receipt};
use clap::Args;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Cell, Output, Paint};
use crate::time;

/// The arguments of `inbox`.
#[derive(Debug, Args)]
#[command(
    about = "Show an agent's messages",
    long_about = "Show the messages that an agent has not read, oldest first. They count as read from then on, and \
                  their senders can see it. With --json an array; `seq` of the last one is the place for --since.",
    after_help = "Examples:\n  agent-team inbox --as worker-1\n  agent-team inbox --as worker-1 --since 0 --json\n  \
                  agent-team inbox --as lead-1 --sent"
)]
pub struct Inbox {
    /// Whose messages
    #[arg(long = "as", value_name = "NAME")]
    agent: AgentId,
    /// All messages after this place in the log, read or not; 0 for all
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["sent", "peek"])]
    since: Option<u64>,
    /// Only look: they stay unread
    #[arg(long, conflicts_with = "sent")]
    peek: bool,
    /// What the agent sent, and how far each message came with each reader
    #[arg(long)]
    sent: bool,
}

impl Inbox {
    pub fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let bus = MessageBus::over(global.open()?.team_log().clone());
        if self.sent {
            let sent = bus.sent(&self.agent)?;
            if out.is_json() {
                out.json(&sent)?;
            } else {
                sent.iter().try_for_each(|message| print_sent(message, out))?;
            }
            return Ok(Exit::Done);
        }
        let messages = match self.since {
            Some(since) => bus.receive(&self.agent, since)?,
            None => bus.unread(&self.agent)?,
        };
        tell(&messages, out)?;
        if self.since.is_none() && !self.peek {
            // What could not be shown is not read.
            out.flush()?;
            bus.mark_read(&self.agent, &messages)?;
        }
        Ok(Exit::Done)
    }
}

/// Shows messages.
pub fn tell(messages: &[AgentMessage], out: &mut Output) -> std::io::Result<()> {
    out.answer(&messages, |out| messages.iter().try_for_each(|message| print(message, out)))
}

fn print(message: &AgentMessage, out: &mut Output) -> std::io::Result<()> {
    let about = message.task.as_ref().map(|task| format!(", about {task}")).unwrap_or_default();
    let back = if message.returned { ", came back unread" } else { "" };
    let head =
        format!("{} from {} to {}{about}{back}:", time::local(message.at_ms), message.from, message.to);
    out.painted(&head, Some(Paint::Faint))?;
    out.block("  ", &message.text)
}

fn print_sent(message: &MessageView, out: &mut Output) -> std::io::Result<()> {
    let back = match message {
        MessageView { returned: true, .. } => " (came back)",
        MessageView { nobody_reads: true, .. } => " (nobody read it before the task ended)",
        _ => "",
    };
    let first_line = message.text.preview().lines().next().unwrap_or_default().to_owned();
    out.line(&format!("{} to {}{back}: {first_line}", time::local(message.at_ms), message.to))?;
    let readers = message.readers.iter().map(|reader| {
        let (word, paint) = match reader.receipt {
            _ if reader.left => ("left without reading it", Some(Paint::Warning)),
            None => ("queued", None),
            Some(Receipt::Delivered) => ("delivered", Some(Paint::Active)),
            Some(Receipt::Read) => ("read", Some(Paint::Good)),
        };
        vec![format!("  {}", reader.agent).into(), Cell::painted(word, paint)]
    });
    out.table(&readers.collect::<Vec<_>>())
}
