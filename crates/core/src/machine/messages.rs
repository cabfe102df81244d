//! Messages, and how far each has come with each of its readers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, RecordId, TaskId};
use crate::record::{Recipient, Role};
use crate::text::Text;

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The id of its record.
    pub id: RecordId,
    /// Its place in the order of the log: the exact cursor for `receive`.
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
    /// How far it came with each agent that it was delivered to.
    pub receipts: BTreeMap<AgentId, Receipt>,
    /// Whether its reader left without reading it, so that it went back to the sender.
    pub returned: bool,
}

/// How far a message came with one agent. Before the first it is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// It was put into a request to the agent's model.
    Delivered,
    /// The answer to that request arrived, or the agent asked for it.
    Read,
}

/// All messages, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    all: Vec<Message>,
    by_id: BTreeMap<RecordId, usize>,
    /// For each agent, a place in `all` before which it has nothing unread.
    settled: BTreeMap<AgentId, usize>,
}

impl Message {
    /// Whether the agent is one of its readers.
    pub fn is_for(&self, agent: &AgentId, role: Option<Role>) -> bool {
        if self.returned && self.from == *agent {
            return true;
        }
        match &self.to {
            Recipient::Agent(to) => to == agent,
            Recipient::Role(wanted) => role == Some(*wanted) && self.from != *agent,
            Recipient::Everyone => self.from != *agent,
        }
    }

    /// Whether the agent has read it.
    pub fn is_read_by(&self, agent: &AgentId) -> bool {
        self.receipts.get(agent) == Some(&Receipt::Read)
    }
}

impl Messages {
    /// All of them, oldest first.
    pub fn all(&self) -> &[Message] {
        &self.all
    }

    /// One of them.
    pub fn get(&self, id: RecordId) -> Option<&Message> {
        self.by_id.get(&id).and_then(|place| self.all.get(*place))
    }

    /// What an agent may read and came after the place `seq` in the log, oldest first, read or not.
    pub fn since(
        &self,
        seq: u64,
        agent: &AgentId,
        role: Option<Role>,
    ) -> impl Iterator<Item = &Message> + use<'_> {
        let from = self.all.partition_point(|message| message.seq <= seq);
        let agent = agent.clone();
        self.all.iter().skip(from).filter(move |message| message.is_for(&agent, role))
    }

    /// What an agent has not read, oldest first.
    pub fn unread(&self, agent: &AgentId, role: Option<Role>) -> impl Iterator<Item = &Message> + use<'_> {
        let from = self.settled.get(agent).copied().unwrap_or(0);
        let agent = agent.clone();
        let rest = self.all.iter().skip(from);
        rest.filter(move |message| message.is_for(&agent, role) && !message.is_read_by(&agent))
    }

    pub(crate) fn push(&mut self, message: Message) {
        self.by_id.insert(message.id, self.all.len());
        self.all.push(message);
    }

    /// Notes how far messages came. Never backwards.
    pub(crate) fn receive(
        &mut self,
        agent: &AgentId,
        role: Option<Role>,
        ids: &[RecordId],
        receipt: Receipt,
    ) {
        for id in ids {
            let message = self.by_id.get(id).and_then(|place| self.all.get_mut(*place));
            if let Some(message) = message.filter(|message| message.is_for(agent, role)) {
                let known = message.receipts.entry(agent.clone()).or_insert(receipt);
                *known = receipt.max(*known);
            }
        }
        let mut settled = self.settled.get(agent).copied().unwrap_or(0);
        while let Some(message) = self.all.get(settled) {
            // A message to a role stays open: the agent may still get that role.
            let done = message.is_read_by(agent)
                || match &message.to {
                    Recipient::Agent(to) => to != agent && message.from != *agent,
                    Recipient::Role(_) => false,
                    Recipient::Everyone => message.from == *agent,
                };
            if !done {
                break;
            }
            settled += 1;
        }
        self.settled.insert(agent.clone(), settled);
    }

    /// Sends back what was for one agent alone and will not be read.
    pub(crate) fn return_unread(&mut self, agent: &AgentId) {
        for message in &mut self.all {
            let direct = matches!(&message.to, Recipient::Agent(to) if to == agent);
            if direct && !message.is_read_by(agent) {
                message.returned = true;
            }
        }
    }
}
