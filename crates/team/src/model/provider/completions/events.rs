//! Server-sent events (HTML Standard, 9.2.6), as far as chat completions use them: the data of each event.
//!
//! Bytes come cut anywhere, so what is unfinished is kept until the rest is there. Nothing is decoded: the data is JSON,
//! whose reader looks at the characters anyway.

/// What came of the events so far and is no whole one yet.
#[derive(Default)]
pub(super) struct Events {
    /// The beginning of a line.
    line: Vec<u8>,
    /// The data of an event whose end has not come.
    data: Vec<u8>,
    /// Whether a line ended with a carriage return: a line feed that follows belongs to it.
    after_return: bool,
}

impl Events {
    /// The data of the next event that is whole, taken from `bytes`; `None` when these are used up.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Vec<u8>> {
        loop {
            if let (true, Some((first, rest))) = (self.after_return, bytes.split_first()) {
                self.after_return = false;
                *bytes = if *first == b'\n' { rest } else { *bytes };
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let Some((line, rest)) = end.and_then(|end| bytes.split_at_checked(end)) else {
                self.line.extend_from_slice(bytes);
                *bytes = &[];
                return None;
            };
            self.after_return = rest.first() == Some(&b'\r');
            *bytes = rest.get(1..).unwrap_or_default();
            let event = if self.line.is_empty() {
                self.take_line(line)
            } else {
                self.line.extend_from_slice(line);
                let line = std::mem::take(&mut self.line);
                self.take_line(&line)
            };
            if event.is_some() {
                return event;
            }
        }
    }

    /// What is left when no more bytes come: not every server ends its last event.
    pub(super) fn last(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        self.take_line(&line).or_else(|| self.take_line(b""))
    }

    /// Takes a line without its end, and gives the data of the event that it closes.
    fn take_line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        if line.is_empty() {
            return Some(std::mem::take(&mut self.data)).filter(|data| !data.is_empty());
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.trim_ascii());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Events;

    /// The events in bytes that come in pieces of this length.
    fn events(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut events = Events::default();
        let mut all = Vec::new();
        for mut bytes in bytes.chunks(piece) {
            all.extend(std::iter::from_fn(|| events.next(&mut bytes)));
        }
        all.extend(events.last());
        all.into_iter().map(|data| String::from_utf8(data).expect("these are characters")).collect()
    }

    #[test]
    fn every_end_of_line_ends_one_and_cuts_change_nothing() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ": a comment|data: one||event: ä|data:two|data: more|||id: 7||data: [DONE]";
            let bytes = text.replace('|', end);
            for piece in 1..=bytes.len() {
                let met = events(bytes.as_bytes(), piece);
                assert_eq!(met, ["one", "two\nmore", "[DONE]"], "{end:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_is_no_event_is_none() {
        for bytes in ["", "\n\n\n", "data\n\n", "data:\n\n", ": data: x\n\n", "<html>\r\n\r\n</html>"] {
            assert!(events(bytes.as_bytes(), 3).is_empty(), "{bytes:?}");
        }
    }
}
