//! Errors of the library as Python's exceptions.

use agent_team::{Error, Refusal, TaskQueue};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    agent_team,
    TeamError,
    PyException,
    "Why an operation on a team did not happen. `hint` says what to do, as the command does; or it is None."
);
create_exception!(
    agent_team,
    Refused,
    TeamError,
    "A lawful no: the team's newest state does not allow it, and nothing is broken. `code` names the reason."
);

/// Puts them into the module.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    py.get_type::<TeamError>().setattr("hint", py.None())?;
    module.add("TeamError", py.get_type::<TeamError>())?;
    module.add("Refused", py.get_type::<Refused>())
}

/// An error as an exception.
pub fn raised(error: &Error) -> PyErr {
    told(kind_of(error), error.refusal().map(Refusal::name), error.hint().as_deref())
}

/// An exception that says what to do.
pub fn hinted(words: String, hint: &str) -> PyErr {
    told(TeamError::new_err(words), None, Some(hint))
}

/// What somebody is told who would have to trust something, and can nowhere have said so.
pub fn nowhere() -> PyErr {
    hinted("there is no place to remember what you trust".to_owned(), "set HOME, or XDG_STATE_HOME")
}

fn told(exception: PyErr, code: Option<&str>, hint: Option<&str>) -> PyErr {
    let tell = |py: Python<'_>| {
        let value = exception.value(py);
        if let Some(code) = code {
            value.setattr("code", code)?;
        }
        if let Some(hint) = hint {
            value.setattr("hint", hint)?;
            // A traceback shows it as well, from Python 3.11 on.
            if value.hasattr("add_note")? {
                value.call_method1("add_note", (format!("hint: {hint}"),))?;
            }
        }
        PyResult::Ok(())
    };
    match Python::attach(tell) {
        Ok(()) => exception,
        Err(broken) => broken,
    }
}

/// The same of what somebody said of an agent: one who is not in the team is told who is.
pub fn raised_of_agent(error: &Error, queue: &TaskQueue) -> PyErr {
    let hint = match error.refusal() {
        Some(Refusal::NoSuchAgent { .. }) => queue.who_is_there().ok(),
        _ => error.hint(),
    };
    told(kind_of(error), error.refusal().map(Refusal::name), hint.as_deref())
}

fn kind_of(error: &Error) -> PyErr {
    match error {
        Error::Refused(_) => Refused::new_err(error.to_string()),
        _ => TeamError::new_err(error.to_string()),
    }
}

/// A name, or whatever else is written in a form of its own.
pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> PyResult<T> {
    text.parse().map_err(|error: T::Err| TeamError::new_err(error.to_string()))
}
