//! What a simulation is given: a seed, and whatever was fixed or switched off to repeat or to shrink one.

use std::collections::BTreeSet;
use std::fmt;

use crate::fault::Fault;
use crate::mutant::Off;
use crate::random::Random;

/// How the lock at the log's end behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// One at a time has it.
    Honest,
    /// Nobody ever has it.
    None,
    /// Whoever asks has it.
    Lying,
}

impl Lock {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Honest, Self::None, Self::Lying];

    /// The name, as for `--lock`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::None => "none",
            Self::Lying => "lying",
        }
    }
}

/// Everything that decides how a simulation goes. Equal options give the same simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The source of all chance.
    pub seed: u64,
    /// How the lock behaves.
    pub lock: Lock,
    /// How many processes there are.
    pub processes: usize,
    /// How many tasks are added, about.
    pub tasks: usize,
    /// How many steps are made before the faults stop.
    pub steps: u32,
    /// Faults that do not happen.
    pub without: BTreeSet<Fault>,
    /// Single faults that do not happen, by their number in the simulation.
    pub skip: BTreeSet<u32>,
    /// Rules that are switched off.
    pub off: Off,
}

impl Options {
    /// The simulation of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed.rotate_left(17));
        Self {
            seed,
            lock: Lock::ALL[random.below(3)],
            processes: 3 + random.below(4),
            tasks: 5 + random.below(11),
            steps: 300 + u32::try_from(random.below(500)).unwrap_or(0),
            without: BTreeSet::new(),
            skip: BTreeSet::new(),
            off: Off::default(),
        }
    }
}

/// The options as arguments of the command: what differs from the seed's own.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = Self::of_seed(self.seed);
        write!(f, "--seed {} --lock {}", self.seed, self.lock.name())?;
        for (name, now, before) in
            [("processes", self.processes, own.processes), ("tasks", self.tasks, own.tasks)]
        {
            if now != before {
                write!(f, " --{name} {now}")?;
            }
        }
        if self.steps != own.steps {
            write!(f, " --steps {}", self.steps)?;
        }
        list(f, "without", self.without.iter().map(|fault| fault.name().to_owned()))?;
        list(f, "skip", self.skip.iter().map(ToString::to_string))?;
        list(f, "off", self.off.rules.iter().map(|rule| rule.name()))
    }
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, values: impl Iterator<Item = String>) -> fmt::Result {
    let values: Vec<String> = values.collect();
    if values.is_empty() { Ok(()) } else { write!(f, " --{name} {}", values.join(",")) }
}
