//! What the command says.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the command speaks")]

use std::time::Duration;

use agent_team_sim::coverage::{Coverage, NEVER_VOID};
use agent_team_sim::fault::Fault;
use agent_team_sim::mutants::Hunted;
use agent_team_sim::options::Options;
use agent_team_sim::simulation::Outcome;

const COMMAND: &str = "cargo run --release -p agent-team-sim --";

/// How much was done.
pub struct Figures {
    pub seeds: u64,
    pub steps: u64,
    pub records: u64,
    pub elapsed: Duration,
}

/// What can be done.
pub fn help() {
    println!(
        "Simulates teams: many processes, every fault, from a seed.\n\n\
         Usage: agent-team-sim [options]\n\n\
         \x20 --seeds N            simulate the seeds 0 to N-1 (20000)\n\
         \x20 --from N             begin at this seed\n\
         \x20 --seed N             simulate one seed, and shrink it if it fails\n\
         \x20 --lock KIND          honest, none, lying, or all: each seed has its own (all)\n\
         \x20 --processes N        as many processes, 1 to 6\n\
         \x20 --tasks N            about as many tasks\n\
         \x20 --steps N            as many steps before the faults stop\n\
         \x20 --without FAULT,…    faults that do not happen\n\
         \x20 --skip NUMBER,…      single faults that do not happen, as a trace numbers them\n\
         \x20 --off RULE,…         rules that are switched off, as --mutants names them\n\
         \x20 --mutants            switch each rule off in turn; all must be caught\n\
         \x20 --pairs N|all        and every Nth two of them, or all\n\
         \x20 --seeds-max N        how many seeds a mutant may survive (20000)\n\
         \x20 --threads N          how many threads share the seeds (all cores)\n\
         \x20 --trace              show all that happens in one seed\n\
         \x20 --no-shrink          do not shrink what fails\n\
         \x20 --json               say it as JSON\n\n\
         Exit codes: 0 all is well, 1 something was found, 2 the arguments are not understood.\n\n\
         Examples:\n\
         \x20 {COMMAND} --seeds 1000000\n\
         \x20 {COMMAND} --seed 42 --trace\n\
         \x20 {COMMAND} --mutants --pairs 20\n\
         \x20 {COMMAND} --off core.SeenRenewal --seeds 1000\n\n\
         Faults:"
    );
    for fault in Fault::ALL {
        println!("  {:<22}{}", fault.name(), fault.meaning().trim());
    }
}

/// The arguments are not understood.
pub fn problem(problem: &str) {
    eprintln!("ERROR {problem}");
}

/// How far it has come.
pub fn progress(done: u64, of: u64, elapsed: Duration) {
    if elapsed > Duration::from_secs(1) && (done == of || elapsed.subsec_millis() < 250) {
        eprintln!("{done} of {of} after {} s", elapsed.as_secs());
    }
}

/// One simulation.
pub fn one(options: &Options, outcome: &Outcome, json: bool) {
    for line in &outcome.trace {
        println!("{line}");
    }
    match &outcome.violation {
        Some((violation, step)) => {
            println!(
                "ERROR seed={} options=[{options}] step={step} {}: {}",
                options.seed, violation.checker, violation.what
            );
            println!("{COMMAND} {options}");
        }
        None if json => println!(
            "{}",
            serde_json::json!({ "seed": options.seed, "steps": outcome.steps, "records": outcome.records, "holds": true })
        ),
        None => println!("ok seed={} steps={} records={}", options.seed, outcome.steps, outcome.records),
    }
}

/// What is left of a failing simulation, with all that happens in it.
pub fn shrunk(options: &Options, outcome: &Outcome) {
    println!("\nshrunk to:\n{COMMAND} {options} --trace\n");
    one(options, outcome, false);
}

/// Many simulations, none of which failed.
pub fn many(coverage: &Coverage, missing: &[String], figures: &Figures, json: bool) {
    let seconds = figures.elapsed.as_secs_f64();
    if json {
        let faults: serde_json::Map<_, _> = Fault::ALL
            .iter()
            .map(|fault| (fault.name().to_owned(), coverage.faults.get(fault).copied().unwrap_or(0).into()))
            .collect();
        println!(
            "{}",
            serde_json::json!({
                "seeds": figures.seeds, "steps": figures.steps, "records": figures.records, "seconds": seconds,
                "faults": faults, "void": coverage.void, "told": coverage.told, "missing": missing,
                "holds": missing.is_empty(),
            })
        );
        return;
    }
    table(
        "fault",
        Fault::ALL.iter().map(|fault| (fault.name(), coverage.faults.get(fault).copied().unwrap_or(0))),
    );
    table(
        "why a record was void, or was not believed",
        coverage.void.iter().map(|(name, count)| (*name, *count)),
    );
    table("what agents did and were told", coverage.told.iter().map(|(name, count)| (*name, *count)));
    println!("never the reason of a void record:");
    for (name, why) in NEVER_VOID {
        println!("  {name}: {why}");
    }
    for name in missing {
        println!("ERROR never reached: {name}");
    }
    let per_second = if seconds > 0.0 { figures.seeds as f64 / seconds } else { 0.0 };
    println!(
        "\n{} seeds, {} steps, {} records in {seconds:.1} s: {per_second:.0} seeds/s{}",
        figures.seeds,
        figures.steps,
        figures.records,
        if missing.is_empty() { ", and all held" } else { "" }
    );
}

fn table<'a>(title: &str, rows: impl Iterator<Item = (&'a str, u64)>) {
    println!("{title}:");
    for (name, count) in rows {
        println!("  {name:<24}{count:>12}");
    }
    println!();
}

/// What became of programs without their rules.
pub fn mutants(hunted: &[Hunted], elapsed: Duration, json: bool) {
    let survivors = hunted.iter().filter(|one| one.caught.is_none()).count();
    if json {
        let rows: Vec<_> = hunted
            .iter()
            .map(|one| {
                let (seeds, checker) = one.caught.clone().unzip();
                serde_json::json!({ "off": one.name(), "caught_after_seeds": seeds, "checker": checker })
            })
            .collect();
        println!(
            "{}",
            serde_json::json!({ "mutants": rows, "survivors": survivors, "holds": survivors == 0 })
        );
        return;
    }
    println!("{:<44}{:>12}  caught by", "switched off", "seeds");
    // Pairs are too many to be shown: those that took longest say enough.
    let mut shown: Vec<&Hunted> = hunted.iter().filter(|one| one.rules.len() == 1).collect();
    let mut pairs: Vec<&Hunted> = hunted.iter().filter(|one| one.rules.len() > 1).collect();
    pairs.sort_by_key(|one| std::cmp::Reverse(one.caught.as_ref().map_or(u64::MAX, |(seeds, _)| *seeds)));
    let all_pairs = pairs.len();
    pairs.retain(|one| one.caught.is_none());
    shown.extend(pairs);
    for one in shown {
        match &one.caught {
            Some((seeds, checker)) => println!("{:<44}{seeds:>12}  {checker}", one.name()),
            None => println!("{:<44}{:>12}  ERROR survived", one.name(), "-"),
        }
    }
    println!(
        "\n{} rules and {all_pairs} pairs in {:.1} s: {survivors} survived",
        hunted.len() - all_pairs,
        elapsed.as_secs_f64()
    );
}
