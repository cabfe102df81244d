//! Runs that are led: failures are planned anew, tasks handed to leads with teams of their own, and leads that are killed
//! know their team. Only the model's words are scripted.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
#[path = "../project/mod.rs"]
mod project;

mod agreed;
mod goal;
mod killed;
mod nested;

use std::sync::Arc;

use agent_team::agent::ModelAgent;
use agent_team::model::Script;
use agent_team::{
    AgentId, AgentTeam, Failure, NewMessage, NewTask, Progress, Recipient, Reporter, Role, RunOptions,
    RunOutcome, Status,
};
use project::{Remembering, TestProject, agent, feedback, finishes, gated, run, script, task, view, writes};
use serde_json::{Value, json};

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

fn calls(name: &str, input: &Value) -> Value {
    json!({"tool_calls": [{"name": name, "input": input}]})
}

fn adds(tasks: &[Value]) -> Value {
    calls("add_tasks", &json!({"tasks": tasks}))
}

fn gives_up(reason: &str) -> Value {
    calls("give_up", &json!({"reason": reason}))
}

/// The turns of a task, whichever attempt.
fn does(task: &str, steps: &[Value]) -> Value {
    json!({"when": {"task": task}, "steps": steps})
}

fn summary() -> Value {
    json!({"when": {"task": "summary"}, "give": {"text": "All said."}})
}

fn failing(id: &str) -> NewTask {
    NewTask { attempts: Some(1), ..task(id) }
}

/// A team of a lead and a worker, both with this model.
fn lead_and_worker<M: agent_team::model::Model + Clone + 'static>(
    project: &TestProject,
    model: &M,
) -> AgentTeam {
    let mut team = project.team();
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team
}

/// The same in a new project, with a model that goes by these rules, and sums up.
fn led(rules: &[Value]) -> (TestProject, Arc<Remembering<Script>>, AgentTeam) {
    let project = TestProject::new();
    let model = Remembering::new(script(&[&[summary()], rules].concat()));
    let team = lead_and_worker(&project, &model);
    (project, model, team)
}

