//! Runs within a budget: nothing is called that might exceed it, and what was used is told by agent and task.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the tests' own functions fail by panicking")]

#[expect(dead_code, reason = "what other tests of runs need")]
mod project;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use agent_team::agent::ModelAgent;
use agent_team::model::{Delta, Model, ModelError, Price, Prices, Request, Response};
use agent_team::{
    Account, AgentId, Bounds, NewTask, Progress, Reporter, Role, RunOptions, RunOutcome, Status,
};
use project::{
    Remembering, TestProject, agent, attempt, finishes, gated, run, script, task, turns, view, workers,
    writes,
};
use serde_json::json;
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread")]
async fn when_tokens_run_out_nothing_more_is_asked_and_the_run_ends() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[json!({"give": {
        "tool_calls": [{"name": "list_tasks", "input": {}}],
        "usage": {"input_tokens": 30_000, "output_tokens": 10}
    }})]));
    let mut team = project.team();
    workers(&mut team, 2, &agent(model.clone()));
    team.add_agent("lead-1", Role::Lead, agent(model.clone())).unwrap();
    team.options(RunOptions { budget_tokens: Some(100_000), ..gated("true") });
    team.add_task(task("endless")).unwrap();
    team.add_task(task("another")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    assert!(report.status.spent.input_tokens + report.status.spent.output_tokens <= 100_000);
    let asked = model.asked();
    assert!((2..=3).contains(&asked.len()), "{} calls of 30,000 tokens fit", asked.len());
    assert!(asked.iter().all(|request| turns(request) <= 2));
    assert_eq!(report.status.reserved.input_tokens, 0);
    assert_eq!(report.status.counts.ready, 2, "no attempt failed: {:?}", report.status.counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_kept_nothing_from_being_done_is_no_error_of_the_run() {
    let project = TestProject::new();
    let model = script(&[
        json!({"when": {"agent": "worker-1"}, "give": {"tool_calls": [{"name": "list_tasks", "input": {}}]}}),
        json!({"give": finishes("Done.")}),
    ]);
    let mut team = project.team();
    workers(&mut team, 2, &agent(model));
    let errors = Arc::new(Mutex::new(Vec::new()));
    let ears = errors.clone();
    let reporter = Reporter::to(move |progress| match progress {
        Progress::Note(note) if note.starts_with("ERROR") => ears.lock().unwrap().push(note),
        _ => {}
    });
    let one = Bounds { calls: Some(1), ..Bounds::default() };
    let budgets = [(Account::Agent("worker-1".parse().unwrap()), one)].into();
    team.options(RunOptions { budgets, reporter, ..gated("true") });
    let first = NewTask { agent: Some("worker-1".into()), ..task("first") };
    team.add_task(first).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    let used_up = "the budget of agent worker-1 is used up (turns)";
    assert!(report.errors.len() == 1 && report.errors[0].starts_with(used_up), "{:?}", report.errors);

    // Another one does it.
    team.queue().reassign(&AgentId::human(), &"first".parse().unwrap(), None).unwrap();
    let report = run(&team).await;
    assert_eq!((report.outcome, report.errors), (RunOutcome::Completed, Vec::new()));
    assert_eq!(errors.lock().unwrap().len(), 2, "it was said when it came to that");
}

/// A model whose first call ends when somebody waits for it.
struct Holds(agent_team::model::Script, AtomicBool, Arc<Notify>);

#[async_trait::async_trait]
impl Model for Holds {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        if !self.1.swap(true, Ordering::Relaxed) {
            self.2.notified().await;
        }
        self.0.respond(request, stream).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_call_of_another_leaves_no_room_for_waits_until_that_has_ended() {
    let project = TestProject::new();
    let waits = Arc::new(Notify::new());
    let model = Holds(script(&[json!({"give": finishes("Done.")})]), AtomicBool::new(false), waits.clone());
    let mut team = project.team();
    workers(&mut team, 2, &agent(Arc::new(model)));
    let said = Arc::new(Mutex::new(Vec::new()));
    let ears = said.clone();
    let reporter = Reporter::to(move |progress| match progress {
        Progress::Activity { what, .. } if what.contains("calls of others end first") => waits.notify_one(),
        Progress::Note(note) => ears.lock().unwrap().push(note),
        _ => {}
    });
    // One call of at most 16,384 tokens of output fits beside what the other has used, and no two at once.
    team.options(RunOptions { budget_tokens: Some(32_000), reporter, ..gated("true") });
    team.add_task(task("one")).unwrap();
    team.add_task(task("two")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::Completed, "{report:?}");
    let said = said.lock().unwrap();
    assert!(!said.iter().any(|note| note.contains("used up") || note.contains("hands back")), "{said:?}");
}

/// A dollar for a million tokens.
fn a_dollar(model: &str) -> Arc<Prices> {
    let price = Price {
        input_microdollars: 1_000_000,
        cached_microdollars: 1_000_000,
        cache_write_microdollars: 1_000_000,
        output_microdollars: 1_000_000,
    };
    Arc::new(Prices::default().with(model, price))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_calls_cost_is_told_by_agent_and_task_and_stays_within_the_budget() {
    let project = TestProject::new();
    let costs = |tokens: u64, mut answer: serde_json::Value| {
        answer["usage"] = json!({"input_tokens": 0, "output_tokens": tokens});
        answer
    };
    let model = Remembering::new(script(&[
        attempt("cheap", 1, &[costs(1_000, writes("a", "x\n")), costs(2_000, finishes("Done."))]),
        json!({"when": {"task": "dear"}, "give": costs(16_000, json!({"tool_calls": [{"name": "list", "input": {}}]}))}),
    ]));
    let mut team = project.team();
    let worker = ModelAgent::new(model.clone()).prices(a_dollar("script"));
    team.add_agent("worker-1", Role::Worker, Arc::new(worker)).unwrap();
    team.options(RunOptions { budget_micro_usd: Some(100_000), ..gated("true") });
    team.add_task(task("cheap").priority(1)).unwrap();
    team.add_task(task("dear")).unwrap();

    let report = run(&team).await;

    assert_eq!(report.outcome, RunOutcome::OverBudget);
    assert_eq!(view(&team, "cheap").spent.micro_usd, 3_000);
    let (spent, dear) = (report.status.spent.micro_usd, view(&team, "dear").spent.micro_usd);
    assert!(dear >= 2 * 16_000 && spent == 3_000 + dear && spent <= 100_000, "{spent} millionths");
    let worker = report.status.agents.iter().find(|agent| agent.id.as_str() == "worker-1").unwrap();
    assert_eq!(worker.spent.micro_usd, spent);
}

/// A model of another name.
struct Named(&'static str, agent_team::model::Script);

#[async_trait::async_trait]
impl Model for Named {
    fn name(&self) -> &str {
        self.0
    }

    async fn respond(
        &self,
        request: &Request,
        stream: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Response, ModelError> {
        self.1.respond(request, stream).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_in_money_calls_no_model_whose_price_is_not_known() {
    let project = TestProject::new();
    let model = Remembering::new(Named("openai:of-tomorrow", script(&[])));
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    let said = Arc::new(Mutex::new(String::new()));
    let ears = said.clone();
    let reporter = Reporter::to(move |progress| *ears.lock().unwrap() += &format!("{progress:?}\n"));
    team.options(RunOptions { budget_micro_usd: Some(1_000_000), reporter, ..gated("true") });
    team.add_task(task("work")).unwrap();
    assert_eq!(run(&team).await.outcome, RunOutcome::Stuck);
    assert_eq!(model.asked().len(), 0);
    assert_eq!(view(&team, "work").status, Status::Ready, "no task fails for that");
    let said = said.lock().unwrap();
    assert!(said.contains("ERROR worker-1 takes nothing more") && said.contains("of-tomorrow"), "{said}");
    let state = team.queue().agent_states().unwrap().remove(0);
    assert!(state.words.starts_with("has left: ") && state.words.contains("of-tomorrow"), "{state:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_in_the_run_that_follows_one_whose_gate_was_red() {
    let project = TestProject::new();
    let model = Remembering::new(script(&[json!({"give": {
        "tool_calls": [{"name": "list_tasks", "input": {}}]
    }})]));
    let mut team = project.team();
    workers(&mut team, 1, &agent(model.clone()));
    team.add_task(task("endless")).unwrap();
    let worker = Account::Agent("worker-1".parse().unwrap());
    let bounds = Bounds { calls: Some(9), ..Bounds::default() };
    let within = |gate: &str| RunOptions {
        budget_turns: Some(2),
        budgets: [(worker.clone(), bounds)].into(),
        ..gated(gate)
    };
    team.options(within("false"));
    let red = team.run(None).await.unwrap_err();
    assert!(red.to_string().contains("gate"), "{red}");

    team.options(within("true"));
    assert_eq!(run(&team).await.outcome, RunOutcome::OverBudget);
    assert_eq!(model.asked().len(), 2);
    let budgets = team.queue().budgets().unwrap();
    let of_worker = budgets.iter().find(|budget| budget.account == worker).unwrap();
    assert_eq!(of_worker.limit_turns, Some(9));
}
