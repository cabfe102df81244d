//! Brings one commit's change onto another commit: the three-way merge behind the merge queue and behind
//! giving a conflict back to its author. Pure computation on objects; it moves no branch.
//!
//! `git merge-tree --write-tree` takes its merge base from history, and naming one needs git 2.40. So the target's
//! tree is wrapped in a commit whose only parent is the base that is wanted.

use super::error::GitError;
use super::name::check_object;
use super::separate::SeparateRepository;

/// Most bytes of conflicting hunks that are shown.
const MARKERS_LIMIT_BYTES: usize = 16 << 10;

/// Lines shown before and after each conflicting hunk.
const CONTEXT_LINES: usize = 3;

/// What came of putting a capture onto a new base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The files hold the change, without any conflict.
    Clean,
    /// These files hold conflict markers, or one of the two sides where there can be no markers.
    Conflict(Conflict),
}

/// A change that does not fit onto its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The files that conflict.
    pub files: Vec<String>,
    /// The conflicting hunks with a few lines around them, and git's own words; cut when it is long.
    pub markers: String,
}

/// A tree that three-way merge made.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    /// The tree; its files hold markers where they conflict.
    pub(super) tree: String,
    /// The conflict, if there is one.
    pub(super) conflict: Option<Conflict>,
}

/// Merges what `commit` changed against its parent into `onto`. Both must be known to the repository.
pub(super) fn merge_change(
    repository: &SeparateRepository,
    onto: &str,
    commit: &str,
) -> Result<Merged, GitError> {
    let base = repository.resolve(&format!("{}^1", check_object(commit)?))?;
    let onto_tree = repository.resolve(&format!("{}^{{tree}}", check_object(onto)?))?;
    let wrapped =
        super::capture::commit_tree(repository.git(), &onto_tree, &[&base], "target", "agent-team")?;
    // Markers name the sides by these tags.
    repository.git().args(["update-ref", "refs/tags/target", &wrapped]).succeed()?;
    repository.git().args(["update-ref", "refs/tags/yours", commit]).succeed()?;
    let arguments = ["merge-tree", "--write-tree", "-z", "--name-only", "--messages", "target", "yours"];
    let output = repository.git().args(arguments).answer(&[0, 1])?;
    let fields = output.fields();
    let mut fields = fields.into_iter();
    let tree = fields.next().ok_or_else(|| output.unexpected())?;
    check_object(&tree)?;
    if output.code() == Some(0) {
        return Ok(Merged { tree, conflict: None });
    }
    let files: Vec<String> = fields.by_ref().take_while(|field| !field.is_empty()).collect();
    let mut markers = messages(fields);
    for path in &files {
        if markers.len() < MARKERS_LIMIT_BYTES {
            markers.push_str(&hunks_of(repository, &tree, path)?);
        }
    }
    Ok(Merged { tree, conflict: Some(Conflict { files, markers: cut(&markers, MARKERS_LIMIT_BYTES) }) })
}

/// Puts a commit's change into a clean folder, as changes that are not committed.
pub(super) fn replay(repository: &SeparateRepository, commit: &str) -> Result<Replayed, GitError> {
    let base = repository.resolve("HEAD^{commit}")?;
    let merged = merge_change(repository, &base, commit)?;
    repository.git().args(["read-tree", "--reset", "-u", &merged.tree]).succeed()?;
    repository.git().args(["read-tree", "--reset", &base]).succeed()?;
    Ok(merged.conflict.map_or(Replayed::Clean, Replayed::Conflict))
}

/// The line that ends a conflict which [`replay`] left in a file.
const LEFT: &str = "^>>>>>>> yours.?$";