fn statuses(team: &AgentTeam) -> Vec<(String, Status)> {
    let tasks = team.queue().list_tasks().unwrap();
    tasks.into_iter().map(|task| (task.id.to_string(), task.status)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_failed_is_planned_anew_and_what_waited_for_it_goes_on() {
    let (_project, model, mut team) = led(&[
        does("parse", &[gives_up("The grammar is ambiguous.")]),
        does(
            "replan-parse",
            &[
                calls("cancel_task", &json!({"id": "print"})),
                calls(
                    "replace_task",
                    &json!({"id": "parse", "tasks": [
                        {"id": "grammar", "title": "Make the grammar clear"},
                        {"id": "parse-2", "title": "Parse by the clear grammar", "after": ["grammar"]},
                    ]}),
                ),
                finishes("First the grammar, then the parser."),
            ],
        ),
        does("grammar", &[writes("grammar", "clear\n"), finishes("It is clear.")]),
        does("parse-2", &[writes("parse.sh", "echo ok\n"), finishes("It parses.")]),
        does("print", &[writes("print.sh", "sh parse.sh\n"), finishes("It prints.")]),
    ]);
    team.options(gated("true"));
    team.add_task(failing("parse")).unwrap();
    team.add_task(task("draw").after("parse")).unwrap();
    team.add_task(task("print").after("parse").check("sh print.sh | grep ok")).unwrap();
    // What has ended waits for nothing any more.
    team.queue().cancel(&AgentId::human(), &id("draw"), false).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "parse").status, Status::Cancelled);
    assert_eq!(view(&team, "print").after, [id("grammar"), id("parse-2")]);
    assert_eq!(view(&team, "replan-parse").replans, Some(id("parse")));
    let used: Vec<_> = report.status.replans.iter().map(|replans| (replans.used, replans.most)).collect();
    assert_eq!(used, [(1, 3)]);
    let prompt = model.prompt("replan-parse", 1);
    for words in
        ["Do parse", "The grammar is ambiguous.", "What waits for it: draw, print", "2 more failures"]
    {
        assert!(prompt.contains(words), "{words} is missing in {prompt}");
    }
    let refused = killed::last_words(&model, "replan-parse");
    assert!(refused.contains("the user asked for print, so you cannot cancel it"), "{refused}");
    let tools: Vec<String> = model
        .asked()
        .iter()
        .find(|request| request.caller.role == "lead")
        .unwrap()
        .tools
        .iter()
        .map(|tool| tool.name.clone())
        .collect();
    for tool in ["write", "edit", "run"] {
        assert!(!tools.iter().any(|known| known == tool), "a lead delegates only: {tools:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_makes_no_task_of_a_goal_is_not_done_and_one_with_a_task_of_its_own_is() {
    for (goal, task, done) in [(Some("Tidy up"), "plan", false), (None, "look", true)] {
        let project = TestProject::new();
        let steps = [finishes("All is well."), gives_up("There is nothing to do.")];
        let model =
            Remembering::new(script(&[summary(), does(task, &steps), json!({"give": gives_up("Nor now.")})]));
        let mut team = project.team();
        team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
        team.options(RunOptions { goal: goal.map(str::to_owned), ..gated("true") });
        if goal.is_none() {
            team.add_task(NewTask { role: Some(Role::Lead), ..project::task(task) }).unwrap();
        }
        assert_eq!(run(&team).await.outcome == RunOutcome::Completed, done, "{task}");
        let told = format!("{:?}", model.asked()).contains("nobody would do anything");
        assert_eq!(told, !done, "{task}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_for_one_goal_is_nothing_done_for_the_next() {
    let project = TestProject::new();
    let first = [adds(&[json!({"id": "a", "title": "A"})]), finishes("One task.")];
    let second = [finishes("All is well."), gives_up("There is nothing to do.")];
    let model = Remembering::new(script(&[
        summary(),
        does("plan-2", &second),
        does("plan", &first),
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
        json!({"give": gives_up("Nor now.")}),
    ]));
    let mut team = lead_and_worker(&project, &model);
    for (goal, outcome) in [("Tidy up", RunOutcome::Completed), ("Tidy up more", RunOutcome::Stuck)] {
        team.options(RunOptions { goal: Some(goal.to_owned()), ..gated("true") });
        assert_eq!(run(&team).await.outcome, outcome, "{goal}: {:?}", statuses(&team));
    }
    assert!(format!("{:?}", model.asked()).contains("nobody would do anything"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_retried_with_better_words() {
    let (_project, _model, mut team) = led(&[
        does(
            "replan-parse",
            &[
                calls(
                    "retry_task",
                    &json!({"id": "parse", "description": "Parse only what stands in a.txt."}),
                ),
                finishes("It may try again, on less."),
            ],
        ),
        json!({"when": {"contains": "only what stands in a.txt"}, "give": finishes("It parses a.txt.")}),
        does("parse", &[gives_up("There is too much of it.")]),
    ]);
    team.options(gated("true"));
    team.add_task(failing("parse")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "parse").result.unwrap().preview(), "It parses a.txt.");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_failures_are_planned_anew_however_often_the_team_is_run() {
    let project = TestProject::new();
    let retries = |id: &str| {
        let replan = format!("replan-{id}");
        does(&replan, &[calls("retry_task", &json!({"id": id})), finishes("Once more.")])
    };
    let mut rules = vec![summary()];
    for id in ["a", "a-2"] {
        rules.push(json!({"when": {"role": "lead", "task": format!("replan-{id}")}, "steps": [
            calls("retry_task", &json!({"id": "a"})), finishes("Once more.")]}));
    }
    rules.push(retries("b"));
    rules.push(json!({"when": {"role": "worker"}, "give": gives_up("It cannot be done.")}));
    let model = Remembering::new(script(&rules));
    let mut team = lead_and_worker(&project, &model);
    let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(note) = progress {
            let _ = said.send(note);
        }
    });
    team.options(RunOptions { replans: Some(2), reporter, ..gated("true") });
    team.add_task(failing("a")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Stuck, "{report:?}");
    assert_eq!(view(&team, "a").status, Status::Failed);
    let replans = ["replan-a", "replan-a-2"].map(|replan| view(&team, replan).status);
    assert_eq!(replans, [Status::Completed; 2]);
    assert_eq!(report.status.counts.total, 3, "{:?}", statuses(&team));
    let mut notes = Vec::new();
    while let Ok(note) = heard.try_recv() {
        notes.push(note);
    }
    assert!(notes.iter().any(|note| note.contains("a failed: a lead plans anew (2 of 2)")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("2 of 2 re-plans are used")), "{notes:?}");

    team.add_task(failing("b")).unwrap();
    let report = run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Stuck);
    assert_eq!(report.status.counts.total, 4, "the log has counted: {:?}", statuses(&team));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_which_the_lead_says_that_nothing_can_be_done_is_put_to_it_once() {
    let project = TestProject::new();
    let model = script(&[
        summary(),
        json!({"when": {"role": "lead"}, "give": gives_up("Nobody can square the circle.")}),
        json!({"give": gives_up("It cannot be done.")}),
    ]);
    let mut team = project.team();
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    team.add_agent("worker-1", Role::Worker, agent(model)).unwrap();
    team.options(gated("true"));
    team.add_task(failing("circle")).unwrap();

    for _ in 0..2 {
        let report = run(&team).await;
        assert_eq!(report.outcome, RunOutcome::Stuck, "{report:?}");
        assert_eq!(report.status.counts.total, 2, "{:?}", statuses(&team));
    }
    assert_eq!(view(&team, "replan-circle").failure, Some(Failure::GivenUp));
    assert!(feedback(&team, "replan-circle")[0].contains("Nobody can square the circle."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_whose_conversation_was_compacted_is_told_how_its_team_stands() {
    let project = TestProject::new();
    let mut read = calls("list_tasks", &json!({}));
    read["usage"] = json!({"input_tokens": 9_000});
    let model = Remembering::new(script(&[
        summary(),
        json!({"when": {"contains": "Write your account"}, "give": {"text": "I split it."}}),
        does(
            "big",
            &[
                adds(&[json!({"id": "one", "title": "The first part"})]),
                calls("list_tasks", &json!({})),
                read,
                calls("wait", &json!({})),
                finishes("One is done."),
            ],
        ),
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
    ]));
    let mut team = project.team();
    let lead = ModelAgent::new(model.clone()).context_tokens(8_000);
    team.add_agent("lead-1", Role::Lead, Arc::new(lead)).unwrap();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    team.options(gated("true"));
    team.add_task(NewTask { delegate: true, ..task("big") }).unwrap();
    let asks = NewMessage::new(&id("worker-1"), Recipient::Agent(AgentId::human()), "Which colour?");
    team.bus().post(NewMessage { asks: true, ..asks }).unwrap();

    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);

    let asked = model.asked();
    let compacted = asked.iter().find(|asked| asked.caller.turns_left_out > 0).expect("it was compacted");
    let told = format!("{:?}", compacted.messages);
    for words in ["I split it.", "How the team stands now", "one [", "The first part", "Which colour?"] {
        assert!(told.contains(words), "{words} is missing in {told}");
    }
}
