//! Makes a failing simulation small: fewer processes, tasks, steps and faults, as long as the same checker finds fault.

use std::collections::BTreeSet;

use crate::fault::Fault;
use crate::options::Options;
use crate::simulation::{self, Outcome};

/// How many simulations shrinking may take.
const RUNS_MAX: u32 = 3_000;

/// The smallest failing simulation that was found, and how it went.
#[must_use]
pub fn shrink(failing: &Options) -> (Options, Outcome) {
    let first = simulation::run(failing, false);
    let checker = first.violation.as_ref().map(|(violation, _)| violation.checker);
    let mut shrinking = Shrinking { best: failing.clone(), checker, happened: first.happened, runs: 0 };
    if let Some((_, step)) = first.violation {
        shrinking.consider(|options| options.steps = step.min(options.steps));
    }
    loop {
        let before = shrinking.best.clone();
        shrinking.round();
        if shrinking.best == before || shrinking.runs >= RUNS_MAX {
            break;
        }
    }
    let outcome = simulation::run(&shrinking.best, true);
    (shrinking.best, outcome)
}

struct Shrinking {
    best: Options,
    checker: Option<&'static str>,
    /// The faults of the best so far.
    happened: Vec<u32>,
    runs: u32,
}

impl Shrinking {
    fn round(&mut self) {
        for fault in Fault::ALL {
            self.consider(|options| {
                options.without.insert(*fault);
            });
        }
        for processes in 2..self.best.processes {
            if self.consider(|options| options.processes = processes) {
                break;
            }
        }
        for tasks in 1..self.best.tasks {
            if self.consider(|options| options.tasks = tasks) {
                break;
            }
        }
        let mut cut = self.best.steps / 2;
        while cut > 0 {
            let steps = self.best.steps.saturating_sub(cut);
            if !self.consider(|options| options.steps = steps) {
                cut /= 2;
            }
        }
        self.skip_faults();
    }

    /// Leaves out single faults, first many at once.
    fn skip_faults(&mut self) {
        let mut many = self.happened.len().next_power_of_two();
        while many >= 1 {
            let all = self.happened.clone();
            for some in all.chunks(many) {
                let some: BTreeSet<u32> = some.iter().copied().collect();
                self.consider(|options| options.skip.extend(some.iter().copied()));
            }
            many /= 2;
        }
    }

    /// Takes a change over if the simulation still fails in the same way. Says whether.
    fn consider(&mut self, change: impl FnOnce(&mut Options)) -> bool {
        let mut options = self.best.clone();
        change(&mut options);
        if options == self.best || self.runs >= RUNS_MAX {
            return false;
        }
        self.runs += 1;
        let outcome = simulation::run(&options, false);
        let still = outcome.violation.map(|(violation, _)| violation.checker) == self.checker;
        if still {
            self.best = options;
            self.happened = outcome.happened;
        }
        still
    }
}
