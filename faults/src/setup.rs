//! What all parts need: the programs under test, and how much is to be done.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Map, Value};

use crate::seeded::Seeded;

/// What a part is given.
#[derive(Debug)]
pub struct Setup {
    /// The command `agent-team`.
    pub agent_team: PathBuf,
    /// The library that makes system calls fail.
    pub shim: PathBuf,
    /// This very program, which is also the worker over the public library.
    pub own: PathBuf,
    /// From which everything random comes.
    pub seed: u64,
    /// Only what has this in its name, where a part has named pieces.
    pub only: Option<String>,
}

/// What a part found when all was as it should be.
#[derive(Debug, Default)]
pub struct Report {
    /// For people.
    pub line: String,
    /// For programs.
    pub figures: Map<String, Value>,
}

impl Report {
    /// A report with its line.
    #[must_use]
    pub fn new(line: String) -> Self {
        Self { line, figures: Map::new() }
    }

    /// With one more figure.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }
}

impl Setup {
    /// Builds what is tested, in the profile that this program was built in.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn new(seed: u64, only: Option<String>) -> Result<Self> {
        let own = std::env::current_exe()?;
        let folder = own.parent().context("this program lies in no folder")?.to_owned();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args([
            "build",
            "--quiet",
            "--package",
            "agent-team-cli",
            "--package",
            "agent-team-faults-shim",
        ]);
        build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
        if folder.file_name().is_some_and(|name| name == "release") {
            build.arg("--release");
        }
        ensure!(build.status().context("cannot start cargo")?.success(), "cargo cannot build what is tested");
        let agent_team = folder.join("agent-team");
        let shim = folder.join("libagent_team_faults_shim.so");
        for file in [&agent_team, &shim] {
            ensure!(file.is_file(), "{} is not there", file.display());
        }
        Ok(Self { agent_team, shim, own, seed, only })
    }

    /// Whether a piece of this name is wanted.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }

    /// Random numbers for one part.
    #[must_use]
    pub fn random(&self, part: u64) -> Seeded {
        Seeded::new(self.seed).branch(part)
    }
}

/// Does rounds `0..count` on several threads at once, and gives what each came to, in order. The first error ends it.
///
/// # Errors
/// The first that a round gives.
pub fn in_parallel<T: Send>(
    threads: usize,
    count: u64,
    what: &str,
    round: impl Fn(u64) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicU64::new(0);
    let progress = Progress::new(what, count);
    let results: Vec<Result<Vec<(u64, T)>>> = thread::scope(|scope| {
        let workers = (0..threads.max(1)).map(|_| {
            scope.spawn(|| {
                let mut done = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return Ok(done);
                    }
                    match round(number) {
                        Ok(result) => done.push((number, result)),
                        Err(error) => {
                            next.store(count, Ordering::Relaxed);
                            return Err(error.context(format!("in round {number}")));
                        }
                    }
                    progress.step();
                }
            })
        });
        let workers: Vec<_> = workers.collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|_| Err(anyhow!("a thread of the test broke down")))
        };
        workers.into_iter().map(join).collect()
    });
    let mut all = Vec::new();
    for result in results {
        all.extend(result?);
    }
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}

/// Says on standard error how far something is, every few seconds.
pub struct Progress {
    what: String,
    count: u64,
    done: AtomicU64,
    begun: Instant,
    said: AtomicU64,
}

impl Progress {
    /// Nothing is done yet.
    #[must_use]
    pub fn new(what: &str, count: u64) -> Self {
        Self {
            what: what.to_owned(),
            count,
            done: AtomicU64::new(0),
            begun: Instant::now(),
            said: AtomicU64::new(0),
        }
    }

    /// One more is done.
    pub fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let seconds = self.begun.elapsed().as_secs();
        if seconds >= self.said.load(Ordering::Relaxed) + 5 {
            self.said.store(seconds, Ordering::Relaxed);
            eprintln!("  {} {done} of {} ({seconds} s)", self.what, self.count);
        }
    }
}
