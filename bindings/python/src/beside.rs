//! What runs beside Python, and how it is ended.

use std::sync::Arc;

use agent_team::{Stop, Teammate};
use pyo3::prelude::*;
use serde::Serialize;
use tokio::sync::Notify;

use crate::line::Line;
use crate::process::runtime;

/// Ends a run, the work of one agent, or a wait.
#[pyclass(frozen, module = "agent_team._native")]
pub struct Stopper(pub Stopped);

/// What is ended.
pub enum Stopped {
    Run(Stop),
    Agent(Box<Teammate>),
    Wait(Arc<Notify>),
}

#[pymethods]
impl Stopper {
    /// Turns under way are finished.
    fn gently(&self) {
        match &self.0 {
            Stopped::Run(run) => run.gently(),
            Stopped::Agent(agent) => agent.stop(),
            Stopped::Wait(wait) => wait.notify_one(),
        }
    }

    /// Everything is dropped.
    fn at_once(&self) {
        match &self.0 {
            Stopped::Run(run) => run.at_once(),
            Stopped::Agent(agent) => agent.stop_at_once(),
            Stopped::Wait(wait) => wait.notify_one(),
        }
    }
}

/// Begins a wait, and calls `done` with what comes of it. It is given what completes when the [`Stopper`] is used: then it ends without
/// anything.
pub fn wait_beside<T, F>(
    line: &Line,
    done: Py<PyAny>,
    wait: impl FnOnce(Arc<Notify>) -> F,
) -> PyResult<Stopper>
where
    T: Serialize + Send + 'static,
    F: Future<Output = Result<Option<T>, agent_team::Error>> + Send + 'static,
{
    let over = Arc::new(Notify::new());
    let (wait, sender) = (wait(over.clone()), line.sender());
    runtime()?.spawn(async move { sender.tell(done, wait.await) });
    Ok(Stopper(Stopped::Wait(over)))
}
