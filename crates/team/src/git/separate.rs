//! A git dir of ours that stands outside the folder it describes.
//!
//! Agents and the commands that judge their work can write whatever lies in their folder, its `.git`
//! included, and a
//! `.git` that another can write is code execution for whoever runs git in it. So we never do: we look at the folder
//! through a git dir that is kept elsewhere, with a configuration and an index of our own. It borrows the
//! objects of the project (`objects/info/alternates`), so it costs no copy.
//!
//! The folder gets a `.git` as well, for the agent's convenience; we write it and never run git in it again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::command::{GitCommand, GitProgram};
use super::error::{GitError, append, file};
use super::lock::{GitAtWork, git_at_work, locks_in};
use super::name::check_object;
use super::project::Project;
use super::survey::specials;

/// The domain of all addresses that we make up; RFC 2606 keeps it free for ever.
pub(super) const MAIL_DOMAIN: &str = "agent-team.invalid";

/// A work tree and the git dir through which we look at it.
#[derive(Debug, Clone)]
pub(super) struct SeparateRepository {
    program: GitProgram,
    git_dir: PathBuf,
    work_tree: PathBuf,
}

/// What happens to files that git ignores when a folder is brought to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ignored {
    /// They stay: what was built for one task saves time for the next.
    Stay,
    /// They go: what is judged must not depend on what was built before.
    Go,
}

/// The `.git` that a folder gets for the convenience of those who work in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct InnerRepository<'a> {
    /// The branch that it stands on.
    pub(super) branch: &'a str,
    /// The commit that the branch points to.
    pub(super) commit: &'a str,
    /// The name that its commits carry.
    pub(super) author: &'a str,
}

impl SeparateRepository {
    /// Opens the git dir, or makes it when it is not there. Makes the work tree's folder too.
    pub(super) fn open_or_create(
        project: &Project,
        git_dir: &Path,
        work_tree: &Path,
    ) -> Result<Self, GitError> {
        make_folder(work_tree)?;
        if git_dir.join("HEAD").is_file() {
            remove_stale_locks(git_dir, work_tree)?;
        } else {
            let new = with_suffix(git_dir, ".new");
            create_borrowing(project, &new)?;
            remove(git_dir)?;
            std::fs::rename(&new, git_dir).map_err(file("rename", &new))?;
        }
        let (git_dir, work_tree) = (git_dir.to_path_buf(), work_tree.to_path_buf());
        Ok(Self { program: project.program().clone(), git_dir, work_tree })
    }

    /// One that is there already, to be looked at by whoever does not have it to himself.
    pub(super) fn of(program: &GitProgram, git_dir: &Path, work_tree: &Path) -> Self {
        Self { program: program.clone(), git_dir: git_dir.to_path_buf(), work_tree: work_tree.to_path_buf() }
    }

    /// The git dir, which nobody but us writes.
    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The folder that it describes.
    pub(super) fn work_tree(&self) -> &Path {
        &self.work_tree
    }

