//! A message that was sent is received once by its reader.

use std::collections::{BTreeMap, BTreeSet};

use agent_team_core::id::{AgentId, RecordId};
use agent_team_core::record::{Body, MessageSent, Recipient, Stage};

use super::{Fact, Fate, Verdict, Witness, violation};

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
        for (id, _, body) in self.sent() {
            let Recipient::Agent(to) = &body.to else { continue };
            let text = body.text.preview().into_owned();
            let handed = self.mail.had.contains(&(to.clone(), text.clone()));
            let expected = self.cast.roles.contains_key(to) && !self.mail.excused.contains(&(to.clone(), id));
            if expected && !handed {
                return violation("mail", format!("{to} never received `{text}`"));
            }
        }
        Ok(())
    }

    /// Whoever certainly took a task after something was said in its thread has received it.
    pub(super) fn judge_threads(&self) -> Verdict {
        for (id, place, body) in self.sent() {
            let Recipient::Task(task) = &body.to else { continue };
            let text = body.text.preview();
            for claim in self.claims_of.get(task).into_iter().flatten().filter_map(|id| self.claims.get(id)) {
                let later = claim.stage == Stage::Work && self.place(claim.tag) > place;
                let expected = later
                    && self.stands(claim.tag)
                    && claim.agent != body.from
                    && self.cast.roles.contains_key(&claim.agent)
                    && !self.mail.excused.contains(&(claim.agent.clone(), id));
                if expected && !self.mail.had.contains(&(claim.agent.clone(), text.to_string())) {
                    let who = &claim.agent;
                    return violation("mail", format!("{who} took {task} and never received `{text}`"));
                }
            }
        }
        Ok(())
    }

    /// Whoever was asked has answered.
    pub(super) fn judge_answers(&self) -> Verdict {
        for (id, _, body) in self.sent().filter(|(_, _, body)| body.asks) {
            let Recipient::Agent(asked) = &body.to else { continue };
            let answers = |fact: &Fact| {
                let body = fact.record.as_ref().map(|record| &record.body);
                let answers = matches!(body, Some(Body::MessageSent(body)) if body.reply_to == Some(id) && body.from == *asked);
                answers && fact.place.is_some() && !fact.lost
            };
            if self.cast.roles.contains_key(asked) && !self.facts.iter().any(answers) {
                return violation("mail", format!("{asked} never answered `{}`", body.text.preview()));
            }
        }
        Ok(())
    }

    /// Who takes a task is told what was certainly noted before, once.
    ///
    /// # Errors
    /// When something is missing, or is told twice.
    pub fn told_notes(&self, agent: &AgentId, claim: RecordId, notes: &[RecordId]) -> Verdict {
        let Some(claim) = self.claims.get(&claim) else { return Ok(()) };
        let before = self.place(claim.tag);
        let told: BTreeSet<&RecordId> = notes.iter().collect();
        let mut known = self.notes.iter().filter(|tag| self.stands(**tag) && self.place(**tag) < before);
        let is_missing = |tag: &usize| self.id_of(*tag).is_none_or(|id| !told.contains(&id));
        if told.len() < notes.len() || known.any(is_missing) {
            return violation("notes", format!("{agent} was told not all that was noted, or some twice"));
        }
        Ok(())
    }

    /// What was certainly sent.
    fn sent(&self) -> impl Iterator<Item = (RecordId, usize, &MessageSent)> {
        let known = self.facts.iter().filter(|fact| fact.fate == Fate::Effective && !fact.lost);
        known.filter_map(|fact| {
            let record = fact.record.as_ref()?;
            let Body::MessageSent(body) = &record.body else { return None };
            Some((record.id, fact.place?, body))
        })
    }
}
