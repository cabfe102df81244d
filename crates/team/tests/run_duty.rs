//! What an agent does for others, and says at the end, is steered as its own work is: stopped, paused, interrupted, told.
//! Closures as agents, whose answers the tests give.
#![expect(clippy::unwrap_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod closures;

use std::sync::Arc;
use std::time::Duration;

use agent_team::agent::{Agent, llm_fn};
use agent_team::{
    AgentId, AgentTeam, Doing, MessageBus, NewMessage, NewTask, Progress, Receipt, Recipient, Role,
    RunOptions, RunOutcome, RunReport, TaskId, TaskQueue, Verdict,
};
use closures::{listening, quick};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

/// Longer than anything here takes: what hangs fails.
const LONG: Duration = Duration::from_secs(20);

/// A call of an agent that waits for its answer.
struct Call {
    prompt: String,
    reply: oneshot::Sender<String>,
}

impl Call {
    fn answer(self, text: &str) {
        let _ = self.reply.send(text.to_owned());
    }

    /// Waits until nobody waits for the answer any more.
    async fn until_broken_off(mut self) {
        tokio::time::timeout(LONG, self.reply.closed()).await.unwrap();
    }
}

/// The calls of an agent.
struct Calls(UnboundedReceiver<Call>);

impl Calls {
    async fn next(&mut self) -> Call {
        tokio::time::timeout(LONG, self.0.recv()).await.unwrap().unwrap()
    }

    /// The next one, which is about this.
    async fn about(&mut self, what: &str) -> Call {
        let call = self.next().await;
        assert!(call.prompt.contains(what), "{}", call.prompt);
        call
    }
}

