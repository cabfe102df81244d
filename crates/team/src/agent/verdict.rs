//! What somebody says who judges in words: `APPROVE` or `REJECT` as the first word, and why.
//!
//! What says neither is no verdict: praise must not go to an author as a rejection, nor let anything pass.

use super::{AgentError, Answer};

/// How the verdict of `review` is told to whoever runs the tool loop, and how an answer begins that approves.
pub(super) const APPROVE: &str = "APPROVE";
/// The same for changes requested.
pub(super) const REJECT: &str = "REJECT";

/// Why an answer is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoVerdict {
    #[error("it does not begin with `APPROVE` or `REJECT`")]
    NeitherWord,
    #[error("it rejects, and does not say what is to be changed")]
    WithoutReason,
}

impl From<NoVerdict> for AgentError {
    fn from(fault: NoVerdict) -> Self {
        Self::Failed(format!("its answer is no verdict: {fault}"))
    }
}

/// Reads a verdict from an answer. What was said besides the first word is its text.
pub(crate) fn verdict(text: &str) -> Result<Answer, NoVerdict> {
    let first = text.trim_start().trim_start_matches(['*', '#', '`', ' ']);
    let word_end = first.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(first.len());
    let (word, rest) = first.split_at(word_end);
    let word = word.to_ascii_uppercase();
    let said = rest.trim_start_matches(['*', '`', ':', '.', ',', ' ', '\n', '\r', '\t']).trim_end();
    if word.starts_with(APPROVE) {
        Ok(Answer::verdict(true, said))
    } else if !word.starts_with(REJECT) {
        Err(NoVerdict::NeitherWord)
    } else if said.is_empty() {
        Err(NoVerdict::WithoutReason)
    } else {
        Ok(Answer::verdict(false, said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_first_word_that_judges_is_a_verdict() {
        for text in ["APPROVE", "approved.", "**APPROVE**: fine", "# Approve\n\nfine"] {
            assert_eq!(verdict(text).unwrap().approved, Some(true), "{text}");
        }
        let rejected = verdict("REJECT: The empty file is not handled.\n").unwrap();
        assert_eq!(rejected, Answer::verdict(false, "The empty file is not handled."));
        for text in ["Looks good to me, go ahead.", "I would not approve this", ""] {
            assert_eq!(verdict(text), Err(NoVerdict::NeitherWord), "{text}");
        }
        assert_eq!(verdict("**REJECT**:\n"), Err(NoVerdict::WithoutReason));
    }
}
