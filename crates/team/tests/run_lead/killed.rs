//! Leads whose run is killed know their team when it goes on.
//!
//! The test is its own child: the test `child`, which an environment variable tells where its project is.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use agent_team::command::Environment;
use agent_team::config::HookCommands;
use agent_team::model::Script;
use agent_team::{
    AgentId, AgentTeam, Hooks, NewTask, Reporter, Role, RunOptions, RunOutcome, Status, TaskBudget,
    TeamFolder, TeamLog, Verdict,
};
use agent_team_core::machine::State;
use serde_json::{Value, json};

use super::agreed::judge;
use super::nested::{led_team, nested};
use super::project::{
    LONG, Remembering, TestProject, agent, finishes, gated, run, runs, script, view, writes,
};
use super::{adds, calls, does, failing, gives_up, id, statuses, summary};

/// Where the child's project is.
const ROLE: &str = "RUN_LEAD_PROJECT";

/// Workers that wait for a file, and a lead that plans; its second turn comes at once, or not before it is killed.
fn killed_rules(root: &Path, thinks_ms: u64) -> Vec<Value> {
    let wait = format!("while ! test -e {}; do sleep 0.01; done", root.join("../go").display());
    let mut planned = finishes("An API, and a page over it.");
    planned["delay_ms"] = json!(thinks_ms);
    let rules = nested(&[
        does(
            "api",
            &[
                adds(&[json!({"id": "get", "title": "GET"}), json!({"id": "put", "title": "PUT"})]),
                calls("wait", &json!({})),
                finishes("GET and PUT work."),
            ],
        ),
        does("get", &[runs(&wait), writes("get.sh", "echo get\n"), finishes("It gets.")]),
        does("put", &[runs(&wait), writes("put.sh", "echo put\n"), finishes("It puts.")]),
    ]);
    let slowly = |mut rule: Value| {
        if rule["when"]["task"] == "plan" {
            rule["steps"][1] = planned.clone();
        }
        rule
    };
    rules.into_iter().map(slowly).collect()
}

/// The child that the other tests kill. Without a project it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(root) = std::env::var_os(ROLE).map(PathBuf::from) else { return };
    if root.join("../planned-anew").exists() {
        let mut team = AgentTeam::new(&root).unwrap();
        planned_anew(&mut team, &root, script(&anew_rules()));
        let _ = team.run(Some(LONG)).await;
        return;
    }
    let thinks_ms = if root.join("../slowly").exists() { 600_000 } else { 0 };
    let team = led_team(AgentTeam::new(&root).unwrap(), script(&killed_rules(&root, thinks_ms)));
    assert!(team.run(Some(LONG)).await.unwrap().succeeded());
}

fn start_child(root: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["killed::child", "--exact"]).env_clear().env(ROLE, root);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", root.join(".."));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills the run as soon as the log is as the question says, and runs the team to its end.
async fn killed_when(
    project: &TestProject,
    is_so: impl Fn(&State) -> bool + Clone + Send + Sync + 'static,
) -> (AgentTeam, Arc<Remembering<Script>>) {
    let root = project.root();
    drop(project.team());
    let log = TeamLog::open(&TeamFolder::of(&root)).unwrap();
    let mut news = log.follow();
    let mut child = start_child(&root);
    while !log.look(&is_so).unwrap() {
        news.changed().await.unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop((log, news));
    std::fs::write(project.beside("go"), "").unwrap();
    let model = Remembering::new(script(&killed_rules(&root, 0)));
    let team = led_team(project.team(), model.clone());
    let report = run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let ids: Vec<String> = statuses(&team).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["plan", "api", "page", "get", "put"], "nothing is planned twice");
    assert_eq!(view(&team, "api").result.unwrap().preview(), "GET and PUT work.");
    (team, model)
}

fn is_at_work_on(state: &State, task: &str) -> bool {
    let turns = state.task(&id(task)).and_then(|task| task.claim.as_ref()).map_or(0, |claim| claim.turns);
    turns > 0
}

