//! Small real repositories for the tests of this module, in a temporary folder with a home of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Captured, FILE_LIMIT_BYTES, GitProgram, Project, Submission, Workspace};

/// A user's repository with a branch `main` and one commit that holds `README`.
pub(super) struct TestRepository {
    folder: tempfile::TempDir,
    pub(super) project: Project,
}

impl TestRepository {
    pub(super) fn new() -> Self {
        Self::with_user_configuration("")
    }

    /// The repository of a user whose `~/.gitconfig` holds these lines too.
    pub(super) fn with_user_configuration(lines: &str) -> Self {
        Self::build(lines, "sha1")
    }

    pub(super) fn with_object_format(format: &str) -> Self {
        Self::build("", format)
    }

    fn build(lines: &str, object_format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let user = "[user]\n\tname = Ursula\n\temail = ursula@example.org\n";
        std::fs::write(folder.path().join(".gitconfig"), format!("{user}{lines}")).unwrap();
        let root = folder.path().join("project");
        std::fs::create_dir(&root).unwrap();
        user_git(folder.path(), &root, &["init", "-q", "-b", "main", "--object-format", object_format]);
        std::fs::write(root.join("README"), "hello\n").unwrap();
        user_git(folder.path(), &root, &["add", "--all"]);
        user_git(
            folder.path(),
            &root,
            &["-c", "commit.gpgsign=false", "commit", "-q", "--no-verify", "-m", "Start"],
        );
        let project = Project::discover(&program(folder.path()), &root).unwrap();
        project.exclude_state_folder().unwrap();
        Self { folder, project }
    }

    pub(super) fn home(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn root(&self) -> PathBuf {
        self.project.root().to_path_buf()
    }

    /// Runs git as the user would, in the user's folder, and gives what it printed.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        user_git(self.home(), &self.root(), arguments)
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        write(&self.root(), path, content);
    }

    pub(super) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Commits all that is in the user's folder and gives the commit.
    pub(super) fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&[
            "-c",
            "commit.gpgsign=false",
            "commit",
            "-q",
            "--no-verify",
            "--allow-empty",
            "-m",
            message,
        ]);
        self.tip("main")
    }

    pub(super) fn tip(&self, branch: &str) -> String {
        self.project.tip(branch).unwrap().unwrap()
    }

    pub(super) fn tip_of(&self, reference: &str) -> String {
        self.project.read_ref(reference).unwrap().unwrap()
    }

    pub(super) fn status(&self) -> String {
        self.git(&["status", "--porcelain"])
    }

    /// A workspace at the tip of main.
    pub(super) fn workspace(&self, agent: &str, task: &str) -> Workspace {
        Workspace::prepare(&self.project, agent, task, &self.tip("main")).unwrap().workspace
    }

    /// What an agent would submit that writes these files from the tip of main.
    pub(super) fn work(&self, agent: &str, files: &[(&str, &str)]) -> super::Capture {
        let workspace = self.workspace(agent, agent);
        for (path, content) in files {
            write(workspace.path(), path, content);
        }
        captured(&workspace, agent)
    }
}

pub(super) fn write(folder: &Path, path: &str, content: &str) {
    let place = folder.join(path);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, content).unwrap();
}

pub(super) fn submission(token: &str) -> Submission<'_> {
    Submission { token, task: "T1", agent: "worker-1", message: "Did it", file_limit_bytes: FILE_LIMIT_BYTES }
}

pub(super) fn captured(workspace: &Workspace, token: &str) -> super::Capture {
    match workspace.capture(&submission(token)).unwrap() {
        Captured::Done(capture) => capture,
        Captured::Refused(problems) => panic!("refused: {problems:?}"),
    }
}

fn environment(home: &Path) -> Vec<(OsString, OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    vec![("PATH".into(), path), ("HOME".into(), home.into()), ("GIT_CONFIG_NOSYSTEM".into(), "1".into())]
}

pub(super) fn program(home: &Path) -> GitProgram {
    GitProgram::with_environment(environment(home))
}

pub(super) fn user_git(home: &Path, folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    let output =
        command.args(arguments).current_dir(folder).env_clear().envs(environment(home)).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
