//! Whole runs in which somebody judges: plans before the work, reviews after it. Closures as agents, no repository.
#![expect(clippy::unwrap_used, reason = "the tests' own functions fail by panicking")]

mod closures;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::agent::llm_fn;
use agent_team::{AgentTeam, NewTask, Progress, Reporter, Role, RunOptions, RunOutcome, Stage};
use closures::{fallible, listening, quick, until};
use tokio::sync::Notify;

#[tokio::test]
async fn a_reviewer_sends_back_what_is_wrong_and_approves_what_is_right() {
    // The words are the reviewer's, and say so.
    const REJECTED: &str = "<message from=\"reviewer-1\">\ntoo short\n</message>";
    let mut team = AgentTeam::in_memory().unwrap();
    let worker = quick(|prompt| if prompt.contains(REJECTED) { "a long story" } else { "short" }.into());
    let reviewer = quick(|prompt| match prompt.contains("a long story") {
        true => "APPROVE: good".into(),
        false => "REJECT: too short".into(),
    });
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_agent("reviewer-1", Role::Reviewer, reviewer).unwrap();
    team.add_task(NewTask::new("Tell a story").id("story").review(true).check("true")).unwrap();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = heard.clone();
    let reporter = Reporter::to(move |progress| {
        let line = match progress {
            Progress::Began { agent, attempt, .. } => format!("{agent} begins {attempt}"),
            Progress::Delivered { agent, .. } => format!("{agent} delivered"),
            Progress::Checked { passed, .. } => format!("checked: {passed}"),
            Progress::Reviewed { agent, approved, .. } => format!("{agent} judged: {approved}"),
            _ => return,
        };
        ears.lock().unwrap().push(line);
    });
    team.options(RunOptions { reporter, ..RunOptions::default() });

    let report = team.run(None).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Completed);
    let expected = [
        "worker-1 begins 1",
        "worker-1 delivered",
        "checked: true",
        "reviewer-1 begins 1",
        "reviewer-1 judged: false",
        "worker-1 begins 2",
        "worker-1 delivered",
        "checked: true",
        "reviewer-1 begins 2",
        "reviewer-1 judged: true",
    ];
    assert_eq!(*heard.lock().unwrap(), expected, "what follows is told after what it follows from");
    let task = team.queue().get_task(&"story".parse().unwrap()).unwrap();
    assert_eq!(team.queue().team_log().read_text(&task.result.unwrap()).unwrap(), "a long story");
    assert_eq!(task.feedback.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_back_to_an_author_who_works_on_something_else_is_done_by_whoever_is_idle() {
    let (long_begun, story_told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let signals = (long_begun.clone(), story_told.clone());
    let author = llm_fn(move |prompt: String| {
        let (begun, told) = signals.clone();
        async move {
            if prompt.contains("Take long") {
                begun.notify_one();
                told.notified().await;
            }
            Ok::<_, Infallible>("short".to_owned())
        }
    });
    let other = quick(move |prompt| {
        if prompt.contains("Tell a story") {
            story_told.notify_one();
        }
        "a long story".into()
    });
    let reviewer = llm_fn(move |prompt: String| {
        let begun = long_begun.clone();
        async move {
            if prompt.contains("a long story") {
                return Ok("APPROVE: good".to_owned());
            }
            begun.notified().await;
            Ok::<_, Infallible>("REJECT: too short".to_owned())
        }
    });
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, author).unwrap();
    team.add_agent("worker-2", Role::Worker, other).unwrap();
    team.add_agent("reviewer-1", Role::Reviewer, reviewer).unwrap();
    let own =
        |agent: &str, title, id: &str| NewTask { agent: Some(agent.into()), ..NewTask::new(title).id(id) };
    // The second worker cannot be the first at the story: until that is delivered, its own task is its best.
    team.add_task(NewTask::new("Tell a story").id("story").review(true)).unwrap();
    team.add_task(own("worker-1", "Take long", "long")).unwrap();
    team.add_task(own("worker-2", "Take part", "part").priority(1)).unwrap();

    let report = team.run(Some(Duration::from_secs(3_600))).await.unwrap();

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.status);
    let story = team.queue().get_task(&"story".parse().unwrap()).unwrap();
    let authors = story.claims.iter().filter(|claim| claim.stage == Stage::Work);
    assert_eq!(authors.map(|claim| claim.agent.as_str()).collect::<Vec<_>>(), ["worker-1", "worker-2"]);
}

