//! Merging, and ending a merge, in the order of steps of `merge_queue` and `liveness`.

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, Refusal};
use agent_team_core::record::{
    ClaimReleased, ExpiryCause, MergeIntended, MergeRefused, Merged, RefusalCause,
};

use super::Process;
use super::job::Job;
use super::submit::{Submit, Told};
use crate::fault::Fault;
use crate::git::{Commit, Landed, candidate};
use crate::mutant::Habit;
use crate::world::World;

/// A merge under way.
#[derive(Debug)]
pub struct Merging {
    claim: RecordId,
    task: TaskId,
    work: String,
    conflicts: bool,
    step: Step,
}

#[derive(Debug, Clone)]
enum Step {
    SetFence { seen: Option<RecordId> },
    Rebase,
    Intending { old: String, new: Commit },
    Land { intent: RecordId, old: String, new: Commit },
    Recording,
    Refusing,
}

impl Merging {
    pub(super) fn new(
        claim: RecordId,
        task: TaskId,
        work: String,
        seen: Option<RecordId>,
        conflicts: bool,
    ) -> Self {
        Self { claim, task, work, conflicts, step: Step::SetFence { seen } }
    }
}

/// A claim that is ended by somebody else than its holder, or a merge that its merger gives back.
#[derive(Debug)]
pub struct Ending {
    pub(super) task: TaskId,
    pub(super) intent: Option<RecordId>,
    pub(super) then: Then,
    pub(super) step: EndStep,
}

/// What is written once the merge is fenced off.
#[derive(Debug, Clone)]
pub enum Then {
    Expire { claim: RecordId, seen: RecordId, cause: ExpiryCause },
    Cancel { dependents: bool },
    Reassign { agent: Option<AgentId> },
    Release { claim: RecordId },
}

#[derive(Debug, Clone)]
pub enum EndStep {
    Begin,
    Fence { commit: String },
    Look { commit: String },
    RecordMerged,
    Write { fenced: Option<RecordId> },
    Writing,
}

impl Process {
    pub(super) fn merge(&mut self, world: &mut World, mut merging: Merging) {
        let claim = merging.claim;
        match merging.step.clone() {
            Step::SetFence { seen } => {
                if !world.git.set_fence(seen, claim) {
                    self.submit(Submit::new(ClaimReleased::new(claim, "fence")));
                    self.job = Job::Chore("gave a merge back");
                    return;
                }
                merging.step = Step::Rebase;
            }
            Step::Rebase => self.rebase(world, &mut merging),
            Step::Land { intent, old, new } => {
                self.land(world, merging, intent, &old, &new);
                return;
            }
            Step::Intending { .. } | Step::Recording | Step::Refusing => {}
        }
        self.job = Job::Merging(merging);
    }

    fn rebase(&mut self, world: &mut World, merging: &mut Merging) {
        let claim = merging.claim;
        let conflict = merging.conflicts || (!world.calm && world.random.chance(60));
        if conflict || (!world.calm && world.random.chance(80)) {
            let cause = match conflict {
                true => RefusalCause::Conflict,
                false if world.random.chance(100) => RefusalCause::Hook,
                false => RefusalCause::Gate,
            };
            merging.step = Step::Refusing;
            self.submit(Submit::new(MergeRefused { claim, cause, output: "red".into(), fenced: None }));
            return;
        }
        let old = world.git.tip();
        let there = world.recognises && world.git.branch().iter().any(|commit| commit.work == merging.work);
        let new = if there {
            world.git.branch().last().cloned().unwrap_or(Commit { name: old.clone(), work: String::new() })
        } else {
            candidate(&merging.work, &old)
        };
        if !world.keeps(Habit::IntendFirst) {
            self.move_branch(world, merging, &old, &new);
        }
        let (commit, old_tip, branch) = (new.name.clone(), old.clone(), "main".to_owned());
        merging.step = Step::Intending { old, new };
        self.submit(Submit::new(MergeIntended { claim, commit, old_tip, branch }));
    }

    fn move_branch(&mut self, world: &mut World, merging: &Merging, old: &str, new: &Commit) -> Landed {
        if old == new.name || world.git.contains(&new.name) {
            return Landed::Landed;
        }
        let fence = Some(merging.claim).filter(|_| world.keeps(Habit::LandUnderFence));
        let tip = Some(old).filter(|_| world.keeps(Habit::LandOnTip));
        let on_tip = world.git.tip() == old;
        let landed = world.git.land(fence, tip, new.clone());
        if landed == Landed::Landed {
            let verdict = world.witness.merged(&new.work, &merging.task);
            world.check(verdict);
            if !on_tip {
                world.check(crate::check::violation(
                    "merge",
                    "what was merged is not what was tested: the tip had moved",
                ));
            }
        }
        landed
    }

