//! What a run tells the view that it shows: what its agents do at the moment, and the lines that would stand on the terminal.

use std::sync::{Arc, Mutex, PoisonError};

use agent_team::AgentId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How much is kept while nobody looks.
const KEPT: usize = 1_000;

/// What is told. Clones tell the same view.
#[derive(Clone, Default)]
pub struct Feed(Arc<Told>);

#[derive(Default)]
struct Told {
    news: Mutex<News>,
    wake: Notify,
    /// The run is over: there is nothing more to show.
    over: CancellationToken,
}

/// What was told since the view looked last.
#[derive(Default)]
pub struct News {
    /// What agents do; `None` for one that has nothing to do.
    pub activity: Vec<(AgentId, Option<String>)>,
    /// The lines.
    pub lines: Vec<String>,
}

impl Feed {
    /// An agent does something, or nothing.
    pub fn activity(&self, agent: &AgentId, what: Option<&str>) {
        self.tell(|news| {
            news.activity.retain(|(known, _)| known != agent);
            news.activity.push((agent.clone(), what.map(str::to_owned)));
        });
    }

    /// A line is told.
    pub fn line(&self, line: &str) {
        self.tell(|news| {
            if news.lines.len() >= KEPT {
                news.lines.remove(0);
            }
            news.lines.push(line.to_owned());
        });
    }

    /// The run is over.
    pub fn end(&self) {
        self.0.over.cancel();
    }

    /// Completes when the run is over.
    pub async fn ended(&self) {
        self.0.over.cancelled().await;
    }

    /// Completes when something was told.
    pub async fn changed(&self) {
        self.0.wake.notified().await;
    }

    /// What was told since the last look.
    pub fn take(&self) -> News {
        std::mem::take(&mut *self.0.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, tell: impl FnOnce(&mut News)) {
        tell(&mut self.0.news.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.wake.notify_one();
    }
}
