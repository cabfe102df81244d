//! One simulation: processes take steps in an order that chance gives, faults happen, then they stop, and all must end.

use std::collections::BTreeSet;

use agent_team_core::id::AgentId;
use agent_team_core::record::Role;

use crate::check::{Cast, Violation, violation};
use crate::coverage::Coverage;
use crate::fault::Fault;
use crate::options::Options;
use crate::process::{Part, Process};
use crate::world::World;

/// Once faults stop, all tasks must have ended after so many steps.
const CALM_STEPS_MAX: u32 = 20_000;

/// What a simulation came to.
#[derive(Debug)]
pub struct Outcome {
    /// What went wrong, and at which step.
    pub violation: Option<(Violation, u32)>,
    /// What was reached.
    pub coverage: Coverage,
    /// Numbers of the faults that happened.
    pub happened: Vec<u32>,
    /// What happened, if it was asked for.
    pub trace: Vec<String>,
    /// How many steps were made.
    pub steps: u32,
    /// How many records were written.
    pub records: usize,
}

/// Runs the simulation that the options say.
#[must_use]
pub fn run(options: &Options, trace: bool) -> Outcome {
    let parts = parts(options);
    let mut world = World::new(options, cast(&parts), trace);
    let versions = world.random.chance(250);
    let mut processes: Vec<Process> = parts.into_iter().map(Process::new).collect();
    for (index, process) in processes.iter_mut().enumerate() {
        let next_version = versions && index % 2 == 0;
        process.start(&mut world, next_version);
    }
    let mut simulation = Simulation { world, processes, versions, steps: 0 };
    simulation.play();
    let Simulation { mut world, steps, .. } = simulation;
    Outcome {
        violation: world.violation.take().map(|violation| (violation, steps)),
        happened: std::mem::take(&mut world.happened),
        trace: world.trace.lines().to_vec(),
        records: world.witness.order().len(),
        coverage: world.coverage,
        steps,
    }
}

struct Simulation {
    world: World,
    processes: Vec<Process>,
    versions: bool,
    steps: u32,
}

impl Simulation {
    fn play(&mut self) {
        while self.steps < self.world.options.steps && self.world.violation.is_none() {
            self.steps += 1;
            self.go_wrong();
            self.step();
        }
        self.calm_down();
        let until = self.steps + CALM_STEPS_MAX;
        while self.world.violation.is_none() && !self.is_over() {
            self.steps += 1;
            self.step();
            if self.steps >= until {
                let left = self.processes.first().map(Process::view).unwrap_or_default();
                self.world.check(violation("end", format!("faults stopped, and this does not end: {left}")));
            }
        }
        if self.world.violation.is_none() {
            self.compare();
        }
    }

    /// One step of one process that can make one; if none can, time passes.
    fn step(&mut self) {
        let able = |process: &&mut Process, now_ms: u64| process.alive && process.wakes_ms <= now_ms;
        let now_ms = self.world.now_ms;
        let many = self.processes.iter_mut().filter(|process| able(process, now_ms)).count();
        if many == 0 {
            let waking =
                self.processes.iter().filter(|process| process.alive).map(|process| process.wakes_ms).min();
            self.world.now_ms = waking.unwrap_or(now_ms).max(now_ms + 1);
            return;
        }
        let chosen = self.world.random.below(many);
        self.world.now_ms += self.world.random.between(0, 8);
        if let Some(process) = self.processes.iter_mut().filter(|process| able(process, now_ms)).nth(chosen) {
            process.step(&mut self.world);
            // Once all is calm, who ended begins anew, and who is too old is replaced.
            if self.world.calm && process.is_too_old() && process.alive {
                process.die(&mut self.world);
            }
            if self.world.calm && !process.alive {
                process.start(&mut self.world, self.versions);
            }
        }
    }

