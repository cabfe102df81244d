//! Which changed files are protected: those by which agents are judged. Matching of names only, no git.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Protected whatever the team says: its own configuration and the commands that judge.
const ALWAYS: &[&str] = &["/team.toml", "/.ci"];

/// A pattern that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "protect pattern {pattern:?} cannot be read: {source}; write it as in .gitignore, for example \"tests/**\""
)]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub source: globset::Error,
}

/// The protected files of a team.
///
/// Patterns read as in `.gitignore`: one without a slash matches in every folder, one with a slash from the
/// top; a name that matches a folder covers all that is in it, and `tests/**` covers a file or link `tests`
/// too.
///
/// ```
/// let protected = agent_team::git::Protected::new(["tests/**", "*.snap"])?;
/// let changed = ["src/lib.rs", "tests/all.rs", "src/a.snap", "team.toml"].map(str::to_owned);
/// assert_eq!(protected.among(&changed), ["tests/all.rs", "src/a.snap", "team.toml"]);
/// # Ok::<(), agent_team::git::PatternError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Protected {
    globs: GlobSet,
}

impl Protected {
    /// Reads the team's patterns; `team.toml` and `.ci` are protected without being named.
    ///
    /// # Errors
    /// [`PatternError`] names the first pattern that is no glob.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, PatternError> {
        let mut builder = GlobSetBuilder::new();
        for pattern in ALWAYS.iter().copied().chain(patterns) {
            let failed = |source| PatternError { pattern: pattern.to_owned(), source };
            for glob in globs_of(pattern) {
                builder.add(GlobBuilder::new(&glob).literal_separator(true).build().map_err(failed)?);
            }
        }
        let failed = |source: globset::Error| PatternError {
            pattern: source.glob().unwrap_or_default().to_owned(),
            source,
        };
        Ok(Self { globs: builder.build().map_err(failed)? })
    }

    /// Those of the changed files that are protected. A rename must come in as both of its names, as captures
    /// give it.
    #[must_use]
    pub fn among(&self, changed_files: &[String]) -> Vec<String> {
        changed_files.iter().filter(|path| self.globs.is_match(path)).cloned().collect()
    }
}

/// The pattern itself, and everything in the folder that it may name.
fn globs_of(pattern: &str) -> [String; 2] {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let name = pattern.trim_end_matches("/**").trim_end_matches('/');
    let is_anchored = name.contains('/') || pattern.contains("/**");
    let name = name.trim_start_matches('/');
    let start = if is_anchored { "" } else { "**/" };
    [format!("{start}{name}"), format!("{start}{name}/**")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protected(patterns: &[&str], path: &str) -> bool {
        !Protected::new(patterns.iter().copied()).unwrap().among(&[path.to_owned()]).is_empty()
    }

    #[test]
    fn the_teams_own_files_are_always_protected() {
        for path in ["team.toml", ".ci/run", ".ci/a/b", ".ci"] {
            assert!(protected(&[], path), "{path}");
        }
        for path in ["sub/team.toml", "ci/run", ".cia", "src/lib.rs"] {
            assert!(!protected(&[], path), "{path}");
        }
    }

    #[test]
    fn patterns_read_as_in_gitignore() {
        for (pattern, path) in [
            ("tests/**", "tests/a/b.rs"),
            ("tests/**", "tests"),
            ("tests/", "sub/tests/a"),
            ("tests", "tests/a"),
            ("*.snap", "a/b.snap"),
            ("src/*.rs", "src/a.rs"),
            ("./a/b", "a/b"),
            ("**/golden/**", "x/golden/y"),
            ("tests/**", "tests/with space\nand break"),
        ] {
            assert!(protected(&[pattern], path), "{pattern} {path}");
        }
        for (pattern, path) in [("src/*.rs", "src/a/b.rs"), ("tests/**", "other/tests/a"), ("/a", "b/a")] {
            assert!(!protected(&[pattern], path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_that_is_no_glob_is_named() {
        let error = Protected::new(["a[", "b"]).unwrap_err().to_string();
        assert!(error.contains("\"a[\""), "{error}");
    }
}
