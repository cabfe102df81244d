//! What a command may see and change, by path. Says nothing of how that is enforced.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::system;

/// What may be done to a file, or to all that lies in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// It is not there.
    Hidden,
    /// It is read and run.
    Read,
    /// It is read, run and changed.
    Write,
}

/// The access to every path: that of the nearest path above it that is named. What no named path is above is hidden.
///
/// All named paths are real: none leads over a symbolic link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Policy {
    named: BTreeMap<PathBuf, Access>,
    /// Names of real paths by which commands know them.
    aliases: BTreeMap<PathBuf, PathBuf>,
}

/// A path to which the kernel shall give access, with all that is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) path: PathBuf,
    pub(super) access: Access,
    /// Whether only the names in it are told, since some of what lies there is not for commands.
    pub(super) names_only: bool,
}

impl Policy {
    /// What every command needs of the system. `variables` are those that name toolchains.
    pub(super) fn of_system(variables: &dyn Fn(&str) -> Option<PathBuf>) -> Self {
        let mut policy = Self::default();
        for (path, access) in system::needed().iter().chain(&system::toolchains(variables)) {
            policy.set(path, *access);
        }
        policy
    }

    /// Says what may be done to a path, if there is such a thing.
    pub(super) fn set(&mut self, path: &Path, access: Access) {
        let Ok(real) = fs::canonicalize(path) else { return };
        if real != path {
            self.aliases.insert(path.to_owned(), real.clone());
        }
        self.named.insert(real, access);
    }

    /// Lets commands work in a folder: all of it, but not what is hidden or only read below it.
    ///
    /// Where that folder holds a team and its repository, commands read the repository and change nothing in it, since
    /// whoever runs git there would run what they wrote.
    pub(super) fn work_in(&mut self, folder: &Path, access: Access) {
        self.set(folder, access);
        let Ok(real) = fs::canonicalize(folder) else { return };
        let repositories: Vec<PathBuf> =
            self.named.keys().filter(|path| path.ends_with(".git")).cloned().collect();
        for path in repositories {
            if path.parent() == Some(&real) {
                self.named.insert(path, Access::Read);
            }
        }
    }

    /// What is named, folders before what lies in them.
    pub(super) fn named(&self) -> impl Iterator<Item = (&Path, Access)> {
        self.named.iter().map(|(path, access)| (path.as_path(), *access))
    }

    /// Other names of real paths.
    pub(super) fn aliases(&self) -> impl Iterator<Item = (&Path, &Path)> {
        self.aliases.iter().map(|(alias, real)| (alias.as_path(), real.as_path()))
    }

    /// The access to a real path.
    pub(super) fn access(&self, path: &Path) -> Access {
        path.ancestors().find_map(|above| self.named.get(above)).copied().unwrap_or(Access::Hidden)
    }

    /// The policy for a kernel that only ever adds up what it is granted along a path. A folder with something in it
    /// that is less open than the folder is granted piece by piece: what lies there now, and nothing that comes
    /// later.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Landlock grants one by one"))]
    pub(super) fn grants(&self) -> Vec<Grant> {
        let mut grants = Vec::new();
        for (path, access) in self.named() {
            if access != Access::Hidden {
                self.grant(path, access, &mut grants);
            }
        }
        grants
    }

    fn grant(&self, path: &Path, access: Access, grants: &mut Vec<Grant>) {
        let is_open = |(other, of_other): (&Path, Access)| {
            other == path || !other.starts_with(path) || of_other >= access
        };
        let names_only = !self.named().all(is_open);
        grants.push(Grant { path: path.to_owned(), access, names_only });
        if !names_only {
            return;
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let path = entry.path();
            // What a link leads to is granted by itself or not at all.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if !is_link && !self.named.contains_key(&path) {
                self.grant(&path, access, grants);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(paths: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        for path in paths {
            let path = real.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
        }
        (folder, real)
    }

    #[test]
    fn the_nearest_named_path_decides() {
        let (_kept, root) = folder_with(&["a/secret/key", "a/secret/shown/text", "a/open"]);
        let mut policy = Policy::default();
        policy.set(&root.join("a"), Access::Write);
        policy.set(&root.join("a/secret"), Access::Hidden);
        policy.set(&root.join("a/secret/shown"), Access::Read);
        policy.set(&root.join("missing"), Access::Write);
        let access = |path: &str| policy.access(&root.join(path));
        assert_eq!(access("a/open"), Access::Write);
        assert_eq!(access("a/secret/key"), Access::Hidden);
        assert_eq!(access("a/secret/shown/text"), Access::Read);
        assert_eq!((access("b"), access("missing")), (Access::Hidden, Access::Hidden));
    }

    #[test]
    fn a_folder_with_something_hidden_in_it_is_granted_piece_by_piece_and_never_over_a_link() {
        let (_kept, root) = folder_with(&["a/b/key", "a/b/text", "a/c/text", "other/text"]);
        std::os::unix::fs::symlink(root.join("other"), root.join("a/link")).unwrap();
        let mut policy = Policy::default();
        policy.set(&root.join("a"), Access::Write);
        policy.set(&root.join("a/b/key"), Access::Hidden);
        let mut grants: Vec<(String, bool)> = policy
            .grants()
            .into_iter()
            .map(|grant| (grant.path.strip_prefix(&root).unwrap().display().to_string(), grant.names_only))
            .collect();
        grants.sort();
        let of = |name: &str, names_only| (name.to_owned(), names_only);
        assert_eq!(grants, [of("a", true), of("a/b", true), of("a/b/text", false), of("a/c", false)]);
    }

    #[test]
    fn a_link_is_followed_where_it_is_named_and_known_by_both_names() {
        let (_kept, root) = folder_with(&["real/text"]);
        std::os::unix::fs::symlink(root.join("real"), root.join("name")).unwrap();
        let mut policy = Policy::default();
        policy.set(&root.join("name"), Access::Read);
        assert_eq!(policy.access(&root.join("real/text")), Access::Read);
        assert_eq!(policy.aliases().collect::<Vec<_>>(), [(&*root.join("name"), &*root.join("real"))]);
    }
}
