//! Looks at what lies in a folder before git does, which opens some files without asking what they are: a pipe named
//! `.gitignore` keeps git waiting for ever, and a link to an endless device fills the memory.
//!
//! Only looks. What may be read and then changes under git's hands is bounded by the time limit of git's commands.

use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// The most files of a repository that are looked at; one with more is not read.
const MOST_FILES: u64 = 1_000_000;

/// What git should not meet in a work tree.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Pipes and devices in a place where git opens what it finds.
    pub(super) traps: Vec<PathBuf>,
    /// Folders that cannot be read: git steps over them with a warning, and their files would be lost.
    pub(super) closed: Vec<PathBuf>,
}

/// Looks through a work tree, its own `.git` left out. Links are not followed.
pub(super) fn survey(work_tree: &Path) -> Survey {
    let mut survey = Survey::default();
    let mut folders = vec![(work_tree.to_owned(), false)];
    while let Some((folder, is_gits)) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            survey.closed.push(folder);
            continue;
        };
        for entry in entries.flatten() {
            let (name, Ok(kind)) = (entry.file_name(), entry.file_type()) else { continue };
            if kind.is_dir() {
                let is_repository = name.eq_ignore_ascii_case(".git");
                if !is_repository || folder != work_tree {
                    folders.push((entry.path(), is_gits || is_repository));
                }
            } else if keeps_readers(kind) && (is_gits || is_read_by_git(&name)) {
                survey.traps.push(entry.path());
            }
        }
    }
    survey
}

/// Everything in a folder of ours that is no file, link or folder: git neither sees nor removes it.
pub(super) fn specials(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if !kind.is_file() && !kind.is_symlink() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

/// Why a repository that an agent can write should not be read at all, if there is a reason.
pub(super) fn objection(repository: &Path, most_bytes: u64) -> Option<String> {
    match fs::symlink_metadata(repository) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Some("it is no folder".to_owned()),
        Err(error) => return Some(error.to_string()),
    }
    let (mut bytes, mut files) = (0_u64, 0_u64);
    let mut folders = vec![repository.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => return Some(format!("{}: {error}", folder.display())),
        };
        for entry in entries.flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            let is_hook = path.strip_prefix(repository).is_ok_and(|inside| inside.starts_with("hooks"));
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                bytes = bytes.saturating_add(entry.metadata().map_or(0, |metadata| metadata.len()));
                files += 1;
            } else if !is_hook {
                return Some(format!("{} is no file", path.display()));
            }
            if bytes > most_bytes || files > MOST_FILES {
                return Some(format!("it holds more than {most_bytes} bytes or {MOST_FILES} files"));
            }
        }
    }
    None
}

/// Whether opening such a file may wait for ever or never come to an end.
fn keeps_readers(kind: FileType) -> bool {
    kind.is_fifo() || kind.is_char_device() || kind.is_block_device()
}

/// Whether git opens a file of this name in a work tree: `.gitignore`, `.gitattributes`, `.gitmodules`, `.git`.
fn is_read_by_git(name: &OsStr) -> bool {
    name.as_encoded_bytes().get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b".git"))
}
