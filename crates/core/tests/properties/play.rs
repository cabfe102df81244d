//! Makes moves: numbers become commands about a handful of tasks and agents. A command is decided and applied, or
//! applied much later, or applied without being decided at all; records come twice.

use std::collections::BTreeMap;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, Outcome, State, decide};
use agent_team_core::record::{
    Account, AgentJoined, AgentLeft, Amount, Body, Bounds, CheckReported, ClaimReleased, ClaimRenewed,
    ExpiryCause, FORMAT, FilesReleased, FilesReserved, Holder, LateResult, MergeIntended, MergeRefused,
    Merged, MessageSent, MessagesDelivered, MessagesRead, Recipient, Record, RefusalCause, ReviewGiven, Role,
    SpendingReserved, SpendingSettled, Stage, TaskChange, TaskFailed, TaskSpec, TaskSubmitted,
    TurnJournalled, WorkCommit,
};

use crate::model::Model;

/// How, what, and three numbers that say on what.
pub type Move = (u8, u8, u8, u8, u8);

pub struct Play {
    pub state: State,
    pub model: Model,
    pub log: Vec<Record>,
    pub open_reservations: BTreeMap<RecordId, Amount>,
    postponed: Vec<Body>,
    now_ms: u64,
}

pub fn agents() -> Vec<AgentId> {
    ["w0", "w1", "a2", "rita"].into_iter().map(|name| name.parse().unwrap()).collect()
}

fn agent(number: u8) -> AgentId {
    let agents = agents();
    agents[usize::from(number) % agents.len()].clone()
}

fn task(number: u8) -> TaskId {
    format!("t{}", number % 6).parse().unwrap()
}

impl Play {
    pub fn new() -> Self {
        let mut play = Self {
            state: State::new(),
            model: Model::default(),
            log: Vec::new(),
            open_reservations: BTreeMap::new(),
            postponed: Vec::new(),
            now_ms: 1,
        };
        for (name, role) in [(2, Role::Worker), (3, Role::Reviewer)] {
            let (agent, skills, with) = (agent(name), Vec::new(), None);
            play.write(AgentJoined { skills, with, ..AgentJoined::new(agent, role) }.into());
        }
        play
    }

    pub fn make(&mut self, (how, what, a, b, c): Move) {
        self.now_ms += u64::from(a);
        match how % 16 {
            0 if !self.log.is_empty() => {
                let again = self.log[usize::from(a) % self.log.len()].clone();
                assert_eq!(self.state.apply(again.clone()), Outcome::Repeated);
                self.log.push(again);
            }
            1 | 2 if !self.postponed.is_empty() => {
                let body = self.postponed.remove(usize::from(a) % self.postponed.len());
                self.write(body);
            }
            3..=5 => {
                let command = self.command(what, a, b, c);
                self.postponed.extend(decide(&self.state, &command, self.now_ms).unwrap_or_default());
            }
            6 => {
                if let Command::Record(body) = self.command(what, a, b, c) {
                    self.write(body);
                }
            }
            _ => {
                let command = self.command(what, a, b, c);
                for body in decide(&self.state, &command, self.now_ms).unwrap_or_default() {
                    let outcome = self.write(body);
                    assert_eq!(outcome, Outcome::Effective, "what was just decided takes effect");
                }
            }
        }
    }

    fn write(&mut self, body: Body) -> Outcome {
        let id = RecordId(self.log.len() as u128 + 1);
        let record = Record { id, format: FORMAT, at_ms: self.now_ms, by: agent(0), unconfined: false, body };
        let outcome = self.state.apply(record.clone());
        let effective = outcome == Outcome::Effective;
        if let Some(expected) = self.model.write(&record) {
            assert_eq!(effective, expected, "{record:?} came to {outcome:?}");
        }
        match &record.body {
            Body::SpendingReserved(body) if effective => {
                self.open_reservations.insert(id, body.upper);
            }
            Body::SpendingSettled(body) if effective => {
                body.reservation.map(|reservation| self.open_reservations.remove(&reservation));
            }
            _ => {}
        }
        self.log.push(record);
        outcome
    }

    /// A record of the log, of a kind if there is one.
    fn id_of(&self, kind: &str, number: u8) -> RecordId {
        let ids: Vec<RecordId> =
            self.log.iter().filter(|record| record.body.kind() == kind).map(|record| record.id).collect();
        // Newer ones are named more often: the older are mostly over.
        let back = usize::from(number).isqrt() % ids.len().max(1);
        ids.iter().rev().nth(back).copied().unwrap_or(RecordId(u128::from(number)))
    }

