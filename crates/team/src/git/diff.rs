//! A change as text for a reviewer. Plumbing only: no external diff, no text conversion, no colours, whatever
//! the user's configuration says.

use super::error::GitError;
use super::name::check_object;
use super::project::Project;
use super::replay::cut;

impl Project {
    /// What changed between two commits: a list of the files with their sizes of change, then the patch; cut
    /// after `limit_bytes`, with a note that says so.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or a commit is not there.
    pub fn diff(&self, old: &str, new: &str, limit_bytes: usize) -> Result<String, GitError> {
        let (old, new) = (check_object(old)?, check_object(new)?);
        let output = self
            .git()
            .args(["diff-tree", "-r", "--patch-with-stat", "--no-ext-diff", "--no-textconv", "--no-color"])
            .args(["--find-renames", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", old, new])
            .output_limit(limit_bytes.saturating_add(1))
            .succeed()?;
        let text = String::from_utf8_lossy(output.bytes()).into_owned();
        let shown = cut(&text, limit_bytes);
        if !output.is_cut() {
            return Ok(shown);
        }
        let shown = shown.rsplit_once("[cut: ").map_or(shown.as_str(), |(head, _)| head);
        Ok(format!("{shown}[cut: the first {limit_bytes} bytes of the change are shown]\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_repository::TestRepository;

    #[test]
    fn a_diff_is_plain_whatever_the_user_configured() {
        let user = TestRepository::with_user_configuration(
            "[diff]\n\tnoprefix = true\n\texternal = false\n[color]\n\tui = always\n[core]\n\tpager = false\n",
        );
        let old = user.tip("main");
        user.write("größe", "one\n");
        let new = user.commit("Add");
        let diff = user.project.diff(&old, &new, 10_000).unwrap();
        assert!(diff.contains("+++ b/größe\n@@ -0,0 +1 @@\n+one\n"), "{diff}");
        assert!(diff.contains("1 file changed"), "{diff}");
    }

    #[test]
    fn a_long_diff_is_cut_with_a_note() {
        let user = TestRepository::new();
        let old = user.tip("main");
        user.write("long", &"line\n".repeat(10_000));
        let new = user.commit("Add");
        let diff = user.project.diff(&old, &new, 1_000).unwrap();
        assert!(
            diff.len() < 1_100 && diff.ends_with("[cut: the first 1000 bytes of the change are shown]\n"),
            "{diff}"
        );
    }
}
