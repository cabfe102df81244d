//! How fast the parts of the core are: `cargo bench -p agent-team-core`. One process, no log, no disk.
//!
//! What must not be seen here is a rate that falls as the number of tasks rises.
#![expect(clippy::unwrap_used, reason = "a measurement that fails panics")]

use std::hint::black_box;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, Outcome, State, decide};
use agent_team_core::record::{
    AgentJoined, FORMAT, Holder, MessageSent, MessagesRead, Recipient, Record, Role, Stage, TaskSpec,
    TaskSubmitted, codec,
};
use agent_team_core::view;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const AGENTS: u32 = 16;

/// A log that is written as it would be: decided, applied, kept.
#[derive(Default, Clone)]
struct Writer {
    state: State,
    log: Vec<Record>,
}

impl Writer {
    fn submit(&mut self, command: &Command) -> RecordId {
        for body in decide(&self.state, command, 0).unwrap() {
            let id = RecordId(self.log.len() as u128);
            let record = Record { id, format: FORMAT, at_ms: 0, by: agent(0), unconfined: false, body };
            assert_eq!(self.state.apply(record.clone()), Outcome::Effective);
            self.log.push(record);
        }
        RecordId(self.log.len() as u128 - 1)
    }

    fn claim_and_complete(&mut self, agent: AgentId) {
        let (task, stage, holder) = (None, Stage::Work, Holder::default().into());
        let claim = self.submit(&Command::Claim { agent, task, stage, holder });
        let (result, protected) = ("done".into(), Vec::new());
        self.submit(&TaskSubmitted { claim, result, commit: None, protected }.into());
    }
}

fn agent(number: u32) -> AgentId {
    format!("agent-{number}").parse().unwrap()
}

/// Tasks of five priorities, half of them after the one that was added ten before.
fn added(tasks: usize) -> Writer {
    let mut writer = Writer::default();
    for number in 0..AGENTS {
        let (role, skills) = (Role::Worker, Vec::new());
        let joined = AgentJoined { skills, ..AgentJoined::new(agent(number), role) };
        writer.submit(&joined.into());
    }
    let id = |number: usize| -> TaskId { format!("task-{number}").parse().unwrap() };
    for number in 0..tasks {
        let mut spec = TaskSpec::new(id(number), "A task like many others");
        spec.priority = i32::try_from(number % 5).unwrap();
        spec.after.extend(number.checked_sub(10).filter(|n| n.is_multiple_of(2)).map(id));
        writer.submit(&Command::AddTasks { tasks: vec![spec], batch: RecordId(0), limits: Vec::new() });
    }
    writer
}

fn claim(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide and apply: claim, complete");
    for tasks in [1_000, 100_000] {
        let writer = added(tasks);
        group.throughput(Throughput::Elements(500));
        group.bench_function(format!("{tasks} tasks"), |bencher| {
            let work = |mut writer: Writer| {
                for number in 0..500 {
                    writer.claim_and_complete(agent(number % AGENTS));
                }
                writer
            };
            bencher.iter_batched(|| writer.clone(), work, BatchSize::LargeInput);
        });
        group.bench_function(format!("status of {tasks} tasks"), |bencher| {
            bencher.iter(|| view::status(black_box(&writer.state)));
        });
    }
}

fn fold(criterion: &mut Criterion) {
    let mut writer = added(3_000);
    for number in 0..3_000 {
        writer.claim_and_complete(agent(number % AGENTS));
    }
    let log = writer.log;
    let lines: Vec<Vec<u8>> = log.iter().map(|record| codec::encode(record).unwrap()).collect();
    let mut group = criterion.benchmark_group("records");
    group.throughput(Throughput::Elements(log.len() as u64));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| log.iter().map(|record| codec::encode(record).unwrap().len()).sum::<usize>());
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| lines.iter().filter(|line| codec::decode(line).is_ok()).count());
    });
    group.bench_function("apply", |bencher| {
        bencher.iter_with_large_drop(|| {
            let mut state = State::new();
            for record in &log {
                state.apply(record.clone());
            }
            state
        });
    });
}

fn snapshot(criterion: &mut Criterion) {
    let tasks = 10_000;
    let state = added(tasks).state;
    let bytes = bytes::Bytes::from(state.to_snapshot().unwrap());
    assert!(State::from_snapshot(bytes.clone()).unwrap() == state, "a snapshot reads back");
    let mut group = criterion.benchmark_group("snapshot");
    group.throughput(Throughput::Elements(tasks as u64));
    group.bench_function("write", |bencher| bencher.iter(|| state.to_snapshot().unwrap()));
    group.bench_function("read", |bencher| bencher.iter(|| State::from_snapshot(bytes.clone()).unwrap()));
}

/// Two agents that write to each other, to a role and to everyone, and look after each message.
fn talk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("messages");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("send, look, read", |bencher| {
        bencher.iter_with_large_drop(|| {
            let mut writer = Writer::default();
            for number in 0..1_000 {
                let (from, reader) = (agent(number % 2), agent((number + 1) % 2));
                let to = match number % 3 {
                    0 => Recipient::Agent(reader.clone()),
                    1 => Recipient::Role(Role::Reviewer),
                    _ => Recipient::Everyone,
                };
                writer.submit(&MessageSent::new(from, to, "hello").into());
                let unread = writer.state.messages().unread(&reader, None);
                let messages = unread.map(|message| message.id).collect();
                writer.submit(&MessagesRead { agent: reader, messages }.into());
            }
            writer
        });
    });
}

criterion_group!(parts, claim, fold, snapshot, talk);
criterion_main!(parts);
