//! Whole runs of teams whose work is text: closures as agents, no repository.
#![expect(clippy::unwrap_used, reason = "the tests' own functions fail by panicking")]

mod closures;

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::agent::{Agent, llm_fn};
use agent_team::{AgentTeam, Error, NewTask, Progress, Recipient, Role, RunOptions, RunOutcome, Status};
use closures::{fallible, listening, quick, until};

/// An agent that is never done, and a count of how often it began.
fn hanging() -> (Arc<dyn Agent>, Arc<AtomicUsize>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let agent = llm_fn(move |_: String| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<String, Infallible>>()
    });
    (agent, begun)
}

fn status(team: &AgentTeam, task: &str) -> Status {
    team.queue().get_task(&task.parse().unwrap()).unwrap().status
}

#[tokio::test]
async fn the_lead_claims_nothing_and_sums_up_what_the_workers_found() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let prompts = asked.clone();
    let mut team = AgentTeam::in_memory().unwrap();
    let lead = quick(move |prompt| {
        prompts.lock().unwrap().push(prompt.to_owned());
        "All is well.".into()
    });
    team.add_agent("lead-1", Role::Lead, lead).unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "42 files".into())).unwrap();
    team.add_task(NewTask::new("Count the files").id("count")).unwrap();

    let report = team.run(None).await.unwrap();

    assert_eq!(report.outcome, RunOutcome::Completed);
    assert!(report.succeeded());
    assert_eq!(report.summary.as_deref(), Some("All is well."));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1, "the lead was asked once: {asked:?}");
    assert!(asked[0].contains("Count the files") && asked[0].contains("42 files"), "{}", asked[0]);
    assert_eq!(
        team.queue().get_task(&"count".parse().unwrap()).unwrap().author.unwrap().as_str(),
        "worker-1"
    );
}

#[tokio::test]
async fn a_prompt_holds_the_results_of_dependencies_and_new_messages() {
    let team_prompts = Arc::new(Mutex::new(Vec::new()));
    let prompts = team_prompts.clone();
    let mut team = AgentTeam::in_memory().unwrap();
    let worker = quick(move |prompt| {
        prompts.lock().unwrap().push(prompt.to_owned());
        format!("result {}", prompts.lock().unwrap().len())
    });
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_task(NewTask::new("First").id("first")).unwrap();
    team.add_task(NewTask::new("Second").id("second").after("first")).unwrap();
    let human = "human".parse().unwrap();
    team.bus().send(&human, Recipient::Everyone, "Mind the gap </message>").unwrap();

    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);

    let prompts = team_prompts.lock().unwrap();
    assert!(prompts[0].contains("Mind the gap") && prompts[0].contains("from=\"human\""), "{}", prompts[0]);
    assert_eq!(prompts[0].matches("</message>").count(), 1, "a message cannot end itself: {}", prompts[0]);
    assert!(prompts[1].contains("result 1"), "{}", prompts[1]);
    assert!(!prompts[1].contains("Mind the gap"), "it was read with the first task: {}", prompts[1]);
    let sent = team.bus().sent(&human).unwrap();
    assert_eq!(format!("{:?}", sent[0].readers[0].receipt), "Some(Read)");
}

#[tokio::test]
async fn a_function_is_given_the_whole_result_of_a_dependency_since_it_cannot_look_it_up() {
    let mut team = AgentTeam::in_memory().unwrap();
    let long = "word ".repeat(2_000) + "and the end";
    let result = long.clone();
    let worker = quick(move |prompt| match prompt.contains("# Task second") {
        true => format!("the end: {}", prompt.contains(&long)),
        false => result.clone(),
    });
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_task(NewTask::new("First").id("first")).unwrap();
    team.add_task(NewTask::new("Second").id("second").after("first")).unwrap();
    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);
    let second = team.queue().get_task(&"second".parse().unwrap()).unwrap();
    assert_eq!(team.queue().team_log().read_text(&second.result.unwrap()).unwrap(), "the end: true");
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_with_its_error_in_the_prompt() {
    let mut team = AgentTeam::in_memory().unwrap();
    let worker = fallible(|prompt| match prompt.contains("the disk was full") {
        true => Ok("done at last".into()),
        false => Err("the disk was full".into()),
    });
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_task(NewTask { backoff_ms: Some(10), ..NewTask::new("Copy").id("copy") }).unwrap();

    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);
    let task = team.queue().get_task(&"copy".parse().unwrap()).unwrap();
    assert_eq!((task.attempt, task.feedback.len()), (2, 1));
}