    /// Keeps git, when others run it in the folder, from looking for a repository above.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let ceiling = self.work_tree.parent().unwrap_or(&self.work_tree);
        vec![("GIT_CEILING_DIRECTORIES", ceiling.as_os_str().to_owned())]
    }

    /// A command that sees the folder through our git dir.
    pub(super) fn git(&self) -> GitCommand {
        // Submodules are never entered: `git status` in one would run what its `.git` says.
        self.program
            .in_repository_of_ours(&self.work_tree)
            .config("diff.ignoreSubmodules=all")
            .option("--git-dir")
            .option(&self.git_dir)
            .option("--work-tree")
            .option(&self.work_tree)
    }

    /// Brings the folder to a commit and records it as the one that HEAD's branch stands on.
    pub(super) fn check_out(&self, branch: &str, commit: &str, ignored: Ignored) -> Result<(), GitError> {
        let commit = check_object(commit)?;
        self.git().args(["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]).succeed()?;
        self.git().args(["update-ref", "HEAD", commit]).succeed()?;
        self.reset_to(commit, ignored)
    }

    /// Says on which branch the folder stands, at the commit that it is at. In one step: before it, it stands on another.
    pub(super) fn stand_on(&self, branch: &str, commit: &str) -> Result<(), GitError> {
        let reference = format!("refs/heads/{branch}");
        self.git().args(["update-ref", &reference, check_object(commit)?]).succeed()?;
        self.git().args(["symbolic-ref", "HEAD", &reference]).succeed().map(drop)
    }

    /// Brings index and folder to a tree or commit, whatever is there.
    pub(super) fn reset_to(&self, tree: &str, ignored: Ignored) -> Result<(), GitError> {
        make_folder(&self.work_tree)?;
        if ignored == Ignored::Go {
            for path in specials(&self.work_tree) {
                remove(&path)?;
            }
        }
        self.git().args(["read-tree", "--reset", "-u", tree]).succeed()?;
        let flags = match ignored {
            Ignored::Stay => "-ffdq",
            Ignored::Go => "-ffdxq",
        };
        let clean = self.git().args(["clean", flags]);
        if clean.clone().run()?.code() == Some(0) {
            return Ok(());
        }
        // Some tools (Go's module cache, for one) leave folders that even their owner may not write.
        make_folders_writable(&self.work_tree);
        clean.succeed().map(drop)
    }

    /// The commit that the folder was last brought to; none before the first time.
    pub(super) fn base(&self) -> Result<Option<String>, GitError> {
        let output = self.git().args(["rev-parse", "--verify", "--quiet", "HEAD"]).answer(&[0, 1, 128])?;
        Ok((output.code() == Some(0)).then(|| output.text()))
    }

    /// The branch under which the folder was last brought to a commit.
    pub(super) fn branch(&self) -> Result<Option<String>, GitError> {
        let output = self.git().args(["symbolic-ref", "--quiet", "HEAD"]).answer(&[0, 1])?;
        Ok(output.text().strip_prefix("refs/heads/").map(str::to_owned))
    }

    /// The object that an expression names, as git-rev-parse understands it.
    pub(super) fn resolve(&self, expression: &str) -> Result<String, GitError> {
        Ok(self.git().args(["rev-parse", "--verify", "--quiet", expression]).succeed()?.text())
    }

    /// Gives the folder a fresh `.git` whose index is ours, so that the files count as unchanged in it at
    /// once.
    pub(super) fn install_inner(
        &self,
        project: &Project,
        inner: InnerRepository<'_>,
    ) -> Result<(), GitError> {
        let new = with_suffix(&self.git_dir, ".inner");
        create_borrowing(project, &new)?;
        let config = new.join("config");
        let settings = format!(
            "[user]\n\tname = {author}\n\temail = {author}@{MAIL_DOMAIN}\n\
             [commit]\n\tgpgSign = false\n[tag]\n\tgpgSign = false\n[push]\n\tdefault = nothing\n",
            author = inner.author
        );
        append(&config, &settings)?;
        let git = || self.program.in_repository_of_ours(&self.work_tree).option("--git-dir").option(&new);
        git().args(["symbolic-ref", "HEAD", &format!("refs/heads/{}", inner.branch)]).succeed()?;
        git().args(["update-ref", "HEAD", check_object(inner.commit)?]).succeed()?;
        let index = self.git_dir.join("index");
        std::fs::copy(&index, new.join("index")).map_err(file("copy", &index))?;
        let place = self.work_tree.join(".git");
        remove(&place)?;
        std::fs::rename(&new, &place).map_err(file("rename", &new))
    }
}

/// Makes an empty repository that finds the project's objects. It has no remote: there is nowhere to push to.
fn create_borrowing(project: &Project, git_dir: &Path) -> Result<(), GitError> {
    remove(git_dir)?;
    std::fs::create_dir_all(git_dir).map_err(file("make", git_dir))?;
    let format = format!("--object-format={}", project.object_format());
    let program = project.program();
    let initialise = ["init", "--quiet", "--bare", "--template=", &format, "."];
    program.in_repository_of_ours(git_dir).args(initialise).succeed()?;
    append(&git_dir.join("config"), "[core]\n\tbare = false\n\tlogAllRefUpdates = true\n")?;
    let folder = git_dir.join("info");
    std::fs::create_dir_all(&folder).map_err(file("make", &folder))?;
    borrow_objects(project, git_dir)?;
    for shared in ["info/exclude", "shallow"] {
        let source = project.common_dir().join(shared);
        if source.is_file() {
            std::fs::copy(&source, git_dir.join(shared)).map_err(file("copy", &source))?;
        }
    }
    Ok(())
}

fn borrow_objects(project: &Project, git_dir: &Path) -> Result<(), GitError> {
    use std::os::unix::ffi::OsStrExt;
    let objects = project.common_dir().join("objects");
    if objects.as_os_str().as_bytes().contains(&b'\n') {
        let (found, rule) = (objects.display().to_string(), "its path may hold no line break");
        return Err(GitError::Name { what: "repository", found, rule });
    }
    let path = git_dir.join("objects/info/alternates");
    let folder = git_dir.join("objects/info");
    std::fs::create_dir_all(&folder).map_err(file("make", &folder))?;
    std::fs::write(&path, [objects.as_os_str().as_bytes(), b"\n"].concat()).map_err(file("write", &path))
}

/// Makes a folder. What stands in its place goes: through a link we would work on somebody else's folder.
fn make_folder(path: &Path) -> Result<(), GitError> {
    if std::fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_dir()) {
        remove(path)?;
    }
    std::fs::create_dir_all(path).map_err(file("make", path))
}

/// Removes the locks that a git of ours left in a git dir of ours when it was killed. Only who has the folder to himself
/// calls this, so that none is in use unless that git still runs.
fn remove_stale_locks(git_dir: &Path, work_tree: &Path) -> Result<(), GitError> {
    let locks = locks_in(git_dir)?;
    // Another user's git has no business here.
    if !locks.is_empty() && git_at_work(&[git_dir, work_tree]) != GitAtWork::Yes {
        for lock in locks {
            remove(&lock)?;
        }
    }
    Ok(())
}

/// Removes a file, a link (not what it points to) or a folder. What is not there is fine.
pub(super) fn remove(path: &Path) -> Result<(), GitError> {
    let removed = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
    };
    removed.map_err(file("remove", path))
}

/// Best effort: what stays unwritable makes the caller's next step fail.
fn make_folders_writable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    drop(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)));
    for name in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // The kind of a link is link: what it points to is left alone.
        if name.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_folders_writable(&name.path());
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
