//! Runs whose budgets are used up: agents hand back what they work on, what was delivered is merged, the end says what is
//! left, and more of the budget lets it go on, meanwhile or later.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::agent::llm_fn;
use agent_team::{
    Account, AgentId, AgentJoined, AgentTeam, Bounds, NewTask, Progress, Reporter, Resource, Role,
    RunOptions, RunOutcome, Stage, Status, TaskQueue,
};
use project::{
    LONG, Remembering, TestProject, agent, attempt, finishes, gated, run, runs, script, task, turns, view,
    workers, writes,
};
use serde_json::json;

/// Limits an account as a human would.
fn limit(queue: &TaskQueue, account: &Account, bounds: Bounds) {
    queue.set_budget(&AgentId::human(), account, bounds).unwrap();
}

/// Tells what is said, and does something once when it holds these words.
fn when(words: &'static str, then: impl FnOnce() + Send + 'static) -> (Reporter, Arc<Mutex<Vec<String>>>) {
    let (said, then) = (Arc::<Mutex<Vec<String>>>::default(), Mutex::new(Some(then)));
    let heard = said.clone();
    let reporter = Reporter::to(move |progress| {
        let Progress::Note(note) = progress else { return };
        if note.contains(words)
            && let Some(then) = then.lock().unwrap().take()
        {
            // Whoever reports may hold what is needed here.
            std::thread::spawn(then);
        }
        heard.lock().unwrap().push(note);
    });
    (reporter, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_are_used_up_end_the_run_and_the_next_one_goes_on_when_they_are_raised() {
    let mut team = AgentTeam::in_memory().unwrap();
    for name in ["worker-1", "worker-2"] {
        let echo = llm_fn(async |prompt: String| Ok::<_, std::convert::Infallible>(prompt));
        team.add_agent(name, Role::Worker, echo).unwrap();
    }
    team.options(RunOptions { budget_attempts: Some(3), ..RunOptions::default() });
    for id in ["a", "b", "c", "d", "e"] {
        team.add_task(task(id)).unwrap();
    }

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    assert_eq!((report.status.counts.completed, report.status.counts.ready), (3, 2));
    let left = &report.unfinished[0];
    assert_eq!(left.waits_for.as_deref(), Some("more attempts in the budget of the team"));
    assert_eq!(report.go_on.as_deref(), Some("agent-team budget team --attempts 6 && agent-team run"));
    let of_team = report.budgets.iter().find(|budget| budget.account == Account::Team).unwrap();
    assert_eq!((of_team.attempts, of_team.nearest), (3, Some(Resource::Attempts)));

    // The run says again what it said, and what was raised since stays.
    limit(team.queue(), &Account::Team, Bounds { attempts: Some(6), ..Bounds::default() });
    let report = run(&team).await;
    assert_eq!((report.outcome, report.status.counts.completed), (RunOutcome::Completed, 5));
    assert_eq!(report.go_on, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_comes_before_the_end_however_fast_an_agent_is() {
    let mut team = AgentTeam::in_memory().unwrap();
    let looks = json!({"give": {"tool_calls": [{"name": "list_tasks", "input": {}}]}});
    workers(&mut team, 1, &agent(script(&[looks])));
    let (reporter, said) = when("nobody says this", || ());
    team.options(RunOptions { budget_turns: Some(10), reporter, ..RunOptions::default() });
    team.add_task(task("endless")).unwrap();
    limit(team.queue(), &of_worker(1), Bounds { calls: Some(10), ..Bounds::default() });

    assert_eq!(run(&team).await.outcome, RunOutcome::OverBudget);

    let said = said.lock().unwrap();
    let place = |words: &str| said.iter().position(|note| note.starts_with(words));
    let end = place("ERROR the budget of the team is used up");
    for account in ["the team", "agent worker-1"] {
        let warning = place(&format!("WARNING 80 % of turns in the budget of {account} is used"));
        assert!(warning.is_some() && end.is_some() && warning < end, "{account}: {said:?}");
    }
    let again = said.iter().filter(|note| note.starts_with("WARNING 80 %")).count();
    assert_eq!(again, 2, "each is said once: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_back_is_kept_under_a_ref_and_the_next_run_goes_on_from_its_last_turn() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        attempt("done", 1, &[writes("done", "x\n"), finishes("Done.")]),
        attempt("half", 1, &[writes("half", "first\n"), writes("half", "whole\n"), finishes("Done.")]),
    ]));
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    team.options(RunOptions { budget_turns: Some(3), ..gated("true") });
    team.add_task(task("done").priority(1)).unwrap();
    team.add_task(task("half")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    assert_eq!(view(&team, "done").status, Status::Completed, "what was delivered is merged");
    assert_eq!(project.read("done"), "x\n");
    assert_eq!((view(&team, "half").status, view(&team, "half").attempt), (Status::Ready, 1));
    let kept = &report.kept[0];
    assert_eq!((kept.task.as_str(), kept.agent.as_str(), report.kept.len()), ("half", "worker-1", 1));
    assert_eq!(project.git(&["show", &format!("{}:half", kept.reference)]), "first");
    assert_eq!(report.go_on.as_deref(), Some("agent-team budget team --turns 6 && agent-team run"));
    assert!(report.errors[0].contains("the budget of the team is used up (turns)"), "{:?}", report.errors);

    limit(team.queue(), &Account::Team, Bounds { calls: Some(6), ..Bounds::default() });
    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.unfinished);
    assert_eq!((project.read("half").as_str(), view(&team, "half").attempt), ("whole\n", 1));
    let asked = model.asked();
    assert_eq!(asked.len(), 5, "nothing was paid for twice");
    assert_eq!(turns(&asked[3]), 1, "the conversation goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_not_wait_for_somebody_idle_who_has_no_more_to_spend_than_the_others() {
    let mut team = AgentTeam::in_memory().unwrap();
    let model = agent(script(&[json!({"when": {"task": "a"}, "steps": [finishes("Done.")]})]));
    // The lead could review if there were no reviewer.
    for (name, role) in [("lead-1", Role::Lead), ("worker-1", Role::Worker), ("critic", Role::Reviewer)] {
        team.add_agent(name, role, model.clone()).unwrap();
    }
    team.options(RunOptions { budget_turns: Some(1), ..RunOptions::default() });
    team.add_task(NewTask { review: true, ..task("a") }).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    assert_eq!(view(&team, "a").status, Status::Reviewing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_reviews_when_the_reviewer_has_nothing_left_to_spend() {
    let mut team = AgentTeam::in_memory().unwrap();
    let approves =
        json!({"tool_calls": [{"name": "review", "input": {"approve": true, "feedback": "Good."}}]});
    let model = agent(script(&[
        json!({"when": {"role": "worker"}, "give": finishes("Done.")}),
        json!({"when": {"role": "lead", "task": "a"}, "give": approves}),
        json!({"when": {"role": "lead"}, "give": {"text": "All said."}}),
    ]));
    for (name, role) in [("lead-1", Role::Lead), ("worker-1", Role::Worker), ("critic", Role::Reviewer)] {
        team.add_agent(name, role, model.clone()).unwrap();
    }
    let critic = Account::Agent("critic".parse().unwrap());
    limit(team.queue(), &critic, Bounds { calls: Some(0), ..Bounds::default() });
    team.add_task(NewTask { review: true, ..task("a") }).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.unfinished);
    let claims = view(&team, "a").claims;
    let reviewer = claims.iter().find(|claim| claim.stage == Stage::Review).map(|claim| claim.agent.as_str());
    assert_eq!(reviewer, Some("lead-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_raised_while_the_team_winds_down_lets_it_go_on() {
    let project = TestProject::new();
    let (begun, open) = (project.beside("begun"), project.beside("open"));
    let waits_for =
        |file: &std::path::Path| format!("while [ ! -e '{}' ]; do sleep 0.02; done", file.display());
    // Each makes one call before any makes a second.
    let (opens, begins) = (format!("touch '{}'; {}", begun.display(), waits_for(&open)), waits_for(&begun));
    let model = Remembering::new(script(&[
        attempt("long", 1, &[runs(&opens), writes("long", "x\n"), finishes("Done.")]),
        attempt("other", 1, &[runs(&begins), writes("other", "x\n"), finishes("Done.")]),
    ]));
    let mut team = project.team();
    workers(&mut team, 2, &agent(model.clone()));
    let queue = team.queue().clone();
    let (reporter, said) = when("hands back other", move || {
        limit(&queue, &Account::Run, Bounds { calls: Some(10), ..Bounds::default() });
        std::fs::write(open, "").unwrap();
    });
    team.options(RunOptions { reporter, ..gated("true") });
    team.add_task(task("long").priority(1)).unwrap();
    team.add_task(task("other")).unwrap();
    limit(team.queue(), &Account::Team, Bounds { calls: Some(2), ..Bounds::default() });
    let queue = team.queue().clone();
    let raise = tokio::task::spawn_blocking(move || {
        // The limit of the team is raised only when one of both has handed back its task.
        while queue.budgets().unwrap().iter().all(|budget| budget.limit_turns != Some(10)) {
            std::thread::yield_now();
        }
        limit(&queue, &Account::Team, Bounds { calls: Some(10), ..Bounds::default() });
    });

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", said.lock().unwrap());
    raise.await.unwrap();
    assert_eq!((view(&team, "other").attempt, view(&team, "long").attempt), (1, 1));
    assert_eq!(model.asked().len(), 6);
}

/// A team whose first worker comes to no end within its budget, and whose second does.
fn one_of_two(project: &TestProject) -> AgentTeam {
    let model = script(&[
        json!({"when": {"agent": "worker-1"}, "give": {"tool_calls": [{"name": "list_tasks", "input": {}}]}}),
        json!({"when": {"agent": "worker-2"}, "steps": [writes("work", "x\n"), finishes("Done.")]}),
    ]);
    let mut team = project.team();
    workers(&mut team, 2, &agent(model));
    limit(team.queue(), &of_worker(1), Bounds { calls: Some(2), ..Bounds::default() });
    team.add_task(task("work")).unwrap();
    team
}

fn of_worker(number: u32) -> Account {
    Account::Agent(format!("worker-{number}").parse().unwrap())
}

fn author(team: &AgentTeam, task: &str) -> Option<String> {
    view(team, task).author.map(|author| author.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_agent_may_not_do_any_more_another_does() {
    let project = TestProject::new();
    let mut team = one_of_two(&project);
    let (human, other) = (AgentId::human(), "worker-2".parse::<AgentId>().unwrap());
    let (joined, queue, resumed) = (other.clone(), team.queue().clone(), other.clone());
    let (reporter, said) = when("worker-1 hands back work", move || {
        queue.resume(&AgentId::human(), Some(&resumed)).unwrap();
    });
    team.options(RunOptions { reporter, ..gated("true") });
    let member = AgentJoined { orchestrated: true, ..AgentJoined::new(joined, Role::Worker) };
    team.queue().join(member).unwrap();
    team.queue().pause(&human, Some(&other), "the first goes first").unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", said.lock().unwrap());
    assert_eq!(author(&team, "work").as_deref(), Some("worker-2"));
    assert_eq!(view(&team, "work").attempt, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_agent_without_a_budget_goes_to_another_in_the_next_run() {
    let project = TestProject::new();
    let mut team = one_of_two(&project);
    team.options(gated("true"));
    limit(team.queue(), &of_worker(2), Bounds { calls: Some(0), ..Bounds::default() });
    assert_eq!(run(&team).await.outcome, RunOutcome::OverBudget);
    assert_eq!(view(&team, "work").attempt, 1);

    limit(team.queue(), &of_worker(2), Bounds { calls: Some(9), ..Bounds::default() });
    let report = run(&team).await;
    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", report.unfinished);
    assert_eq!(author(&team, "work").as_deref(), Some("worker-2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_word_of_somebody_without_a_budget_hands_back_too() {
    let project = TestProject::new();
    let plans = json!({"tool_calls": [{"name": "submit_plan", "input": {"plan": "First this, then that."}}]});
    let model = Remembering::new(script(&[
        attempt("work", 1, &[plans, writes("work", "x\n"), finishes("Done.")]),
        json!({"give": {"text": "APPROVE"}}),
    ]));
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    team.options(RunOptions { budget_turns: Some(1), ..gated("true") });
    team.add_task(NewTask { plan: true, ..task("work") }).unwrap();

    let report = run(&team).await;

    assert_eq!((report.outcome, model.asked().len()), (RunOutcome::OverBudget, 1));
    assert_eq!((view(&team, "work").status, view(&team, "work").attempt), (Status::Ready, 1));
    assert!(report.took_ms < 15_000, "nobody waits for a word that cannot come: {} ms", report.took_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_to_stop_does_not_wait_for_a_word() {
    let mut team = AgentTeam::in_memory().unwrap();
    let plans = json!({"tool_calls": [{"name": "submit_plan", "input": {"plan": "First this, then that."}}]});
    workers(&mut team, 1, &agent(script(&[json!({"give": plans})])));
    let stop = team.stop();
    let (reporter, _) = when("WAITS worker-1 for you to judge its plan", move || stop.gently());
    team.options(RunOptions { reporter, ..RunOptions::default() });
    team.add_task(NewTask { plan: true, ..task("work") }).unwrap();

    let stopped = tokio::time::timeout(LONG, team.run(None)).await.expect("it ends by itself").unwrap();

    assert_eq!(stopped.outcome, RunOutcome::Interrupted);
    assert_eq!((view(&team, "work").status, view(&team, "work").attempt), (Status::Ready, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn time_at_work_that_is_used_up_ends_after_the_turn_under_way() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[json!({"when": {"task": "endless"}, "give": {"tool_calls": [
        {"name": "run", "input": {"command": "sleep 0.2; echo x >> log"}}
    ]}})]));
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    team.options(RunOptions { budget_time: Some(Duration::from_secs(1)), ..gated("true") });
    team.add_task(task("endless")).unwrap();
    team.add_task(task("never")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    assert_eq!(report.status.counts.ready, 2, "no attempt failed: {:?}", report.status.counts);
    let of_team = report.budgets.iter().find(|budget| budget.account == Account::Team).unwrap();
    assert!((1_000..20_000).contains(&of_team.spent.time_ms), "{of_team:?}");
    assert_eq!((of_team.reserved.time_ms, of_team.nearest), (0, Some(Resource::Time)));
    assert_eq!(view(&team, "endless").spent.time_ms, of_team.spent.time_ms);
    let done = project.git(&["show", &format!("{}:log", report.kept[0].reference)]);
    assert_eq!(done.lines().count(), model.asked().len(), "each turn was finished");
    let more = report.go_on.as_deref().and_then(|go_on| {
        let rest = go_on.strip_prefix("agent-team budget team --time ")?;
        agent_team::parse_duration(rest.strip_suffix(" && agent-team run")?).ok()
    });
    let used = Duration::from_millis(of_team.spent.time_ms);
    assert!(more.unwrap() >= used + Duration::from_millis(500), "{:?}: {used:?}", report.go_on);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_a_run_ends_it_and_nothing_is_merged_any_more() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[
        json!({"when": {"task": "endless"}, "give": {"tool_calls": [{"name": "run", "input": {"command": "sleep 0.1"}}]}}),
    ]));
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    team.options(RunOptions { budget_elapsed: Some(Duration::from_millis(700)), ..gated("true") });
    team.add_task(task("endless")).unwrap();

    let report = run(&team).await;

    assert_eq!((report.outcome, report.status.counts.ready), (RunOutcome::OverBudget, 1));
    assert_eq!(report.go_on.as_deref(), Some("agent-team run"), "the next run has a clock of its own");
    let of_run = report.budgets.iter().find(|budget| budget.account == Account::Run).unwrap();
    assert!(of_run.elapsed_ms.unwrap() >= 700 && of_run.nearest == Some(Resource::Elapsed), "{of_run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_put_back_in_time_ends_nothing() {
    let project = TestProject::new();
    let open = project.beside("open");
    let waits = format!("while [ ! -e '{}' ]; do sleep 0.02; done", open.display());
    let model = script(&[attempt("long", 1, &[runs(&waits), writes("long", "x\n"), finishes("Done.")])]);
    let mut team = project.team();
    workers(&mut team, 1, &agent(model));
    let queue = team.queue().clone();
    let (reporter, said) = when("of time on the clock in the budget of this run", move || {
        limit(&queue, &Account::Run, Bounds { elapsed_ms: Some(3_600_000), ..Bounds::default() });
        std::fs::write(open, "").unwrap();
    });
    let budget_elapsed = Some(Duration::from_secs(2));
    team.options(RunOptions { reporter, budget_elapsed, ..gated("true") });
    team.add_task(task("long")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{:?}", said.lock().unwrap());
    assert_eq!(view(&team, "long").attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_more_agents_than_its_team_may_have_is_refused() {
    let mut team = AgentTeam::in_memory().unwrap();
    for name in ["worker-1", "worker-2"] {
        let echo = llm_fn(async |prompt: String| Ok::<_, std::convert::Infallible>(prompt));
        team.add_agent(name, Role::Worker, echo).unwrap();
    }
    team.options(RunOptions { max_agents: Some(1), ..RunOptions::default() });
    let refused = team.run(None).await.unwrap_err();
    assert_eq!(refused.to_string(), "the team has as many agents as it may: 1");
    team.options(RunOptions { max_agents: Some(2), ..RunOptions::default() });
    team.add_task("work").unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Completed);
}
