//! Who is called, and who is not.

use std::pin::Pin;
use std::task::Poll;

use super::*;
use crate::{AgentId, AgentJoined, NewTask, Role, TaskQueue};

type Waiting = Pin<Box<dyn Future<Output = Result<Option<Ticket>, Error>> + Send>>;

fn agent(number: usize) -> AgentId {
    format!("worker-{number}").parse().unwrap()
}

/// A queue in which somebody works, so that others have something to wait for.
fn queue() -> TaskQueue {
    let queue = TaskQueue::in_memory().unwrap();
    queue.add_task(NewTask::new("Keep").id("keep")).unwrap();
    queue.claim_task(&agent(0)).unwrap().unwrap();
    queue
}

fn wait_on(queue: &TaskQueue, number: usize, stays: bool) -> Waiting {
    let work = queue.work_for(&agent(number), vec![Stage::Work], stays);
    Box::pin(async { work.await.map(Some) })
}

fn wait(queue: &TaskQueue, number: usize) -> Waiting {
    wait_on(queue, number, false)
}

/// Who was called, and the tickets of those who were called for work.
async fn tickets(waiting: &mut [Waiting]) -> (Vec<usize>, Vec<Ticket>) {
    let (mut called, mut tickets) = (Vec::new(), Vec::new());
    for (place, waiting) in waiting.iter_mut().enumerate() {
        if let Poll::Ready(outcome) = futures::poll!(waiting) {
            called.push(place);
            tickets.extend(outcome.unwrap());
        }
    }
    (called, tickets)
}

async fn called(waiting: &mut [Waiting]) -> Vec<usize> {
    tickets(waiting).await.0
}

#[tokio::test]
async fn no_more_are_called_than_there_is_work_and_those_who_came_first() {
    let queue = queue();
    let mut waiting: Vec<Waiting> = (1..=9).map(|number| wait(&queue, number)).collect();
    assert!(called(&mut waiting).await.is_empty());
    queue.add_task("One").unwrap();
    let (first, ticket) = tickets(&mut waiting).await;
    assert_eq!(first, [0]);
    queue.add_tasks(&AgentId::human(), &["Two".into(), "Three".into()]).unwrap();
    let (next, more) = tickets(&mut waiting[1..]).await;
    assert_eq!(next, [0, 1]);
    for number in 1..=3 {
        queue.claim_task(&agent(number)).unwrap().unwrap();
    }
    drop((ticket, more));
    assert!(called(&mut waiting[3..]).await.is_empty());
}

#[tokio::test]
async fn one_who_is_called_and_goes_away_leaves_the_work_to_the_next() {
    let queue = queue();
    let mut waiting: Vec<Waiting> = (1..=3).map(|number| wait(&queue, number)).collect();
    assert!(called(&mut waiting).await.is_empty());
    queue.add_task("One").unwrap();
    drop(waiting.remove(0));
    assert_eq!(called(&mut waiting).await, [0]);
}

#[tokio::test]
async fn only_one_whom_a_task_fits_is_called_for_it() {
    let queue = queue();
    let mut waiting: Vec<Waiting> = (1..=3).map(|number| wait(&queue, number)).collect();
    assert!(called(&mut waiting).await.is_empty());
    queue.add_task(NewTask { agent: Some("worker-3".into()), ..NewTask::new("Theirs") }).unwrap();
    assert_eq!(called(&mut waiting).await, [2]);
}

#[tokio::test]
async fn when_nothing_will_come_everyone_learns_it() {
    let queue = queue();
    let mut waiting: Vec<Waiting> = (1..=3).map(|number| wait(&queue, number)).collect();
    let mut stays: Vec<Waiting> = vec![wait_on(&queue, 4, true)];
    assert!(called(&mut waiting).await.is_empty());
    queue.complete_task(&"keep".parse().unwrap(), &agent(0), "done").unwrap();
    assert_eq!(called(&mut waiting).await, [0, 1, 2]);
    assert!(called(&mut stays).await.is_empty());
}

#[tokio::test]
async fn one_waits_for_the_end_of_a_backoff_and_another_for_what_comes_meanwhile() {
    let queue = queue();
    queue.add_task(NewTask { backoff_ms: Some(3_600_000), ..NewTask::new("Fails").id("fails") }).unwrap();
    queue.claim_task(&agent(1)).unwrap().unwrap();
    let mut waiting: Vec<Waiting> = (1..=2).map(|number| wait(&queue, number)).collect();
    assert!(called(&mut waiting).await.is_empty());
    queue.fail_task(&"fails".parse().unwrap(), &agent(1), "no").unwrap();
    let (first, ticket) = tickets(&mut waiting).await;
    assert_eq!(first, [0], "it looks, and sets its timer");
    waiting[0] = wait(&queue, 1);
    drop(ticket);
    assert!(called(&mut waiting).await.is_empty());
    queue.add_task("Soon").unwrap();
    assert_eq!(called(&mut waiting[..1]).await, [0], "who waits for later may have something now");
}

#[tokio::test]
async fn what_one_waited_to_take_later_and_is_another_s_now_calls_the_other() {
    let queue = TaskQueue::in_memory().unwrap();
    for number in 1..=2 {
        queue.join(AgentJoined::new(agent(number), Role::Worker)).unwrap();
    }
    let task = NewTask { backoff_ms: Some(3_600_000), agent: Some("worker-1".into()), ..NewTask::new("T") };
    queue.add_task(task.id("fails")).unwrap();
    queue.claim_task(&agent(1)).unwrap().unwrap();
    queue.fail_task(&"fails".parse().unwrap(), &agent(1), "no").unwrap();
    let mut waiting: Vec<Waiting> = (1..=2).map(|number| wait_on(&queue, number, true)).collect();
    assert!(called(&mut waiting).await.is_empty(), "the first has set its timer");
    queue.reassign(&AgentId::human(), &"fails".parse().unwrap(), Some(&agent(2))).unwrap();
    assert_eq!(called(&mut waiting).await, [1], "it looks, and sets its timer");
}

#[tokio::test]
async fn whoever_works_under_a_claim_learns_that_it_ended_whoever_ended_it() {
    let queue = queue();
    let token = queue.token_of(&"keep".parse().unwrap(), &agent(0)).unwrap();
    let ended = queue.team_log().end_of_claim(token);
    let mut waiting: Vec<Waiting> = vec![Box::pin(async { ended.await.map(|()| None) })];
    queue.add_task("Other").unwrap();
    assert!(called(&mut waiting).await.is_empty());
    queue.cancel(&AgentId::human(), &"keep".parse().unwrap(), false).unwrap();
    assert_eq!(called(&mut waiting).await, [0]);
}

#[tokio::test]
async fn what_another_handle_writes_wakes_those_who_wait_here() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (TaskQueue::new(folder.path()).unwrap(), TaskQueue::new(folder.path()).unwrap());
    let comes = here.team_log().until(|state| state.counts().total == 1);
    there.add_task("Say hello").unwrap();
    tokio::time::timeout(Duration::from_secs(30), comes).await.unwrap().unwrap();
}

#[test]
fn a_log_is_followed_on_after_the_runtime_that_followed_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (TaskQueue::new(folder.path()).unwrap(), TaskQueue::new(folder.path()).unwrap());
    for total in 1..=3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let comes = here.team_log().until(move |state| state.counts().total == total);
            there.add_task("Say hello").unwrap();
            tokio::time::timeout(Duration::from_secs(30), comes).await.unwrap().unwrap();
        });
    }
}
