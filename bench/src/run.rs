//! Whole runs: a thousand tasks and sixteen agents, with a model that takes its time and with one that takes none.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use agent_team::agent::{Agent, llm_fn};
use agent_team::{AgentTeam, Durability, Role, RunOutcome, TeamFolder};
use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use tokio::task::spawn_blocking;

use crate::floors;
use crate::prepare::{self, History, WORKERS};
use crate::setting::Setting;
use crate::statistics::{median, processor_time, spread};
use crate::table::Measured;

/// How long the model takes that takes its time.
const DELAY: Duration = Duration::from_millis(50);

/// The part of the ideal that a run reaches when each task takes 50 ms, beside a loop with no log that does the same.
pub fn makespan(setting: &Setting) -> Result<Vec<Measured>> {
    let history = History::ready(setting.choose(1_000, 160));
    let ideal = DELAY.mul_f64(history.tasks as f64 / WORKERS as f64);
    let runtime = Runtime::new()?;
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..setting.choose(3, 1) {
        let folder = setting.folder()?;
        let agent = llm_fn(async |_: String| {
            asleep().await;
            Ok::<_, Infallible>("done".to_owned())
        });
        let (elapsed, _) = team_run(&runtime, &folder, history, Durability::Process, &agent)?;
        ours.push(ideal.as_secs_f64() / elapsed.as_secs_f64());
        raw.push(ideal.as_secs_f64() / raw_run(&runtime, history.tasks).as_secs_f64());
        std::fs::remove_dir_all(&folder)?;
    }
    let whole = history.tasks.div_ceil(WORKERS) as f64 * WORKERS as f64;
    let note = format!("no schedule of whole tasks reaches more than {:.4}", history.tasks as f64 / whole);
    Ok(vec![Measured { value: median(&ours), limit: Some(median(&raw)), spread: spread(&ours), note }])
}

/// What a run costs for each task when the model takes no time: wall clock and processor.
pub fn overhead(setting: &Setting) -> Result<Vec<Measured>> {
    let costs = Costs::measure(setting, Durability::Process, setting.choose(9, 3))?;
    Ok(vec![costs.wall(), costs.processor()])
}

/// The same with every result synced, beside raw group commit.
pub fn overhead_synced(setting: &Setting) -> Result<Vec<Measured>> {
    let costs = Costs::measure(setting, Durability::Power, setting.choose(5, 2))?;
    Ok(vec![costs.wall(), costs.processor()])
}

/// Microseconds for each task.
#[derive(Default)]
struct Costs {
    wall_us: Vec<f64>,
    processor_us: Vec<f64>,
    limit_us: Vec<f64>,
    records: f64,
}

impl Costs {
    fn measure(setting: &Setting, durability: Durability, rounds: usize) -> Result<Self> {
        let history = History::ready(1_000);
        let runtime = Runtime::new()?;
        let each_us = |time: Duration| time.as_secs_f64() * 1e6 / history.tasks as f64;
        let mut costs = Self::default();
        for _ in 0..rounds {
            let folder = setting.folder()?;
            let agent = llm_fn(async |_: String| Ok::<_, Infallible>("done".to_owned()));
            let (wall, processor) = team_run(&runtime, &folder, history, durability, &agent)?;
            costs.wall_us.push(each_us(wall));
            costs.processor_us.push(each_us(processor));
            let lines = floors::lines_after(&TeamFolder::of(&folder).log(), 0)?;
            // What was there before are one line for the log, one for each worker, one for each task.
            let lines = lines.get(1 + WORKERS + history.tasks..).unwrap_or_default();
            costs.records = lines.len() as f64 / history.tasks as f64;
            costs.limit_us.push(match durability {
                Durability::Process => each_us(floors::replay(&folder.join("raw"), lines)?),
                Durability::Power => {
                    let result = lines.get(lines.len() / 2).map_or(0, Vec::len);
                    let (single, grouped) = floors::group_commit(&folder, result, WORKERS as u8, 300)?;
                    1e6 / single.max(grouped)
                }
            });
            std::fs::remove_dir_all(&folder)?;
        }
        Ok(costs)
    }

    fn wall(&self) -> Measured {
        self.measured(&self.wall_us)
    }

    fn processor(&self) -> Measured {
        self.measured(&self.processor_us)
    }

    fn measured(&self, samples: &[f64]) -> Measured {
        let note = format!("{:.1} records a task", self.records);
        Measured {
            value: median(samples),
            limit: Some(median(&self.limit_us)),
            spread: spread(samples),
            note,
        }
    }
}

/// Runs a team of sixteen until all tasks are done: how long it takes, and how much processor time.
fn team_run(
    runtime: &Runtime,
    folder: &Path,
    history: History,
    durability: Durability,
    agent: &Arc<dyn Agent>,
) -> Result<(Duration, Duration)> {
    history.write(folder)?;
    let queue = prepare::open(folder, durability)?;
    history.check(&queue)?;
    let mut team = AgentTeam::over(queue.team_log().clone());
    for number in 0..WORKERS {
        team.add_agent(prepare::worker(number)?.as_str(), Role::Worker, agent.clone())?;
    }
    let (begun, processor) = (Instant::now(), processor_time());
    let report = runtime.block_on(team.run(None))?;
    let measured = (begun.elapsed(), processor_time().saturating_sub(processor));
    ensure!(report.outcome == RunOutcome::Completed, "the run ended otherwise: {:?}", report.outcome);
    ensure!(report.status.counts.completed == history.tasks as u64, "not all tasks are completed");
    Ok(measured)
}

/// Sixteen loops that take numbers and sleep.
fn raw_run(runtime: &Runtime, tasks: usize) -> Duration {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    runtime.block_on(async {
        let loops = (0..WORKERS).map(|_| {
            let next = next.clone();
            tokio::spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < tasks {
                    asleep().await;
                }
            })
        });
        for ended in loops.collect::<Vec<_>>() {
            // A loop of numbers does not break down.
            let _ = ended.await;
        }
    });
    begun.elapsed()
}

/// The model at work. A thread sleeps to the tenth of a millisecond; the runtime's timer rounds up to whole ones, which
/// would be two hundredths of what is measured.
async fn asleep() {
    let _ = spawn_blocking(|| thread::sleep(DELAY)).await;
}
