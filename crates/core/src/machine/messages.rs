//! Messages, and how far each has come with each of its readers.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Whether it interrupts what its reader does.
    #[serde(default)]
    pub urgent: bool,
    /// Whether the sender waits for an answer.
    #[serde(default)]
    pub asks: bool,
    /// The message that it answers.
    #[serde(default)]
    pub reply_to: Option<RecordId>,
    /// Who got it in a task's thread: whoever worked on the task then or later.
    #[serde(default)]
    pub in_thread_of: BTreeSet<AgentId>,
    /// Who left without reading what went to others, too: for its sender. No rule reads it.
    #[serde(default)]
    pub missed_by: BTreeSet<AgentId>,
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
    /// The places of what only one agent may read, or got back, and has not read.
    alone: BTreeMap<AgentId, BTreeSet<usize>>,
    /// The places of what went to a task's thread.
    #[serde(default)]
    threads: BTreeMap<TaskId, Vec<usize>>,
    /// The places of answers, by what they answer.
    #[serde(default)]
    answers: BTreeMap<RecordId, usize>,
    /// The places of what went to everyone.
    to_everyone: Vec<usize>,
    /// The places of what went to a role.
    to_roles: BTreeMap<Role, Vec<usize>>,
    /// How many of those that went to everyone, from the oldest on, an agent has read or sent itself.
    settled: BTreeMap<AgentId, usize>,
    /// The same for each role that it had when it read.
    settled_roles: BTreeMap<AgentId, BTreeMap<Role, usize>>,
}

impl Message {
    /// Whether the agent is one of its readers. What was returned is its sender's again.
    pub fn is_for(&self, agent: &AgentId, role: Option<Role>) -> bool {
        if self.returned {
            return self.from == *agent;
        }
        match &self.to {
            Recipient::Agent(to) => to == agent,
            Recipient::Role(wanted) => role == Some(*wanted) && self.from != *agent,
            Recipient::Task(_) => self.in_thread_of.contains(agent),
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

    /// The answer to a message, if there is one: the first counts.
    pub fn answer_to(&self, message: RecordId) -> Option<&Message> {
        self.answers.get(&message).and_then(|place| self.all.get(*place))
    }

    /// The questions that nobody has answered, oldest first, whether or not somebody still waits for an answer.
    pub(crate) fn open_questions(&self) -> impl Iterator<Item = &Message> {
        let asked = self.all.iter().filter(|message| message.asks && !message.returned);
        asked.filter(|message| !self.answers.contains_key(&message.id))
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
        let role_settled = |role| self.settled_roles.get(agent).and_then(|known| known.get(&role)).copied();
        let settled = self.settled.get(agent).copied().unwrap_or(0);
        let of_role = role.and_then(|role| {
            let from = role_settled(role).unwrap_or(0);
            self.to_roles.get(&role).and_then(|places| places.get(from..))
        });
        let shared = self.to_everyone.get(settled..).into_iter().chain(of_role).flatten();
        let mut places: Vec<usize> =
            self.alone.get(agent).into_iter().flatten().chain(shared).copied().collect();
        places.sort_unstable();
        let agent = agent.clone();
        let messages = places.into_iter().filter_map(|place| self.all.get(place));
        messages.filter(move |message| message.is_for(&agent, role) && !message.is_read_by(&agent))
    }

    pub(crate) fn push(&mut self, message: Message) {
        let place = self.all.len();
        match &message.to {
            Recipient::Agent(to) => {
                let reader = if message.returned { &message.from } else { to };
                self.alone.entry(reader.clone()).or_default().insert(place);
            }
            Recipient::Role(role) => self.to_roles.entry(*role).or_default().push(place),
            Recipient::Task(task) => self.threads.entry(task.clone()).or_default().push(place),
            Recipient::Everyone => self.to_everyone.push(place),
        }
        if let Some(question) = message.reply_to {
            self.answers.entry(question).or_insert(place);
        }
        self.by_id.insert(message.id, place);
        self.all.push(message);
    }

    /// Gives an agent that works on a task what stands in the task's thread.
    pub(crate) fn join_thread(&mut self, task: &TaskId, agent: &AgentId) {
        // Most teams have no threads, and every claim asks.
        if self.threads.is_empty() {
            return;
        }
        for place in self.threads.get(task).into_iter().flatten() {
            let Some(message) = self.all.get_mut(*place).filter(|message| message.from != *agent) else {
                continue;
            };
            if message.in_thread_of.insert(agent.clone()) {
                self.alone.entry(agent.clone()).or_default().insert(*place);
            }
        }
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
            let Some(place) = self.by_id.get(id).copied() else { continue };
            let Some(message) = self.all.get_mut(place).filter(|message| message.is_for(agent, role)) else {
                continue;
            };
            let known = message.receipts.entry(agent.clone()).or_insert(receipt);
            *known = receipt.max(*known);
            if receipt == Receipt::Read
                && let Some(alone) = self.alone.get_mut(agent)
            {
                alone.remove(&place);
            }
        }
        if receipt == Receipt::Read {
            self.settle(agent, role);
        }
    }

    /// Moves an agent's cursors over what it has read or sent itself, so that looking for what is new stays cheap.
    fn settle(&mut self, agent: &AgentId, role: Option<Role>) {
        let all = &self.all;
        let done = |place: &usize| {
            all.get(*place).is_none_or(|message| message.is_read_by(agent) || message.from == *agent)
        };
        let advance = |places: &[usize], cursor: &mut usize| {
            *cursor +=
                places.get(*cursor..).unwrap_or_default().iter().take_while(|place| done(place)).count();
        };
        advance(&self.to_everyone, self.settled.entry(agent.clone()).or_default());
        if let Some((role, places)) = role.and_then(|role| self.to_roles.get_key_value(&role)) {
            let cursors = self.settled_roles.entry(agent.clone()).or_default();
            advance(places, cursors.entry(*role).or_default());
        }
    }

    /// Sends back what was for one agent alone and will not be read. Of what others may read, too, it is noted.
    pub(crate) fn return_unread(&mut self, agent: &AgentId, role: Option<Role>) {
        let shared = |message: &&Message| matches!(message.to, Recipient::Everyone | Recipient::Role(_));
        let missed: Vec<RecordId> =
            self.unread(agent, role).filter(shared).map(|message| message.id).collect();
        for id in missed {
            let place = self.by_id.get(&id).copied();
            if let Some(message) = place.and_then(|place| self.all.get_mut(place)) {
                message.missed_by.insert(agent.clone());
            }
        }
        let unread = self.alone.remove(agent).unwrap_or_default();
        for place in unread {
            let Some(message) = self.all.get_mut(place) else { continue };
            // Whoever takes the task next reads its thread.
            if matches!(message.to, Recipient::Task(_)) {
                message.in_thread_of.remove(agent);
                continue;
            }
            // What it got back itself stays with it, should it ever join again.
            message.returned |= message.from != *agent;
            self.alone.entry(message.from.clone()).or_default().insert(place);
        }
    }
}
