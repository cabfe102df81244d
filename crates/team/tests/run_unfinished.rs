//! Agents whose attempts are cut off: what they did so far is kept under a ref, and whoever makes the next attempt begins
//! with it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::time::Duration;

use agent_team::{
    AgentId, AgentTeam, NewTask, Progress, Reporter, Role, RunOptions, RunOutcome, RunReport, Status,
};
use project::{
    Remembering, TestProject, agent, attempt, finishes, gated, run, runs, script, task, view, workers, writes,
};
use serde_json::json;

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

/// Does something when an agent runs a command with these words in it.
fn when_it_runs(words: &'static str, then: impl Fn() + Send + Sync + 'static) -> Reporter {
    Reporter::to(move |progress| {
        if matches!(&progress, Progress::Activity { what, .. } if what.contains(words)) {
            then();
        }
    })
}

/// The one piece of work that a run says is kept: what a file of it holds.
fn kept(project: &TestProject, report: &RunReport, agent: &str, file: &str) -> String {
    assert_eq!(report.kept.len(), 1, "{:?}", report.kept);
    let kept = &report.kept[0];
    assert_eq!((kept.task.as_str(), kept.agent.as_str()), ("half", agent));
    assert!(kept.reference.starts_with("refs/agent-team/attempts/"), "{kept:?}");
    assert_eq!(project.git(&["rev-parse", &kept.reference]), kept.commit);
    project.git(&["show", &format!("{}:{file}", kept.reference)])
}

/// A team of one whose first attempt writes half a file and then does this without end.
fn half_done(project: &TestProject, without_end: &str) -> AgentTeam {
    let mut team = project.team();
    let endless = json!({"when": {"task": "half"}, "give": runs(without_end)});
    let model =
        script(&[json!({"when": {"task": "half", "turn": 0}, "give": writes("half", "first\n")}), endless]);
    workers(&mut team, 1, &agent(model));
    team.add_task(task("half")).unwrap();
    team
}

