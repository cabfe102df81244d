//! The line from Rust's threads to an event loop of Python's.
//!
//! No thread of ours is ever in the interpreter: it would wait for the interpreter's lock, once for each call, and one that is inside
//! when the interpreter ends is ended in the middle, and the process with it. So whatever is to be done in Python is put into a queue,
//! and a byte into a socket that the loop listens to, as to any other. The loop's own thread does it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use agent_team::agent::AgentError;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pythonize::pythonize;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::error::raised;

/// What is to be done on the loop.
type Job = Box<dyn FnOnce(Python<'_>) + Send>;

/// What came of a call.
type Answer = oneshot::Sender<Result<String, AgentError>>;

/// The end of it that Python has.
#[pyclass(frozen, module = "agent_team._native")]
pub struct Line {
    queue: Arc<Queue>,
    /// A byte comes when the queue is not empty any more.
    woken: UnixStream,
}

/// What waits to be done.
struct Queue {
    jobs: Mutex<Jobs>,
    wakes: UnixStream,
    /// The tasks of the loop in which agents are called, by their numbers. A loop knows them weakly alone.
    calls: Mutex<HashMap<u64, Py<PyAny>>>,
    next: AtomicU64,
    /// `_bridge.begin`.
    begin: Py<PyAny>,
}

#[derive(Default)]
struct Jobs {
    waiting: Vec<Job>,
    /// Whoever waits for all of it has been cancelled.
    is_ending: bool,
    /// Nobody listens any more.
    is_closed: bool,
}

#[pymethods]
impl Line {
    /// A line to the loop of this thread, on which `begin` begins a call.
    #[new]
    fn new(begin: Py<PyAny>) -> PyResult<Self> {
        let (woken, wakes) = UnixStream::pair().map_err(PyOSError::new_err)?;
        for end in [&woken, &wakes] {
            end.set_nonblocking(true).map_err(PyOSError::new_err)?;
        }
        let (jobs, calls, next) = (Mutex::default(), Mutex::default(), AtomicU64::new(0));
        Ok(Self { queue: Arc::new(Queue { jobs, wakes, calls, next, begin }), woken })
    }

    /// What the loop listens to.
    fn fileno(&self) -> i32 {
        self.woken.as_raw_fd()
    }

    /// Does what is to be done. Called on the loop when there is something to read.
    fn drain(&self, py: Python<'_>) {
        // A byte was written when the first one came. Whether there is one, and how many, does not matter.
        let _ = (&self.woken).read(&mut [0; 16]);
        let waiting = std::mem::take(&mut self.queue.jobs().waiting);
        waiting.into_iter().for_each(|job| job(py));
    }

    /// Whoever waits for all of it has been cancelled: calls that are cancelled from now on are so because of that.
    fn is_ending(&self) {
        self.queue.jobs().is_ending = true;
    }

    /// Nobody listens any more: calls that are under way are cancelled, and whoever wants one is told that all is over.
    fn close(&self, py: Python<'_>) {
        let mut jobs = self.queue.jobs();
        jobs.is_closed = true;
        let waiting = std::mem::take(&mut jobs.waiting);
        drop(jobs);
        drop(waiting);
        let calls = std::mem::take(&mut *self.queue.calls());
        for task in calls.into_values() {
            // A task of a loop that is closed cannot be cancelled, and never goes on.
            let _ = task.call_method0(py, "cancel");
        }
    }
}

impl Line {
    /// The end of it that Rust has.
    pub fn sender(&self) -> Sender {
        Sender(self.queue.clone())
    }
}

impl Queue {
    fn jobs(&self) -> std::sync::MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Py<PyAny>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a line that Rust has.
#[derive(Clone)]
pub struct Sender(Arc<Queue>);

impl Sender {
    /// Has something done on the loop, unless nobody listens any more.
    fn send(&self, job: impl FnOnce(Python<'_>) + Send + 'static) {
        let mut jobs = self.0.jobs();
        if jobs.is_closed {
            return;
        }
        let is_first = jobs.waiting.is_empty();
        jobs.waiting.push(Box::new(job));
        drop(jobs);
        if is_first {
            // It cannot be full: at most one byte is in it that was not read.
            let _ = (&self.0.wakes).write(&[1]);
        }
    }

    /// Calls a function of Python's with what came out: a value, or an exception.
    pub fn tell<T: Serialize + Send + 'static>(&self, done: Py<PyAny>, came: Result<T, agent_team::Error>) {
        self.send(move |py| {
            let outcome = match came {
                Ok(value) => pythonize(py, &value).map(Bound::unbind).map_err(PyErr::from),
                Err(error) => Ok(raised(&error).into_value(py).into_any()),
            };
            let outcome = outcome.unwrap_or_else(|error| error.into_value(py).into_any());
            report(py, done.call1(py, (outcome,)));
        });
    }

    /// Calls a function of Python's with a value that it has no answer to.
    pub fn hear(&self, hears: &Arc<Py<PyAny>>, value: impl Serialize + Send + 'static) {
        let hears = hears.clone();
        self.send(move |py| {
            let told = pythonize(py, &value).map_err(PyErr::from);
            report(py, told.and_then(|told| hears.call1(py, (told,))));
        });
    }

    /// Calls a method of an agent with what it is told of its task and its prompt, and waits for the text that it gives. Dropped, it
    /// cancels the call.
    pub async fn call(
        &self,
        agent: Arc<Py<PyAny>>,
        method: &'static str,
        told: Arc<Value>,
        prompt: String,
    ) -> Result<String, AgentError> {
        let (answer, answered) = oneshot::channel();
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let queue = self.0.clone();
        self.send(move |py| {
            let begun = || {
                let method = agent.getattr(py, method)?;
                let told = pythonize(py, &*told)?;
                let call = Call { number, queue: queue.clone(), answer: Mutex::new(Some(answer)) };
                queue.begin.call1(py, (method, told, prompt, call))
            };
            match begun() {
                Ok(task) => drop(queue.calls().insert(number, task)),
                // Whoever waits hears that it was dropped.
                Err(error) => error.write_unraisable(py, None),
            }
        });
        let mut cancelling = Cancelling { sender: self, number, is_over: false };
        let answer = answered.await;
        cancelling.is_over = true;
        answer.unwrap_or(Err(AgentError::Stopped))
    }
}

/// Says what a function of Python's raised that has no caller to raise it to.
fn report<T>(py: Python<'_>, outcome: PyResult<T>) {
    if let Err(error) = outcome {
        error.write_unraisable(py, None);
    }
}

/// A call under way, as Python's side sees it.
#[pyclass(frozen, module = "agent_team._native")]
struct Call {
    number: u64,
    queue: Arc<Queue>,
    answer: Mutex<Option<Answer>>,
}

#[pymethods]
impl Call {
    /// What came of it: a text, or an error of this kind. What is said first holds.
    fn ended(&self, kind: &str, text: String) {
        let answer = match kind {
            "text" => Ok(text),
            "give_up" => Err(AgentError::GaveUp(text)),
            "unable" => Err(AgentError::Unable(text)),
            "cancelled" if self.queue.jobs().is_ending => Err(AgentError::Stopped),
            // By whatever it waited for, or by somebody who found its task.
            "cancelled" => {
                Err(AgentError::Failed("CancelledError: it was cancelled, and not by the team".to_owned()))
            }
            _ => Err(AgentError::Failed(text)),
        };
        self.queue.calls().remove(&self.number);
        if let Some(waiting) = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Whoever does not wait any more has cancelled it.
            let _ = waiting.send(answer);
        }
    }
}

/// Cancels a call when nobody waits for it any more.
struct Cancelling<'a> {
    sender: &'a Sender,
    number: u64,
    is_over: bool,
}

impl Drop for Cancelling<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (number, queue) = (self.number, self.sender.0.clone());
        self.sender.send(move |py| {
            let task = queue.calls().remove(&number);
            if let Some(task) = task {
                report(py, task.call_method0(py, "cancel"));
            }
        });
    }
}
