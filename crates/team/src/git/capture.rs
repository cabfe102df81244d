//! Captures what an agent made: the state of its folder becomes one commit on the base, held by a ref of the
//! project.
//!
//! The agent's own `.git` takes no part in it, so none of its hooks, filters and monitors can run: see
//! `separate`. The commits that the agent made itself are only fetched, which runs nothing of theirs either. What lies
//! in the folder is looked at before git is let near it: see `survey`.
//! No decision about what happens to a capture here.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::command::GitCommand;
use super::error::GitError;
use super::name::{check_id, check_object};
use super::project::{Project, STATE_FOLDER};
use super::separate::{MAIL_DOMAIN, SeparateRepository};
use super::survey::{objection, survey};

/// Where captures are kept in the project.
const ATTEMPTS: &str = "refs/agent-team/attempts";

/// The largest file that is taken unless the team says otherwise: 50 MiB.
pub const FILE_LIMIT_BYTES: u64 = 50 << 20;

/// How many of the largest files all changed files may be together.
const LARGEST_FILES_MAX: u64 = 20;

/// The largest repository of an agent from which its own commits are fetched: 256 MiB beside what it borrows.
const OWN_LIMIT_BYTES: u64 = 256 << 20;

/// How long fetching from an agent's repository may take.
const OWN_TIME_LIMIT: Duration = Duration::from_mins(1);

/// In our git dir: the newest capture since the folder was prepared.
pub(super) const LAST: &str = "refs/capture/last";

/// In our git dir: the commit that holds what the agent committed itself.
pub(super) const OWN: &str = "refs/capture/own";

/// How many tips of an agent's own commits are kept at most.
const MOST_OWN_TIPS: usize = 64;

/// Whose work is captured, and how the commit shall read.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// The attempt's token: the capture is kept as `refs/agent-team/attempts/<token>`.
    pub token: &'a str,
    /// The task's id, for the trailer.
    pub task: &'a str,
    /// The agent's id: the author.
    pub agent: &'a str,
    /// The commit message, without trailers.
    pub message: &'a str,
    /// The largest file that is taken; [`FILE_LIMIT_BYTES`] fits most teams.
    pub file_limit_bytes: u64,
}

/// What a capture came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Captured {
    /// The work is held by a ref.
    Done(Capture),
    /// The work cannot be taken as it is; its author can mend that. Nothing was stored.
    Refused(Vec<Problem>),
}

/// The state of a workspace as one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The commit; its only parent is `base`.
    pub commit: String,
    /// The commit's tree.
    pub tree: String,
    /// The commit that the workspace was prepared at.
    pub base: String,
    /// The ref in the project that holds the commit.
    pub reference: String,
    /// Paths that differ from the base, both sides of a rename. Names that are not UTF-8 carry replacement
    /// characters.
    pub changed_files: Vec<String>,
    /// Whether nothing differs from the base.
    pub is_empty: bool,
    /// What became of the commits that the agent made itself.
    pub own_commits: OwnCommits,
}

/// The commits that an agent made in its own repository. They are kept, and are no part of what is merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnCommits {
    /// It made none.
    None,
    /// This ref in the project holds them.
    Kept {
        /// The full name of the ref.
        reference: String,
    },
    /// Its repository could not be read.
    Unreadable {
        /// Why, in git's words.
        reason: String,
    },
}

/// Why a workspace cannot be captured as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A repository inside the workspace would be recorded as a mere pointer, and its files would be lost.
    #[error("{path} is a git repository of its own: remove its .git folder, or the whole folder")]
    NestedRepository {
        /// The folder, from the top of the workspace.
        path: String,
    },
    /// A file is over the limit.
    #[error(
        "{path} has {size_bytes} bytes, over the limit of {limit_bytes}: remove it or let .gitignore name it"
    )]
    TooLarge {
        /// The file, from the top of the workspace.
        path: String,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// All changed files together are over the limit.
    #[error(
        "the changed files have {size_bytes} bytes in all, over the limit of {limit_bytes}: remove what is not needed \
         or let .gitignore name it"
    )]
    TooMuch {
        /// Their size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The team's own files would be overwritten in the user's folder.
    #[error("{path} is in the team's own folder: remove it")]
    TeamsOwn {
        /// The file, from the top of the workspace.
        path: String,
    },
    /// A file that git tracks has become something that git cannot hold, or it cannot be read.
    #[error("{path} cannot be stored: {reason}")]
    Unstorable {
        /// The file, from the top of the workspace.
        path: String,
        /// What is in the way.
        reason: String,
    },
    /// Git refused to take the files, for a reason that lies in them.
    #[error("git cannot take these files: {reason}")]
    Rejected {
        /// The error in git's words.
        reason: String,
    },
}