#[tokio::test]
async fn a_reviewer_that_always_breaks_down_does_not_keep_the_run_for_ever() {
    tokio::time::pause();
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "done".into())).unwrap();
    let broken = fallible(|_| Err("invalid x-api-key".into()));
    team.add_agent("reviewer-1", Role::Reviewer, broken).unwrap();
    team.add_task(NewTask::new("Write").id("write").review(true)).unwrap();
    let heard: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let ears = heard.clone();
    let reporter = Reporter::to(move |progress| ears.lock().unwrap().push(progress));
    team.options(RunOptions { reporter, ..RunOptions::default() });

    let report = team.run(Some(Duration::from_secs(3_600))).await.unwrap();

    assert_eq!(report.outcome, RunOutcome::Stuck);
    let heard = heard.lock().unwrap();
    let failed = heard.iter().any(|progress| matches!(progress, Progress::Failed { .. }));
    assert!(!failed, "the task did not fail: {heard:?}");
    let gave_back = heard.iter().filter(|progress| matches!(progress, Progress::GaveBack { .. }));
    assert_eq!(gave_back.count(), 3, "{heard:?}");
    assert_eq!(report.status.stuck[0].task.as_str(), "write");
    assert!(report.status.stuck[0].reason.contains("reviewer"), "{}", report.status.stuck[0].reason);
}

#[tokio::test(start_paused = true)]
async fn the_lead_reviews_where_no_reviewer_can() {
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "done".into())).unwrap();
    team.add_agent("reviewer-1", Role::Reviewer, fallible(|_| Err("no credit".into()))).unwrap();
    let lead =
        quick(|prompt| if prompt.contains("APPROVE") { "APPROVE: fine" } else { "All is well." }.into());
    team.add_agent("lead-1", Role::Lead, lead).unwrap();
    team.add_task(NewTask::new("Write").id("write").review(true)).unwrap();
    let report = team.run(Some(Duration::from_secs(3_600))).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.status);
    let claims = team.queue().get_task(&"write".parse().unwrap()).unwrap().claims;
    assert_eq!(claims.last().unwrap().agent.as_str(), "lead-1");
    assert_eq!(claims.iter().filter(|claim| claim.agent.as_str() == "reviewer-1").count(), 3);
}

/// Without a stage left out: work, check and review follow each other without a timer too.
#[tokio::test(start_paused = true)]
async fn reviews_follow_work_without_a_timer() {
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "done".into())).unwrap();
    team.add_agent("reviewer-1", Role::Reviewer, quick(|_| "APPROVE".into())).unwrap();
    for task in 0..20 {
        let new = NewTask::new("Link").id(format!("link-{task}")).review(true);
        team.add_task(if task == 0 { new } else { new.after(format!("link-{}", task - 1)) }).unwrap();
    }
    let begun = tokio::time::Instant::now();
    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);
    assert!(begun.elapsed() < Duration::from_millis(250), "timers had to help: {:?}", begun.elapsed());
}

/// A team of one worker and one who judges in these words, one after the other; the last ones for ever.
fn judged_by(role: Role, words: &'static [&'static str]) -> (AgentTeam, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let prompts = asked.clone();
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "done".into())).unwrap();
    let judge = quick(move |prompt| {
        let mut prompts = prompts.lock().unwrap();
        prompts.push(prompt.to_owned());
        words[(prompts.len() - 1).min(words.len() - 1)].into()
    });
    team.add_agent("judge-1", role, judge).unwrap();
    (team, asked)
}

