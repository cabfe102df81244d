//! A message, and how far it came: what its sender can see.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, RecordId, TaskId};
use crate::machine::{Message, Receipt, State};
use crate::record::Recipient;
use crate::text::Text;

/// A message as surfaces show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageView {
    /// Its id.
    pub id: RecordId,
    /// Its place in the order of the log: the cursor for `--since`.
    pub seq: u64,
    /// Who sent it.
    pub from: AgentId,
    /// To whom.
    pub to: Recipient,
    /// What it says.
    pub text: Text,
    /// The task that it is about.
    pub task: Option<TaskId>,
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether it went back to its sender.
    pub returned: bool,
    /// Whether it interrupts what its reader does.
    pub urgent: bool,
    /// Whether the sender waits for an answer.
    pub asks: bool,
    /// The message that it answers.
    pub reply_to: Option<RecordId>,
    /// How far it came with each of its readers.
    pub readers: Vec<ReaderView>,
    /// Whether it stands in the thread of a task that has ended, and nobody ever got it.
    #[serde(default)]
    pub nobody_reads: bool,
}

/// How far a message came with one reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderView {
    /// The reader.
    pub agent: AgentId,
    /// How far; `None` while it is queued.
    pub receipt: Option<Receipt>,
    /// Whether the reader has left the team without reading it.
    #[serde(default)]
    pub left: bool,
}

/// The view of a message.
pub fn message(state: &State, message: &Message) -> MessageView {
    let members = state.agents().filter(|agent| !agent.left && agent.id != message.from);
    let mut readers: Vec<AgentId> = members
        .filter(|agent| message.is_for(&agent.id, Some(agent.role)))
        .map(|agent| agent.id.clone())
        .collect();
    let known = message.receipts.keys().chain(&message.in_thread_of).chain(&message.missed_by).cloned();
    let named = match &message.to {
        Recipient::Agent(agent) => Some(agent.clone()),
        Recipient::Role(_) | Recipient::Task(_) | Recipient::Everyone => None,
    };
    readers.extend(known.chain(named));
    readers.sort();
    readers.dedup();
    let reader = |agent: AgentId| {
        let left = message.missed_by.contains(&agent) && !state.is_member(&agent);
        ReaderView { receipt: message.receipts.get(&agent).copied(), left, agent }
    };
    MessageView {
        id: message.id,
        seq: message.seq,
        from: message.from.clone(),
        to: message.to.clone(),
        text: message.text.clone(),
        task: message.task.clone(),
        at_ms: message.at_ms,
        returned: message.returned,
        urgent: message.urgent,
        asks: message.asks,
        reply_to: message.reply_to,
        readers: readers.into_iter().map(reader).collect(),
        nobody_reads: is_in_a_closed_thread(state, message),
    }
}

/// Whoever works on a task gets what stands in its thread; after its end nobody does.
fn is_in_a_closed_thread(state: &State, message: &Message) -> bool {
    let Recipient::Task(task) = &message.to else { return false };
    message.in_thread_of.is_empty() && state.task(task).is_some_and(|task| task.status.is_ended())
}
