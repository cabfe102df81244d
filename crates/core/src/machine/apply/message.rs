//! Messages: sent, delivered, read. They only add.

use std::collections::{BTreeMap, BTreeSet};

use super::{Meta, Rule};
use crate::id::{AgentId, RecordId, TaskId};
use crate::machine::messages::{Message, Receipt};
use crate::machine::refusal::Refusal;
use crate::machine::state::State;
use crate::record::{MessageSent, MessagesDelivered, MessagesRead, Recipient, Stage};

impl Rule for MessageSent {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(self, state: &mut State, meta: &Meta) {
        let has_left = |agent: &AgentId| state.agents.get(agent).is_some_and(|agent| agent.left);
        let returned = !self.waits && matches!(&self.to, Recipient::Agent(to) if has_left(to));
        let works_on = |task: &TaskId| {
            let claim = state.tasks.get(task)?.claim.as_ref()?;
            (claim.stage == Stage::Work).then(|| (task.clone(), claim.agent.clone()))
        };
        let thread = match &self.to {
            Recipient::Task(task) => works_on(task),
            _ => None,
        };
        state.messages.push(Message {
            id: meta.id,
            seq: meta.seq,
            from: self.from,
            to: self.to,
            text: self.text,
            task: self.task,
            urgent: self.urgent,
            asks: self.asks,
            reply_to: self.reply_to,
            at_ms: meta.at_ms,
            receipts: BTreeMap::new(),
            returned,
            in_thread_of: BTreeSet::new(),
            missed_by: BTreeSet::new(),
        });
        if let Some((task, agent)) = thread {
            state.messages.join_thread(&task, &agent);
        }
    }
}

impl Rule for MessagesDelivered {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(self, state: &mut State, _: &Meta) {
        receive(state, &self.agent, &self.messages, Receipt::Delivered);
    }
}

impl Rule for MessagesRead {
    fn guard(&self, _: &State) -> Result<(), Refusal> {
        Ok(())
    }

    fn take_effect(self, state: &mut State, _: &Meta) {
        read(state, &self.agent, &self.messages);
    }
}

/// The agent has read messages.
pub(super) fn read(state: &mut State, agent: &AgentId, messages: &[RecordId]) {
    receive(state, agent, messages, Receipt::Read);
}

fn receive(state: &mut State, agent: &AgentId, messages: &[RecordId], receipt: Receipt) {
    let role = state.agents.get(agent).map(|known| known.role);
    state.messages.receive(agent, role, messages, receipt);
}
