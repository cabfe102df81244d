//! From one process to another: a task made ready is claimed, a message sent is received, by one that waits.
//!
//! Measured from before the call that makes it ready until the waiting call has returned: both clocks are the
//! machine's monotonic one. The raw limit is a file that grows, seen through inotify.

use std::io::Write;
use std::mem::MaybeUninit;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use agent_team::{ClaimOptions, Durability, MessageBus, Recipient, TaskQueue, Waited};
use anyhow::{Context, Result, bail};
use futures::StreamExt;
use rustix::fs::inotify;

use crate::floors::append_file;
use crate::peer::{self, Peer};
use crate::prepare::{self, History};
use crate::setting::Setting;
use crate::statistics::{median, monotonic_ns, quantile};
use crate::table::Measured;

/// How long the other process is given to wait again before the next hop begins.
const PAUSE: Duration = Duration::from_millis(2);
/// How long the lines of the raw limit are.
const RAW_BYTES: usize = 300;

/// Medians and 99th percentiles of both hops.
pub fn measure(setting: &Setting) -> Result<Vec<Measured>> {
    // Each hop has a team of its own: every process that follows a log is woken by what is written to it, and one more of
    // them would be in the way of the one that is measured.
    let folders = [setting.folder()?, setting.folder()?];
    let [queue, bus] = folders.each_ref().map(|folder| waited_for(folder));
    let (queue, bus) = (queue?, MessageBus::over(bus?.team_log().clone()));
    let human = prepare::worker(1)?;
    let reader = Recipient::Agent(prepare::worker(0)?);
    let raw_file = folders[0].join("raw");
    let mut file = append_file(&raw_file)?;
    let [task_team, message_team] = folders.each_ref().map(|folder| folder.display().to_string());

    let mut tasks = Hops::with(&["await-tasks", &task_team])?;
    let mut messages = Hops::with(&["await-messages", &message_team])?;
    let mut raw = Hops::with(&["await-bytes", &raw_file.display().to_string()])?;
    let line = [b'x'; RAW_BYTES];
    // In turn, so that whatever else the machine does is the same for all.
    for _ in 0..setting.choose(600, 100) {
        tasks.hop(|| Ok(queue.add_task("Say hello").map(|_| ())?))?;
        messages.hop(|| Ok(bus.send(&human, reader.clone(), "hello").map(|_| ())?))?;
        raw.hop(|| Ok(file.write_all(&line)?))?;
    }
    let (task, message, raw) = (tasks.end()?, messages.end()?, raw.end()?);
    drop((queue, bus));
    folders.iter().try_for_each(std::fs::remove_dir_all)?;
    let figures = [(&task, 0.5), (&task, 0.99), (&message, 0.5), (&message, 0.99)];
    let measured = figures.map(|(samples, part)| Measured {
        value: quantile(samples, part),
        limit: Some(quantile(&raw, part)),
        spread: Some((quantile(samples, 0.0), quantile(samples, 1.0))),
        note: format!("{} hops; the limit is raw inotify", samples.len()),
    });
    Ok(measured.into())
}

/// A team with one task that is never done, so that a waiting agent has something to wait for.
fn waited_for(folder: &Path) -> Result<TaskQueue> {
    History::ready(1).write(folder)?;
    let queue = prepare::open(folder, Durability::Process)?;
    queue.claim_task(&prepare::worker(1)?)?.context("the task that is never done cannot be had")?;
    Ok(queue)
}

/// Hops to one peer, which says when each arrived.
struct Hops {
    peer: Peer,
    samples_us: Vec<f64>,
}

impl Hops {
    fn with(part: &[&str]) -> Result<Self> {
        let mut peer = Peer::start(part)?;
        peer.say("go")?;
        Ok(Self { peer, samples_us: Vec::new() })
    }

    fn hop(&mut self, begin: impl FnOnce() -> Result<()>) -> Result<()> {
        thread::sleep(PAUSE);
        let begun: u64 = monotonic_ns();
        begin()?;
        let arrived: u64 = self.peer.hear_value()?;
        self.samples_us.push(arrived.saturating_sub(begun) as f64 / 1e3);
        Ok(())
    }

    /// The samples, without the first ones, in which everything was cold.
    fn end(mut self) -> Result<Vec<f64>> {
        let cold = self.samples_us.len() / 20;
        let samples = self.samples_us.split_off(cold);
        if !median(&samples).is_finite() {
            bail!("no hop was made");
        }
        Ok(samples)
    }
}

/// The other process: waits for tasks and claims them.
pub fn await_tasks(folder: &Path) -> Result<()> {
    let queue = prepare::open(folder, Durability::Process)?;
    let agent = prepare::worker(0)?;
    queue.this_process()?;
    peer::ready()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        loop {
            let waited = queue.claim_when_ready(&agent, &ClaimOptions::default(), None).await?;
            let arrived = monotonic_ns();
            let Waited::Claimed(claimed) = waited else { bail!("no task will come: {waited:?}") };
            queue.complete(claimed.token, &agent, "hello", None, Vec::new())?;
            peer::tell_value(&arrived)?;
        }
    })
}

/// The other process: waits for messages.
pub fn await_messages(folder: &Path) -> Result<()> {
    let queue = prepare::open(folder, Durability::Process)?;
    let bus = MessageBus::over(queue.team_log().clone());
    let agent = prepare::worker(0)?;
    peer::ready()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut messages = pin!(bus.stream(&agent, 0));
        while let Some(message) = messages.next().await {
            let arrived = monotonic_ns();
            message?;
            peer::tell_value(&arrived)?;
        }
        bail!("the stream of messages ended")
    })
}

/// The other process: waits for a file to grow, and reads what came.
pub fn await_bytes(path: &Path) -> Result<()> {
    let file = append_file(path)?;
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, path, inotify::WatchFlags::MODIFY)?;
    peer::ready()?;
    let (mut offset, mut bytes) = (0, [0; 2 * RAW_BYTES]);
    let mut space = [MaybeUninit::uninit(); 1024];
    let mut events = inotify::Reader::new(&watch, &mut space);
    loop {
        events.next()?;
        let read = file.read_at(&mut bytes, offset)?;
        let arrived = monotonic_ns();
        if read > 0 {
            offset += read as u64;
            peer::tell_value(&arrived)?;
        }
    }
}
