//! Bytes as records of all kinds about a handful of tasks and agents, which nobody decided. `fuzz/fuzz_targets/records.rs`
//! calls it. A byte names mostly what is there now (a task's revision, its claim), and else any record that was.

use std::sync::Arc;

use agent_team_core::id::{AgentId, RecordId, Skill, TaskId};
use agent_team_core::machine::Outcome;
use agent_team_core::record::{
    Account, AgentJoined, AgentLeft, Amount, BatchClosed, Body, Bounds, BudgetSet, CheckReported,
    ClaimExpired, ClaimReleased, ClaimRenewed, ExpiryCause, FORMAT, FilesReleased, FilesReserved,
    FormatRaised, GoalPlan, Holder, LateResult, MergeIntended, MergeRefused, Merged, MessageSent,
    MessagesDelivered, MessagesRead, ModelLimited, NEWEST_FORMAT, NoteAdded, PauseSet, PlanJudged,
    PlanSubmitted, Policy, PolicySet, ProcessId, Recipient, Record, RefusalCause, Replan, ReviewGiven,
    Revision, Role, RunEnded, RunStarted, SpendingReserved, SpendingSettled, Stage, TaskAdded, TaskCancelled,
    TaskChange, TaskClaimed, TaskDelegated, TaskEdited, TaskFailed, TaskGivenUp, TaskReassigned, TaskRetried,
    TaskSpec, TaskSubmitted, TurnJournalled, WorkCommit,
};
use agent_team_core::text::{LongText, Text};

use crate::fold::Fold;

/// More would only be slower.
const RECORDS_MAX: u64 = 400;

pub fn check(input: &[u8]) {
    let Some((cut, bytes)) = input.split_first() else { return };
    let mut story = Story { bytes, fold: Fold::new(*cut) };
    while !story.bytes.is_empty() && story.records() < RECORDS_MAX {
        story.step();
    }
    story.fold.end();
}

struct Story<'a> {
    bytes: &'a [u8],
    fold: Fold,
}

