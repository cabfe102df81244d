//! The native part of the Python module `agent_team`: the Rust library with Python's values on its outside. What Python users
//! see, with its types and its documentation, is in `python/agent_team`.

mod bridge;
mod error;
mod member;
mod team;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<team::Team>()?;
    module.add_class::<team::Stopper>()?;
    module.add_class::<team::Log>()?;
    module.add_function(wrap_pyfunction!(bridge::is_over, module)?)?;
    error::add_to(module)
}
