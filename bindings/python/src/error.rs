//! Errors of the library as Python's exceptions.

use agent_team::Error;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(agent_team, TeamError, PyException, "Why an operation on a team did not happen.");
create_exception!(
    agent_team,
    Refused,
    TeamError,
    "A lawful no: the team's newest state does not allow it, and nothing is broken. `code` names the reason."
);

/// Puts them into the module.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("TeamError", module.py().get_type::<TeamError>())?;
    module.add("Refused", module.py().get_type::<Refused>())
}

/// An error as an exception.
pub fn raised(error: &Error) -> PyErr {
    let Error::Refused(refusal) = error else { return TeamError::new_err(error.to_string()) };
    let exception = Refused::new_err(error.to_string());
    Python::attach(|py| match exception.value(py).setattr("code", refusal.name()) {
        Ok(()) => exception,
        Err(broken) => broken,
    })
}

/// A name, or whatever else is written in a form of its own.
pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> PyResult<T> {
    text.parse().map_err(|error: T::Err| TeamError::new_err(error.to_string()))
}
