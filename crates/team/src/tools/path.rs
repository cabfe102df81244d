//! Where a tool may read and write: inside the workspace, whatever a path looks like.
//!
//! Every symbolic link is resolved before it is judged. A process that swaps links between the check and the use could
//! still get out; the `run` tool's commands could as well without that, so it is the sandbox that must hold them.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use super::Correction;
use crate::command::grouped;

/// The largest file that tools read: what is kept of a command's output, and the note in it.
pub(super) const LARGEST_FILE_BYTES: u64 = crate::command::CommandSpec::OUTPUT_KEPT_BYTES + 1_000;

/// Folders whose content is not the agent's to change: writing git's own would be code execution for whoever runs git.
const PROTECTED: [&str; 2] = [".git", ".agent-team"];

/// How many names are suggested when a file is not there.
const SUGGESTED_NAMES: usize = 20;

/// The folder that tools work in.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    output_folder: Option<PathBuf>,
}

impl Workspace {
    /// The workspace in `folder`; what is in `output_folder`, if that exists, may be read as well.
    ///
    /// # Errors
    ///
    /// When the folder is not there.
    pub fn open(folder: &Path, output_folder: &Path) -> Result<Self, Correction> {
        let root = fs::canonicalize(folder).map_err(|error| {
            Correction(format!("The workspace {} cannot be used: {error}.", folder.display()))
        })?;
        Ok(Self { root, output_folder: fs::canonicalize(output_folder).ok() })
    }

    /// The workspace's folder, without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file or folder that `path` names and that a tool may read.
    ///
    /// # Errors
    ///
    /// When it is outside or not there.
    pub fn readable(&self, path: &str) -> Result<PathBuf, Correction> {
        let resolved = self.resolve(path)?;
        let is_output = self.output_folder.as_ref().is_some_and(|folder| resolved.starts_with(folder));
        if !resolved.starts_with(&self.root) && !is_output {
            return Err(outside(path));
        }
        if !resolved.exists() {
            return Err(self.missing(&resolved));
        }
        Ok(resolved)
    }

    /// The file that `path` names and that a tool may write; it need not be there.
    ///
    /// # Errors
    ///
    /// When it is outside, a folder or no regular file, or part of what is not the agent's to change.
    pub fn writable(&self, path: &str) -> Result<PathBuf, Correction> {
        let resolved = self.resolve(path)?;
        let Ok(relative) = resolved.strip_prefix(&self.root) else { return Err(outside(path)) };
        if let Some(name) = relative.components().find_map(protected_name) {
            return Err(Correction(format!(
                "`{path}` cannot be written: {name} belongs to git and the team. Write another file."
            )));
        }
        if resolved.exists() && !resolved.is_file() {
            return Err(Correction(format!("`{path}` is a folder or no regular file. Name a file.")));
        }
        Ok(resolved)
    }

    /// A path as models shall see it: relative to the workspace if it is in there.
    pub fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.root) {
            Ok(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
            Ok(relative) => relative.display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }

    /// The bytes of a regular file.
    pub(super) fn bytes(&self, path: &Path) -> Result<Vec<u8>, Correction> {
        let shown = self.shown(path);
        let broken = |error: io::Error| Correction(format!("`{shown}` cannot be read: {error}."));
        let metadata = fs::metadata(path).map_err(broken)?;
        if !metadata.is_file() {
            return Err(Correction(format!("`{shown}` is no regular file. Name a file.")));
        }
        if metadata.len() > LARGEST_FILE_BYTES {
            return Err(Correction(format!(
                "`{shown}` is too large to be read: {} bytes. Look at parts of it with a command.",
                grouped(metadata.len())
            )));
        }
        fs::read(path).map_err(broken)
    }

    /// Writes a file that [`Self::writable`] gave, and the folders above it.
    pub(super) fn write(&self, path: &Path, content: &[u8]) -> Result<(), Correction> {
        let broken =
            |error: io::Error| Correction(format!("`{}` cannot be written: {error}.", self.shown(path)));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(broken)?;
        }
        // The path is free of links; one that took its place since must not be followed.
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).custom_flags(no_follow);
        let mut file = options.open(path).map_err(broken)?;
        io::Write::write_all(&mut file, content).map_err(broken)
    }

    /// `path` from the workspace on, every link and `..` in it followed. What is not there yet is taken as it is named.
    fn resolve(&self, path: &str) -> Result<PathBuf, Correction> {
        if path.is_empty() || path.contains('\0') {
            return Err(Correction("The path is empty or no path. Name a file, as in `src/main.rs`.".into()));
        }
        let mut resolved = self.root.clone();
        for component in Path::new(path).components() {
            match component {
                Component::RootDir | Component::Prefix(_) => resolved = PathBuf::from("/"),
                Component::CurDir => {}
                Component::ParentDir => {
                    resolved.pop();
                }
                Component::Normal(name) => resolved = follow(&resolved.join(name), path)?,
            }
        }
        Ok(resolved)
    }

    /// Tells what there is instead of a file that is not.
    fn missing(&self, path: &Path) -> Correction {
        let folder = path.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(&self.root);
        let mut names: Vec<String> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let more = names.len().saturating_sub(SUGGESTED_NAMES);
        names.truncate(SUGGESTED_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Correction(format!(
            "There is no `{}`. In `{}` there are: {}{more}.",
            self.shown(path),
            self.shown(folder),
            if names.is_empty() { "no files".to_owned() } else { names.join(", ") }
        ))
    }
}