/// An agent whose answers the test gives.
fn asked() -> (Arc<dyn Agent>, Calls) {
    let (asks, calls) = unbounded_channel();
    let agent = llm_fn(move |prompt: String| {
        let (reply, answer) = oneshot::channel();
        let _ = asks.send(Call { prompt, reply });
        answer
    });
    (agent, Calls(calls))
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

fn lead() -> AgentId {
    id("lead-1")
}

const JUDGES: &str = "A plan waits for you";
const SUMS_UP: &str = "Sum up for the user";

/// A worker with a task that wants a plan, and a lead who judges it.
fn planning(team: &mut AgentTeam, judge: Arc<dyn Agent>) -> TaskId {
    team.add_agent("worker-1", Role::Worker, quick(|_| "done".into())).unwrap();
    team.add_agent("lead-1", Role::Lead, judge).unwrap();
    team.add_task(NewTask { plan: true, ..NewTask::new("Clean up").id("clean") }).unwrap()
}

fn is_judged(team: &AgentTeam, task: &TaskId) -> Option<bool> {
    team.queue().plan(task).unwrap().and_then(|plan| plan.approved)
}

fn receipt(team: &AgentTeam) -> Option<Receipt> {
    let sent = team.bus().sent(&AgentId::human()).unwrap();
    sent[0].readers.iter().find(|reader| reader.agent == lead()).and_then(|reader| reader.receipt)
}

/// Does a run, and beside it what somebody does to it.
async fn steered(team: &AgentTeam, steer: impl Future<Output = ()>) -> RunReport {
    let steer = async { tokio::time::timeout(3 * LONG, steer).await.unwrap() };
    let (report, ()) = tokio::join!(team.run(Some(3 * LONG)), steer);
    report.unwrap()
}

#[tokio::test]
async fn who_is_stopped_judges_nothing_until_it_is_resumed() {
    let (judge, mut calls) = asked();
    let mut team = AgentTeam::in_memory().unwrap();
    let task = planning(&mut team, judge);
    let human = AgentId::human();
    let report = steered(&team, async {
        let call = calls.about(JUDGES).await;
        team.queue().stop_agent(&human, &lead(), "wrong way").unwrap();
        call.until_broken_off().await;
        assert_eq!(is_judged(&team, &task), None);
        team.queue().resume(&human, Some(&lead())).unwrap();
        calls.about(JUDGES).await.answer("APPROVE");
        calls.about(SUMS_UP).await.answer("All is clean.");
    })
    .await;
    assert_eq!((report.outcome, report.summary.as_deref()), (RunOutcome::Completed, Some("All is clean.")));
    assert_eq!((is_judged(&team, &task), report.errors), (Some(true), Vec::new()));
}

/// A lead who is stopped while it speaks, and says this.
fn stopped_while_it_says(team: &AgentTeam, words: &'static str) -> Arc<dyn Agent> {
    let queue = team.queue().clone();
    quick(move |_| {
        queue.stop_agent(&AgentId::human(), &lead(), "").unwrap();
        words.to_owned()
    })
}

#[tokio::test]
async fn a_verdict_of_one_who_was_stopped_meanwhile_does_not_count() {
    let mut team = AgentTeam::in_memory().unwrap();
    let judge = stopped_while_it_says(&team, "APPROVE");
    let task = planning(&mut team, judge);
    let heard = listening(&mut team, RunOptions::default());
    let human = AgentId::human();
    let is_said = || {
        let heard = heard.lock().unwrap();
        heard
            .iter()
            .any(|progress| matches!(progress, Progress::Note(note) if note.starts_with("lead-1 is held up")))
    };
    let report = steered(&team, async {
        while !is_said() {
            tokio::task::yield_now().await;
        }
        assert_eq!(is_judged(&team, &task), None);
        team.queue().judge_plan(&human, &task, None, Verdict::Approved(String::new())).unwrap();
    })
    .await;
    assert_eq!((report.outcome, report.summary, report.errors), (RunOutcome::Completed, None, Vec::new()));
    let plan = team.queue().plan(&task).unwrap().unwrap();
    assert_eq!(plan.judged_by, Some(human));
}

#[tokio::test]
async fn an_answer_of_one_who_was_stopped_meanwhile_does_not_count() {
    let (worker, mut calls) = asked();
    let mut team = AgentTeam::in_memory().unwrap();
    let says = stopped_while_it_says(&team, "Spaces.");
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_agent("lead-1", Role::Lead, says).unwrap();
    team.add_task(NewTask::new("Write").id("write")).unwrap();
    let human = AgentId::human();
    steered(&team, async {
        let work = calls.about("Write").await;
        let question = NewMessage::new(&human, Recipient::Agent(lead()), "Tabs or spaces?");
        let question = team.bus().post(NewMessage { asks: true, ..question }).unwrap();
        closures::until(&team, |status| !status.pauses.is_empty()).await;
        work.answer("Written.");
        closures::until(&team, |status| status.counts.completed == 1).await;
        assert_eq!(team.bus().answer_to(question).unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_urgent_word_breaks_a_duty_off_and_it_is_done_anew_with_that_word() {
    let (judge, mut calls) = asked();
    let mut team = AgentTeam::in_memory().unwrap();
    let task = planning(&mut team, judge);
    let report = steered(&team, async {
        let call = calls.about(JUDGES).await;
        let message = NewMessage::new(&AgentId::human(), Recipient::Agent(lead()), "Keep the tests.");
        team.bus().post(NewMessage { urgent: true, ..message }).unwrap();
        call.until_broken_off().await;
        let call = calls.about(JUDGES).await;
        assert!(call.prompt.contains("urgent=\"yes\">\nKeep the tests."), "{}", call.prompt);
        call.answer("APPROVE");
        let last = calls.about(SUMS_UP).await;
        assert!(!last.prompt.contains("Keep the tests."), "it has read that");
        assert_eq!(receipt(&team), Some(Receipt::Read));
        last.answer("Done.");
    })
    .await;
    assert_eq!((is_judged(&team, &task), report.outcome), (Some(true), RunOutcome::Completed));
}

#[tokio::test]
async fn whoever_judges_has_read_what_was_said_to_it_before() {
    let (judge, mut calls) = asked();
    let mut team = AgentTeam::in_memory().unwrap();
    planning(&mut team, judge);
    team.bus().send(&AgentId::human(), Recipient::Agent(lead()), "Never approve a plan.").unwrap();
    steered(&team, async {
        let call = calls.about(JUDGES).await;
        let prompt = &call.prompt;
        assert_eq!(prompt.matches("Never approve a plan.").count(), 1, "{prompt}");
        assert_eq!(receipt(&team), Some(Receipt::Delivered));
        call.answer("I do not know.");
        let again = calls.about("That is no verdict").await;
        assert!(again.prompt.contains("Never approve a plan."), "{}", again.prompt);
        assert_eq!(receipt(&team), Some(Receipt::Read));
        again.answer("APPROVE");
        calls.about(SUMS_UP).await.answer("Done.");
    })
    .await;
}

#[tokio::test]
async fn what_is_said_to_one_who_answers_while_its_task_waits_is_heard_in_the_task_too() {
    let (worker, mut calls) = asked();
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    let task = team.add_task(NewTask { plan: true, ..NewTask::new("Clean up").id("clean") }).unwrap();
    let human = AgentId::human();
    let report = steered(&team, async {
        calls.about("Say how you mean to do it").await.answer("With a broom.");
        closures::until(&team, |status| !status.plans.is_empty()).await;
        let to = Recipient::Agent(id("worker-1"));
        team.bus().send(&human, to.clone(), "Mind the carpet.").unwrap();
        let question = NewMessage::new(&human, to, "Is it far?");
        team.bus().post(NewMessage { asks: true, ..question }).unwrap();
        let call = calls.about("Is it far?").await;
        assert!(call.prompt.contains("Mind the carpet."), "{}", call.prompt);
        assert_eq!(call.prompt.matches("Is it far?").count(), 1, "{}", call.prompt);
        call.answer("No.");
        closures::until(&team, |status| status.questions.is_empty()).await;
        team.queue().judge_plan(&human, &task, None, Verdict::Approved(String::new())).unwrap();
        calls.about("Mind the carpet.").await.answer("It is clean.");
    })
    .await;
    assert_eq!(report.outcome, RunOutcome::Completed);
}

#[tokio::test]
async fn a_pause_lets_a_verdict_under_way_be_given_and_begins_nothing_else() {
    let (judge, mut calls) = asked();
    let mut team = AgentTeam::in_memory().unwrap();
    let task = planning(&mut team, judge);
    let heard = listening(&mut team, RunOptions::default());
    let report = steered(&team, async {
        let call = calls.about(JUDGES).await;
        team.queue().pause(&AgentId::human(), Some(&lead()), "lunch").unwrap();
        call.answer("APPROVE");
    })
    .await;
    assert_eq!(is_judged(&team, &task), Some(true));
    assert_eq!((report.outcome, report.summary), (RunOutcome::Completed, None));
    let heard = heard.lock().unwrap();
    let says = |progress: &Progress| matches!(progress, Progress::Note(note) if note == "lead-1 is held up: nobody sums up");
    assert!(heard.iter().any(says), "{heard:?}");
}

#[tokio::test]
async fn who_is_stopped_while_it_sums_up_says_nothing_more() {
    let (judge, mut calls) = asked();
    let mut team = AgentTeam::in_memory().unwrap();
    planning(&mut team, judge);
    let report = steered(&team, async {
        calls.about(JUDGES).await.answer("APPROVE");
        let call = calls.about(SUMS_UP).await;
        team.queue().stop_agent(&AgentId::human(), &lead(), "").unwrap();
        call.until_broken_off().await;
    })
    .await;
    assert_eq!((report.outcome, report.summary, report.errors), (RunOutcome::Completed, None, Vec::new()));
}

#[tokio::test]
async fn every_process_sees_who_judges_a_plan() {
    let place = tempfile::tempdir().unwrap();
    let (judge, mut calls) = asked();
    let mut team = AgentTeam::new(place.path()).unwrap();
    planning(&mut team, judge);
    let other = TaskQueue::new(place.path()).unwrap();
    let does = || {
        let states = other.agent_states().unwrap();
        states
            .into_iter()
            .find(|state| state.agent == lead())
            .map(|state| (state.doing, state.words))
            .unwrap()
    };
    let report = steered(&team, async {
        let call = calls.about(JUDGES).await;
        assert_eq!(does(), (Doing::WaitingForModel, "judges the plan for clean".to_owned()));
        call.answer("APPROVE");
        let call = calls.about(SUMS_UP).await;
        assert_eq!(does(), (Doing::WaitingForModel, "sums up".to_owned()));
        call.answer("Done.");
    })
    .await;
    assert_eq!(report.outcome, RunOutcome::Completed);
    assert_eq!(does().0, Doing::Left);
    assert!(MessageBus::over(other.team_log().clone()).questions(None).unwrap().is_empty());
}
