//! Tasks claimed and completed: by one process, by sixteen, and with every result on disk before it is acknowledged.
//!
//! The workers say what they did; that none was done twice and none was lost is judged by that, and not by the log.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use agent_team::{AgentId, Durability, TaskQueue, TeamFolder};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::floors::{self, RawClaims};
use crate::peer::{self, DurabilityName, Peer};
use crate::prepare::{self, History, WORKERS};
use crate::setting::Setting;
use crate::statistics::{median, per_second, spread};
use crate::table::Measured;

/// A worker that got less than this part of an equal share was starved.
const STARVED: f64 = 0.1;

/// The lengths of a claim and of a result in the log, with their frames, for the raw limits.
struct Lengths {
    claim: usize,
    result: usize,
}

/// One process on a queue of a thousand tasks, unsynced.
pub fn one_process(setting: &Setting) -> Result<Vec<Measured>> {
    few(setting, Durability::Process).map(|measured| vec![measured])
}

/// One process on a queue of a thousand tasks, every result synced.
pub fn one_process_synced(setting: &Setting) -> Result<Vec<Measured>> {
    few(setting, Durability::Power).map(|measured| vec![measured])
}

fn few(setting: &Setting, durability: Durability) -> Result<Measured> {
    let rounds = match durability {
        Durability::Process => setting.choose(15, 5),
        Durability::Power => setting.choose(5, 2),
    };
    let history = History::ready(1_000);
    let mut sample = Sample::default();
    for _ in 0..rounds {
        let folder = setting.folder()?;
        history.write(&folder)?;
        let queue = prepare::open(&folder, durability)?;
        history.check(&queue)?;
        sample.measure(&queue, &folder, durability, history.tasks, Duration::from_secs(2))?;
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(sample.measured(""))
}

/// One process on a queue of a million tasks, unsynced.
pub fn one_process_of_many(setting: &Setting) -> Result<Vec<Measured>> {
    let history = History::ready(setting.choose(1_000_000, 100_000));
    let folder = setting.folder()?;
    history.write(&folder)?;
    let queue = prepare::open(&folder, Durability::Process)?;
    history.check(&queue)?;
    let mut sample = Sample::default();
    for _ in 0..setting.choose(5, 3) {
        let limit = Duration::from_secs(setting.choose(3, 1));
        sample.measure(&queue, &folder, Durability::Process, 20_000, limit)?;
    }
    drop(queue);
    std::fs::remove_dir_all(&folder)?;
    Ok(vec![sample.measured(&format!("{} tasks queued", history.tasks))])
}

/// Rounds of claiming and completing in this process, each beside its limit.
#[derive(Default)]
struct Sample {
    rates: Vec<f64>,
    limits: Vec<f64>,
}

impl Sample {
    /// Claims and completes tasks, then appends and reads the same bytes with nothing else.
    fn measure(
        &mut self,
        queue: &TaskQueue,
        folder: &Path,
        durability: Durability,
        tasks: usize,
        limit: Duration,
    ) -> Result<()> {
        let log = TeamFolder::of(folder).log();
        let agent = prepare::worker(0)?;
        queue.this_process()?;
        let from = std::fs::metadata(&log)?.len();
        let begun = Instant::now();
        let done = work(queue, &agent, tasks, begun + limit)?;
        let elapsed = begun.elapsed();
        judge(&[Report { done: done.clone() }], None)?;
        self.rates.push(per_second(done.len(), elapsed));
        let lines = floors::lines_after(&log, from)?;
        ensure!(lines.len() >= 2 * done.len(), "{} tasks made {} records", done.len(), lines.len());
        self.limits.push(match durability {
            Durability::Process => per_second(done.len(), floors::replay(&folder.join("raw"), &lines)?),
            Durability::Power => {
                let result = lines.last().map_or(0, Vec::len);
                floors::synced_appends(&folder.join("raw"), result, Duration::from_millis(300))?
            }
        });
        Ok(())
    }

    fn measured(&self, note: &str) -> Measured {
        Measured {
            value: median(&self.rates),
            limit: Some(median(&self.limits)),
            spread: spread(&self.rates),
            note: note.to_owned(),
        }
    }
}

/// Sixteen processes, unsynced.
pub fn sixteen(setting: &Setting) -> Result<Vec<Measured>> {
    let history = History::ready(setting.choose(32_000, 8_000));
    let mut rounds = Rounds::default();
    let (mut free, mut locked) = (Vec::new(), Vec::new());
    for _ in 0..setting.choose(3, 1) {
        let folder = setting.folder()?;
        let lengths = rounds.measure(&folder, history, DurabilityName::Process)?;
        for (is_locked, rates) in [(false, &mut free), (true, &mut locked)] {
            let raw = RawClaims {
                file: folder.join(if is_locked { "raw-locked" } else { "raw-free" }),
                worker: 0,
                tasks: history.tasks,
                claim_bytes: lengths.claim,
                result_bytes: lengths.result,
                locked: is_locked,
            };
            rates.push(raw.rate(WORKERS as u8)?);
        }
        std::fs::remove_dir_all(&folder)?;
    }
    let note = format!("{}; the raw limit under flock is {:.0}", rounds.note(), median(&locked));
    Ok(vec![rounds.measured(median(&free), note)])
}

/// Sixteen processes, every result synced before it is acknowledged.
pub fn sixteen_synced(setting: &Setting) -> Result<Vec<Measured>> {
    let history = History::ready(setting.choose(12_000, 3_000));
    let mut rounds = Rounds::default();
    let (mut single, mut grouped) = (Vec::new(), Vec::new());
    for _ in 0..setting.choose(3, 1) {
        let folder = setting.folder()?;
        let lengths = rounds.measure(&folder, history, DurabilityName::Power)?;
        let limit_ms = setting.choose(1_000, 500);
        let (each, all) = floors::group_commit(&folder, lengths.result, WORKERS as u8, limit_ms)?;
        single.push(each);
        grouped.push(all);
        std::fs::remove_dir_all(&folder)?;
    }
    let (single, grouped) = (median(&single), median(&grouped));
    let note = format!(
        "{}; raw appends synced each by itself {single:.0}, one sync for all that wait {grouped:.0}",
        rounds.note()
    );
    Ok(vec![rounds.measured(single.max(grouped), note)])
}

/// Rounds of sixteen processes.
#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    shares: Vec<f64>,
    unfinished: usize,
}