#[tokio::test]
async fn praise_without_a_verdict_is_no_rejection() {
    let (team, asked) = judged_by(Role::Reviewer, &["Looks good to me, go ahead.", "APPROVE"]);
    team.add_task(NewTask::new("Write").id("write").review(true)).unwrap();
    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);
    let task = team.queue().get_task(&"write".parse().unwrap()).unwrap();
    assert!(task.feedback.is_empty(), "{:?}", task.feedback);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains("Looks good to me") && asked[1].contains("That is no verdict"), "{}", asked[1]);
}

#[tokio::test(start_paused = true)]
async fn a_reviewer_that_never_judges_sends_nothing_back() {
    for words in [&["Looks good to me."], &["REJECT"]] {
        let (team, asked) = judged_by(Role::Reviewer, words);
        team.add_task(NewTask::new("Write").id("write").review(true)).unwrap();
        let report = team.run(Some(Duration::from_secs(3_600))).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::Stuck);
        let task = team.queue().get_task(&"write".parse().unwrap()).unwrap();
        assert!(task.feedback.is_empty(), "{:?}", task.feedback);
        assert_eq!(asked.lock().unwrap().len(), 6, "twice in each of three reviews");
    }
}

#[tokio::test]
async fn whoever_judges_a_plan_without_a_verdict_is_asked_once_more() {
    let (team, _) = judged_by(Role::Lead, &["Looks good to me, go ahead.", "Approved."]);
    team.add_task(NewTask { plan: true, ..NewTask::new("Clean up").id("clean") }).unwrap();
    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);
    let plan = team.queue().get_task(&"clean".parse().unwrap()).unwrap().plan.unwrap();
    assert_eq!((plan.round, plan.approved), (1, Some(true)));
}

#[tokio::test]
async fn an_agent_without_tools_is_asked_for_its_plan_and_works_when_it_is_approved() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let prompts = asked.clone();
    let mut team = AgentTeam::in_memory().unwrap();
    let lead = quick(|prompt| match prompt {
        prompt if prompt.contains("Delete everything") => "REJECT: keep the tests".into(),
        prompt if prompt.contains("A plan waits for you") => "APPROVE".into(),
        _ => "Done.".into(),
    });
    let worker = quick(move |prompt| {
        prompts.lock().unwrap().push(prompt.to_owned());
        match prompt {
            prompt if prompt.contains("keep the tests") => "Delete all but the tests.".into(),
            prompt if prompt.contains("Say how you mean to do it") => "Delete everything.".into(),
            _ => "It is clean.".into(),
        }
    });
    team.add_agent("lead-1", Role::Lead, lead).unwrap();
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_task(NewTask { plan: true, ..NewTask::new("Clean up").id("clean") }).unwrap();

    let report = team.run(None).await.unwrap();

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let task = team.queue().get_task(&"clean".parse().unwrap()).unwrap();
    assert_eq!(task.result.unwrap().preview(), "It is clean.");
    let plan = task.plan.unwrap();
    assert_eq!((plan.round, plan.text.preview().as_ref()), (2, "Delete all but the tests."));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[2].contains("The plan that was approved"), "it works by the plan: {}", asked[2]);
}

#[tokio::test]
async fn where_one_reviewer_is_not_enough_the_lead_gives_the_second_approval() {
    let mut team = AgentTeam::in_memory().unwrap();
    for (name, role) in [("lead-1", Role::Lead), ("critic", Role::Reviewer)] {
        team.add_agent(name, role, quick(|_| "APPROVE".into())).unwrap();
    }
    team.add_agent("worker-1", Role::Worker, quick(|_| "Done.".into())).unwrap();
    team.add_task(NewTask { reviews: Some(2), ..NewTask::new("Change the lock").id("lock") }).unwrap();

    let report = team.run(Some(Duration::from_secs(30))).await.unwrap();

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let task = team.queue().get_task(&"lock".parse().unwrap()).unwrap();
    let approvals: Vec<&str> = task.approvals.iter().map(agent_team::AgentId::as_str).collect();
    assert_eq!(approvals, ["critic", "lead-1"]);
}

