//! Runs that are led: failures are planned anew, tasks handed to leads with teams of their own, and leads that are killed
//! know their team. Only the model's words are scripted.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
#[path = "../project/mod.rs"]
mod project;

mod agreed;
mod goal;
mod killed;

use std::sync::Arc;

use agent_team::agent::ModelAgent;
use agent_team::command::Environment;
use agent_team::sandbox::Sandbox;
use agent_team::{
    Account, AgentId, AgentTeam, Failure, NewMessage, NewTask, Progress, Recipient, Records, Reporter, Role,
    RunOptions, RunOutcome, Status, TaskBudget, TeamFolder,
};
use project::{
    Remembering, TestProject, agent, attempt, feedback, finishes, gated, run, script, task, view, writes,
};
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

fn statuses(team: &AgentTeam) -> Vec<(String, Status)> {
    let tasks = team.queue().list_tasks().unwrap();
    tasks.into_iter().map(|task| (task.id.to_string(), task.status)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_failed_is_planned_anew_and_what_waited_for_it_goes_on() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        summary(),
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
    ]));
    let mut team = lead_and_worker(&project, &model);
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
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        summary(),
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
    ]));
    let mut team = lead_and_worker(&project, &model);
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

/// A goal, of which the lead gives the larger part to a lead with a team of its own.
fn nested(api: &[Value]) -> Vec<Value> {
    let mut rules = vec![
        summary(),
        does(
            "plan",
            &[
                adds(&[
                    json!({"id": "api", "title": "The API", "delegate": true, "lead": "api-lead",
                           "budget_tokens": 5_000_000}),
                    json!({"id": "page", "title": "The page", "after": ["api"]}),
                ]),
                finishes("An API, and a page over it."),
            ],
        ),
        does("page", &[writes("page.sh", "sh get.sh; sh put.sh\n"), finishes("The page shows both.")]),
    ];
    rules.extend(api.iter().cloned());
    rules
}

fn nested_team(project: &TestProject, model: impl agent_team::model::Model + 'static) -> AgentTeam {
    led_team(project.team(), model)
}

