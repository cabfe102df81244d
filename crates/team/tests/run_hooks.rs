//! Hooks in whole runs: on a real repository, with real commits and merges.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the allowance for tests does not reach what they share"
)]

#[expect(dead_code, reason = "this needs only a part of it")]
mod project;

use std::sync::{Arc, Mutex};

use agent_team::agent::{ModelAgent, llm_fn};
use agent_team::command::Environment;
use agent_team::config::{Config, HookCommands};
use agent_team::model::Script;
use agent_team::{
    AgentTeam, Hooks, NewTask, Progress, Reporter, Role, RunOptions, RunOutcome, Status, Surroundings,
    TeamFolder,
};
use project::{
    Remembering, TestProject, agent, attempt, feedback, finishes, gated, run, script, task, view, workers,
    writes,
};
use serde_json::json;

/// A team of a repository that has these hooks.
fn team(project: &TestProject, commands: HookCommands) -> AgentTeam {
    let team = project.team();
    let folder = TeamFolder::of(&project.root());
    let environment = Environment::of_this_process().with("HOME", project.beside(""));
    team.queue().team_log().set_hooks(Hooks::new(commands, &folder, environment, Reporter::default()));
    team
}

/// What a hook noted beside the repository.
fn noted(project: &TestProject, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(project.beside(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn work_that_the_hook_says_no_to_before_the_merge_goes_back_to_its_author_with_what_it_said() {
    let project = TestProject::new();
    let before_merge = "git show --format= $AGENT_TEAM_COMMIT | grep '^+.*FIXME' || exit 0; exit 2";
    let before_merge = Some(format!("echo $AGENT_TEAM_TASK >> ../asked; {before_merge}"));
    let mut team = team(&project, HookCommands { before_merge, ..HookCommands::default() });
    let model = script(&[
        attempt("a", 1, &[writes("a", "FIXME later\n"), finishes("first")]),
        attempt("a", 2, &[writes("a", "done\n"), finishes("second")]),
    ]);
    let model = Remembering::new(model);
    team.add_agent("worker-1", Role::Worker, Arc::new(ModelAgent::new(model.clone()))).unwrap();
    team.options(gated("test ! -e broken"));
    team.add_task(task("a")).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    assert_eq!(project.read("a"), "done\n");
    assert_eq!(project.commits("main").len(), 1);
    assert_eq!(feedback(&team, "a"), ["the hook before_merge says no to task `a`: +FIXME later"]);
    assert_eq!(view(&team, "a").feedback[0].cause.as_str(), "hook");
    let told = model.prompt("a", 2);
    assert!(told.contains("+FIXME later") && told.contains("by a hook of the user's"), "{told}");
    assert_eq!(noted(&project, "asked"), ["a", "a"]);
}

#[tokio::test]
async fn a_result_that_the_hook_refuses_is_a_failed_attempt_and_the_next_one_knows_why() {
    let project = TestProject::new();
    let commands = HookCommands {
        task_completed: Some("grep -q tested || { echo 'say how it was tested'; exit 2; }".into()),
        task_failed: Some("echo $AGENT_TEAM_TASK $AGENT_TEAM_AGENT >> ../failed".into()),
        ..HookCommands::default()
    };
    let mut team = team(&project, commands);
    let model = script(&[
        attempt("a", 1, &[writes("a", "1\n"), finishes("I wrote it.")]),
        attempt("a", 2, &[writes("a", "1\n"), finishes("I wrote it, and tested it by hand.")]),
    ]);
    workers(&mut team, 1, &agent(model));
    team.options(gated("true"));
    team.add_task(NewTask { backoff_ms: Some(0), ..task("a") }).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    assert_eq!(feedback(&team, "a"), ["the hook task_completed says no to task `a`: say how it was tested"]);
    assert_eq!(project.read("a"), "1\n");
    assert_eq!(noted(&project, "failed"), ["a worker-1"]);
}

#[tokio::test]
async fn a_task_that_one_agent_is_kept_from_is_done_by_another_and_each_moment_is_seen_once() {
    let project = TestProject::new();
    let no = "test $AGENT_TEAM_AGENT = worker-2 || { echo 'for worker-2'; exit 2; }";
    let commands = HookCommands {
        task_claimed: Some(no.into()),
        task_completed: Some("echo $AGENT_TEAM_TASK $AGENT_TEAM_AGENT >> ../completed".into()),
        agent_idle: Some("echo $AGENT_TEAM_AGENT >> ../idle".into()),
        ..HookCommands::default()
    };
    let mut team = team(&project, commands);
    let model = script(&[json!({"give": {"text": "done"}})]);
    workers(&mut team, 2, &agent(model));
    for id in ["a", "b", "c"] {
        team.add_task(task(id)).unwrap();
    }
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    let mut completed = noted(&project, "completed");
    completed.sort();
    assert_eq!(completed, ["a worker-2", "b worker-2", "c worker-2"]);
    assert!(noted(&project, "idle").contains(&"worker-1".to_owned()));
}

#[tokio::test]
async fn a_lead_whose_task_is_refused_is_told_and_goes_on() {
    let project = TestProject::new();
    let added = "grep -q '\"check\":null' && { echo 'a task needs a check'; exit 2; }; exit 0";
    let mut team = team(&project, HookCommands { task_added: Some(added.into()), ..HookCommands::default() });
    let add = |input| json!({"tool_calls": [{"name": "add_tasks", "input": {"tasks": [input]}}]});
    let model = Remembering::new(script(&[
        json!({"when": {"role": "lead", "task": "plan"}, "steps": [
            add(json!({"id": "part", "title": "A part"})),
            add(json!({"id": "part", "title": "A part", "check": "true"})),
            finishes("It is split."),
        ]}),
        json!({"give": {"text": "done"}}),
    ]));
    team.add_agent("lead", Role::Lead, Arc::new(ModelAgent::new(model.clone()))).unwrap();
    team.add_agent("worker-1", Role::Worker, Arc::new(ModelAgent::new(model.clone()))).unwrap();
    // The plan itself has a check, so that the hook lets it pass.
    let plan = NewTask::new("Plan").id("plan").role(Role::Lead).check("true");
    team.add_task(plan).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    assert_eq!(view(&team, "part").status, Status::Completed);
    let said =
        serde_json::to_string(&model.asked().iter().map(|request| &request.messages).collect::<Vec<_>>());
    assert!(said.unwrap().contains("a task needs a check"));
}

#[tokio::test]
async fn what_a_hook_of_the_team_runs_is_protected_from_its_agents() {
    let project = TestProject::new();
    project.write("hooks/merge", "exit 0\n");
    let toml = "with = 'script:script.json'\ngate = 'true'\n[hooks]\nbefore_merge = 'sh hooks/merge'\n\
                [[task]]\nid = 'a'\ntitle = 'Change the hook'\n";
    let model =
        json!({"rules": [attempt("a", 1, &[writes("hooks/merge", "exit 1\n"), finishes("changed")])]});
    project.write("script.json", &model.to_string());
    project.write("team.toml", toml);
    project.commit("A hook");
    let config = Config::load(&project.root().join("team.toml")).unwrap();
    let environment: Vec<_> = std::env::vars_os().filter(|(name, _)| name == "PATH").collect();
    let folder = TeamFolder::of(&project.root());
    let team_log = agent_team::TeamLog::open_or_create(&folder, agent_team::Durability::Process).unwrap();
    let assembled =
        agent_team::assemble(&team_log, &config, &Surroundings::of(environment), Reporter::default())
            .unwrap();
    let report = run(&assembled.team).await;
    assert_eq!(report.outcome, RunOutcome::Stuck, "it waits for the human");
    assert_eq!(project.read("hooks/merge"), "exit 0\n");
}

/// Hooks that let only plans pass that say how it is tested, and write down what becomes of plans.
fn careful() -> HookCommands {
    HookCommands {
        plan_submitted: Some("grep -q tested || { echo 'Say how you try it out.'; exit 2; }".into()),
        plan_judged: Some("cat >> ../judged; echo >> ../judged".into()),
        ..HookCommands::default()
    }
}

/// What `plan_judged` was told: who judged whose plan, and how.
fn judged(project: &TestProject) -> Vec<(String, String, bool)> {
    let told = noted(project, "judged");
    let told = told.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    told.map(|event| {
        assert_eq!(event["event"], "plan_judged");
        (word(&event["agent"]), word(&event["task"]["plan"]["text"]), event["approved"].as_bool().unwrap())
    })
    .collect()
}

#[tokio::test]
async fn a_plan_that_the_hook_sends_back_is_judged_by_nobody_and_one_that_it_lets_pass_by_somebody_else() {
    let project = TestProject::new();
    let mut team = team(&project, careful());
    let plan = |text: &str| json!({"tool_calls": [{"name": "submit_plan", "input": {"plan": text}}]});
    let model = Remembering::new(script(&[
        json!({"when": {"role": "lead", "contains": "A plan waits for you"}, "give": {"text": "APPROVE: good."}}),
        json!({"when": {"role": "lead"}, "give": {"text": "All done."}}),
        attempt(
            "a",
            1,
            &[plan("Write it."), plan("Write it, tested by hand."), writes("a", "1\n"), finishes("ok")],
        ),
    ]));
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    workers(&mut team, 1, &agent(model.clone()));
    team.options(gated("true"));
    team.add_task(NewTask { plan: true, ..task("a") }).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
    assert_eq!(judged(&project), [("lead-1".into(), "Write it, tested by hand.".into(), true)]);
    let done = view(&team, "a").plan.unwrap();
    assert_eq!(
        (done.round, done.judged_by.unwrap().as_str()),
        (1, "lead-1"),
        "the first one never came so far"
    );
    let told = format!("{:?}", model.asked());
    assert!(told.contains("rejected by the user's hook plan_submitted: Say how you try it out."), "{told}");
}

#[tokio::test]
async fn an_agent_without_tools_is_asked_for_another_plan_where_the_hook_says_no() {
    let project = TestProject::new();
    let mut team = team(&project, careful());
    let lead = llm_fn(|_: String| async { Ok::<_, String>("REJECT: never.".to_owned()) });
    let asked = Arc::new(Mutex::new(Vec::new()));
    let prompts = asked.clone();
    let worker = llm_fn(move |prompt: String| {
        let is_told = prompt.contains("by the user's hook plan_submitted: Say how you try it out.");
        prompts.lock().unwrap().push(prompt);
        async move { Ok::<_, String>(if is_told { "Write it, tested." } else { "Write it." }.to_owned()) }
    });
    team.add_agent("lead-1", Role::Lead, lead).unwrap();
    team.add_agent("worker-1", Role::Worker, worker).unwrap();
    team.options(gated("true"));
    team.add_task(NewTask { plan: true, ..task("a") }.attempts(1)).unwrap();
    let report = run(&team).await;
    // No hook approves anything: what the lead rejects again and again is never done.
    assert_eq!((report.outcome, view(&team, "a").status), (RunOutcome::Stuck, Status::Failed));
    let verdicts = judged(&project);
    assert!(!verdicts.is_empty() && verdicts.iter().all(|(_, _, approved)| !approved), "{verdicts:?}");
    let asked = asked.lock().unwrap();
    assert!(asked[1].contains("Say how you try it out."), "{}", asked[1]);
}

#[tokio::test]
async fn a_rehearsal_asks_no_hook() {
    let project = TestProject::new();
    let toml = "[hooks]\ntask_added = 'touch ../asked; exit 2'\n[[task]]\ntitle = 'One'\n";
    let config = Config::parse(toml, &project.root().join("team.toml")).unwrap();
    let folder = TeamFolder::of(&project.root());
    let team_log = agent_team::TeamLog::open_or_create(&folder, agent_team::Durability::Process).unwrap();
    let assembled =
        agent_team::assemble(&team_log, &config, &Surroundings::default(), Reporter::default()).unwrap();
    assert_eq!(run(&assembled.team).await.outcome, RunOutcome::Completed);
    assert!(!project.beside("asked").exists());
}

#[test]
fn the_examples_of_the_documentation_are_read() {
    let page = include_str!("../../../docs/hooks.md");
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let read = |example: &&str| Config::parse(example, "team.toml".as_ref()).unwrap().hooks;
    let all: Vec<HookCommands> = examples.iter().map(read).collect();
    for hook in agent_team::Hook::ALL {
        assert!(all.iter().any(|commands| commands.command(hook).is_some()), "{hook} has an example");
    }
    for event in page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        serde_json::from_str::<serde_json::Value>(event).unwrap();
    }
}

/// A team with a lead whose hook lets no failure be planned anew.
struct NotPlannedAnew {
    team: AgentTeam,
    model: Arc<Remembering<Script>>,
    /// What its run says.
    said: Arc<Mutex<Vec<String>>>,
}

fn not_planned_anew(project: &TestProject) -> NotPlannedAnew {
    let added = "grep -q '\"replans\":\"part\"' || exit 0; echo asked >> ../asked; echo no budget; exit 2";
    let mut team = team(project, HookCommands { task_added: Some(added.into()), ..HookCommands::default() });
    let gives_up = json!({"tool_calls": [{"name": "give_up", "input": {"reason": "It is locked."}}]});
    let adds = json!({"tool_calls": [{"name": "add_tasks", "input": {"tasks": [{"id": "part", "title": "A part", "attempts": 1}]}}]});
    let waits = json!({"tool_calls": [{"name": "wait", "input": {}}]});
    let model = Remembering::new(script(&[
        json!({"when": {"task": "part"}, "give": gives_up}),
        json!({"when": {"task": "whole"}, "steps": [adds, waits]}),
        json!({"give": {"text": "All said."}}),
    ]));
    team.add_agent("lead", Role::Lead, agent(model.clone())).unwrap();
    team.add_agent("worker-1", Role::Worker, agent(model.clone())).unwrap();
    let said = Arc::<Mutex<Vec<String>>>::default();
    let heard = said.clone();
    let reporter = Reporter::to(move |progress| {
        if let Progress::Note(note) = progress {
            heard.lock().unwrap().push(note);
        }
    });
    team.options(RunOptions { reporter, ..gated("true") });
    NotPlannedAnew { team, model, said }
}

#[tokio::test]
async fn a_failure_is_not_planned_anew_if_the_hook_says_no_and_it_is_asked_once_in_a_run() {
    let project = TestProject::new();
    let NotPlannedAnew { team, model, said } = not_planned_anew(&project);
    team.add_task(NewTask { attempts: Some(1), ..task("part") }).unwrap();
    // It goes on after that, so that there is reason to look again.
    team.add_task(task("other")).unwrap();

    let report = run(&team).await;

    assert_eq!((report.outcome, report.status.counts.total), (RunOutcome::Stuck, 2), "{report:?}");
    assert_eq!(noted(&project, "asked"), ["asked"]);
    let told = |words: &str| said.lock().unwrap().iter().filter(|note| note.contains(words)).count();
    let words =
        "part failed, and is not planned anew: the hook task_added says no to task `replan-part`: no budget";
    assert_eq!(told(words), 1, "{said:?}");
    assert!(model.asked().iter().all(|request| request.caller.task.as_deref() != Some("replan-part")));
    // Another run may be told otherwise.
    assert_eq!(run(&team).await.outcome, RunOutcome::Stuck);
    assert_eq!(noted(&project, "asked").len(), 2);
}

#[tokio::test]
async fn a_task_that_waits_for_such_a_failure_as_its_part_is_given_up_with_what_the_hook_said() {
    let project = TestProject::new();
    let NotPlannedAnew { team, said, .. } = not_planned_anew(&project);
    let whole = NewTask { delegate: true, attempts: Some(1), ..task("whole") };
    team.add_task(whole).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Stuck, "{report:?}");
    assert_eq!(view(&team, "whole").status, Status::Failed);
    let told = feedback(&team, "whole");
    let words = "its part part failed, and is not planned anew: the hook task_added says no to task `replan-part`: no budget";
    assert_eq!(told, [words]);
    let said = said.lock().unwrap();
    assert_eq!(said.iter().filter(|note| note.contains("no budget")).count(), 1, "{said:?}");
}
