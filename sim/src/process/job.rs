//! What a process does for its agent: it claims, works, checks, reviews, and reads mail, one step after the other.

use agent_team_core::id::{RecordId, TaskId};
use agent_team_core::machine::{Command, Refusal, Task};
use agent_team_core::record::{
    AgentJoined, Amount, CheckReported, ClaimReleased, ClaimRenewed, FilesReserved, LateResult, MessagesRead,
    ReviewGiven, Role, SpendingReserved, SpendingSettled, Stage, TaskSubmitted, TurnJournalled, WorkCommit,
};

use super::Process;
use super::merge::Merging;
use super::submit::{Submit, Told};
use crate::world::World;

/// What a process is at.
#[derive(Debug)]
pub enum Job {
    /// Nothing: it looks for something to do.
    Idle,
    /// It joins the team.
    Joining,
    /// It wants a stage of a task; of a merge it has read the fence, of a review the delivery.
    Claiming { stage: Stage, fence: Option<RecordId>, read: Option<RecordId> },
    /// It works on a task.
    Working(Work),
    /// It runs a task's check.
    Checking { claim: RecordId },
    /// It reviews a delivery.
    Reviewing { claim: RecordId, submission: RecordId },
    /// It has read a plan, which it judges next.
    Approving { task: TaskId, plan: RecordId },
    /// It has given its review.
    Judging { claim: RecordId },
    /// It merges.
    Merging(Merging),
    /// It fences off a merge and ends the claim.
    Ending(super::merge::Ending),
    /// It notes that its agent has read messages, and then gives them to it.
    Reading { messages: Vec<(RecordId, String)> },
    /// It writes something that stands for itself.
    Chore(&'static str),
}

impl Job {
    /// Messages that are noted as read, perhaps, and not yet given to the agent.
    pub(super) fn reading(&self) -> &[(RecordId, String)] {
        match self {
            Self::Reading { messages } => messages,
            Self::Working(work) => &work.reading,
            _ => &[],
        }
    }
}

/// Work on a task.
#[derive(Debug)]
pub struct Work {
    pub(super) claim: RecordId,
    pub(super) task: TaskId,
    turns_left: u32,
    turn: u32,
    renewed_ms: u64,
    pub(super) doing: Doing,
    upper: Amount,
    reserved: Option<RecordId>,
    reading: Vec<(RecordId, String)>,
    pub(super) result: String,
    commit: Option<WorkCommit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Nothing,
    Reserve,
    Settle,
    Turn,
    Renew,
    Files,
    Plan,
    Split,
    HandOut,
    Submit,
    Late,
    End,
}

impl Process {
    /// Looks for something to do, or goes on with what it is at.
    pub(super) fn act(&mut self, world: &mut World) {
        match std::mem::replace(&mut self.job, Job::Idle) {
            Job::Working(work) => self.work(world, work),
            Job::Merging(merging) => self.merge(world, merging),
            Job::Ending(ending) => self.end(world, ending),
            Job::Checking { claim } => self.check_work(world, claim),
            Job::Approving { task, plan } => self.judge_plan(world, task, plan),
            Job::Reviewing { claim, submission } => {
                let approved = world.calm || world.random.chance(700);
                self.submit(Submit::new(ReviewGiven {
                    claim,
                    submission,
                    approved,
                    feedback: "seen".into(),
                }));
                self.job = Job::Judging { claim };
            }
            _ => self.idle(world),
        }
    }

    fn check_work(&mut self, world: &mut World, claim: RecordId) {
        let passed = world.calm || world.random.chance(750);
        self.submit(Submit::new(CheckReported { claim, passed, output: "ran".into() }));
        self.job = Job::Chore("checked");
    }

    fn idle(&mut self, world: &mut World) {
        if self.is_too_old() {
            self.catch_up(world);
            self.sleep(world, 50);
            return;
        }
        if let Some(ending) = self.endings.pop() {
            self.job = Job::Ending(ending);
            return;
        }
        if !self.joined && !self.part.human {
            let skills = if self.part.skilled { "rust".parse().into_iter().collect() } else { Vec::new() };
            let (agent, role, orchestrated) = (self.by(), self.part.role, self.part.orchestrated);
            self.submit(Submit::new(AgentJoined {
                skills,
                orchestrated,
                plan: self.part.plans && world.is_steered,
                ..AgentJoined::new(agent, role)
            }));
            self.job = Job::Joining;
            return;
        }
        if world.is_steered && (self.read_a_plan(world) || self.answer(world)) {
            return;
        }
        match world.random.below(20) {
            0..=3 => self.observe(world),
            4 | 5 => self.read_mail(world),
            6..=14 if self.part.human => self.chore(world),
            6 => self.chore(world),
            7 | 15 if world.fault(crate::fault::Fault::Careless) => self.make_a_mistake(world),
            _ => self.claim(world),
        }
    }

