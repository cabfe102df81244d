//! Runs the git program so that neither the caller's environment nor a repository's own hooks decide what
//! happens.
//!
//! Arguments are passed as an array, never through a shell. Every command has a time limit and runs in a
//! process group of its own, so that Ctrl-C in the terminal does not cut a ref transaction in two. No
//! knowledge of tasks, agents or refs here.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::Access;

use super::error::{GitError, hint_for};
use super::pipes::{Drained, Pipes};

/// The oldest git that this module is written for: `merge-tree --write-tree` came with it.
pub(super) const MINIMUM_VERSION: &str = "2.38";

/// How long one command may take unless it says otherwise.
const TIME_LIMIT: Duration = Duration::from_mins(5);

/// How long git may take to remove its lock files after SIGTERM, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How much of standard error is kept.
const ERROR_LIMIT_BYTES: usize = 1 << 20;

/// Variables that say where the user's own configuration is. All other `GIT_*` variables are dropped: a
/// `GIT_DIR` or `GIT_INDEX_FILE` (set when we are started from a hook) would redirect every command.
const KEPT_VARIABLES: &[&str] = &[
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
];

/// The git program together with the environment that it runs in. Cheap to clone.
///
/// The environment is a value, not looked up at each call, so that tests run with one of their own.
#[derive(Debug, Clone)]
pub struct GitProgram {
    /// Where it is. A program that is given by its path is started without copying this process first.
    path: Arc<Path>,
    environment: Arc<Vec<(OsString, OsString)>>,
    /// When each of its commands is over at the latest, whatever its own time limit.
    deadline: Option<Instant>,
}

impl GitProgram {
    /// Git as this process would run it, without the `GIT_*` variables that redirect it.
    #[must_use]
    pub fn from_process_environment() -> Self {
        Self::with_environment(std::env::vars_os())
    }

    /// Git in exactly this environment (`PATH` and `HOME` at least), without the `GIT_*` variables that
    /// redirect it.
    pub fn with_environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let kept = variables.into_iter().filter(|(name, _)| {
            let name = name.to_string_lossy();
            !name.starts_with("GIT_") || KEPT_VARIABLES.contains(&name.as_ref())
        });
        let environment: Vec<_> = kept.collect();
        let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path);
        let is_program = |path: &PathBuf| {
            path.is_absolute() && rustix::fs::access(path, Access::EXEC_OK).is_ok() && path.is_file()
        };
        let mut places = path.into_iter().flat_map(std::env::split_paths).map(|folder| folder.join("git"));
        // Where there is none, the first command says so.
        let path = places.find(is_program).unwrap_or_else(|| PathBuf::from("git"));
        Self { path: path.into(), environment: Arc::new(environment), deadline: None }
    }

    /// The same, for several commands that must all be over by then.
    pub(super) fn until(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// Refuses a git that is too old, and says which version is needed.
    ///
    /// # Errors
    /// [`GitError::Start`] without git, [`GitError::TooOld`] below the minimum.
    pub fn check_version(&self) -> Result<(), GitError> {
        let output = self.in_repository_of_ours(Path::new("/")).args(["version"]).succeed()?;
        let found = output.text();
        let number = found.split_whitespace().nth(2).unwrap_or_default();
        let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if version < (2, 38) { Err(GitError::TooOld { found: number.to_owned() }) } else { Ok(()) }
    }

    /// A command in the user's own repository: his configuration counts (filters such as LFS,
    /// `safe.directory`), his hooks and his file system monitor do not.
    pub(super) fn in_repository_of_user(&self, directory: &Path) -> GitCommand {
        self.command(directory)
    }

    /// A command in a repository that we made: no configuration but its own counts, nor attributes or ignore
    /// rules from outside the work tree. When it fetches from a repository that an agent wrote, git may not
    /// be led on to a third one for objects that are missing (CVE-2024-32004).
    pub(super) fn in_repository_of_ours(&self, directory: &Path) -> GitCommand {
        self.command(directory)
            .environment("GIT_CONFIG_NOSYSTEM", "1")
            .environment("GIT_CONFIG_GLOBAL", "/dev/null")
            .environment("GIT_ATTR_NOSYSTEM", "1")
            .environment("GIT_ALLOW_PROTOCOL", "file")
            .environment("GIT_NO_LAZY_FETCH", "1")
            // What is git's own name on another system is none that an agent may give.
            .config("core.protectHFS=true")
            .config("core.protectNTFS=true")
            .config("core.attributesFile=/dev/null")
            .config("core.excludesFile=/dev/null")
    }

    fn command(&self, directory: &Path) -> GitCommand {
        GitCommand {
            program: self.clone(),
            directory: directory.to_path_buf(),
            options: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            input: Vec::new(),
            output_limit_bytes: usize::MAX,
            time_limit: TIME_LIMIT,
        }
        .environment("GIT_TERMINAL_PROMPT", "0")
        .environment("GIT_OPTIONAL_LOCKS", "0")
        .environment("GIT_EDITOR", "false")
        .environment("LC_ALL", "C")
        .config("core.hooksPath=/dev/null")
        .config("core.fsmonitor=false")
        .config("gc.auto=0")
        .config("maintenance.auto=false")
        .config("core.quotePath=false")
        .config("core.filesRefLockTimeout=2000")
        .config("core.packedRefsTimeout=2000")
    }
}