    /// Mostly a claim in force; now and then any that ever was.
    fn claim(&self, number: u8) -> RecordId {
        let live: Vec<RecordId> = self.state.held().map(|(_, claim)| claim.id).collect();
        match live.len() {
            0 => self.id_of("task_claimed", number),
            _ if number.is_multiple_of(4) => self.id_of("task_claimed", number),
            many => live[usize::from(number) % many],
        }
    }

    /// What brings a task on: random commands alone hardly ever reach the merge queue.
    fn next_command(&self, a: u8, b: u8) -> Command {
        let open: Vec<_> = self.state.tasks().filter(|task| task.status.stage().is_some()).collect();
        let Some(task) = open.get(usize::from(a) % open.len().max(1)) else {
            return Command::AddTasks { tasks: vec![spec(a, b, b)], batch: RecordId(0), limits: Vec::new() };
        };
        let stage = task.status.stage().unwrap_or(Stage::Work);
        let Some(claim) = &task.claim else {
            let agent = if stage == Stage::Review { agent(3) } else { agent(b % 3) };
            let holder = Holder { orchestrated: b.is_multiple_of(2), ..Holder::default() };
            return Command::Claim { agent, task: Some(task.id().clone()), stage, holder: holder.into() };
        };
        let what = match (stage, &task.intent) {
            (Stage::Work, _) => 20,
            (Stage::Verify, _) => 24,
            (Stage::Review, _) => {
                let submission = task.submission.as_ref().map_or(RecordId(0), |submission| submission.id);
                let (claim, approved) = (claim.id, !b.is_multiple_of(4));
                return ReviewGiven { claim, submission, approved, feedback: "hm".into() }.into();
            }
            (Stage::Merge, None) if b.is_multiple_of(4) => 30,
            (Stage::Merge, None) => 28,
            (Stage::Merge, Some(intent)) => return Merged { intent: intent.id }.into(),
        };
        Command::Record(self.holder_does(what, claim.id, b))
    }

    fn fenced(&self, b: u8, c: u8) -> Option<RecordId> {
        (c.is_multiple_of(2)).then(|| self.id_of("merge_intended", b))
    }

    fn command(&self, what: u8, a: u8, b: u8, c: u8) -> Command {
        let claim = self.claim(a);
        let fenced = self.fenced(b, c);
        match what % 72 {
            40.. => self.next_command(a, b),
            0..=3 => Command::AddTasks { tasks: vec![spec(a, b, c)], batch: RecordId(0), limits: Vec::new() },
            4..=11 => Command::Claim {
                agent: agent(a),
                task: (b.is_multiple_of(4)).then(|| task(c)),
                stage: Stage::ALL[usize::from(b / 4) % 4],
                holder: Holder { orchestrated: c.is_multiple_of(2), ..Holder::default() }.into(),
            },
            12 => Command::RetryTask { task: task(a) },
            13 => Command::CancelTask { task: task(a), dependents: b.is_multiple_of(2), fenced },
            14 => Command::EditTask {
                task: task(a),
                change: TaskChange { priority: Some(i32::from(b)), ..TaskChange::default() },
            },
            15..=17 => {
                let cause = if b.is_multiple_of(2) { ExpiryCause::Lease } else { ExpiryCause::ProcessGone };
                let newest = self.state.live_claim(claim).map_or(claim, |(_, live)| live.renewal);
                let seen = if c.is_multiple_of(8) { claim } else { newest };
                Command::Expire { claim, seen, cause, fenced }
            }
            18 => Command::Fail { claim, error: "no".into(), for_good: b.is_multiple_of(8) },
            19 => {
                let account = if b.is_multiple_of(2) { Account::Team } else { Account::Agent(agent(a)) };
                let micro_usd = Some(u64::from(c) * 10);
                Command::SetBudget { account, bounds: Bounds { micro_usd, ..Bounds::default() } }
            }
            what => Command::Record(self.body(what, a, b, c)),
        }
    }

