//! The files below a folder, as a developer thinks of them: without what git ignores, and without git's own.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use ignore::{DirEntry, WalkBuilder};

use super::{Correction, Workspace};

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
    !is_private && (start.starts_with(path) || path.starts_with(start))
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
