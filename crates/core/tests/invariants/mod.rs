//! What holds of every state, whatever records it was folded from. Judged through the public interface alone.

use std::collections::BTreeSet;

use agent_team_core::machine::{State, Status, Task};
use agent_team_core::record::Stage;

/// Panics if something does not hold that must always hold.
pub fn check(state: &State) {
    counts_add_up(state);
    for task in state.tasks() {
        status_follows_dependencies(state, task);
        dependencies_are_counted(state, task);
        parts_are_counted(state, task);
        claim_follows_status(state, task);
        preference_can_be_met(state, task);
    }
    let held: Vec<_> = state.held().map(|(task, _)| task.id()).collect();
    let claimed: Vec<_> = state.tasks().filter(|task| task.claim.is_some()).map(Task::id).collect();
    assert_eq!(held, claimed, "held lists exactly the tasks under a claim");
    files_belong_to_live_claims(state);
    derived_is_the_same(state);
}

fn counts_add_up(state: &State) {
    let counts = state.counts();
    let sum =
        counts.completed + counts.failed + counts.running + counts.ready + counts.blocked + counts.cancelled;
    assert_eq!(sum, counts.total, "the counts add up");
    assert_eq!(counts.total, state.tasks().count() as u64, "each task is counted");
    let ready = state.tasks().filter(|task| task.status == Status::Ready).count() as u64;
    assert_eq!(counts.ready, ready, "ready tasks are counted as such");
}

fn status_follows_dependencies(state: &State, task: &Task) {
    let unfinished = |id: &_| state.task(id).is_none_or(|needed| needed.status != Status::Completed);
    let waits = task.spec.after.iter().any(unfinished);
    match task.status {
        Status::Blocked => {
            let for_parts = task.handed_out && task.open_parts > 0;
            assert!(waits || for_parts, "{} is blocked by nothing", task.id());
        }
        Status::Failed | Status::Cancelled => {}
        status => assert!(!waits, "{} is {status} before its dependencies", task.id()),
    }
}

/// What is derived from the dependencies, and so left out of the fingerprint.
fn dependencies_are_counted(state: &State, task: &Task) {
    let open = |id: &&_| state.task(id).is_some_and(|needed| needed.status != Status::Completed);
    assert_eq!(task.open_dependencies as usize, task.spec.after.iter().filter(open).count(), "{}", task.id());
    let waiting: BTreeSet<_> =
        state.tasks().filter(|other| other.spec.after.contains(task.id())).map(Task::id).collect();
    assert_eq!(task.dependents.iter().collect::<BTreeSet<_>>(), waiting, "who waits for {}", task.id());
    assert_eq!(task.dependents.len(), waiting.len(), "each waits once for {}", task.id());
}

/// What is derived from the parents.
fn parts_are_counted(state: &State, task: &Task) {
    let mut above = Vec::new();
    let mut parent = task.spec.parent.as_ref();
    while let Some(known) = parent.and_then(|id| state.task(id)) {
        above.extend(known.spec.delegate.then(|| known.id().clone()));
        parent = known.spec.parent.as_ref();
    }
    assert_eq!(task.above, above, "what {} is a part of", task.id());
    let parts: Vec<&Task> = state.tasks().filter(|other| other.above.first() == Some(task.id())).collect();
    let ids: BTreeSet<_> = parts.iter().map(|part| part.id()).collect();
    assert_eq!(task.parts.iter().collect::<BTreeSet<_>>(), ids, "the parts of {}", task.id());
    let done = |part: &Task| match part.status {
        Status::Completed | Status::Cancelled => true,
        Status::Failed => part.spec.replans.is_some(),
        _ => false,
    };
    let open = parts.iter().filter(|part| !done(part));
    assert_eq!(task.open_parts as usize, open.count(), "the open parts of {}", task.id());
}

fn claim_follows_status(state: &State, task: &Task) {
    let id = task.id();
    match &task.claim {
        None => assert!(task.status != Status::Running, "{id} is running without a claim"),
        Some(claim) => {
            assert_eq!(Some(claim.stage), task.status.stage(), "{id} is held for another stage");
            assert!(task.status != Status::Ready, "{id} is ready under a claim");
            assert!(state.live_claim(claim.id).is_ok(), "{id}: the claim in force counts");
        }
    }
    for past in &task.past_claims {
        assert!(state.live_claim(past.id).is_err(), "{id}: an ended claim counts");
    }
    if task.intent.is_some() {
        let stage = task.claim.as_ref().map(|claim| claim.stage);
        assert_eq!(stage, Some(Stage::Merge), "{id} has an intent without a merger");
    }
    assert_eq!(task.failure.is_some(), task.status == Status::Failed, "{id}: why it failed");
    let judged =
        matches!(task.status, Status::Verifying | Status::Reviewing | Status::Merging | Status::Completed);
    assert!(!judged || task.submission.is_some(), "{id} is {} without a result", task.status);
}

/// A task that went back to an agent waits for a member that may take it; otherwise it would wait for ever.
fn preference_can_be_met(state: &State, task: &Task) {
    if let Some(agent) = &task.back_to {
        assert_eq!(task.status, Status::Ready, "{} went back", task.id());
        let member = state.agent(agent).is_some_and(|agent| !agent.left);
        assert!(member, "{} waits for {agent}, who is not there", task.id());
    }
}

fn files_belong_to_live_claims(state: &State) {
    for held in state.files() {
        assert!(state.live_claim(held.claim).is_ok(), "{} is reserved under an ended claim", held.path);
    }
}

fn derived_is_the_same(state: &State) {
    let anew = state.clone().derived_anew();
    assert_eq!(anew, *state, "what is derived equals what is made from the tasks");
    assert_eq!(anew.fingerprint(), state.fingerprint());
}
