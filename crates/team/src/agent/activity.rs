//! What an agent does at the moment, for those who watch.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells those who watch what an agent does at the moment.
#[derive(Clone, Default)]
pub struct Activity {
    what: Option<Listener>,
    notes: Option<Listener>,
    /// Told when the agent begins to wait for somebody's word, and when that is over.
    waits: Option<Arc<watch::Sender<bool>>>,
}

type Listener = Arc<dyn Fn(String) + Send + Sync>;

impl Activity {
    /// Activity that is told to a listener.
    pub fn told_to(listener: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self { what: Some(Arc::new(listener)), ..Self::default() }
    }

    /// The same with a listener for what is worth a line of its own.
    #[must_use]
    pub fn notes_to(mut self, listener: impl Fn(String) + Send + Sync + 'static) -> Self {
        self.notes = Some(Arc::new(listener));
        self
    }

    /// The same with somebody who hears when the agent waits for a word.
    #[must_use]
    pub(crate) fn waits_to(mut self, waits: Arc<watch::Sender<bool>>) -> Self {
        self.waits = Some(waits);
        self
    }

    /// Says that the agent waits for somebody's word, until what it gives back is dropped.
    pub(super) fn waits(&self) -> Waits {
        let waits = Waits(self.waits.clone());
        waits.tell(true);
        waits
    }

    /// Says what the agent does, in a few words.
    pub fn is(&self, what: impl Into<String>) {
        if let Some(listener) = &self.what {
            listener(what.into());
        }
    }

    /// Says something that is worth a line of its own.
    pub fn note(&self, text: impl Into<String>) {
        if let Some(listener) = &self.notes {
            listener(text.into());
        }
    }
}

/// While this is there an agent waits for somebody's word.
pub(super) struct Waits(Option<Arc<watch::Sender<bool>>>);

impl Waits {
    fn tell(&self, waits: bool) {
        if let Some(told) = &self.0 {
            told.send_replace(waits);
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.tell(false);
    }
}

/// What a tool call does, in a few words.
pub(super) fn doing(name: &str, input: &serde_json::Value) -> String {
    let argument = ["path", "command", "pattern", "to"].into_iter().find_map(|key| input.get(key)?.as_str());
    match argument {
        Some(argument) => format!("{name} {}", argument.lines().next().unwrap_or_default()),
        None => name.to_owned(),
    }
}
