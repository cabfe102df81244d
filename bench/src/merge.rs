//! The merge queue: sixteen finished branches, and a gate that takes no time.
//!
//! The first run of the team does the work while nothing can be merged; the second one, which is measured, merges. The
//! limit is the time of the very git commands that it ran, run again on the same repository with nothing in between. It has no
//! sandbox for the gate; what the sandbox adds, which every command pays wherever it runs, has a row of its own.
//! Measured from the first merge to the last, so that the beginning and the end of a run do not count.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_team::agent::{Agent, AgentError, Answer, Assignment, Context};
use agent_team::command::Environment;
use agent_team::sandbox::{Sandbox, SandboxChoice};
use agent_team::{AgentTeam, Durability, NewTask, Progress, Reporter, Role, RunOptions, RunOutcome, Status};
use anyhow::{Result, ensure};
use clap::ValueEnum;
use tokio::runtime::Runtime;

use crate::git_recorder::{self, GitCall};
use crate::peer::{self, Peer};
use crate::prepare;
use crate::setting::Setting;
use crate::statistics::{median, monotonic_ns, spread};
use crate::table::Measured;

/// How many branches are merged.
const BRANCHES: usize = 16;
/// How many files the project has.
const FILES: usize = 100;
/// How long a run may take: one that hangs is an error.
const LONG: Duration = Duration::from_secs(60);

/// Whether the gate runs in a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Gate {
    Confined,
    Unconfined,
}

impl Gate {
    /// As it is said to a peer.
    fn as_str(self) -> &'static str {
        match self {
            Self::Confined => "confined",
            Self::Unconfined => "unconfined",
        }
    }
}

/// Milliseconds for each merge, beside the git commands alone, without a sandbox for the gate and with one.
pub fn sixteen(setting: &Setting) -> Result<Vec<Measured>> {
    let place = setting.folder()?;
    let (project, saved) = (place.join("project"), place.join("saved"));
    finished_branches(setting, &place, &project)?;
    copy(&project, &saved)?;
    let (mut ours, mut confined, mut git) = (Vec::new(), Vec::new(), Vec::new());
    let mut calls_each = 0.0;
    for round in 0..setting.choose(2, 1) {
        for (gate, times) in [(Gate::Unconfined, &mut ours), (Gate::Confined, &mut confined)] {
            let merged = merge_all(setting.command(std::env::current_exe()?), &project, gate)?;
            times.push(each_ms(&merged));
            restore(&saved, &project)?;
        }

        let (notes, shim) = (place.join(format!("notes-{round}")), place.join(format!("shim-{round}")));
        std::fs::create_dir(&shim)?;
        let mut noting = setting.command(std::env::current_exe()?);
        noting.env("PATH", setting.path_after(&shim)?);
        noting.envs(git_recorder::install(&shim, &setting.git()?, &notes)?);
        let merged = merge_all(noting, &project, Gate::Unconfined)?;
        restore(&saved, &project)?;

        let calls = git_recorder::read(&notes)?;
        let (time, counted) = replay(&calls, &merged, &setting.git()?, &project)?;
        let merges = (BRANCHES - 1) as f64;
        git.push(time.as_secs_f64() * 1e3 / merges);
        calls_each = counted as f64 / merges;
        restore(&saved, &project)?;
    }
    std::fs::remove_dir_all(&place)?;
    let note = format!("{calls_each:.1} git commands a merge");
    let measured = |times: &[f64]| Measured {
        value: median(times),
        limit: Some(median(&git)),
        spread: spread(times),
        note: note.clone(),
    };
    Ok(vec![measured(&ours), measured(&confined)])
}

/// Milliseconds from one merge to the next, on average.
fn each_ms(merged: &[u64]) -> f64 {
    let (first, last) = (merged.first().copied().unwrap_or(0), merged.last().copied().unwrap_or(0));
    (last - first) as f64 / 1e6 / (BRANCHES - 1) as f64
}

/// Runs all commands again, and gives the time of those between the first merge and the last, and their number. What the
/// library does to files between two commands (a new repository is given the project's objects) is done too, and not
/// counted.
fn replay(calls: &[GitCall], merged: &[u64], git: &Path, project: &Path) -> Result<(Duration, usize)> {
    let (first, last) = (merged.first().copied().unwrap_or(0), merged.last().copied().unwrap_or(0));
    let (mut time, mut counted) = (Duration::ZERO, 0);
    for call in calls {
        let made = call.makes_repository();
        if let Some(repository) = made {
            // It was moved away by then, and is made anew each time.
            let _ = std::fs::remove_dir_all(repository);
            std::fs::create_dir_all(repository)?;
        }
        let elapsed = call.replay(git)?;
        if let Some(repository) = made {
            let objects = format!("{}\n", project.join(".git/objects").display());
            std::fs::create_dir_all(repository.join("objects/info"))?;
            std::fs::write(repository.join("objects/info/alternates"), objects)?;
        }
        if (first..last).contains(&call.begun_ns) {
            time += elapsed;
            counted += 1;
        }
    }
    Ok((time, counted))
}

