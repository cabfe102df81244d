//! Reads lines the short way, if they look as this program writes them: fields in their order, nothing between them, no
//! escapes. Opening a long log, and following one that many write, is mostly this.
//!
//! Only the envelope and the bodies of which a log has most are read here. Whatever looks otherwise is left to the JSON
//! library. What is read here means the same there: tests and a fuzzer compare the two.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use crate::id::{AgentId, RecordId};
use crate::record::{
    Body, ClaimRenewed, Holder, Record, Stage, TaskAdded, TaskClaimed, TaskSpec, TaskSubmitted,
};
use crate::text::Text;

/// What comes again and again, so that it is read and kept once.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    agents: BTreeMap<Box<str>, AgentId>,
    /// By their JSON.
    holders: BTreeMap<Box<str>, Arc<Holder>>,
}

/// More agents or processes than this are not worth remembering.
const KNOWN_MAX: usize = 10_000;

impl Known {
    fn agent(&mut self, name: &str) -> Option<AgentId> {
        if let Some(known) = self.agents.get(name) {
            return Some(known.clone());
        }
        let agent: AgentId = name.parse().ok()?;
        if self.agents.len() < KNOWN_MAX {
            self.agents.insert(name.into(), agent.clone());
        }
        Some(agent)
    }

    fn holder(&mut self, json: &str) -> Option<Arc<Holder>> {
        if let Some(known) = self.holders.get(json) {
            return Some(Arc::clone(known));
        }
        let holder: Arc<Holder> = serde_json::from_str(json).ok()?;
        if self.holders.len() < KNOWN_MAX {
            self.holders.insert(json.into(), Arc::clone(&holder));
        }
        Some(holder)
    }
}

/// The record of a line, if the line is plain.
pub(super) fn record(line: &[u8], known: &mut Known) -> Option<Record> {
    // All at once, which takes less time than piece by piece.
    let mut rest = Rest(std::str::from_utf8(line).ok()?);
    rest.skip(r#"{"v":"#)?;
    let format = u32::try_from(rest.number()?).ok()?;
    rest.skip(r#","id":"#)?;
    let id = rest.id()?;
    rest.skip(r#","at_ms":"#)?;
    let at_ms = rest.number()?;
    rest.skip(r#","by":"#)?;
    let by = known.agent(rest.text()?)?;
    rest.skip(r#","kind":"#)?;
    let kind = rest.text()?;
    rest.skip(r#","body":"#)?;
    let content = rest.0.strip_suffix('}')?;
    let body = match body(kind, Rest(content), known) {
        Some(body) => body,
        None => match Body::from_content(kind, content) {
            // Whether the rest of the line is what it seems is only known if the body fits.
            Body::Unknown { .. } | Body::Malformed { .. } => return None,
            body => body,
        },
    };
    Some(Record { id, format, at_ms, by, body })
}

/// The body of a frequent kind, if it is plain and nothing follows it.
fn body(kind: &str, mut rest: Rest<'_>, known: &mut Known) -> Option<Body> {
    match kind {
        "task_added" => {
            rest.skip(r#"{"task":{"id":"#)?;
            let id = rest.parsed()?;
            rest.skip(r#","title":"#)?;
            let title = rest.text()?;
            let task = Box::new(TaskSpec::new(id, title));
            rest.end("}}")?;
            Some(TaskAdded { task, batch: None }.into())
        }
        "task_claimed" => {
            rest.skip(r#"{"task":"#)?;
            let task = rest.parsed()?;
            rest.skip(r#","on":"#)?;
            let on = Some(rest.id()?);
            rest.skip(r#","stage":"#)?;
            let stage = rest.text()?;
            let stage = Stage::ALL.into_iter().find(|known| known.as_str() == stage)?;
            rest.skip(r#","agent":"#)?;
            let agent = known.agent(rest.text()?)?;
            rest.skip(r#","holder":"#)?;
            let holder = known.holder(rest.0.strip_suffix('}')?)?;
            Some(TaskClaimed { task, on, stage, agent, holder }.into())
        }
        "claim_renewed" => {
            rest.skip(r#"{"claim":"#)?;
            let claim = rest.id()?;
            rest.end("}")?;
            Some(ClaimRenewed { claim }.into())
        }
        "task_submitted" => {
            rest.skip(r#"{"claim":"#)?;
            let claim = rest.id()?;
            rest.skip(r#","result":"#)?;
            let result = Text::Inline(rest.text()?.to_owned());
            rest.end("}")?;
            Some(TaskSubmitted { claim, result, commit: None, protected: Vec::new() }.into())
        }
        _ => None,
    }
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn end(&self, expected: &str) -> Option<()> {
        (self.0 == expected).then_some(())
    }

    /// A number without sign, fraction or exponent.
    fn number(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        let mut digits = 0;
        for byte in self.0.bytes().take_while(u8::is_ascii_digit) {
            number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            digits += 1;
        }
        // JSON knows no leading zeros.
        let zero_leads = digits > 1 && self.0.starts_with('0');
        let rest = self.0.get(digits..)?;
        if digits == 0 || zero_leads || rest.starts_with(['.', 'e', 'E']) {
            return None;
        }
        self.0 = rest;
        Some(number)
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let rest = self.0.strip_prefix('"')?;
        let end = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
        let (text, rest) = rest.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        Some(text)
    }

    fn id(&mut self) -> Option<RecordId> {
        let (id, rest) = self.0.strip_prefix('"')?.split_at_checked(32)?;
        self.0 = rest.strip_prefix('"')?;
        id.parse().ok()
    }

    fn parsed<T: FromStr>(&mut self) -> Option<T> {
        self.text()?.parse().ok()
    }
}
