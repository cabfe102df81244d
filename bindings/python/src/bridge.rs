//! From Rust's tasks to an asyncio event loop and back. Python's functions are called on the loop that `run` was awaited on; plain
//! ones it moves to threads (`_bridge.py`).

use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use agent_team::agent::AgentError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::error::TeamError;

/// The threads of Rust's side, and the process that has them: a fork has none.
static RUNTIME: OnceLock<(u32, Runtime)> = OnceLock::new();

/// The runtime on which everything asynchronous runs.
///
/// # Errors
/// In a process that was forked after its first use.
pub fn runtime() -> PyResult<&'static Runtime> {
    let (process, runtime) = match RUNTIME.get() {
        Some(known) => known,
        None => {
            let runtime = Runtime::new().map_err(|error| TeamError::new_err(error.to_string()))?;
            RUNTIME.get_or_init(|| (std::process::id(), runtime))
        }
    };
    match *process == std::process::id() {
        true => Ok(runtime),
        false => Err(PyRuntimeError::new_err(
            "this process was forked from one that has used agent_team, and its threads were not: start it with \
             multiprocessing's `spawn` or `forkserver`, or as a program of its own",
        )),
    }
}

/// Which of our threads are in the interpreter. One that is in it when it ends is ended in the middle, and the process with it.
static GATE: Gate = Gate { inside: Mutex::new(Inside { is_over: false, count: 0 }), left: Condvar::new() };

/// How long the end of the interpreter waits for them at most.
const PATIENCE: Duration = Duration::from_secs(5);

struct Gate {
    inside: Mutex<Inside>,
    left: Condvar,
}

struct Inside {
    is_over: bool,
    count: usize,
}

/// Says that the interpreter is about to end, and waits until none of our threads is in it.
#[pyfunction]
pub fn is_over(py: Python<'_>) {
    py.detach(|| {
        let mut inside = GATE.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.is_over = true;
        // Of threads that a fork has not taken along none will say that it has left.
        let is_in = |inside: &mut Inside| inside.count > 0;
        let _ = GATE.left.wait_timeout_while(inside, PATIENCE, is_in);
    });
}

/// Says that a thread has left, however it did.
struct Leaving;

impl Drop for Leaving {
    fn drop(&mut self) {
        GATE.inside.lock().unwrap_or_else(PoisonError::into_inner).count -= 1;
        GATE.left.notify_all();
    }
}

/// Does something with the interpreter, unless that ends.
pub fn attached<T>(what: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let mut inside = GATE.inside.lock().unwrap_or_else(PoisonError::into_inner);
    if inside.is_over {
        return None;
    }
    inside.count += 1;
    drop(inside);
    let _leaving = Leaving;
    Python::try_attach(what)
}

/// An event loop, and how functions are begun on it.
pub struct EventLoop {
    event_loop: Py<PyAny>,
    begin: Py<PyAny>,
}

impl EventLoop {
    /// A loop, and `_bridge.begin`.
    pub fn new(event_loop: Py<PyAny>, begin: Py<PyAny>) -> Self {
        Self { event_loop, begin }
    }

    /// Calls a function with what `arguments` makes, and waits for the text that it gives. Dropped, it cancels the call.
    pub async fn call(
        &self,
        function: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send,
        arguments: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send,
    ) -> Result<String, AgentError> {
        let (answer, answered) = oneshot::channel();
        let begun = attached(|py| {
            let call = Py::new(py, Call { answer: Mutex::new(Some(answer)), task: Mutex::new(None) })?;
            let arguments = (self.begin.bind(py), function(py)?, arguments(py)?, call.bind(py));
            self.event_loop.bind(py).call_method1("call_soon_threadsafe", arguments)?;
            PyResult::Ok(Cancelling { call, event_loop: self.event_loop.clone_ref(py) })
        });
        // The loop is closed: nobody waits for the run any more.
        let begun = begun.ok_or(AgentError::Stopped)?;
        let _cancelling = begun.map_err(|error| AgentError::Unable(error.to_string()))?;
        match answered.await {
            Ok(answer) => answer,
            Err(_) => Err(AgentError::Stopped),
        }
    }
}

/// A call under way, as Python's side sees it.
#[pyclass]
struct Call {
    answer: Mutex<Option<oneshot::Sender<Result<String, AgentError>>>>,
    task: Mutex<Option<Py<PyAny>>>,
}

#[pymethods]
impl Call {
    /// It runs as this task.
    fn begun(&self, task: Py<PyAny>) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// What came of it: a text, or an error of this kind.
    fn ended(&self, kind: &str, text: String) {
        let answer = match kind {
            "text" => Ok(text),
            "give_up" => Err(AgentError::GaveUp(text)),
            "unable" => Err(AgentError::Unable(text)),
            "stopped" => Err(AgentError::Stopped),
            _ => Err(AgentError::Failed(text)),
        };
        if let Some(waiting) = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Whoever does not wait any more has cancelled it.
            let _ = waiting.send(answer);
        }
    }

    /// Cancels it, on its loop.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        task.map_or(Ok(()), |task| task.call_method0(py, "cancel").map(drop))
    }
}

/// Cancels a call when nobody waits for it any more. One that has ended does not mind.
struct Cancelling {
    call: Py<Call>,
    event_loop: Py<PyAny>,
}

impl Drop for Cancelling {
    fn drop(&mut self) {
        let _ = attached(|py| {
            // A loop that is closed runs nothing that could be cancelled.
            let _ = self
                .call
                .getattr(py, "cancel")
                .and_then(|cancel| self.event_loop.call_method1(py, "call_soon_threadsafe", (cancel,)));
        });
    }
}