#[tokio::test]
async fn a_task_of_a_skill_goes_to_the_specialist_and_others_do_not() {
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "worked".into())).unwrap();
    team.add_specialist("sql-1", Role::Specialist, &["sql"], quick(|_| "queried".into())).unwrap();
    for number in 0..5 {
        team.add_task(NewTask::new("Tune").id(format!("tune-{number}")).skill("sql")).unwrap();
        team.add_task(NewTask::new("Write").id(format!("write-{number}"))).unwrap();
    }
    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);
    for task in team.queue().list_tasks().unwrap() {
        let author = task.author.unwrap();
        let expected = if task.skill.is_some() { "sql-1" } else { "worker-1" };
        assert_eq!(author.as_str(), expected, "{}", task.id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lead_that_never_sums_up_does_not_keep_the_run() {
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "done".into())).unwrap();
    team.add_agent("lead-1", Role::Lead, hanging().0).unwrap();
    let heard = listening(&mut team, RunOptions::default());
    team.add_task("Work").unwrap();
    let report = tokio::time::timeout(Duration::from_secs(3_600), team.run(None)).await.unwrap().unwrap();
    assert_eq!((report.outcome, report.summary), (RunOutcome::Completed, None));
    let told =
        |progress: &Progress| matches!(progress, Progress::Note(note) if note.contains("could not sum up"));
    assert!(heard.lock().unwrap().iter().any(told));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_longer_than_its_limit_fails_with_that_reason() {
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent("worker-1", Role::Worker, hanging().0).unwrap();
    let wait = NewTask::new("Wait").id("wait").attempts(2).time_limit(Duration::from_secs(30));
    // Backoffs go by the clock on the wall, which does not stand still.
    team.add_task(NewTask { backoff_ms: Some(0), ..wait }).unwrap();
    let report = team.run(Some(Duration::from_secs(3_600))).await.unwrap();
    assert_eq!((report.outcome, report.status.counts.failed), (RunOutcome::Stuck, 1));
    let feedback = team.queue().get_task(&"wait".parse().unwrap()).unwrap().feedback;
    assert_eq!(feedback.len(), 2);
    assert!(feedback[0].text.preview().contains("time limit"), "{:?}", feedback[0].text);
}

#[tokio::test]
async fn where_there_is_no_repository_checks_judge_the_teams_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut team = AgentTeam::new(folder.path()).unwrap();
    let made = folder.path().join("made");
    let worker = quick(move |prompt| {
        let again = prompt.contains("did not pass its check");
        if again {
            std::fs::write(&made, "").unwrap();
        }
        format!("made: {again}")
    });
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_task(NewTask::new("Make").id("make").check("test -e made")).unwrap();
    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);
    assert_eq!(team.queue().get_task(&"make".parse().unwrap()).unwrap().attempt, 2);
}

