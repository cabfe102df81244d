//! What a call used, read from the answer while it passes through.
//!
//! Sources: Anthropic, "Messages" (`usage` of `message_start` and `message_delta`, where tokens of the cache are not among the
//! input tokens); OpenAI, "Responses" and "Chat completions" (`usage`, where they are); Google, `GenerateContentResponse`
//! (`usageMetadata`).

use serde_json::Value;

use crate::model::Usage;

/// The longest line of a stream, and the longest answer in one piece, that is read, in bytes.
const READ_BYTES_MAX: usize = 32 << 20;
/// About how many bytes make a token, where nobody counted.
const BYTES_PER_TOKEN: u64 = 4;

/// An answer as it comes.
#[derive(Debug)]
pub(crate) struct Reading {
    is_stream: bool,
    /// What has come of a line, or of all.
    pending: Vec<u8>,
    usage: Option<Usage>,
    bytes: u64,
    /// Whether a stream has said all that it has to say.
    has_ended: bool,
}

impl Reading {
    /// An answer whose header says of what type it is.
    pub fn of_type(content_type: &str) -> Self {
        let is_stream = content_type.trim_start().starts_with("text/event-stream");
        Self { is_stream, pending: Vec::new(), usage: None, bytes: 0, has_ended: false }
    }

    /// Reads a piece.
    pub fn hear(&mut self, mut piece: &[u8]) {
        self.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        while let (true, Some(end)) = (self.is_stream, memchr::memchr(b'\n', piece)) {
            let (line, rest) = piece.split_at(end);
            self.keep(line);
            self.line_ended();
            piece = rest.get(1..).unwrap_or_default();
        }
        self.keep(piece);
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.pending.len() + piece.len() <= READ_BYTES_MAX {
            self.pending.extend_from_slice(piece);
        }
    }

    fn line_ended(&mut self) {
        let line = std::mem::take(&mut self.pending);
        self.has_ended |= line.strip_prefix(b"data:").is_some_and(|data| data.trim_ascii() == b"[DONE]");
        // Most lines are pieces of text.
        if let Some(data) = line.strip_prefix(b"data:")
            && memchr::memmem::find(data, b"\"usage").is_some()
            && let Ok(event) = serde_json::from_slice(data)
        {
            self.learn(&event);
        }
    }

    fn learn(&mut self, said: &Value) {
        self.has_ended |= is_last(said);
        if let Some(usage) = usage_of(said) {
            let known = self.usage.unwrap_or_default();
            // Each event tells a part of it, or all so far.
            self.usage = Some(Usage {
                input_tokens: known.input_tokens.max(usage.input_tokens),
                cached_tokens: known.cached_tokens.max(usage.cached_tokens),
                cache_write_tokens: known.cache_write_tokens.max(usage.cache_write_tokens),
                output_tokens: known.output_tokens.max(usage.output_tokens),
            });
        }
    }

    /// Whether a stream has said all that counts: programs go away then, and do not wait for its end.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// What the call used, with a body of so many bytes; an estimate if the answer does not say.
    pub fn usage(mut self, call_bytes: usize) -> Usage {
        if self.is_stream {
            self.line_ended();
        } else if let Ok(said) = serde_json::from_slice::<Value>(&self.pending) {
            // Gemini streams an array where it is not asked for events.
            match said {
                Value::Array(pieces) => pieces.iter().for_each(|piece| self.learn(piece)),
                said => self.learn(&said),
            }
        }
        self.usage.unwrap_or_else(|| Usage {
            input_tokens: u64::try_from(call_bytes).unwrap_or(u64::MAX) / BYTES_PER_TOKEN,
            output_tokens: self.bytes / BYTES_PER_TOKEN,
            ..Usage::default()
        })
    }
}

/// Whether an event with a usage is the last that has one.
fn is_last(said: &Value) -> bool {
    let kind = said.get("type").and_then(Value::as_str).unwrap_or_default();
    let finished = said.pointer("/candidates/0/finishReason").is_some_and(Value::is_string);
    finished
        || ["message_delta", "response.completed", "response.incomplete", "response.failed"].contains(&kind)
}