/// What a lead was told in its last request for a task.
pub(super) fn last_words(model: &Remembering<Script>, task: &str) -> String {
    let asked = model.asked();
    let last = asked.iter().rev().find(|asked| asked.caller.task.as_deref() == Some(task)).unwrap();
    format!("{:?}", last.messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_while_the_parts_are_out_goes_on_with_a_lead_that_knows_them() {
    let project = TestProject::new();
    let both_are_out = |state: &State| is_at_work_on(state, "get") && is_at_work_on(state, "put");
    let (team, model) = killed_when(&project, both_are_out).await;
    let told = last_words(&model, "api");
    for words in ["How the team stands now", "in the team of api-lead", "get [completed]", "put [completed]"]
    {
        assert!(told.contains(words), "{words} is missing in {told}");
    }
    assert!(told.contains("The parts are handed out."), "it goes on with its conversation: {told}");
    assert_eq!(view(&team, "api").attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_is_killed_in_the_middle_of_its_plan_knows_what_it_has_added() {
    let project = TestProject::new();
    std::fs::write(project.beside("slowly"), "").unwrap();
    let (team, model) = killed_when(&project, |state| is_at_work_on(state, "get")).await;
    let told = last_words(&model, "plan");
    for words in ["How the team stands now", "Members:", "lead-1 (you)", "page [blocked, waits for api]"] {
        assert!(told.contains(words), "{words} is missing in {told}");
    }
    assert_eq!(view(&team, "plan").attempt, 1);
}

/// A failure for which a lead proposes two tasks in the place of one, and a third.
fn anew_rules() -> Vec<Value> {
    let parts = json!([{"id": "first", "title": "First half"}, {"id": "second", "title": "Second half", "after": ["first"]}]);
    let proposal =
        json!({"replace": [{"id": "parse", "tasks": parts}], "add": [{"title": "Tell the users"}]});
    vec![
        summary(),
        does("parse", &[gives_up("It is too much.")]),
        does("replan-parse", &[calls("plan_anew", &proposal), finishes("In two halves.")]),
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
    ]
}

/// A team whose lead proposes what is to be done about a failure. The hook that is asked of the third task waits for a file.
fn planned_anew(team: &mut AgentTeam, root: &Path, model: impl agent_team::model::Model + 'static) {
    let waits = "if grep -q users; then while ! test -e ../go; do sleep 0.01; done; fi";
    let commands = HookCommands { task_added: Some(waits.to_owned()), ..HookCommands::default() };
    let environment = Environment::of_this_process().with("HOME", root.join(".."));
    let hooks = Hooks::new(commands, &TeamFolder::of(root), environment, Reporter::default());
    team.queue().team_log().set_hooks(hooks);
    let agent = agent(model);
    team.add_agent("lead-1", Role::Lead, agent.clone()).unwrap();
    team.add_agent("worker-1", Role::Worker, agent).unwrap();
    team.options(RunOptions { approve_plan: true, ..gated("true") });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_is_killed_while_its_approved_changes_are_made_makes_none_of_them_twice() {
    let project = TestProject::new();
    std::fs::write(project.beside("planned-anew"), "").unwrap();
    let mut team = project.team();
    let budget = TaskBudget { turns: Some(9), ..TaskBudget::default() };
    team.add_task(NewTask { budget, ..failing("parse") }).unwrap();
    let mut news = team.queue().team_log().follow();
    let mut child = start_child(&project.root());
    judge(&team, "replan-parse", Verdict::Approved(String::new())).await;
    // What takes its place is there before that: then the first change is made, to its end.
    while view(&team, "parse").status != Status::Cancelled {
        news.changed().await.unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(team.queue().list_tasks().unwrap().len(), 4, "the third was not added yet");
    std::fs::write(project.beside("go"), "").unwrap();
    let model = Remembering::new(script(&anew_rules()));
    planned_anew(&mut team, &project.root(), model.clone());

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let titles: Vec<String> = team.queue().list_tasks().unwrap().into_iter().map(|task| task.title).collect();
    assert_eq!(
        titles,
        ["Do parse", "Plan anew: parse failed", "First half", "Second half", "Tell the users"],
        "{report:?}"
    );
    let told = last_words(&model, "replan-parse");
    assert!(told.contains("Added: "), "{told}");
    assert!(!told.contains("is cancelled; in its place"), "that was done before it was killed: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_while_no_run_is_alive_is_done_by_the_next_one() {
    let project = TestProject::new();
    std::fs::write(project.beside("planned-anew"), "").unwrap();
    std::fs::write(project.beside("go"), "").unwrap();
    let mut team = project.team();
    team.add_task(failing("parse")).unwrap();
    let mut news = team.queue().team_log().follow();
    let mut child = start_child(&project.root());
    while team.queue().open_plans().unwrap().is_empty() {
        news.changed().await.unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    judge(&team, "replan-parse", Verdict::Approved(String::new())).await;
    let model = Remembering::new(script(&anew_rules()));
    planned_anew(&mut team, &project.root(), model.clone());

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let told = last_words(&model, "replan-parse");
    assert!(told.contains("Added: "), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_is_done_also_when_another_lead_has_the_task_then() {
    let project = TestProject::new();
    let (urgent, parts) = ("Look at the lexer first", json!([{"id": "one", "title": "One"}]));
    let model = Remembering::new(script(&[
        summary(),
        json!({"when": {"task": "plan", "agent": "lead-1"}, "give": adds(parts.as_array().unwrap())}),
        json!({"when": {"task": "plan", "agent": "lead-2"}, "give": finishes("One task.")}),
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
    ]));
    let mut team = project.team();
    for (name, role) in [("lead-1", Role::Lead), ("lead-2", Role::Lead), ("worker-1", Role::Worker)] {
        team.add_agent(name, role, agent(model.clone())).unwrap();
    }
    team.options(RunOptions { goal: Some("A tool".into()), approve_plan: true, ..gated("true") });
    let steering = async {
        let mut news = team.queue().team_log().follow();
        while team.queue().open_plans().unwrap().is_empty() {
            news.changed().await.unwrap();
        }
        team.queue().reassign(&AgentId::human(), &id("plan"), Some(&id("lead-2"))).unwrap();
        judge(&team, "plan", Verdict::Approved(urgent.into())).await;
    };

    let (report, ()) = tokio::join!(run(&team), steering);

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    assert_eq!(view(&team, "one").status, Status::Completed);
    assert!(
        last_words(&model, "plan").contains("is approved, and done now"),
        "{}",
        last_words(&model, "plan")
    );
}
