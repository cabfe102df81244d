//! Whether a call to a model waits for its next try: whoever is asked to stop finishes a call that is under way, but does
//! not wait for that.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::model::Delta;

/// Whether one call waits for its next try, as its stream says.
pub(super) struct NextTry(watch::Sender<bool>);

impl NextTry {
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Hears what the stream says.
    pub fn hears(&self, delta: &Delta) {
        match delta {
            Delta::Retry { .. } => self.0.send_replace(true),
            Delta::Begins => self.0.send_replace(false),
            _ => return,
        };
    }

    /// Waits until a call is to be given up: somebody asks to stop, and it is between two tries.
    pub async fn is_given_up(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        let mut waits = self.0.subscribe();
        // The sender lives as long as this.
        let _ = waits.wait_for(|waits| *waits).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn a_call_is_given_up_between_its_tries_and_not_during_one() {
        let (next_try, stop) = (NextTry::new(), CancellationToken::new());
        let retry = Delta::Retry { wait_ms: 1, reason: "because".into() };
        let mut given_up = std::pin::pin!(next_try.is_given_up(&stop));
        next_try.hears(&retry);
        assert!(poll!(given_up.as_mut()).is_pending(), "nobody asked");
        next_try.hears(&Delta::Begins);
        stop.cancel();
        assert!(poll!(given_up.as_mut()).is_pending(), "the second try is under way");
        next_try.hears(&retry);
        given_up.await;
    }
}
