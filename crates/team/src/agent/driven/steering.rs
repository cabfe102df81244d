//! How a program is steered while it does what it was told: it is broken off, or told more.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::RecordId;

/// What may come up while a program does what it was told.
pub struct Steering {
    /// Makes it break off: what it has not done then it leaves.
    pub stop: CancellationToken,
    /// What it is told besides.
    pub more: MoreWords,
}

/// Words for a program while it works, as they come.
pub struct MoreWords(Option<mpsc::Receiver<More>>);

/// Something to tell a program while it works. If it does not say that it has [taken](super::Heard::Took) it, it is told so
/// with the next words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct More {
    /// What to say.
    pub words: String,
    /// The messages in it.
    pub(super) messages: Vec<RecordId>,
}

impl Steering {
    /// Nothing but that it may be broken off.
    pub fn by(stop: CancellationToken) -> Self {
        Self { stop, more: MoreWords(None) }
    }

    /// The same with words that somebody sends.
    pub(super) fn with_words(stop: CancellationToken) -> (Self, mpsc::Sender<More>) {
        let (say, more) = mpsc::channel(1);
        (Self { stop, more: MoreWords(Some(more)) }, say)
    }
}

impl MoreWords {
    /// Waits for the next; for ever if there will be none. May be dropped while it waits; nothing is lost then.
    pub async fn next(&mut self) -> More {
        let next = match &mut self.0 {
            Some(words) => words.recv().await,
            None => None,
        };
        match next {
            Some(more) => more,
            None => std::future::pending().await,
        }
    }
}
