//! Which names may become part of a ref or a path. Git's own check is not enough: `check-ref-format` accepts
//! `-x`,
//! `HEAD` and `@`. Nothing here runs git.

use super::error::GitError;

/// Longest id that is accepted; file systems end at 255 bytes, and suffixes must fit too.
const LONGEST_BYTES: usize = 120;

/// Accepts an id of an agent, a task or an attempt that is safe as one component of a ref and of a path.
pub(super) fn check_id<'a>(what: &'static str, id: &'a str) -> Result<&'a str, GitError> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_safe = id.starts_with(is_word)
        && id.chars().all(|c| is_word(c) || c == '-' || c == '.')
        && !id.contains("..")
        && !id.ends_with('.')
        && !id.ends_with(".lock")
        && id.len() <= LONGEST_BYTES;
    let rule = "use up to 120 letters, digits, `.`, `_` and `-`, starting with a letter or digit";
    if is_safe { Ok(id) } else { Err(GitError::Name { what, found: id.to_owned(), rule }) }
}

/// Accepts a branch name (without `refs/heads/`), by the rules of git-check-ref-format and without names that
/// commands would take for something else.
pub(super) fn check_branch(branch: &str) -> Result<&str, GitError> {
    let forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let is_safe = !branch.contains(forbidden)
        && !branch.contains("..")
        && !branch.contains("@{")
        && !branch.starts_with('-')
        && branch != "@"
        && branch != "HEAD"
        && branch.split('/').all(|part| {
            !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !part.ends_with(".lock")
        });
    let rule = "see `git help check-ref-format`; it may not start with `-` nor be `HEAD` or `@`";
    if is_safe { Ok(branch) } else { Err(GitError::Name { what: "branch", found: branch.to_owned(), rule }) }
}

/// Accepts a whole object id, SHA-1 or SHA-256, so that nothing else is ever taken for a commit.
pub(super) fn check_object(id: &str) -> Result<&str, GitError> {
    let is_safe = matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let rule = "a whole object id of 40 or 64 hexadecimal digits is needed";
    if is_safe { Ok(id) } else { Err(GitError::Name { what: "object", found: id.to_owned(), rule }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_git_or_a_shell_would_misread_are_refused() {
        for id in ["worker-1", "a", "T_9.b"] {
            assert!(check_id("task", id).is_ok(), "{id}");
        }
        for id in ["", "-x", ".", "..", "a..b", "a/b", "a b", "x.lock", "x.", "é", "a\nb", "@"] {
            assert!(check_id("task", id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn branches_follow_git_without_its_traps() {
        for branch in ["main", "feature/a/b", "größe", "v1.2", "a%b", "a@b"] {
            assert!(check_branch(branch).is_ok(), "{branch}");
        }
        for branch in
            ["", "-x", "HEAD", "@", "a//b", "/a", "a/", "a..b", "a b", "a.lock/b", ".a", "a@{1}", "a\\b"]
        {
            assert!(check_branch(branch).is_err(), "{branch:?}");
        }
    }
}