impl Story<'_> {
    fn step(&mut self) {
        let next = u128::from(self.records() + 1);
        let (id, format) = match self.byte() {
            0..8 => (self.any_id(), FORMAT),
            8..12 => (RecordId(next), u32::from(self.byte())),
            12 => return self.fold.skip(),
            _ => (RecordId(next), self.fold.state().newer_format().unwrap_or(self.fold.state().format())),
        };
        let again = self.fold.state().has_seen(id);
        let body = self.body();
        let record = Record { id, format, at_ms: self.number(), by: self.agent(), unconfined: false, body };
        let outcome = self.fold.apply(&record);
        assert_eq!(outcome == Outcome::Repeated, again, "a repeated id, and no other, is repeated");
        let void = self.fold.state().why_void(id).is_some();
        assert!(again || void == matches!(outcome, Outcome::Void(_)), "what is void is remembered");
    }

    fn records(&self) -> u64 {
        self.fold.state().records()
    }

    /// The next byte; 0 after the last.
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()].clone()
    }

    fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| make(self))
    }

    fn many<T>(&mut self, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % 4).map(|_| make(self)).collect()
    }

    fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => (1 << 53) + 1,
            small => small.into(),
        }
    }

    fn short(&mut self) -> u32 {
        match self.byte() {
            255 => u32::MAX,
            small => u32::from(small % 8),
        }
    }

    fn task(&mut self) -> TaskId {
        format!("t{}", self.byte() % 5).parse().unwrap()
    }

    fn agent(&mut self) -> AgentId {
        self.one(&["w0", "w1", "rita", "human"]).parse().unwrap()
    }

    fn skill(&mut self) -> Skill {
        self.one(&["rust", "sql"]).parse().unwrap()
    }

    fn text(&mut self) -> Text {
        match self.byte() % 4 {
            0 => Text::default(),
            1 => {
                let (blob, size_bytes, head) = ("f00d".into(), self.number(), "\u{202e}".into());
                Text::Blob(Box::new(LongText { blob, size_bytes, head }))
            }
            _ => "text\n".into(),
        }
    }

    fn line(&mut self) -> String {
        self.one(&["", "a", "b", "two\nlines"]).to_owned()
    }

    /// The id of any record that was, or of none.
    fn any_id(&mut self) -> RecordId {
        RecordId(u128::from(self.records().saturating_sub(self.byte().into())))
    }

    /// Mostly what a task is now.
    fn revision(&mut self, task: &TaskId) -> Revision {
        match self.byte() {
            0..8 => None,
            8..16 => Some(self.any_id()),
            _ => self.fold.state().task(task).map(|task| task.revision),
        }
    }

    /// Mostly a claim in force.
    fn claim(&mut self) -> RecordId {
        let number = usize::from(self.byte());
        let held: Vec<RecordId> = self.fold.state().held().map(|(_, claim)| claim.id).collect();
        match held.get(number % 8) {
            Some(claim) if number >= 16 => *claim,
            _ if number >= 16 && !held.is_empty() => held[number % held.len()],
            _ => self.any_id(),
        }
    }

    /// Mostly the intent under which a task is about to be merged.
    fn intent(&mut self) -> RecordId {
        let intents: Vec<RecordId> = self
            .fold
            .state()
            .tasks()
            .filter_map(|task| task.intent.as_ref())
            .map(|intent| intent.id)
            .collect();
        let number = usize::from(self.byte());
        match intents.get(number % intents.len().max(1)) {
            Some(intent) if number >= 16 => *intent,
            _ => self.any_id(),
        }
    }

    fn amount(&mut self) -> Amount {
        Amount {
            micro_usd: self.number(),
            input_tokens: self.number(),
            output_tokens: self.number(),
            calls: 1,
            time_ms: 0,
        }
    }

    fn process(&mut self) -> ProcessId {
        let (machine, pid) = (self.line(), self.short());
        ProcessId { machine, boot: "b".into(), namespace: "n".into(), pid, start: self.number() }
    }

    fn holder(&mut self) -> Arc<Holder> {
        Arc::new(Holder {
            process: self.some(Self::process),
            presence: self.some(Self::line),
            lease_ms: self.some(Self::number),
            orchestrated: self.flag(),
        })
    }

    fn commit(&mut self) -> WorkCommit {
        WorkCommit { commit: self.line(), base: self.line(), files: self.short() }
    }

    fn role(&mut self) -> Role {
        self.one(&[Role::Worker, Role::Lead, Role::Reviewer, Role::Specialist])
    }

    fn spec(&mut self) -> TaskSpec {
        let mut spec = TaskSpec::new(self.task(), "title");
        let rare = self.byte();
        if rare >= 128 {
            // Plain tasks are what the rest can happen to.
            spec.check = self.some(|_| "true".to_owned());
            spec.review = self.flag();
            return spec;
        }
        spec.after = self.many(Self::task);
        spec.priority = self.one(&[0, 1, i32::MIN, i32::MAX]);
        spec.role = self.some(Self::role);
        spec.skill = self.some(Self::skill);
        spec.agent = self.some(Self::agent);
        spec.attempts = self.short();
        spec.backoff_ms = self.number();
        spec.check = self.some(Self::line);
        spec.time_limit_ms = self.some(Self::number);
        spec.labels = self.many(Self::line);
        spec.parent = self.some(Self::task);
        spec.review = self.flag();
        spec.reviews = u32::from(self.byte() % 3);
        spec.review_rounds = self.some(Self::short);
        spec.plan = self.flag();
        spec.approver = self.some(Self::agent);
        spec.allow_protected = self.flag();
        spec.description = self.text();
        spec.delegate = self.byte() < 64;
        if spec.delegate {
            spec.role = Some(Role::Lead);
        }
        spec.team = self.some(Self::agent).filter(|_| self.byte() < 64);
        if self.byte() < 32 {
            let task = self.task();
            let failure = self.revision(&task).unwrap_or(RecordId(0));
            (spec.role, spec.replans) = (Some(Role::Lead), Some(Replan { task, failure }));
        }
        if self.byte() < 16 {
            let goal = GoalPlan { run: self.any_id(), anew: self.flag() };
            (spec.role, spec.goal) = (Some(Role::Lead), Some(goal));
        }
        spec
    }

    fn body(&mut self) -> Body {
        match self.byte() % 64 {
            0 if self.flag() => FormatRaised { version: self.short() }.into(),
            0 => FormatRaised { version: NEWEST_FORMAT }.into(),
            1 => {
                let on = if self.flag() { None } else { Some(self.any_id()) };
                let policy = Policy {
                    gate: self.some(Self::line),
                    no_gate: self.flag(),
                    max_agents: self.some(|bytes| u32::from(bytes.byte())),
                    ..Policy::default()
                };
                PolicySet { on, policy }.into()
            }
            2 => RunStarted {
                process: self.process(),
                goal: self.some(Self::line),
                rehearsal: self.flag(),
                budget: None,
                budgets: self.some(Self::text),
                check: self.some(Self::line),
            }
            .into(),
            3 => RunEnded { run: self.any_id(), outcome: self.line() }.into(),
            4 | 5 => AgentJoined {
                skills: self.many(Self::skill),
                with: self.some(Self::line),
                orchestrated: self.flag(),
                plan: self.byte() < 8,
                lead: self.some(Self::agent).filter(|_| self.byte() < 32),
                added: self.flag(),
                ..AgentJoined::new(self.agent(), self.role())
            }
            .into(),
            6 => AgentLeft::new(self.agent()).into(),
            7..12 => TaskAdded { task: Box::new(self.spec()), batch: None }.into(),
            12 => {
                TaskAdded { task: Box::new(self.spec()), batch: Some(RecordId(self.short().into())) }.into()
            }
            13 => BatchClosed { batch: RecordId(self.short().into()), tasks: self.short() }.into(),
            14 => Body::Unknown { kind: "agent_smiled".into() },
            15 => Body::Malformed { kind: "task_added".into(), reason: String::new() },
            16..24 => self.wish(),
            24..34 => {
                let task = self.task();
                let stage = match self.byte() {
                    0..8 => self.one(&Stage::ALL),
                    _ => self
                        .fold
                        .state()
                        .task(&task)
                        .and_then(|task| task.status.stage())
                        .unwrap_or(Stage::Work),
                };
                let on = self.revision(&task);
                TaskClaimed { task, on, stage, agent: self.agent(), holder: self.holder() }.into()
            }
            34..52 => self.holder_does(),
            _ => self.resource(),
        }
    }

    fn wish(&mut self) -> Body {
        let task = self.task();
        let on = self.revision(&task);
        match self.byte() % 6 {
            4 => TaskReassigned { task, on, agent: self.some(Self::agent), fenced: self.some(Self::intent) }
                .into(),
            5 => {
                let agent = self.some(Self::agent);
                let known = self.fold.state().pauses().find(|(whom, _)| *whom == agent.as_ref());
                let on = known.map(|(_, pause)| pause.revision);
                let (paused, release) = (self.flag(), self.flag());
                PauseSet { agent, on, paused, release, reason: self.line() }.into()
            }
            0 => {
                let change = TaskChange {
                    title: self.some(Self::line),
                    description: self.some(Self::text),
                    priority: self.some(|story| story.one(&[0, i32::MAX])),
                    allow_protected: self.some(Self::flag),
                    after: self.some(|story| story.many(Self::task)),
                };
                TaskEdited { task, on, change }.into()
            }
            1 => TaskRetried { task, on }.into(),
            _ => TaskCancelled { task, on, dependents: self.flag(), fenced: self.some(Self::intent) }.into(),
        }
    }

    fn holder_does(&mut self) -> Body {
        let claim = self.claim();
        match self.byte() % 22 {
            20 => TaskDelegated { claim }.into(),
            21 => {
                let task = self.task();
                TaskGivenUp { on: self.revision(&task), task, reason: self.text() }.into()
            }
            18 => PlanSubmitted { claim, text: self.text(), changes: self.text() }.into(),
            19 => {
                let task = self.task();
                let plan = self.fold.state().task(&task).and_then(|task| task.plan.clone());
                let text_hash = plan.as_ref().map_or_else(String::new, |plan| plan.text.hash());
                let plan = plan.map_or_else(|| self.any_id(), |plan| plan.id);
                let (by, approved) = (self.agent(), self.flag());
                PlanJudged { task, plan, text_hash, by, approved, feedback: self.text() }.into()
            }
            0 => ClaimRenewed { claim }.into(),
            1 => {
                let released = ClaimReleased::new(claim, self.line());
                let (fenced, needs) = (self.some(Self::intent), self.some(Self::amount));
                ClaimReleased { fenced, needs, ..released }.into()
            }
            2 | 3 => {
                let renewal = self.fold.state().live_claim(claim).map(|(_, claim)| claim.renewal);
                let seen = renewal.unwrap_or_else(|_| self.any_id());
                let cause = self.one(&[ExpiryCause::Lease, ExpiryCause::ProcessGone, ExpiryCause::Stuck]);
                ClaimExpired { claim, seen, cause, fenced: self.some(Self::intent) }.into()
            }
            4 => TurnJournalled { claim, turn: self.short(), read: self.many(Self::any_id) }.into(),
            5..8 => TaskSubmitted {
                claim,
                result: self.text(),
                commit: self.some(Self::commit),
                protected: self.many(Self::line),
            }
            .into(),
            8 => {
                TaskFailed { claim, error: self.text(), for_good: self.flag(), not_before_ms: self.number() }
                    .into()
            }
            9 => LateResult {
                task: self.task(),
                claim,
                agent: self.agent(),
                result: self.text(),
                commit: self.some(Self::commit),
            }
            .into(),
            10 | 11 => CheckReported { claim, passed: self.flag(), output: self.text() }.into(),
            12 | 13 => {
                let live = self.fold.state().live_claim(claim).ok();
                let current = live.and_then(|(task, _)| task.submission.as_ref()).map(|given| given.id);
                let submission = current.unwrap_or_else(|| self.any_id());
                ReviewGiven { claim, submission, approved: self.flag(), feedback: self.text() }.into()
            }
            14 => {
                MergeIntended { claim, commit: self.line(), old_tip: self.line(), branch: self.line() }.into()
            }
            15 => Merged { intent: self.intent() }.into(),
            16 => MergeRefused {
                claim,
                cause: self.one(&[RefusalCause::Conflict, RefusalCause::Check, RefusalCause::Gate]),
                output: self.text(),
                fenced: self.some(Self::intent),
            }
            .into(),
            _ => {
                let paths = self.many(|story| story.one(&["src/", "src/a", "docs", "..", ""]).to_owned());
                if self.flag() {
                    FilesReserved { claim, paths }.into()
                } else {
                    FilesReleased { claim, paths }.into()
                }
            }
        }
    }

    fn resource(&mut self) -> Body {
        match self.byte() % 10 {
            9 => {
                let (model, until_ms, reason) = (self.line(), self.number(), self.line());
                ModelLimited { model, until_ms, reason, lifted: until_ms % 4 == 3 }.into()
            }
            8 => {
                let (agent, text) = (self.agent(), self.text());
                NoteAdded { agent, text, labels: self.many(Self::line), task: self.some(Self::task) }.into()
            }
            0 | 1 => {
                let to = match self.byte() % 4 {
                    3 => Recipient::Task(self.task()),
                    0 => Recipient::Everyone,
                    1 => Recipient::Role(self.role()),
                    _ => Recipient::Agent(self.agent()),
                };
                MessageSent {
                    from: self.agent(),
                    to,
                    text: self.text(),
                    task: self.some(Self::task),
                    urgent: self.flag(),
                    asks: self.flag(),
                    reply_to: self.some(Self::any_id),
                    waits: self.flag(),
                }
                .into()
            }
            2 => MessagesDelivered { agent: self.agent(), messages: self.many(Self::any_id) }.into(),
            3 => MessagesRead { agent: self.agent(), messages: self.many(Self::any_id) }.into(),
            4 => {
                let account = match self.byte() % 4 {
                    3 => Account::Run,
                    0 => Account::Team,
                    1 => Account::Agent(self.agent()),
                    _ => Account::Task(self.task()),
                };
                let on = match self.byte() {
                    0..8 => Some(self.any_id()),
                    _ => self.fold.state().ledger().limit(&account).revision,
                };
                let (micro_usd, tokens) = (self.some(Self::number), self.some(Self::number));
                let bounds = Bounds {
                    micro_usd,
                    tokens,
                    calls: self.some(Self::number),
                    attempts: self.some(Self::number),
                    ..Bounds::default()
                };
                BudgetSet { account, on, bounds }.into()
            }
            5 => SpendingReserved { agent: self.agent(), task: self.some(Self::task), upper: self.amount() }
                .into(),
            _ => SpendingSettled {
                reservation: self.some(Self::any_id),
                agent: self.agent(),
                task: self.some(Self::task),
                model: self.line(),
                actual: self.amount(),
            }
            .into(),
        }
    }
}