/// Makes a project whose tasks are done and wait to be merged.
fn finished_branches(setting: &Setting, place: &Path, project: &Path) -> Result<()> {
    std::fs::create_dir(project)?;
    for number in 0..FILES {
        let content: String = (0..50).map(|line| format!("line {line} of file {number}\n")).collect();
        std::fs::write(project.join(format!("file-{number}")), content)?;
    }
    let git = |arguments: &[&str]| {
        let mut git = setting.command("git");
        git.args(["-c", "user.name=Bench", "-c", "user.email=bench@example.org"]);
        succeed(git.args(arguments).current_dir(project))
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message=Begin"])?;
    // The folder in which merges are tried is made by the first one.
    let mut peer = finisher(setting, project, 1)?;
    let waiting: usize = peer.hear_value()?;
    ensure!(waiting == 0, "the first branch was not merged");
    drop(peer);
    // Work can land neither on the target, whose checkout is dirty, nor beside it, on a branch that is checked out.
    let beside = place.join("beside").display().to_string();
    git(&["worktree", "add", "--quiet", "-b", "agent-team/main", &beside])?;
    std::fs::write(project.join("file-0"), "changed\n")?;
    let mut peer = finisher(setting, project, BRANCHES)?;
    let waiting: usize = peer.hear_value()?;
    ensure!(waiting == BRANCHES, "{waiting} of {BRANCHES} branches are finished");
    git(&["worktree", "remove", "--force", &beside])?;
    git(&["branch", "--quiet", "--delete", "--force", "agent-team/main"])?;
    git(&["checkout", "--quiet", "--", "file-0"])
}

/// Starts a process that does so many tasks.
fn finisher(setting: &Setting, project: &Path, tasks: usize) -> Result<Peer> {
    let arguments = ["finish-branches".to_owned(), project.display().to_string(), tasks.to_string()];
    let mut peer = Peer::start_by(setting.command(std::env::current_exe()?), arguments)?;
    peer.say("go")?;
    Ok(peer)
}

/// Lets another process merge, and gives the times at which it did.
fn merge_all(command: Command, project: &Path, gate: Gate) -> Result<Vec<u64>> {
    let arguments = ["merge-branches".to_owned(), project.display().to_string(), gate.as_str().to_owned()];
    let mut peer = Peer::start_by(command, arguments)?;
    peer.say("go")?;
    peer.hear_value()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    succeed(Command::new("cp").arg("-a").arg(from).arg(to))
}

/// Puts the project back to where it was: at the same path, since git's commands name it.
fn restore(saved: &Path, project: &Path) -> Result<()> {
    std::fs::remove_dir_all(project)?;
    copy(saved, project)
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {complaint}");
    Ok(())
}

/// An agent that writes one file of its own.
struct Writer;

#[async_trait::async_trait]
impl Agent for Writer {
    async fn execute_task(&self, task: &Assignment, context: &Context) -> Result<Answer, AgentError> {
        let failed = |reason: &str| AgentError::GaveUp(reason.to_owned());
        let workspace = context.workspace.as_ref().ok_or_else(|| failed("there is no workspace"))?;
        let written = std::fs::write(workspace.join(format!("new-{}", task.id)), "new\n");
        written.map_err(|error| failed(&error.to_string()))?;
        Ok(Answer::text("done"))
    }

    fn needs_workspace(&self) -> bool {
        true
    }
}

fn team(project: &Path, reporter: Reporter, gate: Gate) -> Result<AgentTeam> {
    let queue = prepare::open(project, Durability::Process)?;
    let mut team = AgentTeam::over(queue.team_log().clone());
    for number in 0..4 {
        team.add_agent(prepare::worker(number)?.as_str(), Role::Worker, Arc::new(Writer))?;
    }
    let environment = match gate {
        Gate::Confined => Environment::of_this_process(),
        Gate::Unconfined => Environment::of_this_process().confined(Sandbox::new(SandboxChoice::None)),
    };
    let (gate, environment) = (Some("true".to_owned()), Some(environment));
    team.options(RunOptions { gate, environment, reporter, ..RunOptions::default() });
    Ok(team)
}

/// The process that does the work, and says how many results wait to be merged.
pub fn finish(project: &Path, tasks: usize) -> Result<()> {
    let team = team(project, Reporter::default(), Gate::Confined)?;
    for number in 0..tasks {
        team.add_task(NewTask::new(format!("Write file {number}")).id(format!("write-{tasks}-{number}")))?;
    }
    peer::ready()?;
    Runtime::new()?.block_on(team.run(Some(LONG)))?;
    let tasks = team.queue().list_tasks()?;
    peer::tell_value(&tasks.iter().filter(|task| task.status == Status::Merging).count())
}

/// The process that merges.
pub fn merge(project: &Path, gate: Gate) -> Result<()> {
    let merged = Arc::new(Mutex::new(Vec::new()));
    let times = merged.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Merged { .. } = progress {
            times.lock().unwrap_or_else(PoisonError::into_inner).push(monotonic_ns());
        }
    });
    let team = team(project, reporter, gate)?;
    peer::ready()?;
    let report = Runtime::new()?.block_on(team.run(Some(LONG)))?;
    ensure!(report.outcome == RunOutcome::Completed, "the run ended otherwise: {:?}", report.outcome);
    let merged = merged.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(merged.len() == BRANCHES, "{} of {BRANCHES} branches were merged", merged.len());
    let landed: Vec<PathBuf> =
        (0..BRANCHES).map(|number| project.join(format!("new-write-{BRANCHES}-{number}"))).collect();
    landed
        .iter()
        .find(|file| !file.is_file())
        .map_or(Ok(()), |lost| Err(anyhow::anyhow!("{} is not in the checkout", lost.display())))?;
    peer::tell_value(&merged)
}