/// What was captured of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfinished {
    /// It changed nothing.
    Nothing,
    /// A commit on the base of the attempt.
    Commit(String),
}

impl Project {
    /// The base and the commit of what was captured under a token; none if nothing was.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or the token is not safe.
    pub fn attempt(&self, token: &str) -> Result<Option<(String, String)>, GitError> {
        let reference = format!("{ATTEMPTS}/{}", check_id("attempt", token)?);
        Ok(self.read_ref(&format!("{reference}^"))?.zip(self.read_ref(&reference)?))
    }

    /// What was captured under the first of these tokens that has a capture; none if none of them has one.
    ///
    /// # Errors
    /// [`GitError`] when git breaks or a token is not safe.
    pub fn unfinished(&self, tokens: &[String]) -> Result<Option<Unfinished>, GitError> {
        for token in tokens {
            let Some((base, commit)) = self.attempt(token)? else { continue };
            let tree_of = |commit: &str| self.read_ref(&format!("{commit}^{{tree}}"));
            let (before, after) = (tree_of(&base)?, tree_of(&commit)?);
            return Ok(Some(if before == after { Unfinished::Nothing } else { Unfinished::Commit(commit) }));
        }
        Ok(None)
    }
}

/// Captures the folder behind `repository` and stores it in the project.
pub(super) fn capture(
    project: &Project,
    repository: &SeparateRepository,
    submission: &Submission<'_>,
) -> Result<Captured, GitError> {
    let reference = format!("{ATTEMPTS}/{}", check_id("attempt", submission.token)?);
    let base = repository.resolve("HEAD^{commit}")?;
    let tree = match write_tree(repository, &base, submission.file_limit_bytes)? {
        Ok(tree) => tree,
        Err(problems) => return Ok(Captured::Refused(problems)),
    };
    let changed_files = changed_files(repository.git(), &base, &tree)?;
    // Whatever happened while git took the files, these must not be among them: a merge would write over the log.
    let of_team: Vec<_> = changed_files.iter().filter(|path| is_of_team(path)).cloned().collect();
    if !of_team.is_empty() {
        repository.git().args(["read-tree", &base]).succeed()?;
        return Ok(Captured::Refused(of_team.into_iter().map(|path| Problem::TeamsOwn { path }).collect()));
    }
    let message = message_with_trailers(repository, submission)?;
    let (commit, own_commits) = store(project, repository, &tree, &message, submission.agent, &reference)?;
    let is_empty = tree == repository.resolve(&format!("{base}^{{tree}}"))?;
    Ok(Captured::Done(Capture { commit, tree, base, reference, changed_files, is_empty, own_commits }))
}

/// Makes a tree one commit on the base and has the project hold it, together with the agent's own commits.
pub(super) fn store(
    project: &Project,
    repository: &SeparateRepository,
    tree: &str,
    message: &str,
    author: &str,
    reference: &str,
) -> Result<(String, OwnCommits), GitError> {
    let base = repository.resolve("HEAD^{commit}")?;
    let commit = commit_tree(repository.git(), tree, &[&base], message, author)?;
    repository.git().args(["update-ref", LAST, &commit]).succeed()?;
    let mut refspecs = vec![format!("+{LAST}:{reference}")];
    let own_commits = match own_tip(repository, &base) {
        Ok(None) => OwnCommits::None,
        Ok(Some(_)) => {
            refspecs.push(format!("+{OWN}:{reference}-own"));
            OwnCommits::Kept { reference: format!("{reference}-own") }
        }
        // What the agent left in its files is captured all the same.
        Err(error) => OwnCommits::Unreadable { reason: error.to_string() },
    };
    project.fetch_from(repository.git_dir(), &refspecs)?;
    Ok((commit, own_commits))
}

