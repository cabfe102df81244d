//! What somebody says who judges in words: `APPROVE` or `REJECT` as the first word, and why.
//!
//! What says neither is no verdict: praise must not go to an author as a rejection, nor let anything pass.

use super::{AgentError, Answer};

/// The words that an answer begins with which approves, and one which does not.
const APPROVES: [&str; 3] = ["APPROVE", "APPROVED", "APPROVES"];
const REJECTS: [&str; 3] = ["REJECT", "REJECTED", "REJECTS"];
/// The words that, alone, take back what an approving one has said before them.
const DENIES: [&str; 4] = ["no", "not", "never", "false"];

/// Why an answer is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoVerdict {
    #[error("it does not begin with `APPROVE` or `REJECT`")]
    NeitherWord,
    #[error("it rejects, and does not say what is to be changed")]
    WithoutReason,
    #[error(
        "it says `APPROVE`, and then no: say `APPROVE` or `REJECT` alone, and then what the author should know"
    )]
    Denied,
    #[error("it has both words: say `APPROVE` or `REJECT` once, as the first word, followed by a colon")]
    Both,
}

impl From<NoVerdict> for AgentError {
    fn from(fault: NoVerdict) -> Self {
        Self::Failed(format!("its answer is no verdict: {fault}"))
    }
}

/// Reads a verdict from an answer. What was said besides the first word is its text.
///
/// The first word must stand for itself, as `Approve? No.` does not: in capitals, or with something behind it that ends a
/// heading. And whoever goes on to write the other word in capitals may have changed its mind.
pub(crate) fn verdict(text: &str) -> Result<Answer, NoVerdict> {
    let first = text.trim_start().trim_start_matches(['*', '#', '`', ' ']);
    let word_end = first.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(first.len());
    let (word, rest) = first.split_at(word_end);
    let (capitals, behind) = (word.to_ascii_uppercase(), rest.trim_start_matches(['*', '`']));
    let stands_for_itself = match behind.trim_start_matches([' ', '\t']).chars().next() {
        None | Some(':' | '.' | ',' | ';' | '!' | '\n' | '\r' | '-' | '–' | '—') => true,
        Some('?' | '/' | '|') => false,
        Some(_) => word == capitals && behind.starts_with([' ', '\t']),
    };
    let (approves, others) = match capitals.as_str() {
        word if APPROVES.contains(&word) && stands_for_itself => (true, REJECTS),
        word if REJECTS.contains(&word) && stands_for_itself => (false, APPROVES),
        _ => return Err(NoVerdict::NeitherWord),
    };
    if rest.split(|c: char| !c.is_alphanumeric()).any(|word| others.contains(&word)) {
        return Err(NoVerdict::Both);
    }
    let said = rest.trim_start_matches(['*', '`', ':', '.', ',', ' ', '\n', '\r', '\t']).trim_end();
    let next_end = said.find(|c: char| !c.is_alphanumeric()).unwrap_or(said.len());
    let (next, behind) = said.split_at(next_end);
    let is_word_alone = behind.is_empty() || behind.starts_with(['.', ',', ';', ':', '!']);
    if approves && is_word_alone && DENIES.contains(&next.to_ascii_lowercase().as_str()) {
        return Err(NoVerdict::Denied);
    }
    if !approves && said.is_empty() {
        return Err(NoVerdict::WithoutReason);
    }
    Ok(Answer::verdict(approves, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_first_word_that_judges_is_a_verdict() {
        let approving = [
            "APPROVE",
            "approved.",
            "**APPROVE**: fine",
            "# Approve\n\nfine",
            "APPROVE it is fine",
            "APPROVED - I would not reject this",
        ];
        for text in approving {
            assert_eq!(verdict(text).unwrap().approved, Some(true), "{text}");
        }
        let rejected = verdict("REJECT: The empty file is not handled.\n").unwrap();
        assert_eq!(rejected, Answer::verdict(false, "The empty file is not handled."));
        let neither = [
            "Looks good to me, go ahead.",
            "I would not approve this",
            "",
            "Approve? No, never: it deletes tests.",
            "APPROVED? Certainly not.",
            "approve nothing of this",
            "approval is out of the question",
            "APPROVE/REJECT",
        ];
        for text in neither {
            assert_eq!(verdict(text), Err(NoVerdict::NeitherWord), "{text}");
        }
        for text in ["APPROVE or REJECT? REJECT, wrong.", "APPROVE - no wait, REJECT: it is wrong"] {
            assert_eq!(verdict(text), Err(NoVerdict::Both), "{text}");
        }
        for text in ["Approve: No. It deletes tests.", "**APPROVE:** no", "APPROVE: false"] {
            assert_eq!(verdict(text), Err(NoVerdict::Denied), "{text}");
        }
        assert_eq!(verdict("APPROVE: No issues found.").unwrap().approved, Some(true));
        assert_eq!(verdict("**REJECT**:\n"), Err(NoVerdict::WithoutReason));
    }
}