/// What is at `next`, if it is a link; else `next` itself.
fn follow(next: &Path, path: &str) -> Result<PathBuf, Correction> {
    match fs::symlink_metadata(next) {
        Ok(metadata) if metadata.is_symlink() => fs::canonicalize(next).map_err(|error| {
            Correction(format!("`{path}` goes through a symbolic link that leads nowhere ({error})."))
        }),
        Ok(_) => Ok(next.to_owned()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => Ok(next.to_owned()),
        Err(error) => Err(Correction(format!("`{path}` cannot be used: {error}."))),
    }
}

fn outside(path: &str) -> Correction {
    Correction(format!("`{path}` is outside the workspace. Use paths relative to it, as in `src/main.rs`."))
}

/// The component's name if it is protected. Case does not matter, as it does not for some file systems.
fn protected_name(component: Component<'_>) -> Option<&'static str> {
    let name = component.as_os_str();
    PROTECTED.into_iter().find(|protected| name.eq_ignore_ascii_case(OsStr::new(protected)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tools::testing::Project;

    fn refused<T: std::fmt::Debug>(result: Result<T, Correction>, why: &str) {
        let Correction(text) = result.unwrap_err();
        assert!(text.contains(why), "{text}");
    }

    #[test]
    fn paths_inside_are_found_however_they_are_written() {
        let project = Project::with([("src/main.rs", "")]);
        let workspace = project.workspace();
        let absolute = project.path("src/main.rs");
        for path in
            ["src/main.rs", "./src/../src/main.rs", absolute.to_str().unwrap(), "absent/../src/main.rs"]
        {
            let found = workspace.readable(path).unwrap();
            assert_eq!(workspace.shown(&found), "src/main.rs");
        }
        assert_eq!(workspace.shown(&workspace.writable("new/deep/file").unwrap()), "new/deep/file");
    }

    #[test]
    fn nothing_outside_is_read_or_written() {
        let project = Project::with([("src/main.rs", "")]);
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "").unwrap();
        symlink(outside.path(), project.path("link")).unwrap();
        symlink(outside.path().join("secret"), project.path("file-link")).unwrap();
        symlink(outside.path().join("absent"), project.path("dangling")).unwrap();
        symlink("loop", project.path("loop")).unwrap();
        let workspace = project.workspace();
        let absolute = outside.path().join("secret");
        let paths = [
            "..",
            "../x",
            "src/../../x",
            "/etc/passwd",
            "link/secret",
            "file-link",
            absolute.to_str().unwrap(),
        ];
        for path in paths {
            refused(workspace.readable(path), "outside the workspace");
            refused(workspace.writable(path), "outside the workspace");
        }
        refused(workspace.writable("link/new"), "outside the workspace");
        refused(workspace.writable("absent/../../new"), "outside the workspace");
        refused(workspace.writable("dangling"), "leads nowhere");
        refused(workspace.readable("loop"), "leads nowhere");
        refused(workspace.readable(""), "no path");
        refused(workspace.readable("a\0b"), "no path");
    }

    #[test]
    fn a_neighbour_whose_name_begins_alike_is_outside() {
        let project = Project::new();
        let neighbour = format!("{}-2/file", project.workspace().root().display());
        refused(project.workspace().writable(&neighbour), "outside the workspace");
    }

    #[test]
    fn what_belongs_to_git_and_the_team_is_read_only() {
        let project = Project::with([(".git/config", ""), (".agent-team/log.jsonl", ""), (".gitignore", "")]);
        symlink(".git", project.path("alias")).unwrap();
        let workspace = project.workspace();
        for path in [".git/config", ".GIT/hooks/x", "sub/.git", ".agent-team/log.jsonl", "alias/config"] {
            refused(workspace.writable(path), "belongs to git and the team");
        }
        assert!(workspace.readable(".git/config").is_ok());
        assert!(workspace.writable(".gitignore").is_ok());
    }

    #[test]
    fn a_file_that_is_not_there_is_answered_with_those_that_are() {
        let project = Project::with([("src/main.rs", ""), ("src/lib.rs", "")]);
        refused(project.workspace().readable("src/mian.rs"), "In `src` there are: lib.rs, main.rs.");
    }

    #[test]
    fn a_pipe_is_not_read() {
        let project = Project::new();
        let made = std::process::Command::new("mkfifo").arg(project.path("pipe")).status().unwrap();
        assert!(made.success());
        let workspace = project.workspace();
        refused(workspace.bytes(&project.path("pipe")), "no regular file");
        refused(workspace.writable("pipe"), "no regular file");
    }
}
