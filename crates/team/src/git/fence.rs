//! The fence in front of a target branch: a ref whose blob is the text of whoever may land on it.
//!
//! The log says who holds a merge claim, and git says where the branch is; nothing moves both at once. The
//! fence joins them (fencing tokens, Kleppmann 2016). The protocol, for one target:
//!
//! 1. A merger reads the fence, claims in the log, then sets the fence from what it read to a text of its claim
//!    ([`Project::set_fence`]). If that fails, its claim was ended meanwhile.
//! 2. It lands in one transaction that verifies the fence ([`Project::land`](super::Project::land)).
//! 3. Whoever ends a claim first moves the fence to a text never used before ([`Project::move_fence`]), then looks
//!    whether the branch contains what the claim intended, and records the one or the other.
//!
//! So a merger that slept can neither land nor set its fence again once its claim is being ended. That holds
//! only as long as no text is ever used twice.

use super::error::GitError;
use super::name::check_branch;
use super::project::Project;

/// What came of setting a fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FenceSet {
    /// It holds the new text.
    Set,
    /// It holds something else than what was expected.
    Moved {
        /// What it holds; none when there is no fence.
        now: Option<String>,
    },
}

impl Project {
    /// The text of the target's fence; none before the first.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn fence(&self, target: &str) -> Result<Option<String>, GitError> {
        let Some(blob) = self.read_ref(&fence_ref(target)?)? else { return Ok(None) };
        let output = self.git().args(["cat-file", "blob", &blob]).succeed()?;
        Ok(Some(String::from_utf8_lossy(output.bytes()).into_owned()))
    }

    /// Sets the fence to `text` if it still holds `expected` (none: if there is no fence yet). What was
    /// expected must have been read before the claim that `text` stands for was made, and no text may be used
    /// twice: see docs/workspaces.md.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn set_fence(&self, target: &str, expected: Option<&str>, text: &str) -> Result<FenceSet, GitError> {
        let reference = fence_ref(target)?;
        let new = self.write_blob(text)?;
        let old = match expected {
            Some(expected) => self.blob_id(expected)?,
            None => "0".repeat(new.len()),
        };
        let output = self.git().synced().args(["update-ref", &reference, &new, &old]).run()?;
        if output.code() == Some(0) {
            return Ok(FenceSet::Set);
        }
        let now = self.fence(target)?;
        if now.as_deref() == expected { Err(output.failure()) } else { Ok(FenceSet::Moved { now }) }
    }

    /// Moves the fence to `text`, whatever it holds: the first step of ending a merge claim.
    ///
    /// # Errors
    /// [`GitError`] when git breaks.
    pub fn move_fence(&self, target: &str, text: &str) -> Result<(), GitError> {
        let blob = self.write_blob(text)?;
        self.point_ref(&fence_ref(target)?, &blob)
    }

    /// The id that a fence text has as a blob.
    pub(super) fn blob_id(&self, text: &str) -> Result<String, GitError> {
        Ok(self.git().args(["hash-object", "--no-filters", "--stdin"]).input(text).succeed()?.text())
    }

    fn write_blob(&self, text: &str) -> Result<String, GitError> {
        let command = self.git().synced().args(["hash-object", "-w", "--no-filters", "--stdin"]);
        Ok(command.input(text).succeed()?.text())
    }
}

/// The fence's ref. Slashes are escaped, so that the fences of `a` and `a/b` do not shut each other out.
pub(super) fn fence_ref(target: &str) -> Result<String, GitError> {
    let slug = check_branch(target)?.replace('%', "%25").replace('/', "%2F");
    Ok(format!("refs/agent-team/fence/{slug}"))
}

#[cfg(test)]
mod tests {
    use super::super::test_repository::TestRepository;
    use super::*;

    #[test]
    fn a_fence_is_set_only_from_what_was_seen() {
        let user = TestRepository::new();
        let project = &user.project;
        let target = "feature/a";
        assert_eq!(project.set_fence(target, None, "claim-1").unwrap(), FenceSet::Set);
        project.move_fence(target, "ended claim-1").unwrap();
        let late = project.set_fence(target, Some("claim-1"), "claim-1 again").unwrap();
        assert_eq!(late, FenceSet::Moved { now: Some("ended claim-1".into()) });
        let second = project.set_fence(target, None, "claim-2").unwrap();
        assert_eq!(second, FenceSet::Moved { now: Some("ended claim-1".into()) });
        assert_eq!(project.set_fence(target, Some("ended claim-1"), "claim-2").unwrap(), FenceSet::Set);
        assert_eq!(project.fence(target).unwrap().as_deref(), Some("claim-2"));
        assert_eq!(project.fence("feature").unwrap(), None);
    }
}