fn led_team(mut team: AgentTeam, model: impl agent_team::model::Model + 'static) -> AgentTeam {
    let agent = agent(model);
    team.add_agent("lead-1", Role::Lead, agent.clone()).unwrap();
    team.add_agent("api-lead", Role::Lead, agent.clone()).unwrap();
    for worker in ["worker-1", "api-1", "api-2"] {
        team.add_agent(worker, Role::Worker, agent.clone()).unwrap();
    }
    for member in ["api-1", "api-2"] {
        team.set_lead(member, "api-lead").unwrap();
    }
    // Commands of tests wait for files beside the project.
    let beside = team.queue().team_log().folder().unwrap().workspace().join("..");
    let environment = Environment::of_this_process().confined(Sandbox::default().reading(beside));
    let goal = Some("A page over an API".into());
    team.options(RunOptions { goal, environment: Some(environment), ..gated("true") });
    team
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_gives_its_task_up_takes_the_parts_along_that_nobody_would_need() {
    let project = TestProject::new();
    let model = Remembering::new(script(&nested(&[does(
        "api",
        &[
            adds(&[json!({"id": "get", "title": "GET"})]),
            gives_up("Nobody needs an API."),
            calls("cancel_task", &json!({"id": "get"})),
            gives_up("Nobody needs an API."),
        ],
    )])));
    let mut team = nested_team(&project, model.clone());
    team.options(RunOptions { replans: Some(0), goal: Some("A page over an API".into()), ..gated("true") });
    let report = run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Stuck, "{report:?}");
    assert_eq!((view(&team, "api").status, view(&team, "get").status), (Status::Failed, Status::Cancelled));
    assert!(format!("{:?}", model.asked()).contains("would be for nobody: cancel them"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_delegated_within_a_leads_team_stays_in_that_team() {
    let project = TestProject::new();
    let model = Remembering::new(script(&nested(&[
        does(
            "api",
            &[
                adds(&[json!({"id": "routes", "title": "The routes", "delegate": true})]),
                calls("wait", &json!({})),
                finishes("The API works."),
            ],
        ),
        does(
            "routes",
            &[
                adds(&[json!({"id": "get", "title": "GET"}), json!({"id": "put", "title": "PUT"})]),
                calls("wait", &json!({})),
                finishes("Two routes."),
            ],
        ),
        does("get", &[writes("get.sh", "echo get\n"), finishes("It gets.")]),
        does("put", &[writes("put.sh", "echo put\n"), finishes("It puts.")]),
    ])));
    let team = nested_team(&project, model);
    let report = run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let lead: Option<AgentId> = Some(id("api-lead"));
    assert_eq!((view(&team, "routes").team, view(&team, "routes").author), (lead.clone(), lead.clone()));
    assert_eq!(view(&team, "get").team, lead);
    for part in ["get", "put"] {
        assert!(["api-1", "api-2"].contains(&view(&team, part).author.unwrap().as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_hands_a_task_to_another_lead_whose_team_does_its_parts() {
    let project = TestProject::new();
    let model = Remembering::new(script(&nested(&[
        does(
            "api",
            &[
                adds(&[json!({"id": "get", "title": "GET"}), json!({"id": "put", "title": "PUT"})]),
                finishes("too early"),
                calls("wait", &json!({})),
                finishes("GET and PUT work."),
            ],
        ),
        does("get", &[writes("get.sh", "echo get\n"), finishes("It gets.")]),
        does("put", &[writes("put.sh", "echo put\n"), finishes("It puts.")]),
    ])));
    let team = nested_team(&project, model.clone());

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "api").result.unwrap().preview(), "GET and PUT work.");
    assert_eq!(view(&team, "api").author, Some(id("api-lead")));
    assert_eq!(view(&team, "api").parts, [id("get"), id("put")]);
    for part in ["get", "put"] {
        let author = view(&team, part).author.unwrap();
        assert!(["api-1", "api-2"].contains(&author.as_str()), "{author} is not of the team");
    }
    assert_eq!(view(&team, "page").author, Some(id("worker-1")), "the others' tasks are not the team's");
    let last =
        model.asked().iter().rev().find(|asked| asked.caller.task.as_deref() == Some("api")).unwrap().clone();
    let text = format!("{:?}", last.messages);
    for words in [
        "How the team stands now",
        "in the team of api-lead",
        "get [completed]",
        "It gets.",
        "Parts of your task are not done",
    ] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
    let spent = |task: &str| {
        team.queue()
            .budgets()
            .unwrap()
            .into_iter()
            .find(|budget| budget.account == Account::Task(id(task)))
            .map_or(0, |budget| budget.spent.tokens())
    };
    let of = |agent: &str| {
        report.status.agents.iter().find(|known| known.id.as_str() == agent).unwrap().spent.tokens()
    };
    assert_eq!(
        spent("api"),
        of("api-lead") + of("api-1") + of("api-2"),
        "what the team spent counts for its task"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_the_place_of_a_task_has_its_budget_and_nothing_is_left_for_that_one() {
    let project = TestProject::new();
    let replaces = |heir: &str| {
        calls("replace_task", &json!({"id": "parse", "tasks": [{"id": heir, "title": "Parse otherwise"}]}))
    };
    let again = calls("retry_task", &json!({"id": "parse"}));
    let model = Remembering::new(script(&[
        summary(),
        does("parse", &[gives_up("The grammar is ambiguous.")]),
        does("replan-parse", &[replaces("a"), again, replaces("b"), finishes("Twice as well.")]),
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
    ]));
    let mut team = lead_and_worker(&project, &model);
    team.options(gated("true"));
    let budget = TaskBudget { turns: Some(5), ..TaskBudget::default() };
    team.add_task(NewTask { budget, ..failing("parse") }).unwrap();

    run(&team).await;

    let turns = |task: &str| {
        let account = Account::Task(id(task));
        team.queue().team_log().look(|state| state.ledger().limit(&account).bounds.calls).unwrap()
    };
    assert_eq!(["parse", "a", "b"].map(turns), [Some(1), Some(4), Some(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegated_task_of_which_its_lead_makes_no_part_is_not_done() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        summary(),
        does("big", &[finishes("All done."), json!({"text": "All is done."}), gives_up("I make no parts.")]),
        does("replan-big", &[gives_up("It must be done in parts.")]),
    ]));
    let mut team = lead_and_worker(&project, &model);
    team.options(gated("true"));
    team.add_task(NewTask { delegate: true, attempts: Some(1), ..task("big") }).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Stuck, "{report:?}");
    assert_eq!(view(&team, "big").status, Status::Failed);
    let told = killed::last_words(&model, "big");
    assert_eq!(told.matches("nobody would do anything").count(), 2, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_plans_failures_of_its_parts_anew_and_the_one_above_hears_of_it_when_it_cannot() {
    let project = TestProject::new();
    let model = Remembering::new(script(&nested(&[
        attempt(
            "api",
            1,
            &[
                adds(&[json!({"id": "get", "title": "GET"}), json!({"id": "put", "title": "PUT"})]),
                calls("wait", &json!({})),
            ],
        ),
        does("get", &[writes("get.sh", "echo get\n"), finishes("It gets.")]),
        json!({"when": {"task": "put"}, "give": gives_up("The disk is read-only.")}),
        json!({"when": {"task": "replan-put", "agent": "api-lead"}, "give": gives_up("No plan makes it writable.")}),
        does(
            "replan-api",
            &[
                calls("retry_task", &json!({"id": "api", "description": "Only GET is needed."})),
                finishes("Without PUT."),
            ],
        ),
        json!({"when": {"task": "api", "agent": "api-lead", "attempt": 2, "turn": 0},
               "give": calls("cancel_task", &json!({"id": "put"}))}),
        json!({"when": {"task": "api", "agent": "api-lead", "attempt": 2}, "give": finishes("GET works.")}),
    ])));
    let team = nested_team(&project, model.clone());

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert!(report.unfinished.is_empty(), "a re-plan that failed is settled by the one above");
    assert_eq!(view(&team, "api").result.unwrap().preview(), "GET works.");
    assert_eq!(view(&team, "page").status, Status::Completed);
    assert_eq!(view(&team, "replan-put").parent, Some(id("api")));
    assert_eq!(view(&team, "replan-api").parent, Some(id("plan")));
    let authors = ["replan-put", "replan-api"].map(|replan| view(&team, replan).claims[0].agent.to_string());
    assert_eq!(authors, ["api-lead", "lead-1"]);
    assert!(feedback(&team, "api")[0].contains("No plan makes it writable."), "{:?}", feedback(&team, "api"));
    let mut records = Records::open(&TeamFolder::of(&project.root())).unwrap();
    let mut kinds = Vec::new();
    loop {
        let read = records.read().unwrap();
        if read.is_empty() {
            break;
        }
        kinds.extend(read.into_iter().map(|record| (record.kind, record.task)));
    }
    let given_up = ("task_given_up".to_owned(), Some(id("api")));
    assert!(kinds.contains(&given_up), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lead_alone_leads_what_it_delegates_and_judges_plans_while_it_waits() {
    let project = TestProject::new();
    let model = script(&[
        summary(),
        json!({"when": {"role": "lead", "contains": "A plan waits for you"}, "give": {"text": "APPROVE: good."}}),
        json!({"when": {"role": "lead", "contains": "A question"}, "give": {"text": "Use spaces."}}),
        does(
            "big",
            &[
                adds(&[json!({"id": "one", "title": "One", "plan": true})]),
                calls("wait", &json!({})),
                finishes("One is done."),
            ],
        ),
        does(
            "one",
            &[
                calls("ask", &json!({"question": "Tabs or spaces?", "to": "lead-1"})),
                calls("submit_plan", &json!({"plan": "With spaces."})),
                writes("one", "1\n"),
                finishes("Done."),
            ],
        ),
    ]);
    let mut team = project.team();
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    team.add_agent("worker-1", Role::Worker, agent(model)).unwrap();
    team.options(gated("true"));
    team.add_task(NewTask { delegate: true, ..task("big") }).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "big").attempt, 1, "it went on where it was");
    assert_eq!(view(&team, "one").plan.unwrap().judged_by, Some(id("lead-1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_changes_nothing_outside_of_what_it_leads_and_delegates_no_deeper_than_it_may() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        summary(),
        does(
            "big",
            &[
                calls("cancel_task", &json!({"id": "other"})),
                adds(&[json!({"id": "deep", "title": "Deep", "delegate": true})]),
                adds(&[json!({"id": "flat", "title": "Flat"})]),
                calls("wait", &json!({})),
                finishes("Flat."),
            ],
        ),
        json!({"give": finishes("Done.")}),
    ]));
    let mut team = lead_and_worker(&project, &model);
    team.options(RunOptions { max_depth: Some(1), ..gated("true") });
    team.add_task(task("other")).unwrap();
    team.add_task(NewTask { delegate: true, ..task("big") }).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "other").status, Status::Completed);
    let text = format!(
        "{:?}",
        model
            .asked()
            .iter()
            .rev()
            .find(|asked| asked.caller.task.as_deref() == Some("big"))
            .unwrap()
            .messages
    );
    assert!(text.contains("is no part of what you lead"), "{text}");
    assert!(text.contains("would be delegated deeper than 1"), "{text}");
    assert!(team.queue().get_task(&id("deep")).is_err());
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
