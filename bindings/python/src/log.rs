//! The log of a team, read record by record.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agent_team::Records;
use pyo3::prelude::*;
use serde_json::json;

use crate::team::{doing, python};

#[pyclass(frozen, module = "agent_team._native")]
pub struct Log(pub Mutex<Records>);

#[pymethods]
impl Log {
    /// The next records, each as a JSON object with its place, its fate and why; none if there are no more for now.
    fn read(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let records = doing(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).read())?;
        let told = records.into_iter().map(|record| {
            json!({
                "seq": record.seq,
                "id": record.id.map(|id| id.to_string()),
                "at_ms": record.at_ms,
                "by": record.by,
                "kind": record.kind,
                "task": record.task,
                "summary": record.summary,
                "fate": record.fate.as_str(),
                "reason": record.fate.reason(),
                "json": record.json,
            })
        });
        python(py, &told.collect::<Vec<_>>())
    }

    /// Waits until there are more, for so long at most; says whether there are.
    fn wait(&self, py: Python<'_>, timeout_ms: u64) -> PyResult<bool> {
        let timeout = Duration::from_millis(timeout_ms);
        doing(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).wait(timeout))
    }
}
