//! What a program tells while it works, in the words that all drivers share.

use std::collections::BTreeMap;

use agent_client_protocol::v1::schema::{
    ContentBlock, SessionUpdate, ToolCallContent, ToolCallStatus, ToolCallUpdateFields, ToolKind,
    Usage as AcpUsage,
};
use serde_json::{Value, json};

use super::Told;
use crate::agent::driven::driver::Heard;
use crate::model::Usage;

/// The calls that are under way. A call is told once its input is known, or it ends: programs announce some before.
#[derive(Default)]
pub(super) struct Calls {
    open: BTreeMap<String, Call>,
}

#[derive(Default)]
struct Call {
    /// What it is called for people: a tool, a command, a file.
    title: String,
    kind: ToolKind,
    input: Value,
    output: String,
    is_told: bool,
}

impl Calls {
    /// Tells what came.
    pub fn hear(&mut self, told: Told, hear: &mut (dyn FnMut(Heard) + Send)) {
        let update = match told {
            Told::Asked { what, allowed } => return hear(Heard::Asked { what, allowed }),
            Told::Update(update) => *update,
        };
        match update {
            SessionUpdate::AgentMessageChunk(chunk) => {
                if let ContentBlock::Text(text) = chunk.content {
                    hear(Heard::Text(text.text));
                }
            }
            SessionUpdate::AgentThoughtChunk(_) => hear(Heard::Thinks),
            SessionUpdate::ToolCall(call) => {
                let fields = ToolCallUpdateFields::new()
                    .kind(call.kind)
                    .status(call.status)
                    .title(call.title)
                    .name(call.name)
                    .content(call.content)
                    .raw_input(call.raw_input)
                    .raw_output(call.raw_output);
                self.update(&call.tool_call_id.to_string(), fields, hear);
            }
            // Some tell of calls that they never announced.
            SessionUpdate::ToolCallUpdate(call) => {
                self.update(&call.tool_call_id.to_string(), call.fields, hear);
            }
            _ => {}
        }
    }

    fn update(&mut self, id: &str, fields: ToolCallUpdateFields, hear: &mut (dyn FnMut(Heard) + Send)) {
        let call = self.open.entry(id.to_owned()).or_default();
        if let Some(title) = fields.name.or(fields.title).filter(|title| !title.is_empty()) {
            call.title = title;
        }
        call.kind = fields.kind.unwrap_or(call.kind);
        if let Some(input) = fields.raw_input.filter(says_something) {
            call.input = input;
        }
        let said =
            fields.content.map(|content| content.iter().filter_map(text).collect::<Vec<_>>().join("\n"));
        if let Some(said) = said.filter(|said| !said.is_empty()).or_else(|| fields.raw_output.map(flat)) {
            call.output = said;
        }
        let ended = match fields.status {
            Some(ToolCallStatus::Completed) => Some(false),
            Some(ToolCallStatus::Failed) => Some(true),
            _ => None,
        };
        if !call.is_told && (!call.input.is_null() || ended.is_some()) {
            call.is_told = true;
            hear(call.told(id));
        }
        if let Some(is_error) = ended
            && let Some(call) = self.open.remove(id)
        {
            hear(Heard::Returned { id: id.to_owned(), output: call.output, is_error });
        }
    }
}

/// Whether an input is more than an announcement: OpenCode's has the folder alone, others' are empty.
fn says_something(input: &Value) -> bool {
    match input {
        Value::Object(fields) => fields.keys().any(|name| name != "cwd"),
        input => !input.is_null(),
    }
}

impl Call {
    /// How it is written down. Some name what they do it to alone, a file say, and some nothing.
    fn told(&self, id: &str) -> Heard {
        let name = match (self.title.as_str(), verb(self.kind)) {
            ("", _) => id.to_owned(),
            (title, Some(verb)) if self.input.is_null() => format!("{verb} {title}"),
            (title, _) => title.to_owned(),
        };
        let input = if self.input.is_null() { json!({}) } else { self.input.clone() };
        Heard::Calls { id: id.to_owned(), name, input }
    }
}

fn verb(kind: ToolKind) -> Option<&'static str> {
    match kind {
        ToolKind::Read => Some("read"),
        ToolKind::Edit => Some("edit"),
        ToolKind::Delete => Some("delete"),
        ToolKind::Move => Some("move"),
        ToolKind::Search => Some("search"),
        ToolKind::Execute => Some("run"),
        ToolKind::Fetch => Some("fetch"),
        _ => None,
    }
}

/// What a piece of a call's content says.
fn text(content: &ToolCallContent) -> Option<String> {
    match content {
        ToolCallContent::Content(content) => match &content.content {
            ContentBlock::Text(text) => Some(text.text.clone()),
            _ => None,
        },
        ToolCallContent::Diff(diff) => Some(format!("changed {}", diff.path.display())),
        _ => None,
    }
}

/// A value as text: a string as it is.
fn flat(value: Value) -> String {
    match value {
        Value::String(text) => text,
        value => value.to_string(),
    }
}

/// What was used, as it is counted here.
pub(super) fn usage(used: &AcpUsage) -> Usage {
    let (cached, written) = (used.cached_read_tokens.unwrap_or(0), used.cached_write_tokens.unwrap_or(0));
    Usage {
        input_tokens: used.input_tokens.saturating_add(cached).saturating_add(written),
        cached_tokens: cached,
        cache_write_tokens: written,
        output_tokens: used.output_tokens.saturating_add(used.thought_tokens.unwrap_or(0)),
    }
}
