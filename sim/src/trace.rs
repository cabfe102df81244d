//! What happened, in short lines, for people: only kept when somebody asked for it.

/// The lines of a simulation.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps its lines, or not.
    #[must_use]
    pub fn new(keep: bool) -> Self {
        Self { lines: keep.then(Vec::new) }
    }

    /// Notes a line, which is made only if it is kept.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
