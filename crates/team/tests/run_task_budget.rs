//! Runs in which the budget of a task is used up: it goes back and is no failure, others go on, and with more of it the task
//! goes on where it stopped, whatever its agent did meanwhile.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::{Arc, Mutex};

use agent_team::model::Script;
use agent_team::{
    Account, AgentId, AgentTeam, Bounds, NewTask, Progress, Reporter, Role, RunOptions, RunOutcome,
    RunReport, Status, TaskQueue,
};
use project::{
    Remembering, TestProject, agent, attempt, finishes, gated, run, runs, script, task, turns, view, workers,
    writes,
};
use serde_json::json;

fn of_task(id: &str) -> Account {
    Account::Task(id.parse().unwrap())
}

/// Limits what a task may use as a human would.
fn limit(queue: &TaskQueue, task: &str, bounds: Bounds) {
    queue.set_budget(&AgentId::human(), &of_task(task), bounds).unwrap();
}

fn turns_of(calls: u64) -> Bounds {
    Bounds { calls: Some(calls), ..Bounds::default() }
}

/// The tasks that are not done, with what they wait for.
fn left(report: &RunReport) -> Vec<(&str, &str)> {
    let left = report.unfinished.iter();
    left.map(|task| (task.id.as_str(), task.waits_for.as_deref().unwrap_or_default())).collect()
}

