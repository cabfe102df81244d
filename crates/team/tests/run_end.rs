//! Runs that have nothing left to do, until somebody lets something go on at the last moment.
#![expect(clippy::unwrap_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod closures;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::agent::{Agent, AgentError, Answer, Assignment, Context};
use agent_team::{
    AgentId, AgentTeam, NewTask, Records, Role, RunOutcome, RunReport, Status, Stop, TaskQueue, TeamFolder,
    Verdict, review,
};
use closures::quick;

/// Longer than any run here takes: one that hangs fails.
const LONG: Duration = Duration::from_secs(60);

/// A team with a lead, during whose summing up something is done once.
struct Ending {
    folder: tempfile::TempDir,
    team: AgentTeam,
    sums: Arc<AtomicUsize>,
}

impl Ending {
    fn with(meanwhile: impl FnOnce(&TaskQueue, &Stop) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut team = AgentTeam::new(folder.path()).unwrap();
        let (queue, stop, sums) = (team.queue().clone(), team.stop(), Arc::<AtomicUsize>::default());
        let (counted, meanwhile) = (sums.clone(), Mutex::new(Some(meanwhile)));
        let lead = quick(move |prompt| {
            if prompt.contains("Sum up") {
                counted.fetch_add(1, Ordering::SeqCst);
                meanwhile.lock().unwrap().take().into_iter().for_each(|act| act(&queue, &stop));
            }
            "Done.".into()
        });
        team.add_agent("lead-1", Role::Lead, lead).unwrap();
        team.add_agent("worker-1", Role::Worker, quick(|_| "Built.".into())).unwrap();
        Self { folder, team, sums }
    }

    /// Runs the team. However often it went on, it ends once.
    async fn run(&self) -> RunReport {
        let report = self.team.run(Some(LONG)).await.unwrap();
        let records = Records::open(&TeamFolder::of(self.folder.path())).unwrap().read().unwrap();
        assert_eq!(records.iter().filter(|record| record.kind == "run_ended").count(), 1);
        report
    }

    fn sums(&self) -> usize {
        self.sums.load(Ordering::SeqCst)
    }
}

/// Adds a task that only the human may review, since the lead made it, and one that waits for that.
fn design_and_build(team: &AgentTeam) {
    team.add_task(NewTask::new("Design").id("design").role(Role::Lead).review(true)).unwrap();
    team.add_task(NewTask::new("Build").id("build").after("design")).unwrap();
}

fn approve(queue: &TaskQueue, _: &Stop) {
    review(queue, &AgentId::human(), &"design".parse().unwrap(), None, Verdict::Approved("Good.".into()))
        .unwrap();
}

#[tokio::test]
async fn what_the_human_approves_while_the_lead_sums_up_is_done_by_this_run() {
    let ending = Ending::with(approve);
    design_and_build(&ending.team);
    let report = ending.run().await;
    assert_eq!((report.outcome, report.status.counts.completed), (RunOutcome::Completed, 2), "{report:?}");
    assert_eq!(ending.sums(), 2, "what was said before says too little");
}

#[tokio::test]
async fn a_run_that_waits_for_the_human_ends_if_nobody_comes() {
    let ending = Ending::with(|_, _| {});
    design_and_build(&ending.team);
    let report = ending.run().await;
    assert_eq!((report.outcome, ending.sums()), (RunOutcome::Stuck, 1));
    assert_eq!(report.unfinished[0].status, Status::Reviewing);
}

#[tokio::test]
async fn a_task_that_comes_while_the_lead_sums_up_a_run_that_is_done_is_done_too() {
    let ending = Ending::with(|queue, _| drop(queue.add_task("One more thing").unwrap()));
    ending.team.add_task("Build").unwrap();
    let report = ending.run().await;
    assert_eq!((report.outcome, report.status.counts.completed), (RunOutcome::Completed, 2));
    assert!(
        report.status.agents.iter().all(|agent| agent.left || agent.id.as_str() == "human"),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_run_that_is_stopped_while_its_lead_sums_up_does_not_go_on() {
    let ending = Ending::with(|queue, stop| {
        queue.add_task("One more thing").unwrap();
        stop.gently();
    });
    ending.team.add_task("Build").unwrap();
    let report = ending.run().await;
    assert_eq!(report.status.counts.completed, 1, "{report:?}");
}

/// An agent that is done with its last turn only when it is told to stop. With more to do than that turn it has not done it.
struct LastTurn {
    is_enough: bool,
}

#[async_trait::async_trait]
impl Agent for LastTurn {
    async fn execute_task(&self, _: &Assignment, context: &Context) -> Result<Answer, AgentError> {
        context.stop.cancelled().await;
        if self.is_enough { Ok(Answer::text("Built.")) } else { Err(AgentError::Stopped) }
    }

    fn with(&self) -> String {
        "test".to_owned()
    }
}

/// What comes of a run whose time is over while its only agent is in its last turn.
async fn out_of_time(is_enough: bool) -> RunReport {
    let folder = tempfile::tempdir().unwrap();
    let mut team = AgentTeam::new(folder.path()).unwrap();
    team.add_agent("worker-1", Role::Worker, Arc::new(LastTurn { is_enough })).unwrap();
    team.add_task("Build").unwrap();
    let report = team.run(Some(Duration::from_millis(1))).await.unwrap();
    let records = Records::open(&TeamFolder::of(folder.path())).unwrap().read().unwrap();
    assert_eq!(records.iter().filter(|record| record.kind == "run_ended").count(), 1);
    report
}

#[tokio::test]
async fn a_run_whose_last_task_is_done_by_the_turn_that_its_time_limit_lets_end_is_completed() {
    let report = out_of_time(true).await;
    assert_eq!((report.outcome, report.status.counts.completed), (RunOutcome::Completed, 1), "{report:?}");
    assert!(report.succeeded() && report.unfinished.is_empty(), "{report:?}");
}

#[tokio::test]
async fn a_run_whose_time_is_over_with_something_left_says_so() {
    let report = out_of_time(false).await;
    assert_eq!((report.outcome, report.status.counts.ready), (RunOutcome::TimedOut, 1), "{report:?}");
}
