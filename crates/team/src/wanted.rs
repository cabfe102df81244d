//! Texts without which a word of somebody says nothing.

use crate::Error;

/// A text that says something.
///
/// # Errors
/// An input error that says what was to be said, when it is empty or blank.
pub(crate) fn wanted<'a>(text: &'a str, what: &str) -> Result<&'a str, Error> {
    if text.trim().is_empty() {
        return Err(Error::Input(format!("the text is empty: say {what}")));
    }
    Ok(text)
}

/// What a message is to say.
pub(crate) const MESSAGE: &str = "what its reader shall know";
/// What a plan is to say.
pub(crate) const PLAN: &str = "how you mean to do it";
/// What somebody is to say who rejects a plan or sends work back.
pub(crate) const CHANGE: &str = "what is to be changed";