/// The tree of what the folder holds now, or what keeps it from being one.
pub(super) fn write_tree(
    repository: &SeparateRepository,
    base: &str,
    file_limit_bytes: u64,
) -> Result<Result<String, Vec<Problem>>, GitError> {
    let traps = find_traps(repository)?;
    if !traps.is_empty() {
        return Ok(Err(traps));
    }
    let known = gitlinks(repository)?;
    let problems = find_problems(repository, &known, file_limit_bytes)?;
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    let mut add = repository.git().args(["add", "--all", "--", "."]);
    for path in &known {
        // What stands behind a submodule of the project is not looked into: git would run in there.
        add = add.arg(format!(":(exclude,top,literal){path}"));
    }
    if let Err(error) = add.succeed() {
        repository.git().args(["read-tree", base]).succeed()?;
        if !error.is_refusal_of_git() {
            return Err(error);
        }
        return Ok(Err(vec![Problem::Rejected { reason: error.to_string() }]));
    }
    let appeared: Vec<_> = gitlinks(repository)?.difference(&known).cloned().collect();
    if !appeared.is_empty() {
        repository.git().args(["read-tree", base]).succeed()?;
        return Ok(Err(appeared.into_iter().map(|path| Problem::NestedRepository { path }).collect()));
    }
    Ok(Ok(repository.git().args(["write-tree"]).succeed()?.text()))
}

/// Looks for what git must not meet: it would wait for ever, or step over what it cannot see.
fn find_traps(repository: &SeparateRepository) -> Result<Vec<Problem>, GitError> {
    let found = survey(repository.work_tree());
    let unstorable = |path: &Path, reason: &str| {
        let path = path.strip_prefix(repository.work_tree()).unwrap_or(path);
        Problem::Unstorable { path: path.display().to_string(), reason: reason.to_owned() }
    };
    let mut problems: Vec<_> =
        found.traps.iter().map(|path| unstorable(path, "git would wait for ever to read it")).collect();
    if problems.is_empty() {
        for folder in &found.closed {
            let question = ["check-ignore", "--quiet", "--"];
            if repository.git().args(question).arg(folder).answer(&[0, 1])?.code() == Some(1) {
                problems.push(unstorable(folder, "the folder cannot be read"));
            }
        }
    }
    Ok(problems)
}

/// Looks at every changed or new file before git reads any of them.
fn find_problems(
    repository: &SeparateRepository,
    known: &BTreeSet<String>,
    limit_bytes: u64,
) -> Result<Vec<Problem>, GitError> {
    use std::os::unix::ffi::OsStrExt;
    let question = ["ls-files", "-z", "--others", "--modified", "--exclude-standard"];
    let output = repository.git().args(question).succeed()?;
    let paths: BTreeSet<&[u8]> =
        output.bytes().split(|&byte| byte == 0).filter(|path| !path.is_empty()).collect();
    let mut problems = Vec::new();
    let mut size_bytes = 0_u64;
    for path in paths {
        let name = String::from_utf8_lossy(path).into_owned();
        let trimmed = name.trim_end_matches('/');
        let is_nested =
            path.ends_with(b"/") || trimmed.split('/').any(|part| part.eq_ignore_ascii_case(".git"));
        if is_of_team(trimmed) {
            problems.push(Problem::TeamsOwn { path: trimmed.to_owned() });
        } else if is_nested {
            problems.push(Problem::NestedRepository { path: trimmed.to_owned() });
        } else if !known.contains(&name) {
            let place = repository.work_tree().join(std::ffi::OsStr::from_bytes(path));
            match look(name, &place, limit_bytes) {
                Ok(bytes) => size_bytes = size_bytes.saturating_add(bytes),
                Err(problem) => problems.push(problem),
            }
        }
    }
    let limit_bytes = limit_bytes.saturating_mul(LARGEST_FILES_MAX);
    if size_bytes > limit_bytes {
        problems.push(Problem::TooMuch { size_bytes, limit_bytes });
    }
    Ok(problems)
}

/// Whether a path leads into a folder of the team's, wherever that lies. Case does not matter, as it does not for some
/// file systems.
fn is_of_team(path: &str) -> bool {
    path.split('/').any(|part| part.eq_ignore_ascii_case(STATE_FOLDER))
}

/// The size of a file that git can take.
fn look(path: String, place: &Path, limit_bytes: u64) -> Result<u64, Problem> {
    let unstorable = |path, reason: std::io::Error| Problem::Unstorable { path, reason: reason.to_string() };
    let metadata = match std::fs::symlink_metadata(place) {
        Ok(metadata) => metadata,
        // A file that is gone was deleted, which is no problem.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(0),
        Err(error) => return Err(unstorable(path, error)),
    };
    let kind = metadata.file_type();
    if kind.is_symlink() || kind.is_dir() {
        return Ok(0);
    }
    if !kind.is_file() {
        return Err(Problem::Unstorable { path, reason: "it is no file, link or folder".to_owned() });
    }
    let size_bytes = metadata.len();
    if size_bytes > limit_bytes {
        return Err(Problem::TooLarge { path, size_bytes, limit_bytes });
    }
    // What took its place since must not keep us: a pipe would.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(place);
    opened.map(|_| size_bytes).map_err(|error| unstorable(path, error))
}

