//! What a process has of Rust's side: its threads, and the teams that it has opened. A fork begins with none of it: threads do not come
//! along, and locks may be held by them.

use std::sync::{LazyLock, Mutex, OnceLock};

use pyo3::prelude::*;
use tokio::runtime::Runtime;

use crate::error::TeamError;
use crate::opened::Teams;

/// What one process has.
#[derive(Default)]
pub struct Process {
    id: OnceLock<u32>,
    runtime: OnceLock<Runtime>,
    pub teams: Mutex<Teams>,
    /// That of a process that was forked from it.
    next: OnceLock<Box<Process>>,
}

static FIRST: LazyLock<Process> = LazyLock::new(Process::default);

impl Process {
    /// That of this process.
    pub fn this() -> &'static Self {
        let id = std::process::id();
        let mut process: &'static Self = &FIRST;
        while *process.id.get_or_init(|| id) != id {
            process = process.next.get_or_init(Box::default);
        }
        process
    }
}

/// The runtime on which everything asynchronous runs.
///
/// # Errors
/// When its threads cannot be started.
pub fn runtime() -> PyResult<&'static Runtime> {
    let runtime = &Process::this().runtime;
    if let Some(known) = runtime.get() {
        return Ok(known);
    }
    let new = Runtime::new().map_err(|error| TeamError::new_err(error.to_string()))?;
    Ok(runtime.get_or_init(|| new))
}