    pub(super) fn sleep(&mut self, world: &mut World, ms: u64) {
        self.wakes_ms = world.now_ms + world.random.between(1, ms.max(2));
    }

    fn claim(&mut self, world: &mut World) {
        let stages: &[Stage] = match (self.part.human, self.part.role) {
            (true, _) => &[Stage::Review],
            (_, Role::Worker | Role::Specialist) => &[Stage::Work, Stage::Work, Stage::Verify, Stage::Merge],
            (_, Role::Reviewer | Role::Lead) => &[Stage::Review, Stage::Review, Stage::Work],
        };
        let stage = world.random.pick(stages).copied().unwrap_or(Stage::Work);
        let mut task = None;
        let (mut fence, mut read) = (None, None);
        match stage {
            Stage::Merge => {
                self.catch_up(world);
                task = self
                    .state
                    .waiting_for(Stage::Merge)
                    .find(|task| self.state.may_merge(task))
                    .map(|task| task.id().clone());
                fence = world.git.fence();
                if task.is_none() {
                    return self.sleep(world, 30);
                }
            }
            Stage::Review => {
                // Whoever reviews may have read the delivery before they claim it.
                self.catch_up(world);
                let looks_closely = world.random.chance(900);
                let waiting = self.state.waiting_for(Stage::Review).find_map(|task| {
                    if looks_closely && !self.may_still_review(task) {
                        return None;
                    }
                    let submission = task.submission.as_ref()?;
                    Some((task.id().clone(), submission.id, submission.author.clone()))
                });
                if let Some((id, submission, author)) = waiting
                    && author != self.part.agent
                {
                    (task, read) = (Some(id), Some(submission));
                }
            }
            Stage::Work | Stage::Verify => {}
        }
        self.submit(Submit::new(Command::Claim {
            agent: self.by(),
            task,
            stage,
            holder: self.holder(world),
        }));
        self.job = Job::Claiming { stage, fence, read };
    }

    /// Whether the task has not been approved by its agent yet, and not been sent back too often.
    fn may_still_review(&self, task: &Task) -> bool {
        let is_over = task.spec.review_rounds.is_some_and(|most| task.review_rounds >= most);
        self.part.human || (!is_over && !task.approvals.contains(&self.part.agent))
    }

    fn read_mail(&mut self, world: &mut World) {
        self.catch_up(world);
        let messages = self.unread();
        if messages.is_empty() {
            return;
        }
        let ids = messages.iter().map(|(id, _)| *id).collect();
        self.submit(Submit::new(MessagesRead { agent: self.by(), messages: ids }));
        self.job = Job::Reading { messages };
    }

    pub(super) fn unread(&self) -> Vec<(RecordId, String)> {
        let role = self.state.agent(&self.part.agent).map(|agent| agent.role);
        let unread = self.state.messages().unread(&self.part.agent, role);
        unread
            .filter(|message| !message.returned)
            .map(|message| (message.id, message.text.preview().into_owned()))
            .collect()
    }

    fn hand_over(&mut self, world: &mut World, messages: Vec<(RecordId, String)>) {
        for (_, text) in messages {
            let verdict = world.witness.received(&self.part.agent, &text);
            world.check(verdict);
            world.coverage.told("received");
        }
    }

    /// It is told what came of what it wrote.
    pub(super) fn told(&mut self, world: &mut World, told: Told) {
        if let Told::Refused(refusal) = &told {
            world.note(&self.part.agent, self.pid, || format!("is refused: {refusal}"));
        }
        match (std::mem::replace(&mut self.job, Job::Idle), told) {
            (Job::Claiming { stage, fence, read }, Told::Done(ids)) => {
                self.begin_stage(world, stage, fence, read, &ids);
            }
            (Job::Claiming { .. }, Told::Refused(refusal)) => self.wait_for_work(world, &refusal),
            (Job::Working(work), told) => self.told_worker(world, work, told),
            (Job::Merging(merging), told) => self.told_merger(world, merging, told),
            (Job::Ending(ending), told) => self.told_ender(world, ending, told),
            (Job::Reading { messages }, Told::Done(_)) => self.hand_over(world, messages),
            (Job::Judging { .. }, Told::Done(_)) => world.coverage.told("reviewed"),
            (Job::Judging { claim }, Told::Refused(Refusal::OtherSubmission { .. })) => {
                let reason = "another delivery than was read".to_owned();
                self.submit(Submit::new(ClaimReleased::new(claim, reason)));
                self.job = Job::Chore("gave a review back");
            }
            (Job::Joining, Told::Done(_)) => self.joined = true,
            (Job::Chore(what), Told::Done(_)) => world.coverage.told(what),
            _ => {}
        }
    }

