//! What somebody agrees to is what is done: the tasks of a lead, what it plans anew, and nothing beside.

use agent_team::view::PlanView;
use agent_team::{
    AgentId, AgentTeam, NewTask, Progress, Reporter, Role, RunOptions, RunOutcome, Status, TaskId, Verdict,
};
use serde_json::{Value, json};

use super::project::{Remembering, TestProject, agent, finishes, gated, run, script, task, view, writes};
use super::{adds, calls, does, failing, gives_up, id, killed, lead_and_worker, led, statuses, summary};

/// Waits for the next plan of a task, judges it, and gives its text.
pub(super) async fn judge(team: &AgentTeam, task: &str, verdict: Verdict) -> String {
    let (known, plan) = waiting_plan(team, task).await;
    let text = team.queue().team_log().read_text(&plan.text).unwrap();
    team.queue().judge_plan(&AgentId::human(), &known, Some(plan.id), verdict).unwrap();
    text
}

/// The plan of a task, once it waits to be judged.
pub(super) async fn waiting_plan(team: &AgentTeam, task: &str) -> (TaskId, PlanView) {
    let mut news = team.queue().team_log().follow();
    loop {
        let plan = team.queue().open_plans().unwrap().into_iter().find(|(known, ..)| *known == id(task));
        if let Some((known, plan, _)) = plan {
            return (known, plan);
        }
        news.changed().await.unwrap();
    }
}

