//! Shows that the checkers bite: with any rule switched off, alone or with another, some simulation must fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::mutant::{Off, Rule};
use crate::options::Options;
use crate::simulation;

/// What became of a program without some rules.
#[derive(Debug, Clone)]
pub struct Hunted {
    /// The rules that were switched off.
    pub rules: Vec<Rule>,
    /// After how many simulations it was caught, and by which checker; `None` if it survived.
    pub caught: Option<(u64, String)>,
}

impl Hunted {
    /// The names of the rules.
    #[must_use]
    pub fn name(&self) -> String {
        self.rules.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(" + ")
    }
}

/// Runs simulations without these rules until one fails, at most so many.
#[must_use]
pub fn hunt(rules: &[Rule], seeds_max: u64) -> Hunted {
    let off = Off { rules: rules.to_vec() };
    let caught = (0..seeds_max).find_map(|seed| {
        let options = Options { off: off.clone(), ..Options::of_seed(seed) };
        // A program without its rules may break down altogether.
        let outcome = catch_unwind(AssertUnwindSafe(|| simulation::run(&options, false)));
        let checker = match outcome {
            Ok(outcome) => outcome.violation.map(|(violation, _)| violation.checker.to_owned())?,
            Err(_) => "it broke down".to_owned(),
        };
        Some((seed + 1, checker))
    });
    Hunted { rules: rules.to_vec(), caught }
}

/// Every rule alone.
#[must_use]
pub fn singles() -> Vec<Vec<Rule>> {
    Rule::all().into_iter().map(|rule| vec![rule]).collect()
}

/// Every two rules; of these each `step`th.
#[must_use]
pub fn pairs(step: usize) -> Vec<Vec<Rule>> {
    let all = Rule::all();
    let pairs =
        all.iter().enumerate().flat_map(|(at, one)| all.iter().skip(at + 1).map(move |two| vec![*one, *two]));
    pairs.step_by(step.max(1)).collect()
}