/// Lets somebody else, who finds what is there, do the rest.
async fn goes_on(project: &TestProject, worker: &str) -> (AgentTeam, String) {
    let mut team = project.team();
    let rest = [
        json!({"when": {"task": "half", "contains": "it is written"}, "give": finishes("Done.")}),
        json!({"when": {"task": "half"}, "give": runs("echo second >> half; echo it is written")}),
    ];
    let model = Remembering::new(script(&rest));
    team.add_agent(worker, Role::Worker, agent(model.clone())).unwrap();
    team.options(gated("true"));
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    assert_eq!(project.read("half"), "first\nsecond\n");
    let number = view(&team, "half").attempt;
    (team, model.prompt("half", number))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_half_done_at_ctrl_c_outlives_its_workspace() {
    let project = TestProject::new();
    let mut team = half_done(&project, "true");
    let stop = team.stop();
    team.options(RunOptions { reporter: when_it_runs("true", move || stop.gently()), ..gated("true") });

    let report = run(&team).await;

    assert_eq!((report.outcome, view(&team, "half").status), (RunOutcome::Interrupted, Status::Ready));
    assert_eq!(kept(&project, &report, "worker-1", "half"), "first");
    let change = team.queue().change_of(&id("half")).unwrap().unwrap();
    assert_eq!(change.to_string(), "of attempt 1 by worker-1, which ended unfinished");
    assert!(change.patch.contains("+first\n"), "{}", change.patch);
    drop(team);
    std::fs::remove_dir_all(project.root().join(".agent-team/workspaces")).unwrap();
    let (team, told) = goes_on(&project, "worker-1").await;
    assert!(!told.contains("the earlier attempt"), "it goes on with its own: {told}");
    assert_eq!(view(&team, "half").attempt, 1, "to be stopped is no failed attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_half_done_when_time_was_over_is_kept() {
    let project = TestProject::new();
    let mut team = half_done(&project, "true");
    team.options(gated("true"));

    let report = team.run(Some(Duration::from_secs(2))).await.unwrap();

    assert_eq!((report.outcome, view(&team, "half").status), (RunOutcome::TimedOut, Status::Ready));
    assert_eq!(kept(&project, &report, "worker-1", "half"), "first");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_over_its_time_limit_leaves_what_it_did_to_the_next_one() {
    let project = TestProject::new();
    let mut team = project.team();
    let first = [writes("half", "first\n"), runs("sleep 600")];
    let second = [runs("echo second >> half"), finishes("Done.")];
    let model = Remembering::new(script(&[attempt("half", 1, &first), attempt("half", 2, &second)]));
    workers(&mut team, 1, &agent(model.clone()));
    team.options(gated("true"));
    team.add_task(NewTask { time_limit: Some(Duration::from_secs(2)), backoff_ms: Some(0), ..task("half") })
        .unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    assert_eq!(project.read("half"), "first\nsecond\n");
    let told = model.prompt("half", 2);
    assert!(told.contains("time limit") && told.contains("is kept as refs/agent-team/attempts/"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_given_up_leaves_what_it_did_to_the_next_one() {
    let project = TestProject::new();
    let mut team = project.team();
    let gives_up = json!({"tool_calls": [{"name": "give_up", "input": {"reason": "I am lost"}}]});
    let first = [writes("half", "first\n"), gives_up];
    let second = [runs("echo second >> half"), finishes("Done.")];
    let model = Remembering::new(script(&[attempt("half", 1, &first), attempt("half", 2, &second)]));
    workers(&mut team, 1, &agent(model.clone()));
    team.options(gated("true"));
    team.add_task(NewTask { backoff_ms: Some(0), ..task("half") }).unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    assert_eq!(project.read("half"), "first\nsecond\n");
    let told = model.prompt("half", 2);
    assert!(told.contains("with what the earlier attempt left unfinished in it"), "{told}");
    assert!(told.contains("I am lost; its work so far is kept as refs/agent-team/attempts/"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_handed_a_task_that_somebody_works_on_begins_with_what_is_there() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        json!({"when": {"agent": "worker-1"}, "steps": [writes("half", "first\n"), runs("sleep 600")]}),
        json!({"when": {"agent": "worker-2"}, "steps": [runs("echo second >> half"), finishes("Done.")]}),
    ]));
    let mut team = project.team();
    workers(&mut team, 2, &agent(model.clone()));
    team.add_task(NewTask { agent: Some("worker-1".into()), ..task("half") }).unwrap();
    let (queue, human) = (team.queue().clone(), AgentId::human());
    let hand_over = move || {
        let (queue, human) = (queue.clone(), human.clone());
        std::thread::spawn(move || queue.reassign(&human, &id("half"), Some(&id("worker-2"))).unwrap());
    };
    team.options(RunOptions { reporter: when_it_runs("sleep 600", hand_over), ..gated("true") });

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    assert_eq!(project.read("half"), "first\nsecond\n");
    assert_eq!(view(&team, "half").author, Some(id("worker-2")));
    let told = model.prompt("half", 2);
    assert!(told.contains("with what the earlier attempt left unfinished in it"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_agent_did_is_kept_while_its_task_waits_for_it() {
    let project = TestProject::new();
    let mut team = half_done(&project, "sleep 600");
    let (queue, stop) = (team.queue().clone(), team.stop());
    let reporter = Reporter::to(move |progress| match progress {
        Progress::Activity { what, .. } if what.contains("sleep 600") => {
            let queue = queue.clone();
            std::thread::spawn(move || {
                queue.stop_agent(&AgentId::human(), &id("worker-1"), "wrong way").unwrap();
            });
        }
        Progress::Note(note) if note.contains("worker-1 has lost half; its work so far is kept as") => {
            stop.gently();
        }
        _ => {}
    });
    team.options(RunOptions { reporter, ..gated("true") });

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Interrupted);
    assert_eq!(kept(&project, &report, "worker-1", "half"), "first");
    drop(team);
    // Somebody else has it by then.
    let team = project.team();
    team.queue().reassign(&AgentId::human(), &id("half"), None).unwrap();
    drop(team);
    let (_, told) = goes_on(&project, "worker-2").await;
    assert!(told.contains("with what the earlier attempt left unfinished in it"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_cannot_take_stays_in_the_folder_and_the_run_says_why() {
    let project = TestProject::new();
    let mut team = half_done(&project, "mkdir inner && git -C inner init -q; true");
    let stop = team.stop();
    let said = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
    let heard = said.clone();
    let reporter = Reporter::to(move |progress| match progress {
        Progress::Activity { what, .. } if what.contains("mkdir inner") => stop.gently(),
        Progress::Note(note) => heard.lock().unwrap().push(note),
        _ => {}
    });
    team.options(RunOptions { reporter, ..gated("true") });

    let report = run(&team).await;

    assert_eq!((report.outcome, report.kept.len()), (RunOutcome::Interrupted, 0));
    let said = said.lock().unwrap().join("\n");
    assert!(
        said.contains("its work so far is only in its folder: inner is a git repository of its own"),
        "{said}"
    );
    assert_eq!(
        std::fs::read(project.root().join(".agent-team/workspaces/worker-1/half")).unwrap(),
        b"first\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_twice_waits_for_nothing_and_the_folder_has_the_work() {
    let project = TestProject::new();
    let mut team = half_done(&project, "sleep 600");
    let stop = team.stop();
    team.options(RunOptions { reporter: when_it_runs("sleep 600", move || stop.at_once()), ..gated("true") });

    let report = run(&team).await;

    assert_eq!((report.outcome, report.kept.len()), (RunOutcome::Interrupted, 0));
    assert_eq!(
        std::fs::read(project.root().join(".agent-team/workspaces/worker-1/half")).unwrap(),
        b"first\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_merged_when_no_run_is_alive_names_the_command_that_does_it() {
    let project = TestProject::new();
    let mut team = project.team();
    let works = [writes("work", "x\n"), finishes("Done.")];
    workers(&mut team, 1, &agent(script(&[attempt("work", 1, &works)])));
    let stop = team.stop();
    let reporter = Reporter::to(move |progress| {
        if matches!(progress, Progress::Delivered { .. }) {
            stop.at_once();
        }
    });
    // It holds on the untouched branch, and has not held on the work when the run is stopped.
    team.options(RunOptions { reporter, ..gated("test ! -e work || exec sleep 600") });
    team.add_task(task("work")).unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Interrupted);

    let work = view(&team, "work");
    assert_eq!(
        (work.status, work.waits_for.as_deref()),
        (Status::Merging, Some("its turn in the merge queue"))
    );
    assert_eq!(work.remedy.as_deref(), Some("agent-team run"));
    assert_eq!(team.queue().list_tasks().unwrap()[0].remedy, work.remedy);
    let waiting = team.queue().waiting_for_run().unwrap();
    assert_eq!((waiting[0].task.as_str(), waiting[0].remedy.as_deref()), ("work", Some("agent-team run")));
    team.queue().pause(&AgentId::human(), None, "").unwrap();
    assert_eq!(view(&team, "work").remedy, None, "no run does it before the team is resumed");
}
