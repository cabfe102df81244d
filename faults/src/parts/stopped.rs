//! Holders that are stopped for three leases and go on: what they deliver then is refused and kept, and what a stopped
//! merger was about to merge is not merged once it is not wanted any more.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use agent_team::{AgentId, ClaimOptions, Durability, NewTask, TaskQueue, TeamFolder, TeamLog, Waited};
use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use super::points_run::Project;
use crate::child::Child;
use crate::fault::Fault;
use crate::ledger::Heard;
use crate::log_file::{LogFile, text};
use crate::place::Place;
use crate::seeded::Seeded;
use crate::setup::{Progress, Report, Setup};
use crate::story;

const HOLDERS: u64 = 16;
const LEASE: Duration = Duration::from_millis(150);
/// How long anything may take that needs somebody else to act.
const LONG: Duration = Duration::from_secs(60);
/// One round in so many has a merger in it, as a whole run over a repository costs more.
const ROUNDS_PER_MERGE: u64 = 20;

/// What came of one round.
struct Round {
    task: String,
    stale: String,
    fresh: String,
    /// How often the machine was so slow that the lease was over before the holder could be stopped.
    early: u64,
}

/// Stops `count` holders.
///
/// # Errors
/// When something stale counts, or is lost.
pub fn run(setup: &Setup, count: u64) -> Result<Report> {
    let place = Place::with_team(setup)?;
    let heard = Mutex::new(Heard::new()?);
    let progress = Progress::new("stopped:", count);
    let rounds: Vec<Result<Vec<Round>>> = thread::scope(|scope| {
        let threads = (0..HOLDERS.min(count)).map(|number| {
            let (place, heard, progress) = (&place, &heard, &progress);
            scope.spawn(move || -> Result<Vec<Round>> {
                let mut pair = Pair::new(setup, place, heard, number)?;
                let own = (number..count).step_by(usize::try_from(HOLDERS)?);
                own.map(|round| {
                    let came = pair.round(round).with_context(|| format!("round {round}"))?;
                    progress.step();
                    Ok(came)
                })
                .collect()
            })
        });
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread broke down")))
            .collect()
    });
    let rounds: Vec<Round> = rounds.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    let heard = heard.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lost = heard.ledger().lost;
    if let Some((task, _)) = rounds.iter().find_map(|round| {
        let ledger = heard.ledger();
        ledger.done.get(&round.task).cloned()
    }) {
        bail!("a stale result was accepted, by {task}");
    }
    let early: u64 = rounds.iter().map(|round| round.early).sum();
    ensure!(
        lost == count + early,
        "{lost} of {count} stale results were refused, {early} early ones among them"
    );
    let appended = check(&place, &rounds)?;

    let merges = count.div_ceil(ROUNDS_PER_MERGE);
    let (fenced, landed) = mergers(setup, merges)?;
    let line = format!(
        "{count} holders stopped for three leases: {count} stale results refused, {count} kept as late, 0 counted \
         ({appended} of them were appended after the takeover, and void); {} mergers stopped between intent and ref \
         move: {fenced} fenced off by a cancellation and not merged, {landed} merged as they were still wanted",
        fenced + landed
    );
    Ok(Report::new(line)
        .with("stopped", count)
        .with("refused", count)
        .with("appended_and_void", appended)
        .with("mergers_fenced", fenced)
        .with("mergers_landed", landed))
}

