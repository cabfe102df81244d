//! Agents that have nothing to do: what they cost in processor time and in memory.
//!
//! They wait for a task that this process holds and never completes, in a process of their own. The raw limit is a
//! process with as many tasks of tokio that wait for nothing.

use std::convert::Infallible;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use agent_team::agent::llm_fn;
use agent_team::{AgentTeam, ClaimOptions, Durability, Progress, Reporter, Role, RunOptions};
use anyhow::{Context, Result};
use clap::ValueEnum;
use tokio::runtime::Runtime;

use crate::peer::{self, Peer};
use crate::prepare::{self, History};
use crate::setting::Setting;
use crate::statistics::{median, processor_time, spread};
use crate::table::Measured;

/// Agents that use less than this, in hundredths of a core, have settled down.
const SETTLED: f64 = 2.0;

/// How agents wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Waiting {
    /// Each in `TaskQueue::claim_when_ready`.
    Queue,
    /// As members of a run.
    Run,
    /// None are there: tasks of tokio that wait for nothing.
    Nothing,
}

impl Waiting {
    fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Run => "run",
            Self::Nothing => "nothing",
        }
    }
}

/// The processor time of a thousand agents that wait, in hundredths of a core.
pub fn processor(setting: &Setting) -> Result<Vec<Measured>> {
    let stretches = setting.choose(5, 2);
    let used = |waiting| -> Result<Vec<f64>> {
        let mut idle = Idle::start(setting, waiting, 1_000)?;
        idle.settle()?;
        (0..stretches).map(|_| idle.used_in(Duration::from_secs(1))).collect()
    };
    let raw = used(Waiting::Nothing)?;
    let measured = |samples: &[f64]| Measured {
        value: samples.iter().sum::<f64>() / samples.len() as f64,
        limit: Some(median(&raw)),
        spread: spread(samples),
        note: format!("the mean of {stretches} seconds"),
    };
    Ok(vec![measured(&used(Waiting::Queue)?), measured(&used(Waiting::Run)?)])
}

/// The memory of a run with few, many and very many idle agents, in megabytes.
pub fn memory(setting: &Setting) -> Result<Vec<Measured>> {
    let sizes = [16, 1_000, 10_000];
    sizes.into_iter().map(|agents| memory_of(setting, agents)).collect()
}

fn memory_of(setting: &Setting, agents: usize) -> Result<Measured> {
    let mut idle = Idle::start(setting, Waiting::Run, agents)?;
    idle.settle()?;
    let (resident, most) = resident_mb(idle.peer.id())?;
    drop(idle);
    let raw = Idle::start(setting, Waiting::Nothing, agents)?;
    let (limit, _) = resident_mb(raw.peer.id())?;
    let note = format!("{most:.1} at most; the limit is a process with as many tasks of tokio");
    Ok(Measured { value: resident, limit: Some(limit), spread: None, note })
}

/// A process with agents that wait.
struct Idle {
    peer: Peer,
}

impl Idle {
    fn start(setting: &Setting, waiting: Waiting, agents: usize) -> Result<Self> {
        let folder = setting.folder()?;
        History::ready(1).write(&folder)?;
        let mut peer = Peer::start([
            "wait-idly".to_owned(),
            folder.display().to_string(),
            waiting.as_str().to_owned(),
            agents.to_string(),
        ])?;
        peer.say("go")?;
        let heard = peer.hear()?;
        anyhow::ensure!(heard == "idle", "a peer said `{heard}` and not that its agents wait");
        Ok(Self { peer })
    }

    /// Waits until its agents have settled down, which takes a while when there are many; but not for ever.
    fn settle(&mut self) -> Result<()> {
        let (most, stretch) = (Duration::from_secs(15), Duration::from_millis(500));
        let begun = Instant::now();
        while self.used_in(stretch)? > SETTLED && begun.elapsed() < most {}
        Ok(())
    }

    /// The processor time that it uses in a stretch of time, in hundredths of a core.
    fn used_in(&mut self, stretch: Duration) -> Result<f64> {
        let before = self.used()?;
        thread::sleep(stretch);
        Ok((self.used()? - before) / stretch.as_nanos() as f64 * 100.0)
    }

    fn used(&mut self) -> Result<f64> {
        self.peer.say("used")?;
        self.peer.hear_value()
    }
}

/// What a process has in memory now, and had at most.
fn resident_mb(process: u32) -> Result<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("/proc lacks a field")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib * 1024.0 / 1e6)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// The process in which they wait.
pub fn play(folder: &Path, waiting: Waiting, agents: usize) -> Result<()> {
    peer::ready()?;
    let runtime = Runtime::new()?;
    match waiting {
        Waiting::Queue => in_queue(&runtime, folder, agents)?,
        Waiting::Run => in_run(&runtime, folder, agents)?,
        Waiting::Nothing => {
            for _ in 0..agents {
                runtime.spawn(std::future::pending::<()>());
            }
        }
    }
    peer::tell("idle")?;
    while peer::await_line()?.is_some() {
        peer::tell_value(&(processor_time().as_nanos() as f64))?;
    }
    runtime.shutdown_background();
    Ok(())
}

/// The one task is held by an agent of this process that does nothing, so that the others have something to wait for.
fn in_queue(runtime: &Runtime, folder: &Path, agents: usize) -> Result<()> {
    let queue = prepare::open(folder, Durability::Process)?;
    queue.claim_task(&"holder".parse()?)?.context("the task that is never done cannot be had")?;
    for number in 0..agents {
        let (queue, agent) = (queue.clone(), prepare::worker(number)?);
        runtime.spawn(async move { queue.claim_when_ready(&agent, &ClaimOptions::default(), None).await });
    }
    Ok(())
}

/// One member more than are idle: it works on the one task for ever.
fn in_run(runtime: &Runtime, folder: &Path, agents: usize) -> Result<()> {
    let queue = prepare::open(folder, Durability::Process)?;
    let mut team = AgentTeam::over(queue.team_log().clone());
    let agent = llm_fn(async |_: String| std::future::pending::<Result<String, Infallible>>().await);
    for number in 0..=agents {
        team.add_agent(prepare::worker(number)?.as_str(), Role::Worker, agent.clone())?;
    }
    let (tell, begun) = mpsc::channel();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Began { .. } = progress {
            // Only one begins; if another does, what is measured is not idleness, and nobody listens.
            let _ = tell.send(());
        }
    });
    team.options(RunOptions { reporter, ..RunOptions::default() });
    runtime.spawn(async move {
        if let Err(error) = team.run(None).await {
            eprintln!("agent-team-bench: the idle run ended: {error}");
        }
    });
    begun.recv().context("the run ended before an agent began")
}