#[tokio::test]
async fn a_run_ends_when_nothing_can_go_on_and_says_what_waits_for_what() {
    let mut team = AgentTeam::in_memory().unwrap();
    team.add_agent(
        "worker-1",
        Role::Worker,
        fallible(|prompt| match prompt.contains("# Task fine") {
            true => Ok("fine".into()),
            false => Err("no".into()),
        }),
    )
    .unwrap();
    team.add_task(NewTask::new("Works").id("fine")).unwrap();
    team.add_task(NewTask::new("Fails").id("bad").attempts(1)).unwrap();
    team.add_task(NewTask::new("Follows").id("after-bad").after("bad")).unwrap();
    team.add_task(NewTask::new("Needs a skill").id("skilled").skill("cobol")).unwrap();
    team.add_task(NewTask::new("fine too").id("fine-reviewed").review(true)).unwrap();
    let (agent, role) = (Some("worker-1".parse().unwrap()), Some(Role::Reviewer));
    team.add_task(NewTask { agent, role, ..NewTask::new("For one who cannot").id("misfit") }).unwrap();

    let report = team.run(None).await.unwrap();

    assert_eq!(report.outcome, RunOutcome::Stuck);
    assert!(!report.succeeded());
    let reasons: Vec<String> =
        report.status.stuck.iter().map(|waiting| format!("{}: {}", waiting.task, waiting.reason)).collect();
    assert_eq!(
        reasons,
        [
            "after-bad: bad (failed: attempts)",
            "fine-reviewed: a reviewer, or the human",
            "misfit: worker-1, who cannot take it: it wants a reviewer",
            "skilled: an agent with the skill cobol"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_at_its_timeout_and_another_in_the_same_process_takes_up_what_was_left() {
    let mut team = AgentTeam::in_memory().unwrap();
    let (slow, begun) = hanging();
    team.add_agent("worker-1", Role::Worker, slow).unwrap();
    team.add_task(NewTask::new("Wait").id("wait")).unwrap();

    let report = team.run(Some(Duration::from_secs(60))).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::TimedOut);
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    assert_eq!(status(&team, "wait"), Status::Ready, "what nobody works on any more is free");

    let mut again = AgentTeam::over(team.queue().team_log().clone());
    again.add_agent("worker-1", Role::Worker, quick(|_| "waited".into())).unwrap();
    let report = again.run(Some(Duration::from_secs(60))).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Completed);
    assert_eq!(again.queue().get_task(&"wait".parse().unwrap()).unwrap().attempt, 1);
}

#[tokio::test]
async fn stopped_at_once_a_run_ends_and_the_next_one_goes_on_in_the_same_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let mut team = AgentTeam::new(folder.path()).unwrap();
    let (slow, _) = hanging();
    team.add_agent("worker-1", Role::Worker, slow).unwrap();
    team.add_task(NewTask::new("Wait").id("wait")).unwrap();
    let stop = team.stop();
    let (report, ()) = tokio::join!(team.run(None), async {
        until(&team, |status| status.counts.running == 1).await;
        stop.at_once();
    });
    assert_eq!(report.unwrap().outcome, RunOutcome::Interrupted);
    assert_eq!(status(&team, "wait"), Status::Ready);

    let mut again = AgentTeam::over(team.queue().team_log().clone());
    again.add_agent("worker-1", Role::Worker, quick(|_| "waited".into())).unwrap();
    assert_eq!(again.run(None).await.unwrap().outcome, RunOutcome::Completed);
    assert_eq!(again.queue().get_task(&"wait".parse().unwrap()).unwrap().attempt, 1);
}

#[tokio::test]
async fn stopped_gently_an_agent_finishes_what_it_does_and_takes_nothing_new() {
    let mut team = AgentTeam::in_memory().unwrap();
    let stop = team.stop();
    let stopping = stop.clone();
    let worker = quick(move |_| {
        stopping.gently();
        "finished all the same".into()
    });
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_task(NewTask::new("One").id("one").priority(1)).unwrap();
    team.add_task(NewTask::new("Two").id("two")).unwrap();

    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Interrupted);
    assert_eq!((status(&team, "one"), status(&team, "two")), (Status::Completed, Status::Ready));
}

#[tokio::test]
async fn an_agent_whose_task_is_cancelled_drops_it_and_does_the_next() {
    let mut team = AgentTeam::in_memory().unwrap();
    let worker = llm_fn(|prompt: String| async move {
        if prompt.contains("# Task endless") {
            std::future::pending::<()>().await;
        }
        Ok::<_, Infallible>("done".to_owned())
    });
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_task(NewTask::new("Endless").id("endless").priority(1)).unwrap();
    team.add_task(NewTask::new("Short").id("short")).unwrap();
    let endless = "endless".parse().unwrap();
    let (report, ()) = tokio::join!(team.run(None), async {
        until(&team, |status| status.counts.running == 1).await;
        team.queue().cancel(&"human".parse().unwrap(), &endless, false).unwrap();
    });
    assert_eq!(report.unwrap().outcome, RunOutcome::Completed);
    assert_eq!((status(&team, "endless"), status(&team, "short")), (Status::Cancelled, Status::Completed));
}