/// The files that a commit changed and in which a conflict still stands as [`replay`] marked it.
pub(super) fn unresolved(repository: &SeparateRepository, commit: &str) -> Result<Vec<String>, GitError> {
    let base = format!("{}^1", check_object(commit)?);
    let question = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "-G", LEFT, &base, commit];
    // Also those from which such a line was taken.
    let touched = repository.git().args(question).succeed()?.fields();
    if touched.is_empty() {
        return Ok(touched);
    }
    let question = ["--literal-pathspecs", "grep", "-l", "-z", "-E", "-e", LEFT, commit, "--"];
    let found = repository.git().args(question).args(touched.iter().map(String::as_str)).answer(&[0, 1])?;
    let named = found.fields().into_iter();
    Ok(named.map(|name| name.split_once(':').map_or(name.clone(), |(_, path)| path.to_owned())).collect())
}

/// The messages of `merge-tree -z`: per message the number of paths, the paths, the kind and the text.
fn messages(mut fields: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    while let Some(count) = fields.next().and_then(|field| field.parse::<usize>().ok()) {
        let message = fields.by_ref().take(count + 2).last().unwrap_or_default();
        if message.starts_with("CONFLICT") {
            text.push_str(message.trim_end());
            text.push('\n');
        }
    }
    text
}

/// The conflicting parts of one file of the merged tree; nothing when it has no markers.
fn hunks_of(repository: &SeparateRepository, tree: &str, path: &str) -> Result<String, GitError> {
    // The file may be gone from the tree, or its name may not be UTF-8: git's message then tells enough.
    let blob = repository.git().args(["cat-file", "blob", &format!("{tree}:{path}")]).answer(&[0, 128])?;
    let content = blob.text();
    let hunks = hunks(&content);
    Ok(if hunks.is_empty() { String::new() } else { format!("--- {path}\n{hunks}") })
}

fn hunks(content: &str) -> String {
    let lines: Vec<&str> = content.lines().collect();
    let mut is_shown = vec![false; lines.len()];
    let mut start = None;
    for (number, line) in lines.iter().enumerate() {
        if line.starts_with("<<<<<<< ") {
            start = Some(number);
        }
        if let Some(first) = start.filter(|_| line.starts_with(">>>>>>> ")) {
            let shown = first.saturating_sub(CONTEXT_LINES)..(number + 1 + CONTEXT_LINES).min(lines.len());
            is_shown.iter_mut().take(shown.end).skip(shown.start).for_each(|is_shown| *is_shown = true);
            start = None;
        }
    }
    let mut text = String::new();
    let mut was_shown = false;
    for (number, (line, is_shown)) in lines.iter().zip(&is_shown).enumerate() {
        if *is_shown {
            if !was_shown {
                text.push_str(&format!("@@ line {} @@\n", number + 1));
            }
            text.push_str(line);
            text.push('\n');
        }
        was_shown = *is_shown;
    }
    text
}

/// Cuts a text at a line end below the limit and says so.
pub(super) fn cut(text: &str, limit_bytes: usize) -> String {
    if text.len() <= limit_bytes {
        return text.to_owned();
    }
    let head = text.get(..text.floor_char_boundary(limit_bytes)).unwrap_or_default();
    let head = head.rfind('\n').and_then(|end| head.get(..=end)).unwrap_or(head);
    format!("{head}[cut: {} of {} bytes shown]\n", head.len(), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_conflicting_hunks_and_their_surroundings_are_shown() {
        let before: String = (1..=9).map(|number| format!("line {number}\n")).collect();
        let content = format!("{before}<<<<<<< target\na\n=======\nb\n>>>>>>> yours\nafter\n");
        let expected =
            "@@ line 7 @@\nline 7\nline 8\nline 9\n<<<<<<< target\na\n=======\nb\n>>>>>>> yours\nafter\n";
        assert_eq!(hunks(&content), expected);
        assert_eq!(hunks("no conflict here\n"), "");
    }

    #[test]
    fn a_long_text_is_cut_between_lines_and_says_so() {
        assert_eq!(cut("one\ntwo\nthree\n", 9), "one\ntwo\n[cut: 8 of 14 bytes shown]\n");
        assert_eq!(cut("öö", 3), "ö[cut: 2 of 4 bytes shown]\n");
        assert_eq!(cut("short", 9), "short");
    }
}