impl Rounds {
    /// Lets sixteen processes do all tasks, and judges what they say.
    fn measure(&mut self, folder: &Path, history: History, durability: DurabilityName) -> Result<Lengths> {
        history.write(folder)?;
        let log = TeamFolder::of(folder).log();
        let from = std::fs::metadata(&log)?.len();
        let mut peers = Vec::new();
        for number in 0..WORKERS {
            let (workspace, agent) = (folder.display().to_string(), prepare::worker(number)?.to_string());
            let durability = durability.as_str().to_owned();
            peers.push(Peer::start([
                "claim-tasks".to_owned(),
                workspace,
                agent,
                durability,
                "8000".to_owned(),
            ])?);
        }
        let begun = Instant::now();
        for peer in &mut peers {
            peer.say("go")?;
        }
        // Whoever is done says so at once; what it did comes when all are done, and is not measured.
        for peer in &mut peers {
            peer.hear()?;
        }
        let elapsed = begun.elapsed();
        for peer in &mut peers {
            peer.say("report")?;
        }
        let reports: Vec<Report> = peers.iter_mut().map(Peer::hear_value).collect::<Result<_>>()?;
        let done: usize = reports.iter().map(|report| report.done.len()).sum();
        self.unfinished += history.tasks - done.min(history.tasks);
        self.shares.push(judge(&reports, (done >= history.tasks).then_some(history.tasks))?);
        self.rates.push(per_second(done, elapsed));
        let queue = prepare::open(folder, Durability::Process)?;
        let completed = queue.get_status()?.counts.completed;
        ensure!(completed == done as u64, "{done} results were acknowledged and {completed} are in the log");
        lengths(&floors::lines_after(&log, from)?)
    }