    fn wait_for_work(&mut self, world: &mut World, refusal: &Refusal) {
        let wait = match refusal {
            Refusal::NothingNow { at_ms: Some(at_ms), .. } => at_ms.saturating_sub(self.clock_ms(world)) + 1,
            _ => 60,
        };
        self.sleep(world, wait.min(500));
    }

    /// It is told that it has a task, and begins.
    fn begin_stage(
        &mut self,
        world: &mut World,
        stage: Stage,
        fence: Option<RecordId>,
        read: Option<RecordId>,
        ids: &[RecordId],
    ) {
        let Some(claim) = ids.last().copied() else { return };
        world.coverage.told("claimed");
        let Some(task) = self.state.task_of_claim(claim) else { return };
        let holder = self.state.live_claim(claim).map(|(_, claim)| &claim.agent);
        if stage == Stage::Work && holder.is_ok_and(|holder| *holder != self.part.agent) {
            // It took itself for somebody else: to work under that name would mix up both.
            self.submit(Submit::new(ClaimReleased::new(claim, "mixed up")));
            self.job = Job::Chore("gave back what another was to have");
            return;
        }
        let (id, newest) = (
            task.id().clone(),
            task.submission.as_ref().map(|submission| (submission.id, submission.commit.clone())),
        );
        let (conflicts, poison) = (task.spec.title == "conflict", task.spec.title == "poison");
        world.note(&self.part.agent, self.pid, || format!("has the {stage} stage of {id} by {:x}", claim.0));
        self.job = match (stage, newest) {
            (Stage::Work, _) if poison && world.fault(crate::fault::Fault::Poison) => return self.die(world),
            (Stage::Work, _) => {
                world.coverage.told("started");
                self.read_notes(world, claim);
                self.counter += 1;
                let result = format!("{}-{}-{}", self.part.agent, self.pid, self.counter);
                let commit = WorkCommit { commit: format!("work-{result}"), base: "root".into(), files: 1 };
                let commit = Some(commit).filter(|_| conflicts || world.random.chance(600));
                Job::Working(Work {
                    claim,
                    task: id,
                    turns_left: u32::try_from(world.random.below(4)).unwrap_or(0),
                    turn: 0,
                    renewed_ms: world.now_ms,
                    doing: Doing::Nothing,
                    upper: Amount::default(),
                    reserved: None,
                    reading: Vec::new(),
                    result,
                    commit,
                })
            }
            (Stage::Verify, _) => Job::Checking { claim },
            (Stage::Review, Some((submission, _))) => {
                Job::Reviewing { claim, submission: read.unwrap_or(submission) }
            }
            (Stage::Merge, Some((_, Some(commit)))) => {
                Job::Merging(Merging::new(claim, id, commit.commit, fence, conflicts))
            }
            (Stage::Review | Stage::Merge, _) => Job::Idle,
        };
    }

    fn work(&mut self, world: &mut World, mut work: Work) {
        let due = self.part.lease_ms.is_some_and(|lease_ms| world.now_ms >= work.renewed_ms + lease_ms / 3);
        let claim = work.claim;
        if due {
            work.doing = Doing::Renew;
            self.submit(Submit::new(ClaimRenewed { claim }));
        } else if let Some(reservation) = work.reserved {
            work.doing = Doing::Settle;
            let micro_usd = world.random.between(0, work.upper.micro_usd + 1);
            let (agent, task, model) = (self.by(), Some(work.task.clone()), String::new());
            let calls = world.random.between(0, work.upper.calls + 1);
            let actual = Amount { micro_usd, calls, ..Amount::default() };
            self.submit(Submit::new(SpendingSettled {
                reservation: Some(reservation),
                agent,
                task,
                model,
                actual,
            }));
        } else if world.is_steered && self.is_held_up(world) {
            self.sleep(world, 60);
        } else if world.is_steered && self.plans(world, &mut work) {
            // Nothing is changed before the plan is approved.
        } else if world.is_steered && self.leads(world, &mut work) {
            // Others do it, in parts.
        } else if work.turns_left > 0 {
            work.turns_left -= 1;
            self.take_a_turn(world, &mut work);
        } else {
            self.deliver(world, &mut work);
        }
        self.job = Job::Working(work);
    }

