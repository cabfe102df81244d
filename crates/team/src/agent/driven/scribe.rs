//! Writes down what a driven agent says and does, in the journal that all kinds of agents have.
//!
//! A turn in the journal is what it says until it calls a tool, and the call; so whoever follows sees the calls as they come.

use std::collections::BTreeMap;

use agent_team_core::record::TurnJournalled;

use super::driver::Heard;
use super::usage::minus;
use crate::agent::activity::doing;
use crate::agent::draft::Drafting;
use crate::agent::journal::{Journal, Line};
use crate::agent::{AgentError, Context};
use crate::model::{Part, StopReason, Usage};
use crate::outside::now_ms;
use crate::{AgentMessage, RecordId};

/// The longest output of a call that is kept, in bytes: the whole is the program's own concern.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

pub(super) struct Scribe<'a> {
    context: &'a Context,
    pub journal: Journal,
    /// What was said and is in no line yet.
    said: String,
    /// What those who look on see of it.
    drafting: Option<Drafting>,
    /// The calls that are under way, and the tools that they call.
    open: BTreeMap<String, String>,
    /// The messages that the next turn answers.
    read: Vec<RecordId>,
    /// All that this conversation has used, and how much of that stands in lines.
    used: Usage,
    noted: Usage,
    /// What went wrong while it was heard: hearing itself cannot fail.
    broken: Option<AgentError>,
}

impl<'a> Scribe<'a> {
    pub fn new(context: &'a Context, journal: Journal) -> Self {
        let (open, read) = (BTreeMap::new(), Vec::new());
        let (used, noted) = (Usage::default(), Usage::default());
        let (said, drafting) = (String::new(), None);
        Self { context, journal, said, drafting, open, read, used, noted, broken: None }
    }

    /// What the conversation is called that the attempt had last, if it had one.
    pub fn session(&self) -> Option<String> {
        self.journal.lines().iter().rev().find_map(|line| match line {
            Line::Session { id, .. } => Some(id.clone()),
            _ => None,
        })
    }

    /// Begins with a conversation, which has used nothing yet, and writes down what it is called if it can be gone on with.
    pub fn begins(&mut self, id: Option<&str>) -> Result<(), AgentError> {
        (self.used, self.noted) = (Usage::default(), Usage::default());
        if let Some(id) = id
            && self.session().as_deref() != Some(id)
        {
            self.journal.write(Line::Session { at_ms: now_ms(), id: id.to_owned() })?;
        }
        Ok(())
    }

    /// Writes down what the agent is told, with the messages in it.
    pub fn told(&mut self, words: String, messages: &[AgentMessage]) -> Result<(), AgentError> {
        let messages: Vec<RecordId> = messages.iter().map(|message| message.id).collect();
        self.read.extend(&messages);
        self.journal.write(Line::Told { at_ms: now_ms(), parts: vec![Part::text(words)], messages })?;
        Ok(())
    }

    /// Hears what the program tells.
    pub fn hear(&mut self, heard: Heard) {
        if self.broken.is_none() {
            self.broken = self.write_down(heard).err();
        }
    }

    fn write_down(&mut self, heard: Heard) -> Result<(), AgentError> {
        match heard {
            Heard::Text(text) => {
                let drafting = Self::drafting(&mut self.drafting, self.context, &self.journal);
                drafting.says_whole(self.said.len(), &text);
                self.said += &text;
            }
            Heard::Writes(text) => {
                Self::drafting(&mut self.drafting, self.context, &self.journal).says(&text);
            }
            Heard::Thinks => self.context.activity.is("thinks"),
            Heard::Calls { id, name, input } => {
                self.context.activity.is(doing(&name, &input));
                self.open.insert(id.clone(), name.clone());
                self.answered(Some(Part::ToolCall { id, name, input }), StopReason::ToolCalls)?;
            }
            Heard::Returned { id, mut output, is_error } => {
                let name = self.open.remove(&id).unwrap_or_default();
                output.truncate(output.floor_char_boundary(OUTPUT_BYTES_MAX));
                self.journal.write(Line::ToolResult {
                    at_ms: now_ms(),
                    call_id: id,
                    name,
                    output,
                    is_error,
                })?;
            }
            Heard::Asked { what, allowed } => {
                self.journal.write(Line::Permission { at_ms: now_ms(), what, allowed })?;
            }
            Heard::Took(more) => {
                self.read.extend(&more.messages);
                self.journal.write(Line::Told {
                    at_ms: now_ms(),
                    parts: vec![Part::text(more.words)],
                    messages: more.messages.clone(),
                })?;
                self.context.bus.mark_delivered(&self.context.agent, more.messages)?;
            }
            Heard::Used(used) => self.used = used,
        }
        Ok(())
    }

    /// The draft of what it says, which begins with its first word.
    fn drafting<'d>(
        drafting: &'d mut Option<Drafting>,
        context: &Context,
        journal: &Journal,
    ) -> &'d mut Drafting {
        drafting.get_or_insert_with(|| {
            context.activity.is("speaks");
            journal.drafting().at_once()
        })
    }

    /// Ends a turn of the conversation, and gives its last words and what it has used.
    ///
    /// # Errors
    /// What went wrong while it was heard.
    pub fn turn_ended(&mut self) -> Result<(String, Usage), AgentError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let words = self.said.trim().to_owned();
        let used = minus(self.used, self.noted);
        if !self.said.is_empty() || used != Usage::default() {
            self.answered(None, StopReason::End)?;
        }
        Ok((words, used))
    }

    /// Writes what was said as a turn, and tells the log of it.
    fn answered(&mut self, call: Option<Part>, stop: StopReason) -> Result<(), AgentError> {
        let said = std::mem::take(&mut self.said);
        let text = Some(said.trim()).filter(|said| !said.is_empty()).map(Part::text);
        let parts = text.into_iter().chain(call).collect();
        let usage = minus(self.used, self.noted);
        self.noted = self.used;
        let turn = self.journal.turns() + 1;
        self.journal.write(Line::Answered { at_ms: now_ms(), turn, parts, usage, stop })?;
        self.drafting = None;
        let read = std::mem::take(&mut self.read);
        let body = TurnJournalled { claim: self.context.token, turn, read };
        self.context.queue.team_log().submit(&self.context.agent, &body.into()).map_err(AgentError::from)?;
        Ok(())
    }
}