    fn note(&self) -> String {
        let least = self.shares.iter().copied().fold(f64::INFINITY, f64::min);
        let unfinished = match self.unfinished {
            0 => String::new(),
            left => format!("; {left} tasks were left when time was over"),
        };
        format!("none claimed twice; least served process: {least:.2} of an equal share{unfinished}")
    }

    fn measured(&self, limit: f64, note: String) -> Measured {
        Measured { value: median(&self.rates), limit: Some(limit), spread: spread(&self.rates), note }
    }
}

/// What a worker did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The tasks that it claimed and completed, as it was told.
    pub done: Vec<String>,
}

/// Makes sure that no task was done twice, that all were done if all should be, and that none of several workers starved;
/// gives the least served worker's part of an equal share.
pub fn judge(reports: &[Report], all: Option<usize>) -> Result<f64> {
    let mut seen = BTreeSet::new();
    for task in reports.iter().flat_map(|report| &report.done) {
        ensure!(seen.insert(task), "task `{task}` was claimed and completed twice");
    }
    if let Some(all) = all {
        ensure!(seen.len() == all, "{} of {all} tasks were done", seen.len());
    }
    let least = reports.iter().map(|report| report.done.len()).min().unwrap_or(0);
    let equal = seen.len() as f64 / reports.len().max(1) as f64;
    if equal == 0.0 {
        bail!("nothing was done");
    }
    let share = least as f64 / equal;
    ensure!(share >= STARVED, "a worker got {share:.3} of an equal share: it starved");
    Ok(share)
}

/// One of the sixteen processes.
pub fn play(folder: &Path, agent: &str, durability: DurabilityName, limit_ms: u64) -> Result<()> {
    let queue = prepare::open(folder, durability.durability())?;
    let agent: AgentId = agent.parse()?;
    queue.this_process()?;
    peer::ready()?;
    let done = work(&queue, &agent, usize::MAX, Instant::now() + Duration::from_millis(limit_ms))?;
    peer::tell("done")?;
    peer::await_line()?;
    peer::tell_value(&Report { done })
}

/// Claims and completes until there is nothing left, enough is done, or time is over.
fn work(queue: &TaskQueue, agent: &AgentId, tasks: usize, end: Instant) -> Result<Vec<String>> {
    let mut done = Vec::new();
    while done.len() < tasks && Instant::now() < end {
        let Some(claimed) = queue.claim_task(agent)? else { break };
        queue.complete(claimed.token, agent, "done", None, Vec::new())?;
        done.push(claimed.task.id.to_string());
    }
    Ok(done)
}

/// How long the median claim and the median result are in these lines.
fn lengths(lines: &[Vec<u8>]) -> Result<Lengths> {
    let of = |kind: &str| {
        let kind = format!("\"kind\":\"{kind}\"").into_bytes();
        let found = lines.iter().filter(|line| line.windows(kind.len()).take(200).any(|part| part == kind));
        let lengths: Vec<f64> = found.map(|line| line.len() as f64).collect();
        (!lengths.is_empty()).then(|| median(&lengths) as usize)
    };
    Ok(Lengths {
        claim: of("task_claimed").context("no claims in the log")?,
        result: of("task_submitted").context("no results in the log")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(done: &[&str]) -> Report {
        Report { done: done.iter().map(|task| (*task).to_owned()).collect() }
    }

    #[test]
    fn a_task_done_twice_is_seen() {
        let twice = judge(&[report(&["t1", "t2"]), report(&["t3", "t1"])], None).unwrap_err();
        assert_eq!(twice.to_string(), "task `t1` was claimed and completed twice");
    }

    #[test]
    fn a_task_lost_is_seen() {
        let reports = [report(&["t1"]), report(&["t2"])];
        assert!((judge(&reports, Some(2)).unwrap() - 1.0).abs() < f64::EPSILON);
        assert_eq!(judge(&reports, Some(3)).unwrap_err().to_string(), "2 of 3 tasks were done");
    }

    #[test]
    fn a_starved_worker_is_seen() {
        let starved = judge(&[report(&["t1", "t2"]), report(&[])], None).unwrap_err();
        assert!(starved.to_string().contains("starved"), "{starved}");
    }
}