    fn go_wrong(&mut self) {
        let world = &mut self.world;
        let chosen = world.random.below(self.processes.len());
        if let Some(process) = self.processes.get_mut(chosen) {
            if !process.alive {
                if world.random.chance(100) {
                    let next =
                        if process.is_too_old() { true } else { self.versions && world.random.chance(500) };
                    process.start(world, next);
                }
            } else if world.fault(Fault::Kill) {
                process.die(world);
            } else if world.fault(Fault::Pause) {
                process.wakes_ms = world.now_ms + world.random.between(100, 1500);
            } else if world.fault(Fault::ClockSet) {
                process.skew_ms = world.random.between(0, 20_000);
            }
        }
        if world.fault(Fault::UserCommit) {
            world.git.commit_by_user();
        }
        if world.disk.room.is_some() {
            if world.random.chance(100) {
                world.disk.room = None;
            }
        } else if world.fault(Fault::FullDisk) {
            world.disk.room = Some(world.random.below(2000));
        }
        if world.fault(Fault::PowerCut) {
            let nul_pages = world.fault(Fault::NulPages);
            self.processes.iter_mut().filter(|process| process.alive).for_each(|process| process.die(world));
            world.cut_power(nul_pages);
        }
    }

    /// Faults stop: everybody is there, awake, and of a version that knows the format.
    fn calm_down(&mut self) {
        let world = &mut self.world;
        if world.violation.is_some() {
            return;
        }
        world.flip_a_bit();
        world.calm = true;
        world.disk.room = None;
        world.trace.note(|| "faults stop".into());
        for process in &mut self.processes {
            process.wakes_ms = world.now_ms;
            if process.alive && process.is_too_old() {
                process.die(world);
            }
            if !process.alive {
                let next = self.versions || process.is_too_old() || process.next_version;
                process.start(world, next);
            }
        }
        // Nobody is old any more, once all have seen that the format rose.
        for process in &mut self.processes {
            process.catch_up(world);
            if process.is_too_old() {
                process.die(world);
                process.start(world, true);
            }
        }
    }

    fn is_over(&mut self) -> bool {
        let looks = self.steps.is_multiple_of(16);
        looks
            && self.processes.iter_mut().all(|process| {
                // Nobody is made to read in the middle of what they write.
                if process.is_writing() {
                    return false;
                }
                process.catch_up(&mut self.world);
                process.sees_the_end() && process.is_idle()
            })
    }

    /// All have read all, and have made the same of it; and so does one who begins anew.
    fn compare(&mut self) {
        let world = &mut self.world;
        let newest = self.processes.iter().any(|process| process.next_version);
        if let Some(part) = self.processes.first().map(|process| process.part.clone()) {
            let mut auditor = Process::new(part);
            auditor.audit(world, newest);
            auditor.compare(world);
        }
        for process in &mut self.processes {
            process.catch_up(world);
            process.compare(world);
        }
        let alive: BTreeSet<u32> = world.alive.clone();
        let verdict = world.witness.judge_all(&alive, world.git.branch());
        world.check(verdict);
    }
}

/// Who takes part: the human, a worker who does everything, a reviewer, and workers.
fn parts(options: &Options) -> Vec<Part> {
    let mut random = crate::random::Random::new(options.seed.rotate_left(31));
    let names = ["", "worker-1", "rita", "worker-2", "lead", "worker-3"];
    (0..options.processes)
        .map(|index| {
            let human = index == 0;
            let agent: AgentId =
                names.get(index).and_then(|name| name.parse().ok()).unwrap_or_else(AgentId::human);
            let role = match index {
                2 => Role::Reviewer,
                4 => Role::Lead,
                _ => Role::Worker,
            };
            let by_lease = random.chance(350);
            let leased = by_lease || random.chance(400);
            let lease_ms = leased.then(|| random.between(150, 500));
            let orchestrated = !by_lease && random.chance(400);
            let plans = !human && random.chance(120);
            Part { agent, role, human, skilled: index == 1, by_lease, lease_ms, orchestrated, plans }
        })
        .collect()
}

fn cast(parts: &[Part]) -> Cast {
    Cast {
        roles: parts.iter().filter(|part| !part.human).map(|part| (part.agent.clone(), part.role)).collect(),
        skilled: parts.iter().filter(|part| part.skilled).map(|part| part.agent.clone()).collect(),
    }
}