    /// What the holder of a claim may say of its own stage.
    fn holder_does(&self, what: u8, claim: RecordId, b: u8) -> Body {
        match what {
            20..=23 => {
                let commit = WorkCommit { commit: "c".into(), base: "b".into(), files: 1 };
                let commit = (b.is_multiple_of(2)).then_some(commit);
                TaskSubmitted { claim, result: "done".into(), commit, protected: Vec::new() }.into()
            }
            24 | 25 => CheckReported { claim, passed: !b.is_multiple_of(3), output: "out".into() }.into(),
            28 => {
                MergeIntended { claim, commit: "c".into(), old_tip: "t".into(), branch: "main".into() }.into()
            }
            _ => {
                let cause = if b.is_multiple_of(2) { RefusalCause::Conflict } else { RefusalCause::Gate };
                let fenced = (b % 4 < 2).then(|| self.id_of("merge_intended", 0));
                MergeRefused { claim, cause, output: "red".into(), fenced }.into()
            }
        }
    }

    fn body(&self, what: u8, a: u8, b: u8, c: u8) -> Body {
        let claim = self.claim(a);
        match what {
            20..=25 | 28 | 30 => self.holder_does(what, claim, b),
            26 | 27 => {
                let submission = self.id_of("task_submitted", c % 4);
                ReviewGiven { claim, submission, approved: !b.is_multiple_of(3), feedback: "hm".into() }
                    .into()
            }
            29 => Merged { intent: self.id_of("merge_intended", a) }.into(),
            31 => ClaimReleased { fenced: self.fenced(b, c), ..ClaimReleased::new(claim, "") }.into(),
            32 if b.is_multiple_of(2) => ClaimRenewed { claim }.into(),
            32 => {
                TurnJournalled { claim, turn: u32::from(b), read: vec![self.id_of("message_sent", c)] }.into()
            }
            33 if b.is_multiple_of(2) => {
                TaskFailed { claim, error: "no".into(), for_good: false, not_before_ms: 0 }.into()
            }
            33 => LateResult { task: task(b), claim, agent: agent(c), result: "late".into(), commit: None }
                .into(),
            34 if b.is_multiple_of(2) => AgentLeft::new(agent(2)).into(),
            34 => {
                let (role, skills) = (Role::Worker, Vec::new());
                AgentJoined { skills, orchestrated: true, ..AgentJoined::new(agent(2), role) }.into()
            }
            35 => {
                let to = [Recipient::Agent(agent(b)), Recipient::Role(Role::Reviewer), Recipient::Everyone];
                MessageSent::new(agent(a), to[usize::from(c) % 3].clone(), "hello").into()
            }
            36 => {
                let messages = vec![self.id_of("message_sent", b), self.id_of("message_sent", c)];
                match a % 2 {
                    0 => MessagesDelivered { agent: agent(a / 2), messages }.into(),
                    _ => MessagesRead { agent: agent(a / 2), messages }.into(),
                }
            }
            37 => {
                let upper = Amount {
                    micro_usd: amount(b),
                    input_tokens: amount(c),
                    output_tokens: 1,
                    ..Amount::default()
                };
                SpendingReserved { agent: agent(a), task: Some(task(b)), upper }.into()
            }
            38 => SpendingSettled {
                reservation: Some(self.id_of("spending_reserved", b)),
                agent: agent(a),
                task: Some(task(b)),
                model: "m".into(),
                actual: Amount { micro_usd: u64::from(c), ..Amount::default() },
            }
            .into(),
            _ => {
                let paths = ["src/", "src/a", "src", "docs/x", "src/a/b"];
                let paths = vec![paths[usize::from(b) % 5].to_owned()];
                match c % 3 {
                    0 => FilesReleased { claim, paths }.into(),
                    _ => FilesReserved { claim, paths }.into(),
                }
            }
        }
    }
}

/// Mostly small, now and then the greatest.
fn amount(number: u8) -> u64 {
    if number > 250 { u64::MAX - u64::from(number) } else { u64::from(number) }
}

fn spec(a: u8, b: u8, c: u8) -> TaskSpec {
    let mut spec = TaskSpec::new(task(a), "a task");
    spec.after =
        [b, c].into_iter().filter(|number| number.is_multiple_of(3)).map(|number| task(number / 3)).collect();
    spec.attempts = u32::from(c % 3) + 1;
    spec.backoff_ms = u64::from(b % 4) * 50;
    spec.check = (a.is_multiple_of(2)).then(|| "true".to_owned());
    spec.review = b.is_multiple_of(2);
    spec
}
