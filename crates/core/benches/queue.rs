//! How fast the machine is with many tasks: `cargo bench -p agent-team-core`. One process, no log, no disk.
//!
//! What must not be seen here is a rate that falls as the number of tasks rises.
#![expect(clippy::unwrap_used, reason = "a measurement that fails panics")]
#![expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it measures time, and prints it")]

use std::time::Instant;

use agent_team_core::id::{AgentId, RecordId, TaskId};
use agent_team_core::machine::{Command, Outcome, State, decide};
use agent_team_core::record::{
    AgentJoined, Body, FORMAT, Holder, MessageSent, MessagesRead, Recipient, Record, Role, Stage, TaskSpec,
    TaskSubmitted, codec,
};
use agent_team_core::view;

fn main() {
    for tasks in [1_000, 10_000, 100_000] {
        println!("{tasks} tasks");
        let log = work(tasks, 16);
        read(&log);
    }
    println!("10000 tasks, 1000 agents");
    work(10_000, 1_000);
    println!("20000 messages");
    talk(20_000);
}

/// A log that is written as it would be: decided, applied, kept.
#[derive(Default)]
struct Writer {
    state: State,
    log: Vec<Record>,
}

impl Writer {
    fn submit(&mut self, command: &Command) -> RecordId {
        for body in decide(&self.state, command, 0).unwrap() {
            let id = RecordId(self.log.len() as u128);
            let record = Record { id, format: FORMAT, at_ms: 0, by: agent(0), body };
            assert_eq!(self.state.apply(&record), Outcome::Effective);
            self.log.push(record);
        }
        RecordId(self.log.len() as u128 - 1)
    }
}

fn agent(number: u32) -> AgentId {
    format!("agent-{number}").parse().unwrap()
}

fn timed<T>(what: &str, count: usize, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let output = run();
    let seconds = start.elapsed().as_secs_f64();
    println!("  {what:<40} {:>12.0} /s {:>9.3} s", count as f64 / seconds, seconds);
    output
}

/// Tasks, each after the one that was added ten before, of five priorities, claimed and completed in turn.
fn work(tasks: usize, agents: u32) -> Vec<Record> {
    let mut writer = Writer::default();
    for number in 0..agents {
        let (role, skills) = (Role::Worker, Vec::new());
        let joined = AgentJoined { agent: agent(number), role, skills, with: None, orchestrated: false };
        writer.submit(&joined.into());
    }
    let id = |number: usize| -> TaskId { format!("task-{number}").parse().unwrap() };
    timed("add", tasks, || {
        for number in 0..tasks {
            let mut spec = TaskSpec::new(id(number), "A task like many others");
            spec.priority = (number % 5) as i32;
            spec.after.extend(number.checked_sub(10).filter(|n| n.is_multiple_of(2)).map(id));
            writer.submit(&Command::AddTasks { tasks: vec![spec], batch: RecordId(0) });
        }
    });
    timed("claim, complete", tasks, || {
        for number in 0..tasks {
            let agent = agent(number as u32 % agents);
            let holder = Holder::default().into();
            let claim = writer.submit(&Command::Claim { agent, task: None, stage: Stage::Work, holder });
            let submitted =
                TaskSubmitted { claim, result: "done".into(), commit: None, protected: Vec::new() };
            writer.submit(&submitted.into());
        }
    });
    timed("look at the status", 1, || view::status(&writer.state));
    assert_eq!(writer.state.counts().completed, tasks as u64);
    writer.log
}

/// What opening a log costs, without the disk.
fn read(log: &[Record]) {
    let lines: Vec<Vec<u8>> =
        timed("encode", log.len(), || log.iter().map(|r| codec::encode(r).unwrap()).collect());
    let records: Vec<Record> =
        timed("decode", lines.len(), || lines.iter().map(|line| codec::decode(line).unwrap()).collect());
    let state = timed("apply", records.len(), || {
        let mut state = State::new();
        for record in &records {
            state.apply(record);
        }
        state
    });
    let bytes = timed("write a snapshot", 1, || state.to_snapshot().unwrap());
    let read = timed("read a snapshot", 1, || State::from_snapshot(bytes.into()).unwrap());
    assert!(read == state, "a snapshot reads back");
}

/// Two agents that write to each other, to a role and to everyone, and look after each message.
fn talk(messages: usize) {
    let mut writer = Writer::default();
    timed("send, look, read", messages, || {
        for number in 0..messages {
            let (from, reader) = (agent(number as u32 % 2), agent((number as u32 + 1) % 2));
            let to = match number % 3 {
                0 => Recipient::Agent(reader.clone()),
                1 => Recipient::Role(Role::Reviewer),
                _ => Recipient::Everyone,
            };
            let sent: Body = MessageSent { from, to, text: "hello".into(), task: None }.into();
            writer.submit(&Command::Record(sent));
            let unread = writer.state.messages().unread(&reader, None).map(|message| message.id).collect();
            writer.submit(&MessagesRead { agent: reader, messages: unread }.into());
        }
    });
}