/// A project with one worker, whose task `dear` takes three turns, and has one, and stands before another.
fn dear_and_cheap(
    project: &TestProject,
    meanwhile: serde_json::Value,
) -> (AgentTeam, Arc<Remembering<Script>>) {
    let model = Remembering::new(script(&[
        attempt("dear", 1, &[writes("dear", "half\n"), runs("cat dear dear > whole"), finishes("Done.")]),
        attempt("cheap", 1, &[meanwhile, finishes("Done.")]),
    ]));
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    team.add_task(task("dear").priority(1)).unwrap();
    team.add_task(task("cheap")).unwrap();
    limit(team.queue(), "dear", turns_of(1));
    (team, model)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_budget_is_used_up_waits_while_others_go_on_and_the_next_run_goes_on_with_it() {
    let project = TestProject::new();
    let (mut team, model) = dear_and_cheap(&project, writes("cheap", "x\n"));
    team.options(gated("true"));

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    assert_eq!(left(&report), [("dear", "more turns in the budget of task dear")]);
    assert_eq!(view(&team, "cheap").status, Status::Completed);
    let dear = view(&team, "dear");
    assert_eq!((dear.status, dear.attempt, dear.feedback.len()), (Status::Ready, 1, 0));
    let remedy = "allow more: agent-team budget task:dear --turns N";
    assert_eq!(dear.remedy.as_deref(), Some(remedy));
    assert_eq!(report.status.stuck[0].remedy.as_deref(), Some(remedy));
    assert_eq!(report.go_on.as_deref(), Some("agent-team budget task:dear --turns 2 && agent-team run"));
    assert!(report.errors[0].contains("the budget of task dear is used up (turns)"), "{:?}", report.errors);
    assert_eq!(project.git(&["show", &format!("{}:dear", report.kept[0].reference)]), "half");

    // As little as it was is not enough for the next step, and nobody begins it.
    let asked = model.asked().len();
    assert_eq!(run(&team).await.outcome, RunOutcome::OverBudget);
    assert_eq!(model.asked().len(), asked);

    limit(team.queue(), "dear", turns_of(3));
    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.unfinished);
    assert_eq!(project.read("whole"), "half\nhalf\n", "its folder holds again what it had done");
    assert_eq!(view(&team, "dear").attempt, 1);
    let asked = model.asked();
    assert_eq!((asked.len(), turns(&asked[3])), (5, 1), "the conversation goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_raised_while_the_run_goes_on_lets_the_task_go_on_in_it() {
    let project = TestProject::new();
    let open = project.beside("open");
    let waits = format!("while [ ! -e '{}' ]; do sleep 0.02; done; echo x > cheap", open.display());
    let (mut team, model) = dear_and_cheap(&project, runs(&waits));
    let raise = Mutex::new(Some((team.queue().clone(), open)));
    let reporter = Reporter::to(move |progress| {
        // By then the only worker has handed back the other one.
        let is_cheap = matches!(&progress, Progress::Began { task, .. } if task.as_str() == "cheap");
        if let Some((queue, open)) = is_cheap.then(|| raise.lock().unwrap().take()).flatten() {
            // Whoever reports may hold what is needed here.
            std::thread::spawn(move || {
                limit(&queue, "dear", turns_of(9));
                std::fs::write(open, "").unwrap();
            });
        }
    });
    team.options(RunOptions { reporter, ..gated("true") });

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.unfinished);
    assert_eq!((project.read("whole").as_str(), view(&team, "dear").attempt), ("half\nhalf\n", 1));
    assert_eq!(model.asked().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_delegated_task_share_its_budget_and_none_fails_by_it() {
    let project = TestProject::new();
    let adds = |ids: &[&str]| {
        let tasks: Vec<_> = ids.iter().map(|id| json!({"id": id, "title": id})).collect();
        json!({"tool_calls": [{"name": "add_tasks", "input": {"tasks": tasks}}]})
    };
    let waits = json!({"tool_calls": [{"name": "wait", "input": {}}]});
    let part = |id: &str| attempt(id, 1, &[writes(id, "x\n"), finishes("Done.")]);
    let model = Remembering::new(script(&[
        attempt("whole", 1, &[adds(&["one", "two"]), waits, finishes("Both are done.")]),
        part("one"),
        part("two"),
        json!({"when": {"task": "summary"}, "give": {"text": "All said."}}),
    ]));
    let mut team = project.team();
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    workers(&mut team, 1, &agent(model.clone()));
    team.add_task(NewTask { delegate: true, ..task("whole") }).unwrap();
    limit(team.queue(), "whole", turns_of(5));
    team.options(gated("true"));

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    assert_eq!(model.asked().len(), 5, "what the parts use is bounded by the whole");
    assert_eq!(view(&team, "one").status, Status::Completed);
    let two = view(&team, "two");
    assert_eq!((two.status, two.attempt, two.replan), (Status::Ready, 1, None));
    assert_eq!(two.waits_for.as_deref(), Some("more turns in the budget of task whole"));

    limit(team.queue(), "whole", turns_of(9));
    let report = run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.unfinished);
    assert_eq!((view(&team, "two").attempt, view(&team, "whole").attempt), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_adds_tasks_to_the_one_that_it_works_on_gives_them_a_part_of_its_budget() {
    let project = TestProject::new();
    let tasks = json!([{"id": "helper", "title": "Help", "review_rounds": 9}]);
    let adds = json!({"tool_calls": [{"name": "add_tasks", "input": {"tasks": tasks}}]});
    let approves =
        json!({"tool_calls": [{"name": "review", "input": {"approve": true, "feedback": "Good."}}]});
    let model = script(&[
        attempt("whole", 1, &[adds, writes("whole", "x\n"), finishes("Done.")]),
        attempt("helper", 1, &[writes("helper", "x\n"), finishes("Done.")]),
        json!({"when": {"role": "reviewer"}, "give": approves}),
    ]);
    let model = Remembering::new(model);
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    team.add_agent("critic", Role::Reviewer, agent(model.clone())).unwrap();
    team.options(gated("true"));
    team.add_task(NewTask { review: true, review_rounds: Some(2), ..task("whole") }).unwrap();
    limit(team.queue(), "whole", turns_of(13));

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.unfinished);
    let budget = |task: &str| {
        let account = Account::Task(task.parse().unwrap());
        team.queue().team_log().look(|state| state.ledger().limit(&account).bounds.calls).unwrap()
    };
    assert_eq!(
        (budget("whole"), budget("helper")),
        (Some(7), Some(6)),
        "12 were left, and half are the helper's"
    );
    let helper = view(&team, "helper");
    assert_eq!((helper.review, helper.review_rounds_max), (true, Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_gives_a_task_back_that_has_no_budget_for_a_review_and_stays() {
    let mut team = AgentTeam::in_memory().unwrap();
    let approves =
        json!({"tool_calls": [{"name": "review", "input": {"approve": true, "feedback": "Good."}}]});
    let model = Remembering::new(script(&[
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
        json!({"when": {"role": "reviewer"}, "give": approves}),
    ]));
    workers(&mut team, 1, &agent(model.clone()));
    team.add_agent("critic", Role::Reviewer, agent(model.clone())).unwrap();
    for id in ["a", "b"] {
        team.add_task(NewTask { review: true, ..task(id) }).unwrap();
    }
    limit(team.queue(), "a", turns_of(1));

    let report = run(&team).await;

    assert_eq!((report.outcome, view(&team, "b").status), (RunOutcome::OverBudget, Status::Completed));
    assert_eq!(left(&report), [("a", "more turns in the budget of task a")]);
    assert_eq!(view(&team, "a").status, Status::Reviewing);
    limit(team.queue(), "a", turns_of(2));
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    assert_eq!(model.asked().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_at_work_that_a_task_has_used_up_lets_it_wait_too() {
    let project = TestProject::new();
    let model = script(&[
        json!({"when": {"task": "endless"}, "give": runs("sleep 0.2")}),
        attempt("other", 1, &[writes("other", "x\n"), finishes("Done.")]),
    ]);
    let mut team = project.team();
    workers(&mut team, 1, &agent(model));
    team.options(gated("true"));
    team.add_task(task("endless").priority(1)).unwrap();
    team.add_task(task("other")).unwrap();
    limit(team.queue(), "endless", Bounds { time_ms: Some(1_000), ..Bounds::default() });

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    assert_eq!(left(&report), [("endless", "more time at work in the budget of task endless")]);
    assert_eq!((view(&team, "endless").attempt, view(&team, "other").status), (1, Status::Completed));
    let command = report.go_on.unwrap();
    assert!(command.starts_with("agent-team budget task:endless --time 2s"), "{command}");
}