/// One git command that is being put together.
#[derive(Debug, Clone)]
#[must_use = "a command does nothing until it is run"]
pub(super) struct GitCommand {
    program: GitProgram,
    directory: PathBuf,
    options: Vec<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    input: Vec<u8>,
    output_limit_bytes: usize,
    time_limit: Duration,
}

impl GitCommand {
    /// Adds arguments, from the subcommand on.
    pub(super) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Adds one argument.
    pub(super) fn arg(self, argument: impl AsRef<OsStr>) -> Self {
        self.args([argument])
    }

    /// Sets `KEY=VALUE` for this command alone.
    pub(super) fn config(self, setting: impl AsRef<OsStr>) -> Self {
        self.option("-c").option(setting)
    }

    /// Adds an option of git itself, before the subcommand.
    pub(super) fn option(mut self, option: impl AsRef<OsStr>) -> Self {
        self.options.push(option.as_ref().to_owned());
        self
    }

    /// Sets an environment variable for this command.
    pub(super) fn environment(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// What the command reads on standard input; without it, nothing.
    pub(super) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Keeps only this much of standard output; the rest is read and dropped.
    pub(super) fn output_limit(mut self, limit_bytes: usize) -> Self {
        self.output_limit_bytes = limit_bytes;
        self
    }

    /// Stops the command after this time instead of the usual one.
    pub(super) fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Syncs everything that is written before it is named, as git by default does not.
    pub(super) fn synced(self) -> Self {
        self.config("core.fsync=all").config("core.fsyncMethod=fsync")
    }

    /// Runs the command; any exit code but 0 is an error.
    pub(super) fn succeed(self) -> Result<Output, GitError> {
        self.answer(&[0])
    }

    /// Runs the command; an exit code that is not among `lawful` is an error.
    pub(super) fn answer(self, lawful: &[i32]) -> Result<Output, GitError> {
        let output = self.run()?;
        match output.code() {
            Some(code) if lawful.contains(&code) => Ok(output),
            _ => Err(output.failure()),
        }
    }

    /// Runs the command, whatever its exit code.
    pub(super) fn run(self) -> Result<Output, GitError> {
        let mut child = self.spawn()?;
        let failed = |source| GitError::Start { source };
        let mut pipes = Pipes::of(&mut child, self.input.clone(), self.output_limit_bytes, ERROR_LIMIT_BYTES)
            .map_err(failed)?;
        let left = self.program.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = left.map_or(self.time_limit, |left| left.min(self.time_limit));
        if !pipes.talk(Instant::now() + limit).map_err(failed)? {
            stop(&mut child, &mut pipes);
            return Err(GitError::TimedOut { command: self.shown(), limit });
        }
        let status = child.wait().map_err(|source| GitError::Start { source })?;
        let Pipes { output, error, .. } = pipes;
        Ok(Output { command: self.shown(), status, standard_output: output, standard_error: error.bytes })
    }

    fn spawn(&self) -> Result<Child, GitError> {
        std::process::Command::new(&*self.program.path)
            .arg("--no-pager")
            .args(&self.options)
            .args(&self.arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(self.program.environment.iter().map(|(name, value)| (name, value)))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(if self.input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| GitError::Start { source })
    }

    /// The command for the reader: without the settings that every command has.
    fn shown(&self) -> String {
        let arguments: Vec<_> = self.arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        format!("git {} (in {})", arguments.join(" "), self.directory.display())
    }
}

/// Ends the whole group: politely first, so that git removes its lock files.
fn stop(child: &mut Child, pipes: &mut Pipes) {
    let signal = |signal| {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // A group that is already gone needs no signal.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    };
    signal(rustix::process::Signal::TERM);
    // Whether it ended in peace or not, it is ended now.
    let _ = pipes.talk(Instant::now() + GRACE);
    signal(rustix::process::Signal::KILL);
    drop(child.wait());
}

/// What a command said.
#[derive(Debug)]
pub(super) struct Output {
    command: String,
    status: ExitStatus,
    standard_output: Drained,
    standard_error: Vec<u8>,
}

impl Output {
    /// The exit code; none when a signal ended it.
    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Standard output as it came.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.standard_output.bytes
    }

    /// Whether standard output was longer than the limit.
    pub(super) fn is_cut(&self) -> bool {
        self.standard_output.is_cut
    }

    /// Standard output as text without the newline at its end.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.standard_output.bytes).trim_end_matches('\n').to_owned()
    }

    /// The fields of a `-z` output. What is not UTF-8 is shown with replacement characters.
    pub(super) fn fields(&self) -> Vec<String> {
        let fields = self.standard_output.bytes.split(|&byte| byte == 0);
        let mut fields: Vec<_> = fields.map(|field| String::from_utf8_lossy(field).into_owned()).collect();
        if fields.last().is_some_and(String::is_empty) {
            fields.pop();
        }
        fields
    }

    /// Standard error as text.
    pub(super) fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.standard_error).trim().to_owned()
    }

    /// This output as the error that it means.
    pub(super) fn failure(&self) -> GitError {
        let complaint = self.complaint();
        let telling = |line: &&str| line.starts_with("fatal:") || line.starts_with("error:");
        let line =
            complaint.lines().find(telling).or_else(|| complaint.lines().next()).unwrap_or("no reason given");
        GitError::Failed {
            command: self.command.clone(),
            exit: self.status.to_string(),
            reason: line.to_owned(),
            hint: hint_for(&complaint),
        }
    }

    /// The error for an output that has another form than git documents.
    pub(super) fn unexpected(&self) -> GitError {
        let found = self.text().chars().take(200).collect();
        GitError::Unexpected { command: self.command.clone(), found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_variables_that_redirect_git_are_dropped() {
        let variables = [("GIT_DIR", "/nowhere"), ("GIT_INDEX_FILE", "/nowhere"), ("PATH", "/usr/bin:/bin")];
        let program =
            GitProgram::with_environment(variables.map(|(name, value)| (name.into(), value.into())));
        let names: Vec<_> = program.environment.iter().map(|(name, _)| name.to_string_lossy()).collect();
        assert_eq!(names, ["PATH"]);
        program.check_version().unwrap();
    }

    #[test]
    fn output_is_cut_at_the_limit_and_the_command_still_ends() {
        let program = GitProgram::from_process_environment();
        let command = program.in_repository_of_ours(Path::new("/")).args(["help", "--all"]).output_limit(100);
        let output = command.succeed().unwrap();
        assert_eq!(output.bytes().len(), 100);
        assert!(output.is_cut());
    }

    #[test]
    fn a_command_ends_with_the_time_that_all_have_together() {
        let program = GitProgram::from_process_environment().until(Instant::now());
        let command = program.in_repository_of_ours(Path::new("/"));
        let command = command.args(["-c", "alias.wait=!sleep 600", "wait"]);
        assert!(matches!(command.succeed(), Err(GitError::TimedOut { .. })));
    }

    #[test]
    fn a_failure_names_command_exit_and_reason() {
        let folder = tempfile::tempdir().unwrap();
        let program = GitProgram::from_process_environment();
        let command =
            program.in_repository_of_ours(folder.path()).option("--git-dir=none").args(["rev-parse"]);
        let error = command.succeed().unwrap_err().to_string();
        assert!(error.contains("git rev-parse") && error.contains("not a git repository"), "{error}");
    }
}
