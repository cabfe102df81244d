//! Messages: for whom they are, and how far they came.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::book::Rule;
use super::{Entry, Team};
use crate::log_file::text;

/// One message.
#[derive(Debug, Default)]
struct Message {
    from: String,
    to: String,
    /// Who got it as the thread of a task.
    in_thread_of: BTreeSet<String>,
    /// With each agent that it reached, whether it was read.
    read_by: BTreeMap<String, bool>,
    /// Who left without having read it.
    returned_by: Option<String>,
}

/// All messages.
#[derive(Debug, Default)]
pub(super) struct Messages(BTreeMap<String, Message>);

impl Messages {
    /// Whoever works on a task reads its thread.
    pub fn join_thread(&mut self, task: &str, agent: &str) {
        let thread = format!("task:{task}");
        for message in self.0.values_mut().filter(|message| message.to == thread && message.from != agent) {
            message.in_thread_of.insert(agent.to_owned());
        }
    }

    /// Whoever leaves gives back what was for it alone. Says how much that is.
    pub fn returned_by(&mut self, agent: &str) -> usize {
        let mut returned = 0;
        for message in self.0.values_mut() {
            let is_read = message.read_by.get(agent) == Some(&true);
            if message.to == agent && !is_read && message.from != agent && message.returned_by.is_none() {
                message.returned_by = Some(agent.to_owned());
                returned += 1;
            }
            if !is_read {
                message.in_thread_of.remove(agent);
            }
        }
        returned
    }
}

impl Team {
    pub(super) fn sent(&mut self, entry: Entry<'_>) {
        let (from, to) = (text(&entry.body["from"]).to_owned(), text(&entry.body["to"]).to_owned());
        let mut message = Message { from, ..Message::default() };
        let waits = entry.body["waits"] == true;
        if !waits && self.members.get(&to).is_some_and(|member| member.has_left) {
            message.returned_by = Some(to.clone());
        }
        if let Some(task) = to.strip_prefix("task:") {
            let claim = self.tasks.get(task).and_then(|task| task.claim.as_ref());
            let worker = claim.filter(|claim| claim.stage == "work").map(|claim| claim.agent.clone());
            message.in_thread_of.extend(worker.filter(|agent| *agent != message.from));
        }
        message.to = to;
        self.messages.0.insert(entry.id.to_owned(), message);
    }

    /// Messages reached an agent, or were read by it.
    pub(super) fn received(&mut self, entry: Entry<'_>, agent: &str, field: &str, read: bool) {
        let role = self.members.get(agent).map_or("", |member| member.role.as_str()).to_owned();
        for id in entry.body[field]
            .as_array()
            .into_iter()
            .flatten()
            .map(Value::as_str)
            .map(Option::unwrap_or_default)
        {
            let Some(message) = self.messages.0.get_mut(id) else { continue };
            let known = message.read_by.get(agent).copied();
            if message.returned_by.as_deref() == Some(agent) && message.from != agent {
                // The word that it was read may come late; that it was put into a request may not.
                let reached = known.is_some();
                self.book.must(Rule::Returned, reached, &[id, entry.id], || {
                    format!("{agent} reads what went back to {} when it left", message.from)
                });
                continue;
            }
            let is_for = match message.to.split_once(':') {
                _ if message.returned_by.is_some() => message.from == agent,
                Some(("role", wanted)) => wanted == role && message.from != agent,
                // Threads are left with the team; the word that one was read may come late, as above.
                Some(("task", _)) => message.in_thread_of.contains(agent) || known.is_some(),
                _ if message.to == "everyone" => message.from != agent,
                _ => message.to == agent,
            };
            self.book.must(Rule::Delivery, is_for, &[id, entry.id], || {
                format!("{agent} gets what is for {}", message.to)
            });
            // A turn answers a request, so that what it read was put there before.
            let backward =
                matches!((entry.kind, known), ("messages_delivered", Some(true)) | ("turn_journalled", None));
            self.book.must(Rule::Delivery, !backward, &[id, entry.id], || {
                format!(
                    "a message goes backwards with {agent}: a {} when {known:?} was known of it",
                    entry.kind
                )
            });
            let is_read = message.read_by.entry(agent.to_owned()).or_default();
            *is_read |= read;
        }
    }
}
