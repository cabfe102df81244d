//! The command's arguments.

use agent_team_sim::fault::Fault;
use agent_team_sim::mutant::Rule;
use agent_team_sim::options::{Lock, Options};

/// What is to be done.
#[derive(Debug)]
pub enum Wish {
    /// Say what can be done.
    Help,
    /// One simulation.
    One(Options),
    /// The simulations of so many seeds.
    Many { from: u64, seeds: u64 },
    /// Programs without each rule, and without every nth two; 0 for no two.
    Mutants { pairs_step: usize },
}

/// What the command was given.
#[derive(Debug)]
pub struct Arguments {
    /// What is to be done.
    pub wish: Wish,
    /// Whether to say it as JSON.
    pub json: bool,
    /// Whether to show all that happened.
    pub trace: bool,
    /// Whether to shrink what fails.
    pub shrinks: bool,
    /// How many threads share the seeds.
    pub threads: usize,
    /// How many seeds a mutant may survive.
    pub seeds_max: u64,
    lock: Option<Lock>,
    changes: Changes,
}

#[derive(Debug, Default)]
struct Changes {
    processes: Option<usize>,
    tasks: Option<usize>,
    steps: Option<u32>,
    without: Vec<Fault>,
    skip: Vec<u32>,
    off: Vec<Rule>,
}

impl Arguments {
    /// Reads the arguments.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (mut seed, mut from, mut seeds, mut hunts, mut pairs) = (None, 0, 20_000, false, 0);
        let mut arguments = Self {
            wish: Wish::Help,
            json: false,
            trace: false,
            shrinks: true,
            threads,
            seeds_max: 20_000,
            lock: None,
            changes: Changes::default(),
        };
        let changes = &mut arguments.changes;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(arguments),
                "--seeds" => seeds = number(&value()?)?,
                "--from" => from = number(&value()?)?,
                "--seed" => seed = Some(number(&value()?)?),
                "--lock" => arguments.lock = lock(&value()?)?,
                "--processes" => changes.processes = Some(number(&value()?)?),
                "--tasks" => changes.tasks = Some(number(&value()?)?),
                "--steps" => changes.steps = Some(number(&value()?)?),
                "--without" => changes.without = list(&value()?, Fault::named)?,
                "--skip" => changes.skip = list(&value()?, |name| name.parse().ok())?,
                "--off" => changes.off = list(&value()?, Rule::named)?,
                "--mutants" => hunts = true,
                "--pairs" => {
                    let text = value()?;
                    pairs = if text == "all" { 1 } else { number(&text)? };
                }
                "--seeds-max" => arguments.seeds_max = number(&value()?)?,
                "--threads" => arguments.threads = number::<usize>(&value()?)?.max(1),
                "--json" => arguments.json = true,
                "--trace" => arguments.trace = true,
                "--no-shrink" => arguments.shrinks = false,
                _ => return Err(format!("`{word}` is not known; --help shows what is")),
            }
        }
        arguments.wish = match seed {
            _ if hunts => Wish::Mutants { pairs_step: pairs },
            Some(seed) => Wish::One(arguments.apply(Options::of_seed(seed))),
            None => Wish::Many { from, seeds },
        };
        Ok(arguments)
    }

    /// A seed's options with what was fixed or switched off.
    pub fn apply(&self, mut options: Options) -> Options {
        let changes = &self.changes;
        options.lock = self.lock.unwrap_or(options.lock);
        options.processes = changes.processes.unwrap_or(options.processes).clamp(1, 6);
        options.tasks = changes.tasks.unwrap_or(options.tasks);
        options.steps = changes.steps.unwrap_or(options.steps);
        options.without.extend(changes.without.iter().copied());
        options.skip.extend(changes.skip.iter().copied());
        options.off.rules.extend(changes.off.iter().copied());
        options
    }

    /// Whether something was fixed or switched off, so that not everything can be reached.
    pub fn is_partial(&self) -> bool {
        let changes = &self.changes;
        let fixed = changes.processes.is_some() || changes.tasks.is_some() || changes.steps.is_some();
        let few = matches!(self.wish, Wish::Many { seeds, .. } if seeds < 5_000);
        fixed || few || self.lock.is_some() || !changes.without.is_empty() || !changes.skip.is_empty()
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.replace('_', "").parse().map_err(|_| format!("`{text}` is no number"))
}

fn lock(text: &str) -> Result<Option<Lock>, String> {
    if text == "all" {
        return Ok(None);
    }
    let found = Lock::ALL.into_iter().find(|lock| lock.name() == text);
    found.map(Some).ok_or_else(|| format!("`{text}` is no lock: honest, none, lying or all"))
}

fn list<T>(text: &str, named: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    text.split(',').map(|name| named(name).ok_or_else(|| format!("`{name}` is not known"))).collect()
}
