//! The command that tests agent-team under faults: one part after the other, one line each.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use agent_team_faults::parts::{bits, disk, files, long, points, random, rehearse, stopped, writes};
use agent_team_faults::setup::{Report, Setup};
use agent_team_faults::{cleanup, rules, worker};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use serde_json::json;

const AFTER_HELP: &str = "\
Progress goes to standard error, and one line for each part to standard output: `ok` with what was seen, or `ERROR` with \
the reason and the seed. The exit code is 0 if all held, and 1 if not. Scheduling is the system's, so a seed gives the \
same tasks, sizes, bits and choices again, and not the same instant.

Examples:
  cargo run -p agent-team-faults -- rehearse
  cargo run -p agent-team-faults -- rehearse plan-approval
  cargo run -p agent-team-faults -- check .agent-team/log.jsonl
  cargo run --release -p agent-team-faults -- random
  cargo run --release -p agent-team-faults -- random --count 200 --seed 7
  cargo run --release -p agent-team-faults -- all --ci
  cargo run --release -p agent-team-faults -- all --json";

/// Tests the real programs of agent-team under real faults.
#[derive(Debug, Parser)]
#[command(name = "agent-team-faults", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Kills at every named point of a command and of a run (100 each)
    Points(Options),
    /// 16 workers, of which one is killed at any moment and replaced (10,000 kills)
    Random(Options),
    /// Holders and mergers that are stopped for three leases and go on (1,000)
    Stopped(Options),
    /// The first, second, third, ... call of every command fails (each once)
    Writes(Options),
    /// A disk that fills up and has room again (20)
    Disk(Options),
    /// Bits that flip in the log, blobs and caches (1,000)
    Bits(Options),
    /// The log deleted, cut off, replaced, written over; read-only folders; network file systems (10 times)
    Files(Options),
    /// The rehearsals in `rehearsals/`, one for each behaviour of a team, through the real command
    Rehearse(Rehearse),
    /// One long rehearsal of a whole team, steered and killed (200 tasks by 16 agents; 40 by 9 for each change)
    Long(Options),
    /// All parts
    All(Options),
    /// Reads a log, and checks it by all rules of a team: one line for each, with how often the log shows it
    Check(Check),
    /// The worker that the parts start
    #[command(hide = true)]
    AsWorker(worker::Work),
}

#[derive(Debug, Args)]
struct Rehearse {
    /// Only those whose name contains this
    name: Option<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Check {
    /// The log; its blobs lie beside it
    log: PathBuf,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Args)]
struct Options {
    /// How often, instead of the full count
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// From which everything random comes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The short counts, for each change: under ten minutes in all
    #[arg(long)]
    ci: bool,
    /// Only the points, verbs or cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// One JSON object for each part
    #[arg(long)]
    json: bool,
}

type Run = fn(&Setup, u64) -> Result<Report>;

/// A part: its name, the full count, the short one, and how long it may take for each.
struct Known {
    name: &'static str,
    full: u64,
    short: u64,
    limit: Duration,
    run: Run,
}

const PARTS: [Known; 9] = [
    Known { name: "points", full: 100, short: 3, limit: Duration::from_secs(5400), run: points::run },
    Known { name: "random", full: 10_000, short: 300, limit: Duration::from_secs(3600), run: random::run },
    Known { name: "stopped", full: 1000, short: 64, limit: Duration::from_secs(1800), run: stopped::run },
    Known { name: "writes", full: 1, short: 1, limit: Duration::from_secs(1800), run: writes::run },
    Known { name: "disk", full: 20, short: 2, limit: Duration::from_secs(1800), run: disk::run },
    Known { name: "bits", full: 1000, short: 200, limit: Duration::from_secs(1800), run: bits::run },
    Known { name: "files", full: 10, short: 1, limit: Duration::from_secs(1800), run: files::run },
    Known { name: "rehearse", full: 1, short: 1, limit: Duration::from_secs(900), run: rehearse::run },
    Known { name: "long", full: 200, short: 40, limit: Duration::from_secs(3600), run: long::run },
];

fn main() -> ExitCode {
    let (name, options) = match Cli::parse().part {
        Part::Points(options) => ("points", options),
        Part::Random(options) => ("random", options),
        Part::Stopped(options) => ("stopped", options),
        Part::Writes(options) => ("writes", options),
        Part::Disk(options) => ("disk", options),
        Part::Bits(options) => ("bits", options),
        Part::Files(options) => ("files", options),
        Part::Rehearse(Rehearse { name, options }) => {
            ("rehearse", Options { only: name.or(options.only.clone()), ..options })
        }
        Part::Long(options) => ("long", options),
        Part::All(options) => ("all", options),
        Part::Check(what) => return check(&what),
        Part::AsWorker(work) => {
            return match worker::work(work) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("ERROR {error:#}");
                    ExitCode::FAILURE
                }
            };
        }
    };
    cleanup::watch();
    match all(name, &options) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn check(what: &Check) -> ExitCode {
    match rules::check(&what.log) {
        Ok(checked) => {
            if what.json {
                println!("{}", checked.json());
            } else {
                checked.lines().iter().for_each(|line| println!("{line}"));
            }
            if checked.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("ERROR   {}: {error:#}", what.log.display());
            ExitCode::FAILURE
        }
    }
}

fn all(name: &str, options: &Options) -> bool {
    let setup = match Setup::new(options.seed, options.only.clone()) {
        Ok(setup) => setup,
        Err(error) => {
            println!("ERROR   {error:#}");
            return false;
        }
    };
    let mut held = true;
    for part in PARTS.iter().filter(|part| name == "all" || part.name == name) {
        // A part that fails does not hide what the others find.
        held &= one(&setup, part, options);
    }
    held
}

fn one(setup: &Setup, part: &Known, options: &Options) -> bool {
    let count = options.count.unwrap_or(if options.ci { part.short } else { part.full });
    let (name, seed) = (part.name, options.seed);
    eprintln!("  {name}: {count}, seed {seed}");
    cleanup::limit(&format!("{name} --count {count} --seed {seed}"), part.limit);
    let begun = Instant::now();
    let outcome = (part.run)(setup, count);
    let seconds = begun.elapsed().as_secs_f64();
    match outcome {
        Ok(report) if options.json => {
            println!(
                "{}",
                json!({"part": name, "holds": true, "count": count, "seed": seed, "seconds": seconds, "figures": report.figures})
            );
            true
        }
        Ok(report) => {
            println!("ok      {name}: {} ({seconds:.0} s)", report.line);
            true
        }
        Err(error) => {
            let reason = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
            if options.json {
                println!(
                    "{}",
                    json!({"part": name, "holds": false, "count": count, "seed": seed, "seconds": seconds, "reason": reason})
                );
            } else {
                println!("ERROR   {name}: {reason} (again: {name} --count {count} --seed {seed})");
            }
            cleanup::clean_up();
            false
        }
    }
}
