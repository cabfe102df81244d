//! The files below a folder, as a developer thinks of them: without what git ignores, and without git's own.
//!
//! Files that say what is ignored are the agent's, and read by the walk without being asked what they are: a pipe would
//! keep it for ever, an endless device would fill the memory. So a folder with such a one is not walked.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use ignore::{DirEntry, WalkBuilder};

use super::{Correction, Workspace};

/// What is read on the way, from each folder that is walked.
const READ_ON_THE_WAY: [&str; 4] = [".gitignore", ".ignore", ".git", ".git/info/exclude"];

/// The largest file that says what is ignored.
const LARGEST_IGNORE_FILE_BYTES: u64 = 1 << 20;

/// Which files a walk gives.
pub(super) struct Walk {
    /// The folder that ignore files are read from on: the workspace, even if only a part of it is walked.
    base: PathBuf,
    /// What is walked: a folder, or one file, which is given even if git ignores it.
    start: PathBuf,
    glob: Option<GlobMatcher>,
}

impl Walk {
    /// A walk from `start` (the workspace if left out) over files that fit `glob`.
    pub(super) fn new(
        workspace: &Workspace,
        start: Option<&str>,
        glob: Option<&str>,
    ) -> Result<Self, Correction> {
        let start = workspace.readable(start.unwrap_or("."))?;
        let base = if start.starts_with(workspace.root()) { workspace.root() } else { &start };
        if let Some(name) = unreadable_ignore_file(base) {
            return Err(Correction(format!(
                "`{name}` is no regular file of a usual size. Mend or remove it first."
            )));
        }
        Ok(Self { base: base.to_owned(), glob: glob.map(parse_glob).transpose()?, start })
    }

    /// The files, sorted folder by folder. What cannot be read is left out.
    pub(super) fn files(self) -> Box<dyn Iterator<Item = PathBuf>> {
        if self.start.is_file() {
            return Box::new(std::iter::once(self.start));
        }
        let start = self.start.clone();
        let walk = WalkBuilder::new(&self.base)
            // Ignore files above the workspace and the user's own must not change what an agent sees.
            .parents(false)
            .git_global(false)
            .require_git(false)
            .hidden(false)
            .follow_links(false)
            .sort_by_file_name(Ord::cmp)
            .filter_entry(move |entry| is_walked(entry, &start))
            .build();
        let files = walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
        Box::new(files.map(DirEntry::into_path).filter(move |path| self.fits(path)))
    }

    /// Whether the glob fits the path, seen from the workspace or from where the walk starts.
    fn fits(&self, path: &Path) -> bool {
        let Some(glob) = &self.glob else { return true };
        [&self.base, &self.start]
            .into_iter()
            .filter_map(|folder| path.strip_prefix(folder).ok())
            .any(|relative| glob.is_match(relative))
    }
}

/// Whether an entry lies on the way to `start` or below it, and is neither git's nor the team's own.
fn is_walked(entry: &DirEntry, start: &Path) -> bool {
    let path = entry.path();
    let is_private = entry.depth() > 0 && (entry.file_name() == ".git" || entry.file_name() == ".agent-team");
    !is_private
        && (start.starts_with(path) || path.starts_with(start))
        && (entry.depth() == 0 || unreadable_ignore_file(path).is_none())
}

/// A file in this folder that must not be read on the way.
fn unreadable_ignore_file(folder: &Path) -> Option<&'static str> {
    READ_ON_THE_WAY.into_iter().find(|name| {
        // What a link leads to is what would be read.
        let is_harmless = |metadata: std::fs::Metadata| {
            metadata.is_dir() || (metadata.is_file() && metadata.len() <= LARGEST_IGNORE_FILE_BYTES)
        };
        std::fs::metadata(folder.join(name)).is_ok_and(|metadata| !is_harmless(metadata))
    })
}

/// A glob as git and ripgrep read it: one without a slash fits in every folder.
fn parse_glob(glob: &str) -> Result<GlobMatcher, Correction> {
    let trimmed = glob.trim_start_matches("./").trim_start_matches('/');
    let mut pattern = if trimmed.contains('/') { trimmed.to_owned() } else { format!("**/{trimmed}") };
    if pattern.ends_with('/') {
        pattern.push_str("**");
    }
    match GlobBuilder::new(&pattern).literal_separator(true).build() {
        Ok(glob) => Ok(glob.compile_matcher()),
        Err(error) => Err(Correction(format!("`{glob}` is no glob: {error}. Write one like `src/**/*.rs`."))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use serde_json::json;

    use crate::tools::testing::Project;
    use crate::tools::{List, Search};

    #[tokio::test]
    async fn an_ignore_file_that_is_no_file_neither_keeps_a_walk_nor_fills_the_memory() {
        for name in [".gitignore", ".ignore", ".git", ".git/info/exclude"] {
            for folder in [".", "sub"] {
                let project = Project::with([("a", "word\n"), ("sub/b", "word\n")]);
                let place = project.path(folder).join(name);
                std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                assert!(Command::new("mkfifo").arg(&place).status().unwrap().success());
                symlink("/dev/zero", project.path("sub/.rgignore")).unwrap();
                if folder == "." {
                    let text = project.bad(List, json!({})).await;
                    assert!(text.contains(name) && text.contains("no regular file"), "{text}");
                    project.bad(Search, json!({"pattern": "word"})).await;
                    std::fs::remove_file(&place).unwrap();
                    symlink("/dev/zero", &place).unwrap();
                    project.bad(List, json!({})).await;
                } else {
                    let text = project.good(List, json!({})).await;
                    assert!(text.contains("a") && !text.contains("sub/b"), "{text}");
                    assert!(project.good(Search, json!({"pattern": "word"})).await.contains("a:"));
                }
            }
        }
    }
}
