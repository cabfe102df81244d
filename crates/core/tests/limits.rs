//! Limits: what is let in fits into a record, and nothing grows or repeats for ever.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use agent_team_core::id::RecordId;
use agent_team_core::machine::{Command, Refusal, State, decide};
use agent_team_core::record::{FORMAT, Record, TaskSpec, codec};
use agent_team_core::text::INLINE_BYTES_MAX;

/// The most that a log takes as one record, its frame included.
const RECORD_BYTES_MAX: usize = 64 * 1024;

/// A task as large as it may be, of characters for which JSON needs two bytes.
fn largest() -> TaskSpec {
    let mut spec = TaskSpec::new("x".repeat(64).parse().unwrap(), "\"".repeat(512));
    spec.description = "\n".repeat(INLINE_BYTES_MAX).into();
    spec.after = (0..500).map(|number| format!("{number:064}").parse().unwrap()).collect();
    spec.check = Some("\"".repeat(4096));
    spec.labels = vec!["\"".repeat(64); 32];
    spec.skill = Some("s".repeat(64).parse().unwrap());
    spec.agent = Some("a".repeat(64).parse().unwrap());
    spec
}

/// A state that knows the tasks which `largest` comes after.
fn state() -> State {
    let mut state = State::new();
    for (number, id) in (0..).zip(largest().after) {
        let tasks = vec![TaskSpec::new(id, "needed")];
        for body in
            decide(&state, &Command::AddTasks { tasks, batch: RecordId(0), limits: Vec::new() }, 0).unwrap()
        {
            let (id, by) = (RecordId(number), "human".parse().unwrap());
            state.apply(Record { id, format: FORMAT, at_ms: 0, by, unconfined: false, body });
        }
    }
    state
}

#[test]
fn the_largest_task_fits_into_a_record() {
    let command = Command::AddTasks { tasks: vec![largest()], batch: RecordId(0), limits: Vec::new() };
    let [body] = &decide(&state(), &command, 0).unwrap()[..] else { unreachable!("one task is one record") };
    let (id, by) = (RecordId(u128::MAX), "b".repeat(64).parse().unwrap());
    let record = Record { id, format: u32::MAX, at_ms: u64::MAX, by, unconfined: false, body: body.clone() };
    let size_bytes = codec::encode(&record).unwrap().len();
    assert!(size_bytes + 1_000 < RECORD_BYTES_MAX, "{size_bytes}");
}

#[test]
fn what_is_larger_is_refused_with_the_reason() {
    let state = state();
    type Enlarge = fn(&mut TaskSpec);
    let larger: [(&str, Enlarge); 4] = [
        ("title", |spec| spec.title.push('x')),
        ("500 dependencies", |spec| spec.after.push("one-more".parse().unwrap())),
        ("check", |spec| spec.check.as_mut().unwrap().push('x')),
        ("labels", |spec| spec.labels.push("x".into())),
    ];
    for (named, enlarge) in larger {
        let mut spec = largest();
        enlarge(&mut spec);
        let refused = decide(
            &state,
            &Command::AddTasks { tasks: vec![spec], batch: RecordId(0), limits: Vec::new() },
            0,
        );
        let Err(Refusal::BadTask { reason, .. }) = refused else { unreachable!("{named}: {refused:?}") };
        assert!(reason.contains(named), "{reason}");
    }
}

#[test]
fn a_chain_of_many_tasks_in_one_batch_needs_no_deep_stack() {
    let id = |number: u32| format!("t{number}").parse().unwrap();
    let mut tasks: Vec<TaskSpec> = (0..50_000).map(|number| TaskSpec::new(id(number), "a link")).collect();
    for (next, task) in (1..).zip(tasks.iter_mut()) {
        task.after = vec![id(next)];
    }
    let last = TaskSpec::new(id(50_000), "the end");
    tasks.push(last);
    let mut state = State::new();
    let bodies = decide(
        &state,
        &Command::AddTasks { tasks: tasks.clone(), batch: RecordId(0), limits: Vec::new() },
        0,
    )
    .unwrap();
    let mut records = (1..).zip(bodies).map(|(number, body)| {
        let by = "human".parse().unwrap();
        Record { id: RecordId(number), format: FORMAT, at_ms: 0, by, unconfined: false, body }
    });
    records.by_ref().for_each(|record| {
        state.apply(record);
    });
    assert_eq!((state.counts().ready, state.counts().blocked), (1, 50_000));
    let command = Command::CancelTask { task: id(50_000), dependents: true, fenced: None };
    let body = decide(&state, &command, 0).unwrap().remove(0);
    let (record, by) = (RecordId(u128::MAX), "human".parse().unwrap());
    state.apply(Record { id: record, format: FORMAT, at_ms: 0, by, unconfined: false, body });
    assert_eq!(state.counts().cancelled, 50_001);
}
