//! Writers that do not ask: old scripts, other programs, mixed-up tokens. What they write must count for nothing where it
//! breaks a rule, whoever writes it.

mod lead;
mod steering;

use agent_team_core::id::{RecordId, TaskId};
use agent_team_core::machine::{Status, Task};
use agent_team_core::record::{
    AgentLeft, Amount, BatchClosed, Body, Bounds, BudgetSet, CheckReported, ClaimExpired, ClaimReleased,
    ClaimRenewed, ExpiryCause, FilesReserved, FormatRaised, LateResult, MergeIntended, MergeRefused, Merged,
    PolicySet, RefusalCause, ReviewGiven, SpendingReserved, Stage, TaskAdded, TaskCancelled, TaskChange,
    TaskClaimed, TaskEdited, TaskRetried, TaskSpec, TaskSubmitted,
};

use super::Process;
use super::chore::spec;
use super::job::Job;
use super::submit::Submit;
use crate::world::World;

/// What is written, and why it must not count, if that is certain.
type Mistake = (Vec<Body>, Option<&'static str>);

/// How often somebody looks for a mistake that can be made.
const TRIES_MAX: u32 = 4;
/// How many kinds of mistakes there are, besides those about what the first format has no words for.
const KINDS: usize = 45;

impl Process {
    pub(super) fn make_a_mistake(&mut self, world: &mut World) {
        self.catch_up(world);
        let kinds = if world.is_steered { KINDS + steering::KINDS + lead::KINDS } else { KINDS };
        // Not each can be made at any time.
        let mistake = (0..TRIES_MAX).find_map(|_| {
            // A task that the human alone may review any more is rare, and soon reviewed.
            let rare = world.is_steered && world.random.chance(250);
            let kind = if rare { KINDS + steering::ROUNDS_OVER } else { world.random.below(kinds) };
            Some((kind, self.mistake(world, kind)?))
        });
        let Some((kind, (bodies, must_not))) = mistake else { return };
        let Some(mut submit) = Submit::careless(bodies, must_not) else { return };
        let mut job = Job::Chore("mistake");
        if kind == 43 {
            submit = submit.of_format(9);
        }
        if let (20..=27 | KINDS.., Some(stage)) = (kind, submit.claimed_stage()) {
            job = Job::Claiming { stage, fence: world.git.fence(), read: None };
        }
        self.submit(submit);
        self.job = job;
    }

    fn mistake(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        match kind {
            0..=11 => self.bad_tasks(world, kind),
            12..=19 => self.bad_edits(world, kind),
            20..=27 => self.bad_claim(world, kind),
            28..=36 => self.bad_holder(world, kind),
            37..KINDS => self.bad_setting(world, kind),
            _ if kind < KINDS + steering::KINDS => self.bad_steering(world, kind - KINDS),
            _ => self.bad_leading(world, kind - KINDS - steering::KINDS),
        }
    }

    fn some_task(&self, world: &mut World, wanted: impl Fn(&Task) -> bool) -> Option<&Task> {
        let tasks: Vec<&Task> = self.state.tasks().filter(|task| wanted(task)).collect();
        world.random.pick(&tasks).copied()
    }

    fn bad_tasks(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        let fresh = |world: &mut World| -> Option<TaskSpec> {
            let id = format!("t{:x}", world.new_id().0).parse().ok()?;
            Some(spec(world, id, &[]))
        };
        let batch = world.new_id();
        let (mut one, mut two) = (fresh(world)?, fresh(world)?);
        let nowhere: TaskId = "nowhere".parse().ok()?;
        let why = match kind {
            0 | 1 => {
                one.id = self.some_task(world, |_| true)?.id().clone();
                one.title = "another".into();
                return Some((
                    vec![TaskAdded { task: Box::new(one), batch: None }.into()],
                    Some("the id was taken"),
                ));
            }
            2 => {
                two.id = one.id.clone();
                "the batch names an id twice"
            }
            3 => {
                one.after = vec![nowhere];
                "it depends on what does not exist"
            }
            4 => {
                one.parent = Some(nowhere);
                "its parent does not exist"
            }
            5 => {
                (one.after, two.after) = (vec![two.id.clone()], vec![one.id.clone()]);
                "the tasks wait for each other"
            }
            6 => {
                (one.parent, two.parent) = (Some(two.id.clone()), Some(one.id.clone()));
                "the tasks are parts of each other"
            }
            7 => {
                one.title = "  ".into();
                "its title is empty"
            }
            8 | 9 => {
                let closed = BatchClosed { batch, tasks: 3 }.into();
                let added = |task| Body::from(TaskAdded { task: Box::new(task), batch: Some(batch) });
                return Some((vec![added(one), added(two), closed], Some("the batch is not whole")));
            }
            _ => {
                let task = self.some_task(world, |task| task.status == Status::Completed)?;
                let change = TaskChange { priority: Some(9), ..TaskChange::default() };
                let body = TaskEdited { task: task.id().clone(), on: Some(task.revision), change };
                return Some((vec![body.into()], Some("it was completed")));
            }
        };
        let added = |task| Body::from(TaskAdded { task: Box::new(task), batch: Some(batch) });
        Some((vec![added(one), added(two), BatchClosed { batch, tasks: 2 }.into()], Some(why)))
    }

    fn bad_edits(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        let stale = Some(world.new_id());
        let body: Body = match kind {
            12 => {
                let task = self.some_task(world, |_| true)?.id().clone();
                TaskEdited { task, on: stale, change: TaskChange::default() }.into()
            }
            13 => TaskRetried { task: self.some_task(world, |_| true)?.id().clone(), on: stale }.into(),
            14 => {
                let task = self.some_task(world, |_| true)?.id().clone();
                TaskCancelled { task, on: stale, dependents: true, fenced: None }.into()
            }
            15 => {
                let task = self.some_task(world, |task| task.status == Status::Completed)?;
                TaskRetried { task: task.id().clone(), on: Some(task.revision) }.into()
            }
            16 => {
                let task = self.some_task(world, |task| task.status == Status::Completed)?;
                let on = Some(task.revision);
                TaskCancelled { task: task.id().clone(), on, dependents: false, fenced: None }.into()
            }
            17 => {
                TaskEdited { task: "nowhere".parse().ok()?, on: None, change: TaskChange::default() }.into()
            }
            18 => {
                let task = self.some_task(world, |task| !task.status.is_ended())?;
                let change = TaskChange { title: Some("\u{7}".into()), ..TaskChange::default() };
                TaskEdited { task: task.id().clone(), on: Some(task.revision), change }.into()
            }
            _ => {
                let task = self.some_task(world, |task| task.intent.is_some())?;
                let on = Some(task.revision);
                let body = TaskCancelled { task: task.id().clone(), on, dependents: false, fenced: None };
                return Some((vec![body.into()], None));
            }
        };
        let why = match kind {
            12..=14 => "what it was decided on was never so",
            15 | 16 => "it was completed",
            17 => "there is no such task",
            _ => "its title misleads",
        };
        Some((vec![body], Some(why)))
    }

    fn bad_claim(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        let task = match kind {
            20 => self.some_task(world, |task| task.claim.is_some())?,
            21 => self.some_task(world, |task| task.status == Status::Completed)?,
            22 => self.some_task(world, |task| task.status == Status::Blocked)?,
            23 => self.some_task(world, |task| task.status == Status::Ready)?,
            24..=26 => {
                self.some_task(world, |task| task.status == Status::Reviewing && task.claim.is_none())?
            }
            _ => {
                let (task, on, agent, holder) =
                    ("nowhere".parse().ok()?, None, self.by(), self.holder(world));
                let body = TaskClaimed { task, on, stage: Stage::Work, agent, holder };
                return Some((vec![body.into()], Some("there is no such task")));
            }
        };
        let stage = task.status.stage().unwrap_or(Stage::Work);
        // One may take itself for somebody else.
        let agent = match (kind, &task.submission) {
            (24, Some(submission)) => submission.author.clone(),
            _ => self.by(),
        };
        if self.part.human {
            return None;
        }
        let was_never = world.random.chance(200);
        let on = if was_never { world.new_id() } else { task.revision };
        let body =
            TaskClaimed { task: task.id().clone(), on: Some(on), stage, agent, holder: self.holder(world) };
        let must_not = match kind {
            21 => Some("it was completed"),
            _ => was_never.then_some("what it was decided on was never so"),
        };
        Some((vec![body.into()], must_not))
    }

    fn some_claim(
        &self,
        world: &mut World,
        wanted: impl Fn(&Task, Stage) -> bool,
    ) -> Option<(TaskId, RecordId, Stage, bool)> {
        let held: Vec<_> = self
            .state
            .held()
            .filter(|(task, claim)| wanted(task, claim.stage))
            .map(|(task, claim)| (task.id().clone(), claim.id, claim.stage, task.intent.is_some()))
            .collect();
        world.random.pick(&held).cloned()
    }

    fn bad_holder(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        let nobodys = world.new_id();
        let (body, why): (Body, &'static str) = match kind {
            28 => {
                let (_, claim, ..) = self.some_claim(world, |_, stage| stage == Stage::Work)?;
                (CheckReported { claim, passed: true, output: "".into() }.into(), "the claim is for the work")
            }
            29 => {
                let (_, claim, ..) = self.some_claim(world, |_, stage| stage != Stage::Work)?;
                let body =
                    TaskSubmitted { claim, result: "mixed up".into(), commit: None, protected: Vec::new() };
                (body.into(), "the claim is for a later stage")
            }
            30 => {
                let (_, claim, ..) = self.some_claim(world, |_, stage| stage == Stage::Review)?;
                let (submission, feedback) = (nobodys, "".into());
                (ReviewGiven { claim, submission, approved: true, feedback }.into(), "it is of no delivery")
            }
            31 => (ClaimRenewed { claim: nobodys }.into(), "there is no such claim"),
            32 => {
                let lost = self
                    .state
                    .tasks()
                    .flat_map(|task| &task.past_claims)
                    .map(|past| past.id)
                    .collect::<Vec<_>>();
                let claim = *world.random.pick(&lost)?;
                (ClaimRenewed { claim }.into(), "the claim has ended")
            }
            33 => {
                let (_, claim, ..) = self.some_claim(world, |_, _| true)?;
                let body =
                    ClaimExpired { claim, seen: nobodys, cause: ExpiryCause::ProcessGone, fenced: None };
                (body.into(), "the renewal that it names was never there")
            }
            34 => {
                let (_, claim, ..) = self.some_claim(world, |_, _| true)?;
                let task = "nowhere".parse().ok()?;
                let (agent, result) = (self.by(), "late".into());
                (
                    LateResult { task, claim, agent, result, commit: None }.into(),
                    "the claim is on another task",
                )
            }
            35 => (Merged { intent: nobodys }.into(), "there is no such intent"),
            _ => return self.bad_merge(world),
        };
        Some((vec![body], Some(why)))
    }

    /// Ends, or begins anew, a merge that is under way, without moving its fence.
    fn bad_merge(&self, world: &mut World) -> Option<Mistake> {
        let (_, claim, ..) = self.some_claim(world, |task, _| task.intent.is_some())?;
        let body: Body = match world.random.below(3) {
            0 => ClaimReleased::new(claim, "unfenced").into(),
            1 => MergeRefused { claim, cause: RefusalCause::Gate, output: "unfenced".into(), fenced: None }
                .into(),
            _ => {
                MergeIntended { claim, commit: "x".into(), old_tip: "y".into(), branch: "main".into() }.into()
            }
        };
        // By the time it lands, the merge may be over: then it is refused for that.
        Some((vec![body], Some("the merge under way was not fenced off")))
    }

    fn bad_setting(&self, world: &mut World, kind: usize) -> Option<Mistake> {
        let stale = Some(world.new_id());
        let (body, why): (Body, &'static str) = match kind {
            37 => {
                let (account, micro_usd) = (agent_team_core::record::Account::Team, Some(1_000_000));
                (
                    BudgetSet { account, on: stale, bounds: Bounds { micro_usd, ..Bounds::default() } }
                        .into(),
                    "what it replaces was never so",
                )
            }
            38 => {
                let policy = self.state.policy().clone();
                (PolicySet { on: stale, policy }.into(), "what it replaces was never so")
            }
            39 => (AgentLeft::new("nobody".parse().ok()?).into(), "nobody is no member"),
            40 => {
                let (_, claim, ..) = self.some_claim(world, |_, _| true)?;
                let path = ["../x", "/etc", "a//b"].get(world.random.below(3))?.to_string();
                (FilesReserved { claim, paths: vec![path] }.into(), "the path lies outside of the project")
            }
            41 => (FormatRaised { version: 1 }.into(), "the format does not rise"),
            42 => {
                let upper = Amount { micro_usd: 30, ..Amount::default() };
                let body = SpendingReserved { agent: self.by(), task: None, upper };
                return Some((vec![body.into()], None));
            }
            44 => {
                let taken = self.state.files().first()?;
                let (_, claim, ..) = self.some_claim(world, |task, _| {
                    task.claim.as_ref().is_some_and(|claim| claim.id != taken.claim)
                })?;
                return Some((vec![FilesReserved { claim, paths: vec![taken.path.clone()] }.into()], None));
            }
            _ => {
                // Kind 43: of a format that is not the log's.
                let body = TaskAdded {
                    task: Box::new(TaskSpec::new("foreign".parse().ok()?, "a task")),
                    batch: None,
                };
                return Some((vec![body.into()], Some("it is of another format")));
            }
        };
        Some((vec![body], Some(why)))
    }
}
