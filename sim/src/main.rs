//! The command: runs simulations, repeats and shrinks one, or hunts mutants. What it finds goes to standard output, how far
//! it has come to standard error.

mod arguments;
mod report;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agent_team_sim::coverage::Coverage;
use agent_team_sim::mutants::{self, Hunted};
use agent_team_sim::options::Options;
use agent_team_sim::{shrink, simulation};

use arguments::{Arguments, Wish};

/// How many seeds a thread takes at once.
const CHUNK: u64 = 32;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            report::problem(&problem);
            return ExitCode::from(2);
        }
    };
    let good = match &arguments.wish {
        Wish::Help => {
            report::help();
            true
        }
        Wish::One(options) => one(options, &arguments),
        Wish::Many { from, seeds } => many(*from, *seeds, &arguments),
        Wish::Mutants { pairs_step } => hunt(*pairs_step, &arguments),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Repeats one simulation, and shrinks it if it fails.
fn one(options: &Options, arguments: &Arguments) -> bool {
    let outcome = simulation::run(options, arguments.trace);
    let good = outcome.violation.is_none();
    report::one(options, &outcome, arguments.json);
    if !good && arguments.shrinks {
        let (small, outcome) = shrink::shrink(options);
        report::shrunk(&small, &outcome);
    }
    good
}

/// What all threads together have found.
struct Found {
    coverage: Coverage,
    failing: Option<Options>,
    seeds: u64,
    steps: u64,
    records: u64,
}

fn many(from: u64, seeds: u64, arguments: &Arguments) -> bool {
    let started = Instant::now();
    let next = AtomicU64::new(from);
    let stop = AtomicBool::new(false);
    let coverage = Coverage::default();
    let found = Mutex::new(Found { coverage, failing: None, seeds: 0, steps: 0, records: 0 });
    let lock = || found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let first = next.fetch_add(CHUNK, Ordering::Relaxed);
                    let last = (first + CHUNK).min(from + seeds);
                    if first >= last {
                        return;
                    }
                    for seed in first..last {
                        let options = arguments.apply(Options::of_seed(seed));
                        let outcome = simulation::run(&options, false);
                        let mut found = lock();
                        found.coverage.add(&outcome.coverage);
                        found.seeds += 1;
                        found.steps += u64::from(outcome.steps);
                        found.records += outcome.records as u64;
                        if outcome.violation.is_some()
                            && found.failing.as_ref().is_none_or(|known| known.seed > seed)
                        {
                            found.failing = Some(options);
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(200));
                let done = lock().seeds;
                if done >= seeds {
                    break;
                }
                report::progress(done, seeds, started.elapsed());
            }
        });
    });
    let found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let figures = report::Figures {
        seeds: found.seeds,
        steps: found.steps,
        records: found.records,
        elapsed: started.elapsed(),
    };
    if let Some(options) = &found.failing {
        return one(options, arguments);
    }
    let missing = if arguments.is_partial() { Vec::new() } else { found.coverage.missing() };
    report::many(&found.coverage, &missing, &figures, arguments.json);
    missing.is_empty()
}

fn hunt(pairs_step: usize, arguments: &Arguments) -> bool {
    let started = Instant::now();
    // What fails a mutant on purpose need not be shown.
    std::panic::set_hook(Box::new(|_| ()));
    let mut wanted = mutants::singles();
    if pairs_step > 0 {
        wanted.extend(mutants::pairs(pairs_step));
    }
    let next = AtomicU64::new(0);
    let hunted: Mutex<Vec<(u64, Hunted)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(rules) = usize::try_from(at).ok().and_then(|at| wanted.get(at)) else { return };
                    let one = mutants::hunt(rules, arguments.seeds_max);
                    let mut hunted = hunted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    hunted.push((at, one));
                    report::progress(hunted.len() as u64, wanted.len() as u64, started.elapsed());
                }
            });
        }
    });
    let mut hunted = hunted.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    hunted.sort_by_key(|(at, _)| *at);
    let hunted: Vec<Hunted> = hunted.into_iter().map(|(_, one)| one).collect();
    report::mutants(&hunted, started.elapsed(), arguments.json);
    hunted.iter().all(|one| one.caught.is_some())
}