/// The submodules in the index.
fn gitlinks(repository: &SeparateRepository) -> Result<BTreeSet<String>, GitError> {
    let fields = repository.git().args(["ls-files", "-z", "--stage"]).succeed()?.fields();
    let paths =
        fields.iter().filter(|field| field.starts_with("160000 ")).filter_map(|field| field.split_once('\t'));
    Ok(paths.map(|(_, path)| path.to_owned()).collect())
}

fn message_with_trailers(
    repository: &SeparateRepository,
    submission: &Submission<'_>,
) -> Result<String, GitError> {
    let (task, agent) = (check_id("task", submission.task)?, check_id("agent", submission.agent)?);
    let message = submission.message.replace('\0', "");
    let message = if message.trim().is_empty() { format!("Task {task}") } else { message };
    // An agent that writes trailers of the same name into its message does not get them in beside ours.
    let command = repository.git().args(["interpret-trailers", "--no-divider", "--if-exists=replace"]);
    let command =
        command.args(["--trailer", &format!("Task: {task}"), "--trailer", &format!("Agent: {agent}")]);
    Ok(command.input(format!("{}\n", message.trim_end())).succeed()?.text())
}

/// Makes a commit by the agent, committed by us. Neither hooks nor signing take part: `commit-tree` knows
/// neither.
pub(super) fn commit_tree(
    git: GitCommand,
    tree: &str,
    parents: &[&str],
    message: &str,
    author: &str,
) -> Result<String, GitError> {
    let mut command = git
        .environment("GIT_AUTHOR_NAME", author)
        .environment("GIT_AUTHOR_EMAIL", format!("{author}@{MAIL_DOMAIN}"))
        .environment("GIT_COMMITTER_NAME", "agent-team")
        .environment("GIT_COMMITTER_EMAIL", format!("agent-team@{MAIL_DOMAIN}"))
        .args(["commit-tree", check_object(tree)?, "-F", "-"]);
    for parent in parents {
        command = command.args(["-p", check_object(parent)?]);
    }
    Ok(command.input(message).succeed()?.text())
}

/// The paths that differ between two commits or trees; a rename counts for both of its sides.
pub(super) fn changed_files(git: GitCommand, old: &str, new: &str) -> Result<Vec<String>, GitError> {
    let question = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--ignore-submodules=none"];
    Ok(git.args(question).args([check_object(old)?, check_object(new)?]).succeed()?.fields())
}

/// Fetches what the agent committed into our git dir and gives the one commit that holds all of it; none when
/// it committed nothing. Branches, stash and a detached HEAD count. Fails when the agent's repository is
/// broken.
pub(super) fn own_tip(repository: &SeparateRepository, base: &str) -> Result<Option<String>, GitError> {
    let inner = repository.work_tree().join(".git");
    if let Some(reason) = objection(&inner, OWN_LIMIT_BYTES) {
        return Err(GitError::Unreadable { path: inner, reason });
    }
    // A file that is small as long as it is packed may be huge: it is passed on in pieces.
    let fetch = repository.git().config("fetch.fsckObjects=true").config("core.bigFileThreshold=50m");
    fetch
        .time_limit(OWN_TIME_LIMIT)
        .args(["fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-recurse-submodules"])
        .args(["--no-write-fetch-head", "--no-auto-maintenance", "--"])
        .arg(&inner)
        .args(["+HEAD:refs/own/HEAD", "+refs/heads/*:refs/own/heads/*", "+refs/stash*:refs/own/stash*"])
        .succeed()?;
    let listed =
        repository.git().args(["for-each-ref", "--format=%(objectname)", "refs/own"]).succeed()?.text();
    let tips: BTreeSet<&str> = listed.lines().take(MOST_OWN_TIPS).collect();
    let tips: Vec<&str> = tips.into_iter().collect();
    // One question for all: which tips are neither in the base nor in another tip?
    let independent =
        repository.git().args(["merge-base", "--independent", base]).args(&tips).succeed()?.text();
    let new: Vec<&str> = independent.lines().filter(|tip| *tip != base).collect();
    let holder = match new.as_slice() {
        [] => return Ok(None),
        [only] => (*only).to_owned(),
        several => {
            let tree = repository.resolve(&format!("{base}^{{tree}}"))?;
            let message = "Holds every branch and stash that an agent left in its own repository";
            commit_tree(repository.git(), &tree, several, message, "agent-team")?
        }
    };
    repository.git().args(["update-ref", OWN, &holder]).succeed()?;
    Ok(Some(holder))
}