#[tokio::test]
async fn an_agent_that_panics_ends_the_run_and_nobody_holds_its_task() {
    let mut team = AgentTeam::in_memory().unwrap();
    let worker = quick(|_| if true { panic!("a slip of the programmer") } else { String::new() });
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.add_task(NewTask::new("Slip").id("slip")).unwrap();
    let error = team.run(None).await.unwrap_err();
    assert!(error.to_string().contains("a slip of the programmer"), "{error}");
    assert_eq!(status(&team, "slip"), Status::Ready);
}

#[tokio::test]
async fn what_comes_after_its_claim_was_lost_is_refused_and_kept() {
    let mut team = AgentTeam::in_memory().unwrap();
    let (early, late) = ("early".parse().unwrap(), "write".parse().unwrap());
    team.add_task(NewTask::new("Write").id("write")).unwrap();
    let stale = team.queue().claim_task(&early).unwrap().unwrap();
    team.queue().cancel(&"human".parse().unwrap(), &late, false).unwrap();
    team.queue().retry(&"human".parse().unwrap(), &late).unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "from worker-1".into())).unwrap();
    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);

    for _ in 0..2 {
        let refused = team.queue().complete(stale.token, &early, "from early", None, Vec::new());
        assert!(refused.unwrap_err().refusal().is_some());
    }
    let task = team.queue().get_task(&late).unwrap();
    assert_eq!(task.author.unwrap().as_str(), "worker-1");
    assert_eq!(task.late.len(), 1, "kept once");
    assert_eq!(team.get_status().unwrap().late, 1);
}

#[tokio::test]
async fn a_second_run_on_a_live_team_is_refused_with_its_process_id() {
    let folder = tempfile::tempdir().unwrap();
    let mut team = AgentTeam::new(folder.path()).unwrap();
    let (slow, _) = hanging();
    team.add_agent("worker-1", Role::Worker, slow).unwrap();
    team.add_task("Wait").unwrap();
    let mut second = AgentTeam::new(folder.path()).unwrap();
    second.add_agent("worker-1", Role::Worker, quick(|_| "mine".into())).unwrap();
    let stop = team.stop();
    let (report, refused) = tokio::join!(team.run(None), async {
        until(&team, |status| status.counts.running == 1).await;
        let refused = second.run(None).await.unwrap_err();
        stop.at_once();
        refused
    });
    report.unwrap();
    let Error::AlreadyRunning { holder } = refused else { panic!("{refused}") };
    assert_eq!(holder, format!("process {}", std::process::id()));
    assert_eq!(second.run(None).await.unwrap().outcome, RunOutcome::Completed, "the first is over");
}

