//! Short commands: the real binary, from start to exit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use agent_team::Durability;
use anyhow::{Result, ensure};

use crate::prepare::{self, History};
use crate::setting::Setting;
use crate::statistics::{median, spread};
use crate::table::Measured;

/// `--version`, beside that of git.
pub fn version(setting: &Setting) -> Result<Vec<Measured>> {
    // Both by their whole names: to be searched on a path of its own, a program is started by copying this process.
    let (binary, quickest_git) = (setting.agent_team()?, setting.git()?);
    let (mut ours, mut git) = (Vec::new(), Vec::new());
    for _ in 0..setting.choose(200, 60) {
        ours.push(run(setting.command(&binary).arg("--version"))?);
        git.push(run(setting.command(&quickest_git).arg("--version"))?);
    }
    let note = "the limit is `git --version`".to_owned();
    Ok(vec![Measured { value: median(&ours), limit: Some(median(&git)), spread: spread(&ours), note }])
}

/// Commands on a log of many tasks with a snapshot, beside the start of the same program.
pub fn on_a_long_log(setting: &Setting) -> Result<Vec<Measured>> {
    let binary = setting.agent_team()?;
    let tasks = setting.choose(100_000, 10_000);
    let history = History { tasks, completed: tasks / 2 };
    let folder = setting.folder()?;
    history.write(&folder)?;
    // A look at the team leaves a snapshot, as any process does that reads a long log.
    let queue = prepare::open(&folder, Durability::Process)?;
    history.check(&queue)?;
    drop(queue);
    let show = format!("t{}", tasks / 4);
    let commands: [&[&str]; 5] =
        [&["status"], &["list"], &["claim", "--as", "worker-1"], &["show", &show], &["add", "One more task"]];
    let mut times = [const { Vec::new() }; 5];
    let mut starts = Vec::new();
    for _ in 0..setting.choose(15, 5) {
        for (arguments, times) in commands.iter().zip(&mut times) {
            times.push(run(agent_team(setting, &binary, &folder).args(*arguments))?);
        }
        starts.push(run(agent_team(setting, &binary, &folder).arg("--version"))?);
    }
    std::fs::remove_dir_all(&folder)?;
    let note = format!("{} records; the limit is the same program's `--version`", history.records());
    let measured = times.iter().map(|times| Measured {
        value: median(times),
        limit: Some(median(&starts)),
        spread: spread(times),
        note: note.clone(),
    });
    Ok(measured.collect())
}

fn agent_team(setting: &Setting, binary: &Path, folder: &Path) -> Command {
    let mut command = setting.command(binary);
    command.current_dir(folder);
    command
}

/// Runs a program: from before it is started until it is known to have ended, in milliseconds.
fn run(command: &mut Command) -> Result<f64> {
    command.stdout(Stdio::null());
    let begun = Instant::now();
    let status = command.status()?;
    let elapsed = begun.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    Ok(elapsed.as_secs_f64() * 1e3)
}
