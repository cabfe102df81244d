//! A picture of tasks and what they wait for.

use agent_team::TaskGraph;
use pyo3::prelude::*;

/// The graph of a team's tasks, as they were when it was made.
#[pyclass(frozen, module = "agent_team._native")]
pub struct Graph(pub TaskGraph);

#[pymethods]
impl Graph {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn mermaid(&self) -> String {
        self.0.mermaid()
    }

    fn dot(&self) -> String {
        self.0.dot()
    }

    fn svg(&self) -> String {
        self.0.svg()
    }
}