    fn land(&mut self, world: &mut World, mut merging: Merging, intent: RecordId, old: &str, new: &Commit) {
        match self.move_branch(world, &merging, old, new) {
            Landed::Landed => {
                world.note(&self.part.agent, self.pid, || format!("the branch holds {}", new.name));
                merging.step = Step::Recording;
                self.submit(Submit::new(Merged { intent }));
                self.job = Job::Merging(merging);
            }
            Landed::FenceMoved | Landed::TipMoved => {
                let then = Then::Release { claim: merging.claim };
                self.job = Job::Ending(Ending {
                    task: merging.task,
                    intent: Some(intent),
                    then,
                    step: EndStep::Begin,
                });
            }
        }
    }

    pub(super) fn told_merger(&mut self, world: &mut World, mut merging: Merging, told: Told) {
        match (merging.step.clone(), told) {
            (Step::Intending { old, new }, Told::Done(ids)) => {
                if let Some(intent) = ids.last().copied() {
                    self.wakes_ms = world.stopped_until(Fault::MergePause).unwrap_or(self.wakes_ms);
                    merging.step = Step::Land { intent, old, new };
                    self.job = Job::Merging(merging);
                }
            }
            (Step::Recording, Told::Done(_)) => world.coverage.told("merged"),
            _ => {}
        }
    }

    pub(super) fn end(&mut self, world: &mut World, mut ending: Ending) {
        match ending.step.clone() {
            EndStep::Begin => {
                self.catch_up(world);
                let intent = self.state.task(&ending.task).and_then(|task| task.intent.as_ref());
                let known = intent.filter(|intent| Some(intent.id) == ending.intent);
                ending.step = match known {
                    None => EndStep::Write { fenced: None },
                    Some(intent) if world.keeps(Habit::FenceFirst) => {
                        EndStep::Fence { commit: intent.commit.clone() }
                    }
                    Some(intent) => EndStep::Look { commit: intent.commit.clone() },
                };
            }
            EndStep::Fence { commit } => {
                let text = world.new_id();
                world.git.move_fence(text);
                ending.step = if world.keeps(Habit::FenceFirst) {
                    EndStep::Look { commit }
                } else {
                    EndStep::Write { fenced: ending.intent }
                };
            }
            EndStep::Look { commit } => {
                let happened = world.git.contains(&commit);
                self.wakes_ms = world.stopped_until(Fault::MergePause).unwrap_or(self.wakes_ms);
                ending.step = match (happened, ending.intent) {
                    (true, Some(intent)) => {
                        self.submit(Submit::new(Merged { intent }));
                        EndStep::RecordMerged
                    }
                    _ if world.keeps(Habit::FenceFirst) => EndStep::Write { fenced: ending.intent },
                    _ => EndStep::Fence { commit },
                };
            }
            EndStep::Write { fenced } => {
                let command = match ending.then.clone() {
                    Then::Expire { claim, seen, cause } => Command::Expire { claim, seen, cause, fenced },
                    Then::Cancel { dependents } => {
                        Command::CancelTask { task: ending.task.clone(), dependents, fenced }
                    }
                    Then::Reassign { agent } => {
                        Command::Reassign { task: ending.task.clone(), agent, fenced }
                    }
                    Then::Release { claim } => {
                        ClaimReleased { fenced, ..ClaimReleased::new(claim, "moved") }.into()
                    }
                };
                self.submit(Submit::new(command));
                ending.step = EndStep::Writing;
            }
            EndStep::RecordMerged | EndStep::Writing => {}
        }
        self.job = Job::Ending(ending);
    }

    pub(super) fn told_ender(&mut self, world: &mut World, mut ending: Ending, told: Told) {
        match (ending.step.clone(), told) {
            (EndStep::RecordMerged, Told::Done(_) | Told::Refused(Refusal::NoSuchIntent { .. })) => {
                ending.step = EndStep::Write { fenced: None };
                self.job = Job::Ending(ending);
            }
            // As the command does: only once it is refused does it look whether there is a merge to fence off.
            (EndStep::Writing, Told::Refused(Refusal::MergeUnderWay { intent, .. }))
                if matches!(ending.then, Then::Cancel { .. } | Then::Reassign { .. })
                    && ending.intent.is_none() =>
            {
                ending.intent = Some(intent);
                ending.step = EndStep::Begin;
                self.job = Job::Ending(ending);
            }
            (EndStep::Writing, Told::Done(_)) => world.coverage.told(match ending.then {
                Then::Expire { cause: ExpiryCause::Stuck, .. } => "taken over as stuck",
                Then::Expire { .. } => "taken over",
                Then::Reassign { .. } => "handed over",
                Then::Cancel { .. } => "cancelled",
                Then::Release { .. } => "gave a merge back",
            }),
            _ => {}
        }
    }
}