/// Checks the log: the one who took over has delivered, and what is stale is kept beside. Gives how many stale results
/// stand in the log as such, void.
fn check(place: &Place<'_>, rounds: &[Round]) -> Result<u64> {
    let log = LogFile::read(&place.log())?;
    let tasks = story::tell(&log);
    let mut appended = 0;
    for Round { task, stale, fresh, .. } in rounds {
        let told = tasks.get(task).context("a task is lost")?;
        let [(claim, _)] = told.results.as_slice() else {
            bail!("{task} has {} results", told.results.len())
        };
        ensure!(claim == fresh, "{task} was delivered by {claim}, and not by who took it over");
        ensure!(told.late.iter().any(|(claim, _)| claim == stale), "the stale result of {task} is lost");
        let written = log.of_kind("task_submitted").filter(|record| record["body"]["claim"] == *stale);
        appended += u64::from(written.count() > 0);
        let shown = place.json(["show", task])?;
        ensure!(text(&shown["result"]).starts_with("fresh "), "{task} shows {}", shown["result"]);
        let late = shown["late"].as_array().context("late results")?;
        let kept = late.iter().filter(|late| text(&late["result"]).starts_with(&format!("stale {task} ")));
        ensure!(kept.count() == 1, "{task} keeps {late:?}");
    }
    place.run(["doctor"])?.done()?;
    Ok(appended)
}

/// A holder, and who takes over from it.
struct Pair<'a> {
    place: &'a Place<'a>,
    heard: &'a Mutex<Heard>,
    life: u64,
    random: Seeded,
    holder: Child,
    /// Whether the holder stops by itself at the append of its result, after it was decided.
    stops_at_append: bool,
    queue: TaskQueue,
    taker: AgentId,
    runtime: tokio::runtime::Runtime,
}

