//! A small disk that fills up in the middle of work, and has room again.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use agent_team::{Durability, NewTask, TaskQueue, TeamFolder, TeamLog};
use anyhow::{Context, Result, bail, ensure};

use super::random::check_acknowledged;
use crate::child::Child;
use crate::cleanup;
use crate::ledger::Heard;
use crate::log_file::LogFile;
use crate::place::Place;
use crate::setup::{Progress, Report, Setup};

const WORKERS: u64 = 4;
const TASKS: u64 = 60;
/// So many refusals show that the disk stays full.
const REFUSALS: usize = 20;
const LONG: Duration = Duration::from_secs(120);

/// A file system in memory, unmounted when this goes.
struct Mounted<'a>(&'a Place<'a>);

impl<'a> Mounted<'a> {
    fn new(place: &'a Place<'a>, kib: u64) -> Result<Self> {
        let team = place.team();
        mount(&["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs", &team.display().to_string()])?;
        cleanup::mounted(&team);
        Ok(Self(place))
    }

    fn grow(&self, kib: u64) -> Result<()> {
        mount(&["-o", &format!("remount,size={kib}k"), &self.0.team().display().to_string()])
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        cleanup::unmount(&self.0.team());
    }
}

fn mount(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("mount");
    let output = command.args(arguments).stdin(Stdio::null()).output().context("there is no mount")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// Fills a disk `count` times.
///
/// # Errors
/// When something acknowledged is lost, or a refusal is not told.
pub fn run(setup: &Setup, count: u64) -> Result<Report> {
    {
        let place = Place::new(setup)?;
        if let Err(error) = Mounted::new(&place, 64) {
            let all = std::env::var_os("AGENT_TEAM_ALL").is_some_and(|all| all == "1");
            ensure!(
                !all,
                "no file system can be mounted here, and AGENT_TEAM_ALL=1 allows no skips: {error}"
            );
            return Ok(Report::new(format!(
                "SKIPPED, as no file system can be mounted here ({error}); run as root"
            )));
        }
    }
    let progress = Progress::new("disk:", count);
    let (mut refusals, mut acknowledged, mut torn, mut words) = (0, 0, 0, String::new());
    for round in 0..count {
        let seen = fill(setup, round).with_context(|| format!("round {round}"))?;
        refusals += seen.0;
        acknowledged += seen.1;
        torn += seen.2;
        words = seen.3;
        progress.step();
    }
    let line = format!(
        "{count} disks filled up under {WORKERS} workers: {refusals} writes refused (`{words}`), {torn} short writes left \
         torn records; after there was room again all went on; {acknowledged} acknowledged records, 0 lost, 0 tasks done \
         twice"
    );
    Ok(Report::new(line).with("refusals", refusals).with("acknowledged", acknowledged).with("torn", torn))
}

fn fill(setup: &Setup, round: u64) -> Result<(usize, usize, u64, String)> {
    let mut random = setup.random(400 + round);
    let place = Place::new(setup)?;
    let disk = Mounted::new(&place, 512 + 4 * random.below(64))?;
    place.run(["init"])?.done()?;
    let queue =
        TaskQueue::over(TeamLog::open_or_create(&TeamFolder::of(&place.team()), Durability::Process)?);
    for number in 0..TASKS {
        queue.add_task(NewTask::new("A task").id(format!("d{number}")))?;
    }
    let heard = Heard::new()?;
    let start = |life: u64| -> Result<Child> {
        let team = place.team().display().to_string();
        let (name, life) = (format!("worker-{life}"), life.to_string());
        let seed = (setup.seed + round).to_string();
        let arguments =
            ["--team", &team, "--name", &name, "--life", &life, "--seed", &seed, "--mode", "patient"];
        let mut command = place.worker(&arguments);
        command.stdout(heard.voice()?);
        Child::start(&mut command)
    };
    let mut workers = (0..WORKERS).map(&start).collect::<Result<Vec<_>>>()?;
    let begun = Instant::now();
    while heard.ledger().errors.len() < REFUSALS {
        ensure!(begun.elapsed() < LONG, "the disk does not fill up");
        for worker in &mut workers {
            if worker.has_ended()? {
                bail!("a worker ended before the disk was full: {:?}", workers.swap_remove(0).finish()?);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    // Reading works on a full disk, and writing says what is wrong.
    place.run(["list"])?.done()?;
    place.run(["status"])?.done()?;
    // Longer than what may still be free in a page.
    let added = place.run(["add", "A", "--id", "full", "--description", &"x".repeat(4000)])?;
    if !added.is_done() {
        ensure!(added.code == Some(1) && added.error().starts_with("ERROR "), "not clear: {added:?}");
    }
    disk.grow(64 << 10)?;
    let again = place.run(["add", "A", "--id", "full", "--description", &"x".repeat(4000)])?;
    ensure!(again.code == Some(if added.is_done() { 3 } else { 0 }) || again.code == Some(3), "{again:?}");
    for worker in workers {
        worker.finish_within(LONG)?.done()?;
    }
    // What was added last may have come after they saw that no work is left.
    start(WORKERS)?.finish_within(LONG)?.done()?;
    drop(queue);
    let ledger = heard.close();
    if let Some(wrong) = ledger.wrong.first() {
        bail!("{wrong}");
    }
    ensure!(ledger.lost == 0, "{} claims were taken from the living", ledger.lost);
    let log = LogFile::read(&place.log())?;
    let tasks = check_acknowledged(&place, &ledger, &log)?;
    ensure!(tasks == TASKS + 1, "{tasks} tasks are there");
    let words = ledger.errors.first().and_then(|error| error.split_once("error ")).map(|(_, words)| words);
    let words = words.unwrap_or_default().replace(&place.team().display().to_string(), "…");
    let acknowledged = ledger.done.len() + ledger.sent.len() + ledger.ballast.len();
    Ok((ledger.errors.len(), acknowledged, log.torn, words))
}
