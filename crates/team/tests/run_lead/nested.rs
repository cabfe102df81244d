//! Tasks that are handed to leads with teams of their own, and the parts that they make of them.

use agent_team::command::Environment;
use agent_team::sandbox::Sandbox;
use agent_team::{
    Account, AgentId, AgentTeam, NewTask, Records, Role, RunOptions, RunOutcome, Status, TaskBudget,
    TeamFolder,
};
use serde_json::{Value, json};

use super::project::{
    Remembering, TestProject, agent, attempt, feedback, finishes, gated, run, script, task, view, writes,
};
use super::{adds, calls, does, failing, gives_up, id, killed, lead_and_worker, led, summary};

/// A goal, of which the lead gives the larger part to a lead with a team of its own.
pub(super) fn nested(api: &[Value]) -> Vec<Value> {
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

pub(super) fn led_team(mut team: AgentTeam, model: impl agent_team::model::Model + 'static) -> AgentTeam {
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
    let (_project, model, mut team) = led(&[
        does("big", &[finishes("All done."), json!({"text": "All is done."}), gives_up("I make no parts.")]),
        does("replan-big", &[gives_up("It must be done in parts.")]),
    ]);
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
    let (_project, model, mut team) = led(&[
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
    ]);
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