fn tools_of(request: &agent_team::model::Request) -> Vec<&str> {
    request.tools.iter().map(|tool| tool.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_agrees_to_the_leads_tasks_agrees_to_what_it_plans_anew_and_nothing_is_done_before() {
    let project = TestProject::new();
    let anew = |tasks: Value| {
        let replace = json!([{"id": "parse", "tasks": tasks}]);
        calls("plan_anew", &json!({"replace": replace, "cancel": [{"id": "draw"}]}))
    };
    let model = Remembering::new(script(&[
        summary(),
        does("parse", &[gives_up("The grammar is ambiguous.")]),
        does(
            "replan-parse",
            &[
                anew(json!([{"id": "rewrite", "title": "Rewrite everything"}])),
                anew(
                    json!([{"id": "parse-2", "title": "Parse by another grammar", "check": "test -e parse.sh"}]),
                ),
                finishes("Another grammar."),
            ],
        ),
        json!({"when": {"role": "reviewer"}, "give": {"text": "APPROVE: it is."}}),
        does("parse-2", &[writes("parse.sh", "echo ok\n"), finishes("It parses.")]),
    ]));
    let mut team = lead_and_worker(&project, &model);
    team.add_agent("reviewer-1", Role::Reviewer, agent(model.clone())).unwrap();
    team.options(RunOptions { approve_plan: true, ..gated("true") });
    team.add_task(failing("parse").review(true).check("test -s parse.sh")).unwrap();
    team.add_task(task("draw").after("parse")).unwrap();

    let steering = async {
        let first = judge(&team, "replan-parse", Verdict::ChangesRequested("Not everything.".into())).await;
        assert_eq!(view(&team, "parse").status, Status::Failed, "nothing is done before it is approved");
        assert!(team.queue().get_task(&id("rewrite")).is_err());
        (first, judge(&team, "replan-parse", Verdict::Approved(String::new())).await)
    };
    let (report, (first, second)) = tokio::join!(run(&team), steering);

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert!(first.contains("- rewrite: Rewrite everything"), "{first}");
    let words = "parse is cancelled, and in its place:\n- parse-2: Parse by another grammar\n    reviewed by a reviewer, sent back 3 \
                 times at most\n    check: (test -s parse.sh) && (test -e parse.sh)\ndraw is cancelled\n";
    assert_eq!(second, words);
    assert_eq!(
        (view(&team, "draw").status, view(&team, "parse").status),
        (Status::Cancelled, Status::Cancelled)
    );
    assert!(team.queue().get_task(&id("rewrite")).is_err(), "it was rejected");
    let asked = model.asked();
    let of_lead: Vec<Vec<&str>> =
        asked.iter().filter(|asked| asked.caller.role == "lead").map(tools_of).collect();
    let adds_unseen =
        |tools: &Vec<&str>| tools.iter().any(|tool| ["add_tasks", "replace_task"].contains(tool));
    assert!(!of_lead.iter().any(adds_unseen), "{of_lead:?}");
    let of_worker: Vec<Vec<&str>> =
        asked.iter().filter(|asked| asked.caller.task.as_deref() == Some("parse-2")).map(tools_of).collect();
    assert!(!of_worker.is_empty() && !of_worker.iter().any(adds_unseen), "{of_worker:?}");
    let reviewed = asked.iter().filter(|asked| asked.caller.role == "reviewer").count();
    assert_eq!(reviewed, 1, "what takes its place is reviewed as it was to be");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_rejected_is_not_carried_out_by_planning_anew() {
    let project = TestProject::new();
    let tasks = json!([{"id": "p", "title": "Delete everything"}]);
    let model = Remembering::new(script(&[
        summary(),
        does("plan", &[adds(&[tasks[0].clone()]), gives_up("They do not want it.")]),
        does(
            "replan-plan",
            &[calls("plan_anew", &json!({"add": tasks})), gives_up("They still do not want it.")],
        ),
        does("p", &[writes("gone", ""), finishes("Deleted.")]),
    ]));
    let mut team = lead_and_worker(&project, &model);
    team.options(RunOptions { approve_plan: true, goal: Some("Tidy up".into()), ..gated("true") });

    let rejects = async {
        let mut news = team.queue().team_log().follow();
        loop {
            for (task, plan, _) in team.queue().open_plans().unwrap() {
                let no = Verdict::ChangesRequested("Never do p.".into());
                team.queue().judge_plan(&AgentId::human(), &task, Some(plan.id), no).unwrap();
            }
            news.changed().await.unwrap();
        }
    };
    let report = tokio::select! {
        report = run(&team) => report,
        () = rejects => unreachable!("it rejects as long as the team runs"),
    };

    assert_ne!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert!(team.queue().get_task(&id("p")).is_err(), "{:?}", statuses(&team));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_somebodys_verdict_is_not_got_out_of_the_way_by_its_lead() {
    let project = TestProject::new();
    let instead = json!({"id": "look", "tasks": [{"id": "b", "title": "Look elsewhere"}]});
    let model = Remembering::new(script(&[
        summary(),
        json!({"when": {"task": "look", "role": "lead"}, "give": {"text": "REJECT: Look twice."}}),
        json!({"when": {"task": "look"}, "give": finishes("Looked.")}),
        does("parse", &[gives_up("The grammar is ambiguous.")]),
        does("replan-parse", &[calls("replace_task", &instead), gives_up("No way.")]),
    ]));
    let mut team = lead_and_worker(&project, &model);
    team.options(gated("true"));
    team.add_task(NewTask { review_rounds: Some(1), ..task("look").review(true) }).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Stuck, "the human judges what was sent back once");
    team.add_task(failing("parse")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Stuck, "{report:?}");
    let told = killed::last_words(&model, "replan-parse");
    assert!(told.contains("look is being judged"), "{told}");
    assert_eq!(view(&team, "look").status, Status::Reviewing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_makes_parts_of_a_delegated_task_that_somebody_has_agreed_to() {
    let (_project, _model, mut team) = led(&[
        does(
            "plan",
            &[adds(&[json!({"id": "big", "title": "Big", "delegate": true})]), finishes("One task.")],
        ),
        does(
            "big",
            &[adds(&[json!({"id": "part", "title": "Part"})]), calls("wait", &json!({})), finishes("Big.")],
        ),
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
    ]);
    team.options(RunOptions { goal: Some("A tool".into()), approve_plan: true, ..gated("true") });

    let (report, _) = tokio::join!(run(&team), judge(&team, "plan", Verdict::Approved(String::new())));

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "part").status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_is_added_whatever_others_have_added_that_looks_like_it() {
    let project = TestProject::new();
    let one = json!({"title": "One"});
    let proposal = json!({"replace": [{"id": "parse", "tasks": [one]}], "add": [one, {"title": "Other"}]});
    let model = Remembering::new(script(&[
        summary(),
        does("parse", &[gives_up("It is too much.")]),
        does("replan-parse", &[calls("plan_anew", &proposal), finishes("So.")]),
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
    ]));
    let mut team = lead_and_worker(&project, &model);
    team.options(RunOptions { approve_plan: true, ..gated("true") });
    team.add_task(failing("parse")).unwrap();

    let judged = judge(&team, "replan-parse", Verdict::Approved(String::new()));
    let (report, shown) = tokio::join!(run(&team), judged);

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let ids: Vec<String> = statuses(&team).into_iter().map(|(id, _)| id).collect();
    assert_eq!(
        ids,
        ["parse", "replan-parse", "replan-parse-1", "replan-parse-2", "replan-parse-3"],
        "each is there once"
    );
    assert!(shown.contains("added besides:\n- replan-parse-2: One"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_somebody_takes_before_the_approval_is_said_and_counts_for_nothing() {
    let (_project, _model, mut team) = led(&[
        does("plan", &[adds(&[json!({"id": "one", "title": "One"})]), finishes("One task.")]),
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
    ]);
    let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(note) = progress {
            let _ = said.send(note);
        }
    });
    let goal = Some("A tool".into());
    team.options(RunOptions { goal, approve_plan: true, reporter, ..gated("true") });
    let steering = async {
        let mut news = team.queue().team_log().follow();
        while team.queue().open_plans().unwrap().is_empty() {
            news.changed().await.unwrap();
        }
        team.queue().add_task(task("one")).unwrap();
        judge(&team, "plan", Verdict::Approved(String::new())).await;
    };

    tokio::join!(run(&team), steering);

    let mut notes = Vec::new();
    while let Ok(note) = heard.try_recv() {
        notes.push(note);
    }
    let not_done = "ERROR what was approved is not done: there is a task `one` already";
    assert!(notes.iter().any(|note| note.starts_with(not_done)), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_added_unseen_to_tasks_that_somebody_has_agreed_to() {
    let (_project, model, mut team) = led(&[
        does("plan", &[adds(&[json!({"id": "one", "title": "One"})]), finishes("One task.")]),
        does(
            "one",
            &[adds(&[json!({"id": "two", "title": "Two"})]), writes("one", "1\n"), finishes("Done.")],
        ),
    ]);
    team.options(RunOptions { goal: Some("A tool".into()), approve_plan: true, ..gated("true") });

    let (report, _) = tokio::join!(run(&team), judge(&team, "plan", Verdict::Approved(String::new())));

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert!(team.queue().get_task(&id("two")).is_err());
    let asked = model.asked();
    let worker = asked.iter().find(|asked| asked.caller.role == "worker").unwrap();
    assert!(!tools_of(worker).contains(&"add_tasks"), "{:?}", tools_of(worker));
}