#[tokio::test]
async fn what_waits_for_the_human_is_said_while_the_run_waits() {
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "So.".into())).unwrap();
    team.add_task(NewTask { plan: true, ..NewTask::new("Clean up").id("clean") }).unwrap();
    let heard = listening(&mut team, RunOptions::default());
    let approve = async {
        let said = || {
            let said = heard.lock().unwrap();
            said.iter().any(|progress| {
                matches!(progress, Progress::Note(note) if note.contains("agent-team plan show clean"))
            })
        };
        let mut news = team.queue().team_log().follow();
        until(&team, |status| !status.plans.is_empty()).await;
        // The word comes with the run's next look, which no record brings.
        while !said() {
            let _ = tokio::time::timeout(Duration::from_millis(20), news.changed()).await;
        }
        let human = agent_team::AgentId::human();
        let yes = agent_team::Verdict::Approved(String::new());
        team.queue().judge_plan(&human, &"clean".parse().unwrap(), None, yes).unwrap();
    };
    let (report, ()) = tokio::join!(team.run(Some(Duration::from_secs(30))), approve);
    assert_eq!(report.unwrap().outcome, RunOutcome::Completed);
}

/// The notes of a run that begin so.
fn notes(heard: &Mutex<Vec<Progress>>, begin: &str) -> Vec<String> {
    let heard = heard.lock().unwrap();
    let notes = heard.iter().filter_map(|progress| match progress {
        Progress::Note(note) if note.starts_with(begin) => Some(note.clone()),
        _ => None,
    });
    notes.collect()
}

#[tokio::test]
async fn that_a_judge_gives_no_verdict_on_a_plan_is_told_at_once_and_the_human_judges() {
    let (mut team, asked) = judged_by(Role::Lead, &["Looks good to me, go ahead."]);
    team.add_task(NewTask { plan: true, ..NewTask::new("Clean up").id("clean") }).unwrap();
    let heard = listening(&mut team, RunOptions::default());
    let human = agent_team::AgentId::human();
    let approve = async {
        let mut news = team.queue().team_log().follow();
        let message = async {
            loop {
                if let Some(told) = team.bus().unread(&human).unwrap().pop() {
                    return told;
                }
                news.changed().await.unwrap();
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(20), message).await.unwrap();
        assert_eq!((told.from.as_str(), told.task.unwrap().as_str()), ("judge-1", "clean"));
        assert!(told.text.contains("agent-team plan show clean"), "{}", told.text);
        let view = team.queue().get_task(&"clean".parse().unwrap()).unwrap();
        assert_eq!(view.plan.unwrap().approved, None, "nothing is approved without a verdict");
        assert_eq!(asked.lock().unwrap().len(), 2, "it is asked once more, and no third time");
        let yes = agent_team::Verdict::Approved(String::new());
        team.queue().judge_plan(&human, &"clean".parse().unwrap(), None, yes).unwrap();
    };
    let (report, ()) = tokio::join!(team.run(Some(Duration::from_secs(30))), approve);
    assert_eq!(report.unwrap().outcome, RunOutcome::Completed);
    let waits = "WAITS worker-1 for a verdict on its plan for clean: judge-1 gave none; you may judge it: \
                 agent-team plan show clean, then agent-team plan approve|reject clean";
    assert_eq!(notes(&heard, "WAITS worker-1 for a verdict"), [waits]);
}

#[tokio::test(start_paused = true)]
async fn that_a_reviewer_gives_no_verdict_is_told_once_and_whoever_else_may_judges() {
    let (mut team, _) = judged_by(Role::Reviewer, &["Looks good to me."]);
    team.add_agent("lead-1", Role::Lead, quick(|_| "APPROVE".into())).unwrap();
    team.add_task(NewTask::new("Write").id("write").review(true)).unwrap();
    let heard = listening(&mut team, RunOptions::default());
    let report = team.run(Some(Duration::from_secs(3_600))).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let waits = "WAITS worker-1 for a verdict on its result of write: judge-1 gave none; lead-1 may judge it, and so may \
                 you: agent-team review write";
    assert_eq!(notes(&heard, "WAITS worker-1 for a verdict"), [waits]);
    let told = team.bus().unread(&agent_team::AgentId::human()).unwrap();
    assert_eq!(told.iter().filter(|told| told.from.as_str() == "judge-1").count(), 1);
}