fn usage_of(said: &Value) -> Option<Usage> {
    let places = ["/usage", "/message/usage", "/response/usage", "/usageMetadata"];
    let usage = places.iter().find_map(|place| said.pointer(place).filter(|usage| usage.is_object()))?;
    let number = |names: &[&str]| names.iter().find_map(|name| usage.pointer(name)?.as_u64()).unwrap_or(0);
    let beside = number(&["/cache_read_input_tokens"]);
    let written = number(&["/cache_creation_input_tokens"]);
    let within = [
        "/input_tokens_details/cached_tokens",
        "/prompt_tokens_details/cached_tokens",
        "/cachedContentTokenCount",
    ];
    Some(Usage {
        input_tokens: number(&["/input_tokens", "/prompt_tokens", "/promptTokenCount"]) + beside + written,
        cached_tokens: beside + number(&within),
        cache_write_tokens: written,
        output_tokens: number(&["/output_tokens", "/completion_tokens", "/candidatesTokenCount"])
            + number(&["/thoughtsTokenCount"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = "text/event-stream; charset=utf-8";

    /// The answer in pieces of so many bytes.
    fn read(content_type: &str, answer: &str, piece_bytes: usize) -> Usage {
        let mut reading = Reading::of_type(content_type);
        answer.as_bytes().chunks(piece_bytes).for_each(|piece| reading.hear(piece));
        reading.usage(400)
    }

    fn used(input_tokens: u64, cached_tokens: u64, cache_write_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, cached_tokens, cache_write_tokens, output_tokens }
    }

    #[test]
    fn each_protocol_says_what_a_call_used_in_its_own_words() {
        let anthropic = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\
                         \"cache_read_input_tokens\":90,\"cache_creation_input_tokens\":5,\"output_tokens\":1}}}\n\n\
                         data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"usage\"}}\r\n\n\
                         data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":42}}\n\n";
        let responses = "data: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n\
                         data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":100,\
                         \"input_tokens_details\":{\"cached_tokens\":64},\"output_tokens\":7}}}";
        let completions = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
        let gemini = "data: {\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":2,\"thoughtsTokenCount\":4}}\n\n";
        for piece in [1, 7, 4096] {
            assert_eq!(read(EVENTS, anthropic, piece), used(105, 90, 5, 42));
            assert_eq!(read(EVENTS, responses, piece), used(100, 64, 0, 7));
            assert_eq!(read(EVENTS, completions, piece), used(8, 0, 0, 3));
            assert_eq!(read(EVENTS, gemini, piece), used(5, 0, 0, 6));
        }
        let whole = "{\"id\":\"m\",\n\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}";
        assert_eq!(read("application/json", whole, 5), used(3, 0, 0, 4));
        let array =
            "[{\"usageMetadata\":{\"promptTokenCount\":5}},{\"usageMetadata\":{\"candidatesTokenCount\":2}}]";
        assert_eq!(read("application/json", array, 9), used(5, 0, 0, 2));
    }

    #[test]
    fn a_stream_has_ended_when_it_has_said_what_it_used() {
        let ended = |line: &str| {
            let mut reading = Reading::of_type(EVENTS);
            reading.hear(format!("data: {line}\n").as_bytes());
            reading.has_ended()
        };
        assert!(!ended(r#"{"type":"message_start","message":{"usage":{"input_tokens":1}}}"#));
        assert!(ended(r#"{"type":"message_delta","usage":{"output_tokens":1}}"#));
        assert!(!ended(r#"{"type":"response.created","response":{"usage":null}}"#));
        assert!(ended(r#"{"type":"response.completed","response":{"usage":{"input_tokens":1}}}"#));
        assert!(!ended(r#"{"choices":[{"delta":{}}],"usage":null}"#));
        assert!(ended("[DONE]"));
        assert!(!ended(r#"{"candidates":[{}],"usageMetadata":{"promptTokenCount":1}}"#));
        assert!(ended(r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}"#));
    }

    #[test]
    fn what_nobody_counted_is_estimated() {
        assert_eq!(read(EVENTS, "data: {\"choices\":[]}\n\n", 3), used(100, 0, 0, 5));
        assert_eq!(read("application/json", "{}", 3), used(100, 0, 0, 0));
    }
}
