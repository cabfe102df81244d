//! A message that was sent is received once by its reader.

use std::collections::{BTreeMap, BTreeSet};

use agent_team_core::id::{AgentId, RecordId};
use agent_team_core::record::{Body, Recipient};

use super::{Fate, Verdict, Witness, violation};

/// What was handed to whom.
#[derive(Debug, Default)]
pub(super) struct Mail {
    handed: BTreeMap<(AgentId, String), u32>,
    /// What was ever handed to whom.
    had: BTreeSet<(AgentId, String)>,
    /// What was read, perhaps, by processes that died before they handed it on.
    excused: BTreeSet<(AgentId, RecordId)>,
}

impl Mail {
    /// After a power cut nobody knows what was read: reading is not synced.
    pub(super) fn forget(&mut self) {
        self.handed.clear();
    }
}

impl Witness {
    /// A process gives a message to its agent.
    ///
    /// # Errors
    /// When the agent had it before.
    pub fn received(&mut self, agent: &AgentId, text: &str) -> Verdict {
        self.mail.had.insert((agent.clone(), text.to_owned()));
        let times = self.mail.handed.entry((agent.clone(), text.to_owned())).or_default();
        *times += 1;
        if *times > 1 {
            return violation("mail", format!("{agent} received `{text}` twice"));
        }
        Ok(())
    }

    /// A process died between noting that messages were read and giving them to its agent.
    pub fn not_handed(&mut self, agent: &AgentId, messages: &[RecordId]) {
        self.mail.excused.extend(messages.iter().map(|id| (agent.clone(), *id)));
    }

    /// Everyone who is there to the end has received what was sent to them alone.
    pub(super) fn judge_mail(&self, _alive: &BTreeSet<u32>) -> Verdict {
        for fact in self.facts.iter().filter(|fact| fact.fate == Fate::Effective && !fact.lost) {
            let Some(record) = &fact.record else { continue };
            let Body::MessageSent(body) = &record.body else { continue };
            let Recipient::Agent(to) = &body.to else { continue };
            let text = body.text.preview().into_owned();
            let handed = self.mail.had.contains(&(to.clone(), text.clone()));
            let expected =
                self.cast.roles.contains_key(to) && !self.mail.excused.contains(&(to.clone(), record.id));
            if expected && !handed {
                return violation("mail", format!("{to} never received `{text}`"));
            }
        }
        Ok(())
    }
}
