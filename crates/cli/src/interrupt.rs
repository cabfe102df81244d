//! Ctrl-C while a verb waits: it stops what it began, and the command ends with 130.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};

/// Runs async work on this thread. Only verbs that wait pay for a runtime.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::io("cannot wait", &error))?.block_on(work)
}

/// Completes at the first Ctrl-C, or when the process is asked to end.
pub async fn interrupted() {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    // Without a handler, the signal ends the process by itself.
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// What is said when it happened.
pub fn failure() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted")
}
