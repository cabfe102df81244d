//! How many processes and how much memory a command uses, with all that it started.
//!
//! The kernel's own limits count for a whole user, or for one process; so it is counted here, a few times a second.
//! What is used between two looks is not seen.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::param::page_size;
use rustix::process::Pid;
use tokio::sync::oneshot;

use super::Limits;

/// How often a command is looked at.
const PERIOD: Duration = Duration::from_millis(200);

/// How often the number of all processes of the machine is looked at, which the kernel knows without counting: what
/// grows fast must be found fast, as counting takes the longer the more there are.
const GLANCE: Duration = Duration::from_millis(20);

/// For how long all commands share one look at the machine's processes.
const FRESH: Duration = Duration::from_millis(50);

/// The most that a command may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Most {
    memory_bytes: u64,
    processes: usize,
}

/// What a command used too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Memory,
    Processes,
}

impl Most {
    pub(super) fn of(limits: Limits) -> Self {
        let processes = limits.processes.unwrap_or(Limits::PROCESSES);
        Self {
            memory_bytes: limits.memory_bytes.unwrap_or_else(|| memory_of_machine() / 4 * 3),
            processes: usize::try_from(processes).unwrap_or(usize::MAX),
        }
    }

    /// What the kernel shall allow the user in all, so that a bomb cannot outrun those who count: far more than any
    /// command may have, as everything else of the user's counts too, threads included. It holds for nobody who is
    /// root.
    pub(super) fn processes_of_user(self) -> u64 {
        let all = threads_of_machine().saturating_add(self.processes.saturating_mul(4));
        u64::try_from(all).unwrap_or(u64::MAX)
    }

    /// Returns when the processes from `first` on downwards use more. They are killed at once.
    pub(crate) async fn exceeded(self, first: Option<u32>) -> Exceeded {
        let (told, hears) = oneshot::channel();
        watch::begin(Watched { first, most: self, told });
        match hears.await {
            Ok(exceeded) => exceeded,
            // Nobody counts, since no thread could be started; what else bounds a command still does.
            Err(_) => std::future::pending().await,
        }
    }

    /// What all these processes use too much of.
    fn judge(self, all: &[u32]) -> Option<Exceeded> {
        if all.len() > self.processes {
            return Some(Exceeded::Processes);
        }
        let memory_bytes: u64 = all.iter().map(|id| memory_of(*id)).sum();
        (memory_bytes > self.memory_bytes).then_some(Exceeded::Memory)
    }
}

/// A command that is looked at as long as somebody wants to hear of it.
struct Watched {
    first: Option<u32>,
    most: Most,
    told: oneshot::Sender<Exceeded>,
}

/// The one thread of this process that looks at all its commands. It comes before others where it may: a bomb leaves
/// them no time.
mod watch {
    use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
    use std::sync::{LazyLock, Mutex, PoisonError};
    use std::time::Instant;

    use rustix::process::{Pid, Signal, kill_process, kill_process_group, setpriority_process};

    use super::{GLANCE, PERIOD, Watched, below, threads_of_machine};

    /// The highest priority.
    const FIRST: i32 = -20;

    static COMES: LazyLock<Mutex<Sender<Watched>>> = LazyLock::new(|| {
        let (comes, hears) = channel();
        // Without it nobody hears, and whoever waits is told so.
        let _ = std::thread::Builder::new().name("commands".to_owned()).spawn(move || run(&hears));
        Mutex::new(comes)
    });

    /// Has a command looked at from now on.
    pub(super) fn begin(command: Watched) {
        let _ = COMES.lock().unwrap_or_else(PoisonError::into_inner).send(command);
    }