impl<'a> Pair<'a> {
    fn new(setup: &Setup, place: &'a Place<'a>, heard: &'a Mutex<Heard>, life: u64) -> Result<Self> {
        let team = place.team().display().to_string();
        let (name, life_text, lease) =
            (format!("holder-{life}"), life.to_string(), LEASE.as_millis().to_string());
        let seed = setup.seed.to_string();
        let arguments = [
            "--team",
            &team,
            "--name",
            &name,
            "--life",
            &life_text,
            "--seed",
            &seed,
            "--mode",
            "hold",
            "--lease-ms",
            &lease,
        ];
        let mut command = place.worker(&arguments);
        command.stdout(lock(heard).voice()?);
        let stops_at_append = life % 2 == 1;
        if stops_at_append {
            let fault = Fault::at("write", "stop").on_end("log.jsonl").holding("\"kind\":\"task_submitted\"");
            fault.always().put_into(&mut command, setup, &setup.own);
        }
        let log = TeamLog::open_or_create(&TeamFolder::of(&place.team()), Durability::Process)?;
        Ok(Self {
            place,
            heard,
            life,
            random: setup.random(300 + life),
            holder: Child::start(&mut command)?,
            stops_at_append,
            queue: TaskQueue::over(log),
            taker: format!("taker-{life}").parse()?,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// Waits until the holder has said what is waited for.
    fn until<T>(&mut self, what: &str, look: impl Fn(&crate::ledger::Ledger) -> Option<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(&lock(self.heard).ledger()) {
                return Ok(found);
            }
            ensure!(!self.holder.has_ended()?, "the holder ended before it {what}");
            ensure!(begun.elapsed() < LONG, "the holder never {what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn round(&mut self, number: u64) -> Result<Round> {
        for early in 0..50 {
            if let Some((task, stale, fresh)) = self.stop(format!("s{number}-{early}"))? {
                return Ok(Round { task, stale, fresh, early });
            }
        }
        bail!("the machine is too slow for leases of {LEASE:?}")
    }

    /// Stops the holder in its work on a new task. `None` if its claim was lost before, so that it never came to the point.
    fn stop(&mut self, task: String) -> Result<Option<(String, String, String)>> {
        self.queue.add_task(NewTask::new("A task").id(&task))?;
        self.holder.tell(&format!("claim {task}"))?;
        let life = self.life;
        let stale = self.until("claimed", |ledger| {
            ledger.holds.get(&life).filter(|(held, _)| *held == task).map(|(_, token)| token.clone())
        })?;
        if self.stops_at_append {
            self.holder.tell("deliver")?;
        } else {
            thread::sleep(Duration::from_millis(self.random.below(60)));
            self.holder.signal(Signal::STOP);
        }
        let begun = Instant::now();
        while !self.holder.is_stopped() {
            if !lock(self.heard).ledger().holds.contains_key(&life) {
                return Ok(None);
            }
            ensure!(!self.holder.has_ended()? && begun.elapsed() < LONG, "nothing stops the holder");
            thread::sleep(Duration::from_millis(1));
        }
        let stopped = Instant::now();
        let options = ClaimOptions { task: Some(task.parse()?), holder: None };
        let waited = self.runtime.block_on(self.queue.claim_when_ready(&self.taker, &options, Some(LONG)))?;
        let Waited::Claimed(taken) = waited else { bail!("{task} is not taken over: {waited:?}") };
        thread::sleep((LEASE * 3).saturating_sub(stopped.elapsed()));
        let deliver = |pair: &Self| {
            pair.queue.complete(taken.token, &pair.taker, format!("fresh {task}"), None, Vec::new())
        };
        // The stale result comes after the fresh one, or while its task is held by another.
        let fresh_first = self.random.below(2) == 0;
        if fresh_first {
            deliver(self)?;
        }
        self.holder.signal(Signal::CONT);
        if !self.stops_at_append {
            self.holder.tell("deliver")?;
        }
        self.until("was answered", |ledger| (!ledger.holds.contains_key(&life)).then_some(()))?;
        if !fresh_first {
            deliver(self)?;
        }
        ensure!(self.place.log().is_file(), "the log is gone");
        Ok(Some((task, stale, taken.token.to_string())))
    }
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Stops a run before each move of its branch. Every second time the task is cancelled meanwhile. Gives how many were
/// fenced off, and how many were merged.
fn mergers(setup: &Setup, count: u64) -> Result<(u64, u64)> {
    let project = Project::new(setup, count)?;
    let fault = Fault::at("start", "stop").holding("update-ref+--stdin").always();
    let mut run = project.start(setup, Some(&fault))?;
    let progress = Progress::new("stopped: mergers", count);
    let mut wanted: BTreeMap<String, bool> = BTreeMap::new();
    let begun = Instant::now();
    while !run.has_ended()? {
        ensure!(begun.elapsed() < LONG * 20, "the run does not end");
        if !run.is_stopped() {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let listed = project.place.json(["list", "--status", "merging"])?;
        let listed = listed.as_array().context("a list")?;
        let held = listed.iter().find(|task| task["stage"] == "merge").context("nothing is being merged")?;
        let task = text(&held["id"]).to_owned();
        let cancel = !wanted.contains_key(&task) && wanted.len().is_multiple_of(2);
        if cancel {
            project.place.run(["cancel", &task])?.done()?;
        }
        wanted.entry(task).or_insert(!cancel);
        run.signal(Signal::CONT);
        progress.step();
        let since = Instant::now();
        while run.is_stopped() && since.elapsed() < LONG {
            thread::sleep(Duration::from_micros(200));
        }
    }
    let ran = run.finish()?;
    ensure!(ran.is_done(), "the run failed: {ran:?}");
    ensure!(wanted.len() as u64 == count, "{} of {count} tasks came to be merged", wanted.len());
    let landed: Vec<&String> = wanted.iter().filter(|(_, wanted)| **wanted).map(|(task, _)| task).collect();
    let merged = project.merged()?;
    for (task, wanted) in &wanted {
        ensure!(
            merged.contains(task) == *wanted,
            "{task} was wanted: {wanted}; merged: {}",
            merged.contains(task)
        );
    }
    project.check(landed.len() as u64)?;
    let cancelled = project.place.json(["list", "--status", "cancelled"])?;
    let fenced = cancelled.as_array().map_or(0, Vec::len);
    ensure!(fenced + landed.len() == wanted.len(), "{fenced} are cancelled");
    Ok((fenced as u64, landed.len() as u64))
}