    fn take_a_turn(&mut self, world: &mut World, work: &mut Work) {
        match world.random.below(8) {
            0..=2 => {
                work.doing = Doing::Reserve;
                let (micro_usd, calls) = (world.random.between(5, 40), world.random.between(1, 4));
                work.upper = Amount { micro_usd, calls, ..Amount::default() };
                let (agent, task, upper) = (self.by(), Some(work.task.clone()), work.upper);
                self.submit(Submit::new(SpendingReserved { agent, task, upper }));
            }
            3 | 4 => {
                work.doing = Doing::Turn;
                work.turn += 1;
                work.reading = self.unread();
                let read = work.reading.iter().map(|(id, _)| *id).collect();
                self.submit(Submit::new(TurnJournalled { claim: work.claim, turn: work.turn, read }));
            }
            5 => {
                work.doing = Doing::Files;
                let path = ["src/a", "src/b", "docs/"].get(world.random.below(3)).copied().unwrap_or("src/a");
                self.submit(Submit::new(FilesReserved { claim: work.claim, paths: vec![path.to_owned()] }));
            }
            _ => self.sleep(world, 60),
        }
    }

    pub(super) fn deliver(&mut self, world: &mut World, work: &mut Work) {
        work.doing = Doing::End;
        let claim = work.claim;
        match world.random.below(20) {
            0 | 1 if !world.calm => {
                let for_good = world.random.chance(100);
                self.submit(Submit::new(Command::Fail { claim, error: "no".into(), for_good }));
            }
            2 if !world.calm => {
                let length = world.random.below(3000);
                let reason = world.filler(length);
                self.submit(Submit::new(ClaimReleased::new(claim, reason)));
            }
            _ => {
                work.doing = Doing::Submit;
                let mut result = work.result.clone();
                if world.random.chance(100) {
                    let length = world.random.below(3000);
                    result += &world.filler(length);
                }
                let protected = if world.random.chance(60) { vec!["gate".to_owned()] } else { Vec::new() };
                let commit = work.commit.clone();
                self.submit(Submit::new(TaskSubmitted { claim, result: result.into(), commit, protected }));
            }
        }
    }

    fn told_worker(&mut self, world: &mut World, mut work: Work, told: Told) {
        let doing = std::mem::replace(&mut work.doing, Doing::Nothing);
        match (doing, told) {
            (Doing::Submit, Told::Done(_)) => return world.coverage.told("submitted"),
            (Doing::Submit, Told::Refused(Refusal::ClaimLost { task, .. })) => {
                work.doing = Doing::Late;
                let (claim, agent, commit) = (work.claim, self.by(), work.commit.clone());
                let result = work.result.clone().into();
                self.submit(Submit::new(LateResult { task, claim, agent, result, commit }));
            }
            (Doing::Submit, Told::Refused(Refusal::PlanNotApproved { .. })) => {
                world.coverage.told("plan asked for");
            }
            (Doing::Submit, Told::Refused(Refusal::PartsOpen { .. })) => {
                world.coverage.told("parts waited for");
            }
            (Doing::Split, Told::Done(_)) => world.coverage.told("split"),
            (Doing::HandOut, Told::Done(_)) => return world.coverage.told("handed out"),
            (Doing::Plan, Told::Done(_)) => world.coverage.told("planned"),
            (Doing::Late, Told::Done(_)) => return world.coverage.told("late result kept"),
            (Doing::End, Told::Done(_)) => return world.coverage.told("failed"),
            (Doing::Submit | Doing::Late | Doing::End, Told::Refused(_)) => return,
            (Doing::Reserve, Told::Done(ids)) => {
                world.coverage.told("may spend");
                work.reserved = ids.last().copied();
            }
            (Doing::Settle, Told::Done(_)) => work.reserved = None,
            (Doing::Turn, Told::Done(_)) => {
                let messages = std::mem::take(&mut work.reading);
                self.hand_over(world, messages);
                work.renewed_ms = world.now_ms;
            }
            (Doing::Renew, Told::Done(_)) => work.renewed_ms = world.now_ms,
            (Doing::Files, Told::Done(_)) => world.coverage.told("files reserved"),
            (_, Told::Refused(Refusal::ClaimLost { .. } | Refusal::NoSuchClaim { .. })) => {
                // It has lost its task; what it did so far is delivered all the same, and kept as late.
                work.turns_left = 0;
                if world.random.chance(500) {
                    return;
                }
            }
            _ => {}
        }
        self.job = Job::Working(work);
    }
}