    fn run(comes: &Receiver<Watched>) {
        // Only who may do everything can have it, and only who may do everything has no bound by the kernel.
        let _ = setpriority_process(None, FIRST);
        let mut all: Vec<Watched> = Vec::new();
        let (mut looked, mut before) = (Instant::now(), threads_of_machine());
        loop {
            // While there is nothing to look at, it sleeps.
            let came = match all.is_empty() {
                true => comes.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => comes.recv_timeout(GLANCE),
            };
            match came {
                Ok(command) => all.push(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            all.retain(|command| !command.told.is_closed());
            let least = all.iter().map(|command| command.most.processes).min().unwrap_or(usize::MAX);
            if looked.elapsed() < PERIOD && threads_of_machine() < before.saturating_add(least / 2) {
                continue;
            }
            (looked, before) = (Instant::now(), threads_of_machine());
            all = all.into_iter().filter_map(look).collect();
        }
    }

    /// Looks at one; ends it, and has that told, if it uses too much.
    fn look(command: Watched) -> Option<Watched> {
        let all = below(command.first);
        let Some(exceeded) = command.most.judge(&all) else { return Some(command) };
        // Before they end, so that nobody takes that for an end of their own.
        let _ = command.told.send(exceeded);
        let pid = |id: u32| Pid::from_raw(i32::try_from(id).ok()?);
        // Those who are gone by now are what is wanted.
        if let Some(group) = command.first.and_then(pid) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        for process in all.into_iter().filter_map(pid) {
            let _ = kill_process(process, Signal::KILL);
        }
        None
    }
}

/// How many threads there are, of all processes.
fn threads_of_machine() -> usize {
    let known = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    known.split_whitespace().nth(3).and_then(|of| of.split_once('/')?.1.parse().ok()).unwrap_or(0)
}

/// A process and all that it started, with what those started.
pub(crate) fn below(first: Option<u32>) -> Vec<u32> {
    let Some(first) = first else { return Vec::new() };
    let children = children();
    let mut found = vec![first];
    let mut at = 0;
    while let Some(id) = found.get(at) {
        found.extend(children.get(id).into_iter().flatten().filter(|child| **child != first));
        at += 1;
    }
    found
}

/// As [`below`], without the first, as they are right now.
pub(crate) fn started_by(first: Option<u32>) -> Vec<Pid> {
    *lock(&LAST) = None;
    let ids = below(first).into_iter().skip(1);
    ids.filter_map(|id| Pid::from_raw(i32::try_from(id).ok()?)).collect()
}

/// The children of each process.
type Children = BTreeMap<u32, Vec<u32>>;

static LAST: Mutex<Option<(Instant, Arc<Children>)>> = Mutex::new(None);

fn lock(
    last: &Mutex<Option<(Instant, Arc<Children>)>>,
) -> std::sync::MutexGuard<'_, Option<(Instant, Arc<Children>)>> {
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

fn children() -> Arc<Children> {
    let mut last = lock(&LAST);
    if let Some((seen, children)) = last.as_ref()
        && seen.elapsed() < FRESH
    {
        return children.clone();
    }
    let mut children = Children::new();
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    for id in names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if let Some(parent) = parent(id) {
            children.entry(parent).or_default().push(id);
        }
    }
    let children = Arc::new(children);
    *last = Some((Instant::now(), children.clone()));
    children
}

fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program stands in brackets, and may hold anything, brackets too.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// What a process holds of memory for itself: what it shares with others would count for each of them.
fn memory_of(id: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{id}/statm")).unwrap_or_default();
    let mut pages = statm.split_whitespace().skip(1).map(|number| number.parse::<u64>().unwrap_or(0));
    let (resident, shared) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    resident.saturating_sub(shared) * u64::try_from(page_size()).unwrap_or(4_096)
}

/// The memory of this machine, or of the container that this is.
fn memory_of_machine() -> u64 {
    let known = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = known
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    let of_machine = total.map_or(u64::MAX, |kib: u64| kib * 1024);
    let of_container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let of_container = of_container.and_then(|text| text.trim().parse().ok());
    of_container.unwrap_or(u64::MAX).min(of_machine)
}
