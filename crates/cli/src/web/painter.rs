//! Pictures of the team as it changes, taken once for all pages that listen, and not at all while none does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use agent_team::{RecordId, TranscriptNews};
use tokio::sync::{Notify, watch};

use super::site::Site;
use crate::view::Picture;

/// The least time between two pictures: nobody sees more.
const BETWEEN: Duration = Duration::from_millis(15);
/// The same where only transcripts have grown: agents that speak do so all the time.
const BETWEEN_WORDS: Duration = Duration::from_millis(100);
/// How long to wait at most before looking although nothing was told: whoever died writes nothing.
const LOOK: Duration = Duration::from_secs(2);

/// Takes pictures for those who listen.
pub struct Painter {
    pub(super) site: Arc<Site>,
    pictures: watch::Sender<Arc<Picture>>,
    /// Counts up when a transcript that somebody reads may have grown.
    grown: watch::Sender<u64>,
    read: Mutex<Readers>,
    wanted: Notify,
}

/// Which transcripts the pages read.
#[derive(Default)]
struct Readers {
    next: u64,
    tokens: BTreeMap<u64, Vec<RecordId>>,
}

/// A page that listens.
pub struct Listener {
    /// The newest picture.
    pub pictures: watch::Receiver<Arc<Picture>>,
    /// Changes when a transcript may have grown.
    pub grown: watch::Receiver<u64>,
    painter: Arc<Painter>,
    number: u64,
}

impl Painter {
    /// Begins to take pictures of a team. Ends with the last one who holds it.
    pub fn begin(site: Arc<Site>) -> Arc<Self> {
        let first = site.picture().unwrap_or_default();
        let painter = Arc::new(Self {
            site,
            pictures: watch::channel(Arc::new(first)).0,
            grown: watch::channel(0).0,
            read: Mutex::default(),
            wanted: Notify::new(),
        });
        tokio::spawn(paint(Arc::downgrade(&painter)));
        painter
    }

    /// Takes a picture for one who comes.
    pub async fn refresh(&self) {
        let site = Arc::clone(&self.site);
        if let Ok(Ok(picture)) = tokio::task::spawn_blocking(move || site.picture()).await {
            self.show(picture);
        }
    }

    /// Shows a picture, if it is another one.
    fn show(&self, picture: Picture) {
        self.pictures.send_if_modified(|known| {
            let is_new = **known != picture;
            if is_new {
                *known = Arc::new(picture);
            }
            is_new
        });
    }

    /// Lets a page listen that reads these transcripts.
    pub fn listen(self: &Arc<Self>, tokens: Vec<RecordId>) -> Listener {
        let (pictures, grown) = (self.pictures.subscribe(), self.grown.subscribe());
        let mut read = self.readers();
        read.next += 1;
        let number = read.next;
        read.tokens.insert(number, tokens);
        drop(read);
        self.wanted.notify_one();
        Listener { pictures, grown, painter: Arc::clone(self), number }
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, Readers> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.painter.readers().tokens.remove(&self.number);
    }
}

async fn paint(painter: Weak<Painter>) {
    let Some(site) = painter.upgrade().map(|painter| Arc::clone(&painter.site)) else { return };
    let mut news = site.queue().team_log().follow();
    let mut transcripts = TranscriptNews::new(site.root());
    let mut followed = BTreeSet::new();
    loop {
        let Some(here) = painter.upgrade() else { return };
        if here.readers().tokens.is_empty() {
            here.wanted.notified().await;
        }
        let begun = Instant::now();
        let taken = Arc::clone(&site);
        if let Ok(Ok(picture)) = tokio::task::spawn_blocking(move || taken.picture()).await {
            let mut tokens = picture.transcripts();
            tokens.extend(here.readers().tokens.values().flatten());
            if tokens != followed {
                transcripts.follow(tokens.iter().copied());
                // What grew before it was followed is told now.
                here.grown.send_modify(|grown| *grown += 1);
                followed = tokens;
            }
            here.show(picture);
        }
        // At most half of the time goes into pictures.
        tokio::time::sleep(BETWEEN.max(begun.elapsed())).await;
        let (mut due, mut told) = (begun + LOOK, begun);
        loop {
            tokio::select! {
                changed = news.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                () = grown(&mut transcripts, told + BETWEEN) => {
                    told = Instant::now();
                    // Folders that came meanwhile are followed, too.
                    transcripts.follow(followed.iter().copied());
                    here.grown.send_modify(|grown| *grown += 1);
                    due = due.min(begun + BETWEEN_WORDS);
                }
                () = here.wanted.notified() => break,
                () = tokio::time::sleep_until(due.into()) => break,
            }
        }
    }
}

/// Completes when transcripts may have grown, and not before a time.
async fn grown(transcripts: &mut TranscriptNews, not_before: Instant) {
    tokio::time::sleep_until(not_before.into()).await;
    transcripts.changed().await;
}
