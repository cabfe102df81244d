//! The native part of the Python module `agent_team`: the Rust library with Python's values on its outside. What Python users
//! see, with its types and its documentation, is in `python/agent_team`.

mod beside;
mod checks;
mod configured;
mod error;
mod graph;
mod line;
mod log;
mod member;
mod messages;
mod opened;
mod process;
mod steering;
mod tasks;
mod team;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<team::Team>()?;
    module.add_class::<beside::Stopper>()?;
    module.add_class::<log::Log>()?;
    module.add_class::<graph::Graph>()?;
    module.add_class::<line::Line>()?;
    error::add_to(module)
}
