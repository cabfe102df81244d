//! How a run is shown at a terminal: by the view, which may be left, or by lines. And what Ctrl-C does to it.

use agent_team::{Stop, TaskQueue};

use crate::approve::approve_plans;
use crate::interrupt;
use crate::live::Live;
use crate::watch::{self, Over, View};

/// How a run is shown at a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// By the view.
    View,
    /// By lines.
    Lines,
}

impl Shown {
    /// Whether the view is shown: where there is a terminal, somebody who may sit at it, and a log to be followed.
    pub fn has_view(self, live: &Live, queue: &TaskQueue) -> bool {
        let has_terminal = live.moves() && watch::has_terminal() && !is_automatic();
        self == Self::View && has_terminal && queue.team_log().folder().is_some()
    }
}

/// Shows the run until it is over, or somebody leaves the view: from then on by lines.
pub async fn view_then_lines(view: View, live: Live, asks: bool) {
    let (queue, feed) = (view.queue.clone(), view.feed.clone());
    live.hide();
    let over = watch::show(view).await;
    live.show();
    match over {
        // Where the terminal is gone nobody reads on, and nobody can be asked.
        Ok(Over::Ended | Over::Gone) => return,
        Ok(Over::Left) => live.say("NOTE the run goes on; agent-team watch shows it again"),
        Err(failure) => live.say(&format!("ERROR the view ended, the run goes on: {}", failure.words())),
    }
    if asks {
        tokio::select! {
            () = feed.ended() => {}
            // What cannot be asked about waits for `agent-team plan`.
            _ = approve_plans(queue, live) => {}
        }
    }
}

/// Whether a program runs this that keeps what is printed, as builds do.
fn is_automatic() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// The first Ctrl-C lets agents finish their turns, the second ends at once.
pub async fn stop_on_interrupt(stop: Stop, live: Live) {
    interrupt::interrupted().await;
    live.say("INTERRUPTED agents finish their turns and give back what they hold; once more to end at once");
    stop.gently();
    interrupt::interrupted().await;
    live.say("INTERRUPTED ending at once");
    stop.at_once();
}