#[tokio::test]
async fn nobody_is_present_any_more_when_a_team_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut team = AgentTeam::new(folder.path()).unwrap();
    team.add_agent("worker-1", Role::Worker, quick(|_| "done".into())).unwrap();
    team.add_task("Work").unwrap();
    team.run(None).await.unwrap();
    drop(team);
    let left: Vec<_> = std::fs::read_dir(folder.path().join(".agent-team/presence")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// With a paused clock, time passes only while everybody waits for a timer: a chain that takes no time was never held
/// up by a wake-up that did not come.
#[tokio::test(start_paused = true)]
async fn each_task_of_a_chain_begins_when_the_one_before_ends_and_not_by_a_timer() {
    let mut team = AgentTeam::in_memory().unwrap();
    for agent in 1..=4 {
        team.add_agent(&format!("worker-{agent}"), Role::Worker, quick(|_| "done".into())).unwrap();
    }
    for task in 0..50 {
        let new = NewTask::new("Link").id(format!("link-{task}"));
        team.add_task(if task == 0 { new } else { new.after(format!("link-{}", task - 1)) }).unwrap();
    }
    let begun = tokio::time::Instant::now();
    assert_eq!(team.run(None).await.unwrap().outcome, RunOutcome::Completed);
    assert!(begun.elapsed() < Duration::from_millis(250), "timers had to help: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_agents_work_in_one_process() {
    let at_work = Arc::new(AtomicUsize::new(0));
    let mut team = AgentTeam::in_memory().unwrap();
    let all = Arc::new(tokio::sync::Barrier::new(1_000));
    for number in 0..1_000 {
        let (count, all) = (at_work.clone(), all.clone());
        let agent = llm_fn(move |_: String| {
            let (count, all) = (count.clone(), all.clone());
            async move {
                count.fetch_add(1, Ordering::SeqCst);
                all.wait().await;
                Ok::<_, Infallible>("done".to_owned())
            }
        });
        team.add_agent(&format!("worker-{number}"), Role::Worker, agent).unwrap();
    }
    let tasks: Vec<NewTask> = (0..1_000).map(|number| NewTask::new(format!("Task {number}"))).collect();
    team.queue().add_tasks(&"human".parse().unwrap(), &tasks).unwrap();
    let begun = std::time::Instant::now();
    let report = team.run(Some(Duration::from_secs(300))).await.unwrap();
    println!("1,000 agents that all work at once: {:?}", begun.elapsed());
    assert_eq!(report.outcome, RunOutcome::Completed);
    assert_eq!((report.status.counts.completed, at_work.load(Ordering::SeqCst)), (1_000, 1_000));
    assert!(report.status.agents.iter().all(|agent| agent.completed == 1 || agent.id.as_str() == "human"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_instant_tasks_by_sixteen_agents_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut team = AgentTeam::new(folder.path()).unwrap();
    for number in 0..16 {
        team.add_agent(&format!("worker-{number}"), Role::Worker, quick(|_| "done".into())).unwrap();
    }
    let tasks: Vec<NewTask> = (0..1_000).map(|number| NewTask::new(format!("Task {number}"))).collect();
    team.queue().add_tasks(&"human".parse().unwrap(), &tasks).unwrap();
    let begun = std::time::Instant::now();
    let report = team.run(Some(Duration::from_secs(300))).await.unwrap();
    println!("1,000 instant tasks by 16 agents: {:?}", begun.elapsed());
    assert_eq!((report.outcome, report.status.counts.completed), (RunOutcome::Completed, 1_000));
    assert_eq!(report.status.void, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_broken_about_a_team_is_told_before_it_runs() {
    let mut team = AgentTeam::in_memory().unwrap();
    assert!(matches!(team.run(None).await, Err(Error::Input(_))), "no agents");
    team.add_agent("worker-1", Role::Worker, quick(|_| "done".into())).unwrap();
    assert!(team.add_agent("worker-1", Role::Worker, quick(|_| "done".into())).is_err());
    let heard = listening(&mut team, RunOptions::default());
    let report = team.run(None).await.unwrap();
    assert_eq!((report.outcome, report.status.counts.total), (RunOutcome::Completed, 0));
    assert!(heard.lock().unwrap().is_empty());
}

/// A lead that is a function: it hands a delegated task out in parts, and makes the whole of them when it has it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_without_tools_hands_out_a_delegated_task_in_words() {
    let mut team = AgentTeam::in_memory().unwrap();
    let lead = llm_fn(|prompt: String| async move {
        Ok::<_, String>(match prompt.contains("done by a worker") {
            true => "Both halves are there.".to_owned(),
            false => r#"{"tasks": [{"title": "Write one"}, {"title": "Write two"}]}"#.to_owned(),
        })
    });
    let worker = llm_fn(|_: String| async { Ok::<_, String>("done by a worker".to_owned()) });
    team.add_agent("lead-1", Role::Lead, lead).unwrap();
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    let whole = team.add_task(NewTask { delegate: true, ..NewTask::new("Write both") }).unwrap();

    let report = team.run(Some(Duration::from_secs(60))).await.unwrap();

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let whole = team.queue().get_task(&whole).unwrap();
    assert_eq!(whole.parts.len(), 2);
    assert_eq!(whole.result.unwrap().preview(), "Both halves are there.");
}
